// SPDX-License-Identifier: BSD-2-Clause
//! What ifconfig(8) does to interfaces through ioctls (`net/if.c`), for vectors that bring about what netlink cannot:
//! new names, flags, and in 13 addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use iface_core::{Errno, Inet6Alias, InetAlias, LinkEvent, Name, Rename, Sleepable, link_renamed};
use nlproof_wire::consts::freebsd::{IFF_MONITOR, IFF_RENAMING};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_UP, IFNAMSIZ, INFINITE_LIFETIME};

use crate::interface::IfRef;
use crate::reference::CountedRef;
use crate::sim::Sim;
use crate::stack::Stack;

/// One thing that a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Create,
    Destroy,
    /// SIOCSIFFLAGS: these flags on, or off.
    Flags(u32, bool),
    /// SIOCSIFFLAGS: IFF_PPROMISC on, or off.
    Promiscuous(bool),
    Mtu(u32),
    Name(Vec<u8>),
    Description(Vec<u8>),
    /// SIOCAIFGROUP.
    Join(Vec<u8>),
    /// SIOCDIFGROUP.
    Leave(Vec<u8>),
    AddInet(Ipv4Addr, u8),
    DeleteInet(Ipv4Addr),
    AddInet6(Ipv6Addr, u8),
    DeleteInet6(Ipv6Addr),
}

/// A command line of ifconfig(8), as far as it is modelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ifconfig {
    interface: String,
    changes: Vec<Change>,
}

impl Ifconfig {
    /// The program's path.
    pub const PATH: &'static str = "/sbin/ifconfig";

    /// The program's name, which a shell would find it by.
    pub const NAME: &'static str = "ifconfig";

    /// Reads a command line; `None`: another program, or something that is not modelled.
    pub fn parse<S: AsRef<str>>(argv: &[S]) -> Option<Self> {
        let mut words = argv.iter().map(AsRef::as_ref);
        if ![Self::PATH, Self::NAME].contains(&words.next()?) {
            return None;
        }
        let interface = words.next()?.to_owned();
        let mut changes = Vec::new();
        while let Some(word) = words.next() {
            changes.push(match word {
                "create" => Change::Create,
                "destroy" => Change::Destroy,
                "up" => Change::Flags(IFF_UP, true),
                "down" => Change::Flags(IFF_UP, false),
                "monitor" => Change::Flags(IFF_MONITOR, true),
                "-monitor" => Change::Flags(IFF_MONITOR, false),
                "promisc" => Change::Promiscuous(true),
                "-promisc" => Change::Promiscuous(false),
                "mtu" => Change::Mtu(words.next()?.parse().ok()?),
                "name" => Change::Name(words.next()?.into()),
                "description" => Change::Description(words.next()?.into()),
                "group" => Change::Join(group(words.next()?)?),
                "-group" => Change::Leave(group(words.next()?)?),
                "inet" => inet(words.next()?, words.next())?,
                "inet6" => inet6(words.next()?, words.next())?,
                _ => return None,
            });
        }
        (!changes.is_empty()).then_some(Self { interface, changes })
    }
}

/// A group's name, which ifconfig(8) itself rejects when it ends with a digit or is too long.
fn group(name: &str) -> Option<Vec<u8>> {
    let possible = name.len() < IFNAMSIZ && !name.ends_with(|last: char| last.is_ascii_digit());
    possible.then(|| name.into())
}

fn inet(address: &str, word: Option<&str>) -> Option<Change> {
    match (address.split_once('/'), word) {
        (Some((address, len)), None | Some("alias")) => {
            Some(Change::AddInet(address.parse().ok()?, len.parse().ok().filter(|len| *len <= 32)?))
        }
        (None, Some("-alias")) => Some(Change::DeleteInet(address.parse().ok()?)),
        _ => None,
    }
}

fn inet6(address: &str, word: Option<&str>) -> Option<Change> {
    match (address.split_once('/'), word) {
        (Some((address, len)), None | Some("alias")) => {
            Some(Change::AddInet6(address.parse().ok()?, len.parse().ok().filter(|len| *len <= 128)?))
        }
        (None, Some("-alias")) => Some(Change::DeleteInet6(address.parse().ok()?)),
        _ => None,
    }
}

