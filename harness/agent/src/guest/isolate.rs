// SPDX-License-Identifier: BSD-2-Clause
//! The child's way into a fresh network stack, and into its credentials.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;

use nlproof_agent::Privilege;

#[cfg(feature = "freebsd")]
use crate::sys::jail::Jid;
use crate::sys::{Errno, process};

/// Settings of a network stack, and values longer than any vector looks.
#[cfg(feature = "freebsd")]
const STILL: &[(&str, i32)] = &[
    // An address is tentative until nobody has objected so many times, a second each (RFC 4862 5.4). The default is one.
    ("net.inet6.ip6.dad_count", 600),
    // How many seconds pass until the addresses are looked at again (sys/netinet6/nd6.c `nd6_timer`): those of an
    // interface that is down become tentative then. The default is one.
    ("net.inet6.icmp6.nd6_prune", 600),
];

/// "nobody" and its group on both systems.
const NOBODY: u32 = 65534;

/// The jail of one program.
#[derive(Clone)]
pub(crate) enum Jail {
    /// To be made.
    Fresh(CString),
    /// Made beforehand and entered by nobody yet.
    #[cfg(feature = "freebsd")]
    Waiting(CString, Jid),
}

impl Jail {
    /// Name of the stack; on Linux nothing but a name.
    pub(crate) fn name(&self) -> &core::ffi::CStr {
        match self {
            Self::Fresh(name) => name,
            #[cfg(feature = "freebsd")]
            Self::Waiting(name, _) => name,
        }
    }
}

#[cfg(feature = "freebsd")]
fn jail_failed(name: &core::ffi::CStr, (errno, words): (Errno, String)) -> (Errno, String) {
    let name = name.to_string_lossy();
    let cause = if words.is_empty() { format!("{errno}") } else { format!("{errno}: {words}") };
    let remedy = "the agent must run as root on a kernel with VIMAGE";
    (errno, format!("no jail `{name}` with a network stack of its own ({cause}); {remedy}"))
}

/// Puts this process into a network stack that nobody has used and in which nothing happens by itself.
///
/// # Errors
/// The kernel's number and what could not be done.
#[cfg(feature = "freebsd")]
pub(crate) fn enter(jail: &Jail) -> Result<(), (Errno, String)> {
    let failed = |failed| jail_failed(jail.name(), failed);
    match jail {
        Jail::Fresh(name) => crate::sys::jail::enter_fresh(name).map_err(failed).and_then(|()| still()),
        // `prepare` has made its settings.
        Jail::Waiting(_, jid) => {
            crate::sys::jail::enter_waiting(*jid).map_err(|errno| failed((errno, String::new())))
        }
    }
}

/// Makes a jail that waits, with a network stack in which nothing happens by itself.
///
/// # Errors
/// Same as [`enter`].
#[cfg(feature = "freebsd")]
pub(crate) fn prepare(name: CString) -> Result<Jail, (Errno, String)> {
    let system = |errno: Errno| (errno, format!("no process to prepare a jail ({errno})"));
    let jid = crate::sys::jail::create_waiting(&name).map_err(|failed| jail_failed(&name, failed))?;
    // A process that has entered a jail cannot leave it.
    match process::fork().map_err(system)? {
        process::Forked::Child => {
            let result = crate::sys::jail::enter_waiting(jid);
            let result = result.and_then(|()| still().map_err(|(errno, _)| errno));
            // An error number fits into an exit status.
            process::exit(result.map_or_else(|errno| errno.0, |()| 0))
        }
        process::Forked::Parent(pid) => match process::wait(pid, true).map_err(system)? {
            Some(0) => Ok(Jail::Waiting(name, jid)),
            status => {
                let errno = Errno(status.unwrap_or_default());
                Err(jail_failed(&name, (errno, String::from("it could not be prepared"))))
            }
        },
    }
}

/// Keeps the network stack of this process from changing IPv6 addresses as time goes by, which a vector on a busy host
/// would see and one on an idle host would not.
#[cfg(feature = "freebsd")]
fn still() -> Result<(), (Errno, String)> {
    for (name, value) in STILL {
        match crate::sys::sysctl::set_int(name, *value) {
            // ENOENT: a kernel without IPv6.
            Ok(()) | Err(crate::sys::errno::ENOENT) => {}
            Err(errno) => return Err((errno, format!("{name} cannot be set ({errno})"))),
        }
    }
    Ok(())
}

/// Puts this process into a fresh network namespace; without privilege into a user namespace as well, in
/// which it is root.
///
/// # Errors
/// The kernel's number and what could not be done.
#[cfg(not(feature = "freebsd"))]
pub(crate) fn enter(_jail: &Jail) -> Result<(), (Errno, String)> {
    use crate::sys::errno;
    use crate::sys::namespace::{Fresh, ids, unshare};

    let failed = |what: &str| {
        let what = String::from(what);
        move |errno: Errno| {
            (errno, format!("{what} ({errno}); run the agent as root or allow user namespaces"))
        }
    };
    match unshare(Fresh::Net) {
        Err(errno::EPERM) => {}
        result => return result.map_err(failed("no network namespace")),
    }
    let (uid, gid) = ids();
    unshare(Fresh::UserAndNet).map_err(failed("no network namespace and no user namespace"))?;
    // user_namespaces(7): an unprivileged writer must give up setgroups(2) before it maps its group.
    for (path, line) in [
        (c"/proc/self/setgroups", String::from("deny")),
        (c"/proc/self/uid_map", format!("0 {uid} 1")),
        (c"/proc/self/gid_map", format!("0 {gid} 1")),
    ] {
        write_line(path, &line).map_err(failed(&format!("cannot write {}", path.to_string_lossy())))?;
    }
    Ok(())
}

#[cfg(not(feature = "freebsd"))]
fn write_line(path: &core::ffi::CStr, line: &str) -> Result<(), Errno> {
    use crate::sys::io::{Access, open, write_all};

    write_all(open(path, Access::Write)?.raw(), line.as_bytes())
}

/// Puts this process into a jail that shares the network stack it is in.
#[cfg(feature = "freebsd")]
fn enter_within() -> Result<(), (Errno, String)> {
    crate::sys::jail::enter_within(c"within").map_err(|(errno, words)| {
        (errno, format!("no jail within the jail ({errno}: {words}); the agent must run as root"))
    })
}

/// There are no jails.
#[cfg(not(feature = "freebsd"))]
fn enter_within() -> Result<(), (Errno, String)> {
    Err((crate::sys::errno::EPERM, String::from("there are no jails here: the vector is for FreeBSD alone")))
}

/// Takes the credentials that the program asks for.
///
/// # Errors
/// The kernel's number and what could not be done.
pub(crate) fn take_privilege(privilege: Privilege) -> Result<(), (Errno, String)> {
    match privilege {
        Privilege::Root | Privilege::Outside => Ok(()),
        Privilege::Jailed => enter_within(),
        Privilege::Unprivileged => process::become_user(NOBODY, NOBODY)
            // Linux forgets this with the change of user.
            .and_then(|()| process::die_with_parent())
            .map_err(|errno| {
                (errno, format!("cannot become user {NOBODY} ({errno}); the agent must run as root for that"))
            }),
    }
}