fn unknown(error: Errno) -> String {
    format!("ifconfig: error {}, in words that no kernel's run has shown\n", error.number())
}

impl Sim {
    /// Runs ifconfig(8) as root; what it prints: the new name of an interface that got another one than was given.
    ///
    /// # Errors
    /// What it prints about the first ioctl that failed. The texts are ifconfig(8)'s own where a kernel's run has shown
    /// them; others name the error's number.
    pub fn ifconfig(&self, command: &Ifconfig) -> Result<String, String> {
        self.stack.tracer.in_command(|| self.run_ifconfig(command))
    }

    fn run_ifconfig(&self, command: &Ifconfig) -> Result<String, String> {
        let mut thread = Sleepable::at_entry();
        let stack = &self.stack;
        let mut name = command.interface.clone();
        for change in &command.changes {
            if *change == Change::Create {
                let ifp =
                    stack.clone_create(&mut thread, name.as_bytes(), None).map_err(|error| match error {
                        Errno::EEXIST => format!("ifconfig: interface {name} already exists\n"),
                        Errno::EINVAL => format!("ifconfig: SIOCIFCREATE2 ({name}): Invalid argument\n"),
                        other => unknown(other),
                    })?;
                name = String::from_utf8_lossy(ifp.name.get().as_bytes()).into_owned();
                continue;
            }
            let ifp = stack
                .unit(name.as_bytes())
                .ok_or_else(|| format!("ifconfig: interface {name} does not exist\n"))?;
            stack.ifconfig(&mut thread, &ifp, change).map_err(|error| match (change, error) {
                (Change::Destroy, Errno::EBUSY) => "ifconfig: SIOCIFDESTROY: Device busy\n".to_owned(),
                (_, other) => unknown(other),
            })?;
            if let Change::Name(_) = change {
                name = String::from_utf8_lossy(ifp.name.get().as_bytes()).into_owned();
            }
        }
        Ok(if name == command.interface { String::new() } else { format!("{name}\n") })
    }
}

impl Stack {
    fn ifconfig(&self, thread: &mut Sleepable, ifp: &IfRef, change: &Change) -> Result<(), Errno> {
        let before = ifp.has(IFF_UP);
        match change {
            Change::Create => {}
            Change::Destroy => return self.clone_destroy(thread, ifp.name.get()),
            Change::Flags(flags, on) => return self.change_flags(thread, ifp, *flags, *on),
            Change::Promiscuous(on) => {
                self.permanent_promiscuity(ifp, *on);
                self.driver_flags_changed(thread, ifp).unwrap_or(());
            }
            Change::Mtu(mtu) => return self.change_mtu(thread, ifp, *mtu),
            Change::Name(name) => return self.rename(thread, ifp, name),
            Change::Join(group) => return if ifp.join(group) { Ok(()) } else { Err(Errno::EEXIST) },
            Change::Leave(group) => return if ifp.leave(group) { Ok(()) } else { Err(Errno::ENOENT) },
            Change::Description(text) => *ifp.description.borrow_mut() = Some(text.clone()),
            Change::AddInet(address, len) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*len)).unwrap_or(0);
                // `in_aifaddr_ioctl` finds the broadcast address by itself (RFC 3021: /31 has none of its own).
                let all = if *len == 31 { u32::MAX } else { u32::from_be_bytes(address.octets()) | !mask };
                let alias = InetAlias {
                    address: address.octets(),
                    mask: mask.to_be_bytes(),
                    destination: ifp.has(IFF_BROADCAST).then(|| all.to_be_bytes()),
                    vhid: 0,
                };
                self.inet_add(thread, ifp, &alias)?;
            }
            Change::DeleteInet(address) => self.inet_delete(ifp, address.octets())?,
            Change::AddInet6(address, prefix_len) => {
                let alias = Inet6Alias {
                    address: address.octets(),
                    prefix_len: *prefix_len,
                    destination: None,
                    flags: 0,
                    preferred: INFINITE_LIFETIME,
                    valid: INFINITE_LIFETIME,
                    vhid: 0,
                };
                self.inet6_add(thread, ifp, &alias)?;
            }
            Change::DeleteInet6(address) => self.inet6_delete(ifp, address.octets())?,
        }
        // `ifioctl`: an address that brought the interface up.
        if !before && ifp.has(IFF_UP) {
            self.interface_up(thread, ifp);
        }
        Ok(())
    }

    /// SIOCSIFFLAGS: down before the driver hears of it, up afterwards. What the driver says is lost.
    fn change_flags(&self, thread: &mut Sleepable, ifp: &IfRef, flags: u32, on: bool) -> Result<(), Errno> {
        let was_up = ifp.has(IFF_UP);
        let goes_up = on && flags & IFF_UP != 0 && !was_up;
        if !on && flags & IFF_UP != 0 && was_up {
            self.interface_down(thread, ifp);
        }
        if on {
            ifp.set(flags);
        } else {
            ifp.clear(flags);
        }
        self.driver_flags_changed(thread, ifp).unwrap_or(());
        if goes_up {
            self.interface_up(thread, ifp);
        }
        Ok(())
    }

    /// SIOCSIFNAME.
    fn rename(&self, thread: &mut Sleepable, ifp: &IfRef, name: &[u8]) -> Result<(), Errno> {
        if name.is_empty() || name.len() >= IFNAMSIZ {
            return Err(Errno::EINVAL);
        }
        if self.unit(name).is_some() {
            return Err(Errno::EEXIST);
        }
        match self.behaviours.rename {
            Rename::DepartureAndArrival => {
                ifp.set(IFF_RENAMING);
                self.announce(thread, ifp, LinkEvent::Departed);
                ifp.name.set(Name::truncated(name));
                self.announce(thread, ifp, LinkEvent::Arrived);
                ifp.clear(IFF_RENAMING);
            }
            Rename::EventOfItsOwn => {
                let old = ifp.name.replace(Name::truncated(name));
                link_renamed(self, &self.behaviours, thread, &CountedRef::lent(ifp), old);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    fn parse(line: &str) -> Option<Ifconfig> {
        Ifconfig::parse(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_modelled_is_not_understood() {
        assert!(parse("/sbin/ifconfig lo10 inet 192.0.2.1/24 alias").is_some());
        assert_eq!(parse("ifconfig lo10 create"), parse("/sbin/ifconfig lo10 create"));
        for line in [
            "/sbin/route add",
            "/usr/sbin/ifconfig lo10 create",
            "/sbin/ifconfig lo10",
            "/sbin/ifconfig -a",
            "/sbin/ifconfig lo10 inet 192.0.2.1/33",
            "/sbin/ifconfig lo10 inet 192.0.2.1/24 vhid 7",
            "/sbin/ifconfig lo10 mtu",
            "/sbin/ifconfig lo10 polling",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn names_that_were_not_given_are_printed_and_errors_returned() {
        let sim = Sim::new(Profile::R15);
        let run = |line: &str| sim.ifconfig(&parse(line).expect("it is modelled"));
        assert_eq!(run("/sbin/ifconfig lo10 create"), Ok(String::new()));
        assert_eq!(
            run("/sbin/ifconfig lo10 create"),
            Err("ifconfig: interface lo10 already exists\n".into())
        );
        assert_eq!(run("/sbin/ifconfig epair7 create up"), Ok("epair7a\n".into()));
        assert_eq!(run("/sbin/ifconfig lo10 name outer mtu 1400"), Ok("outer\n".into()));
        assert_eq!(run("/sbin/ifconfig lo10 up"), Err("ifconfig: interface lo10 does not exist\n".into()));
        assert_eq!(run("/sbin/ifconfig outer name epair7b"), Err(unknown(Errno::EEXIST)));
        assert_eq!(run("/sbin/ifconfig outer name a-name-too-long-"), Err(unknown(Errno::EINVAL)));
        assert_eq!(run("/sbin/ifconfig outer mtu 1"), Err(unknown(Errno::EINVAL)));
        assert_eq!(run("/sbin/ifconfig outer inet6 2001:db8::1 -alias"), Err(unknown(Errno::EADDRNOTAVAIL)));
        assert_eq!(sim.held(), 0);
    }
}
