// SPDX-License-Identifier: BSD-2-Clause
//! The interfaces of a network stack, from what the kernel answers.
//!
//! On FreeBSD the agent asks with sysctl(3) NET_RT_IFLIST and not with netlink, so that the answer does
//! not come from the code under test, and traces of that code do not contain the agent's own questions.

use alloc::string::String;
use alloc::vec::Vec;

use crate::datagram::messages;

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Name of the interface; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Index of the interface.
    pub index: u32,
}

/// Cloners whose interfaces come with a file in `/dev` of their name (sys/net/if_tuntap.c).
const WITH_DEVICE: [&str; 3] = ["tun", "tap", "vmnet"];

impl Interface {
    /// Whether a file in `/dev` goes with it. All network stacks share that directory: none can have an interface of
    /// this name while another has.
    #[must_use]
    pub fn has_device(&self) -> bool {
        let kind = self.name.trim_end_matches(|c: char| c.is_ascii_digit());
        WITH_DEVICE.contains(&kind)
    }
}

/// RTM_IFINFO (FreeBSD net/route.h).
const RTM_IFINFO: u8 = 0xe;
/// RTM_VERSION (FreeBSD net/route.h).
const RTM_VERSION: u8 = 5;
/// AF_LINK (FreeBSD sys/socket.h).
const AF_LINK: u8 = 18;
/// Offset of `if_msghdr.ifm_data` and of `if_data.ifi_datalen` within it (FreeBSD net/if.h, amd64).
const IFM_DATA: usize = 16;
const IFI_DATALEN: usize = 6;
/// Offset of `if_data.ifi_link_state`.
const IFI_LINK_STATE: usize = 4;
/// Offsets in sockaddr_dl (FreeBSD net/if_dl.h): family, name length, name.
const SDL_FAMILY: usize = 1;
const SDL_NLEN: usize = 5;
const SDL_DATA: usize = 8;

/// The interfaces in FreeBSD's answer to `{CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST, 0}`: routing messages,
/// of which each RTM_IFINFO is
///
/// ```text
///  0        2         3      4       8       12      14      16         16 + ifi_datalen
///  | msglen | version | type | addrs | flags | index | spare | if_data  | sockaddr_dl with the name
/// ```
/// (net/if.h `struct if_msghdr`, net/rtsock.c `sysctl_iflist`). Stops at the first that does not fit.
#[must_use]
pub fn from_iflist(mut answer: &[u8]) -> Vec<Interface> {
    let mut found = Vec::new();
    while let Some((&[low, high, version, kind], _)) = answer.split_first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([low, high]));
        if len < 4 || version != RTM_VERSION {
            break;
        }
        let Some((message, rest)) = answer.split_at_checked(len) else { break };
        if kind == RTM_IFINFO {
            found.extend(iflist_entry(message));
        }
        answer = rest;
    }
    found
}

fn iflist_entry(message: &[u8]) -> Option<Interface> {
    let u16_at = |offset: usize| {
        let bytes = message.get(offset..)?.first_chunk::<2>()?;
        Some(u16::from_ne_bytes(*bytes))
    };
    let index = u16_at(12)?;
    let data_len = usize::from(u16_at(IFM_DATA + IFI_DATALEN)?);
    let address = message.get(IFM_DATA + data_len..)?;
    if *address.get(SDL_FAMILY)? != AF_LINK {
        return None;
    }
    let name_len = usize::from(*address.get(SDL_NLEN)?);
    let name = address.get(SDL_DATA..SDL_DATA + name_len)?;
    Some(Interface { name: String::from_utf8_lossy(name).into_owned(), index: index.into() })
}

/// The link state of an interface in the same answer: 0 unknown, 1 down, 2 up (net/if.h `LINK_STATE_*`). `None`: it is
/// not there. No driver is asked for it.
#[must_use]
pub fn link_state(mut answer: &[u8], name: &str) -> Option<u8> {
    while let Some((&[low, high, version, kind], _)) = answer.split_first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([low, high]));
        if len < 4 || version != RTM_VERSION {
            return None;
        }
        let (message, rest) = answer.split_at_checked(len)?;
        if kind == RTM_IFINFO && iflist_entry(message).is_some_and(|entry| entry.name == name) {
            return message.get(IFM_DATA + IFI_LINK_STATE).copied();
        }
        answer = rest;
    }
    None
}

/// RTM_NEWLINK, IFLA_IFNAME and the length of ifinfomsg, the same on both systems.
const RTM_NEWLINK: u16 = 16;
const IFLA_IFNAME: u16 = 3;
const IFINFOMSG_LEN: usize = 16;

/// The interfaces in one datagram of the answer to an RTM_GETLINK dump.
#[must_use]
pub fn from_links(datagram: &[u8]) -> Vec<Interface> {
    messages(datagram).filter(|m| m.kind == RTM_NEWLINK).filter_map(|m| link(m.payload)).collect()
}

fn link(payload: &[u8]) -> Option<Interface> {
    let (header, mut attributes) = payload.split_at_checked(IFINFOMSG_LEN)?;
    let index = u32::from_ne_bytes(*header.get(4..)?.first_chunk()?);
    while let Some((&[l0, l1, k0, k1], _)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = attributes.get(4..len)?;
        if u16::from_ne_bytes([k0, k1]) == IFLA_IFNAME {
            let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(Interface { name: String::from_utf8_lossy(name).into_owned(), index });
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

/// Interfaces of `now` that are not, with the same index, in `before`.
pub fn newcomers<'a>(before: &'a [Interface], now: &'a [Interface]) -> impl Iterator<Item = &'a Interface> {
    now.iter().filter(|interface| !before.contains(interface))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn interface(name: &str, index: u32) -> Interface {
        Interface { name: name.to_string(), index }
    }

    fn ifinfo(name: &str, index: u16) -> Vec<u8> {
        let data_len = 152usize;
        let mut message = vec![0; IFM_DATA + data_len];
        message[2] = RTM_VERSION;
        message[3] = RTM_IFINFO;
        message[12..14].copy_from_slice(&index.to_ne_bytes());
        message[IFM_DATA + IFI_DATALEN..][..2].copy_from_slice(&(data_len as u16).to_ne_bytes());
        let mut address = vec![54, AF_LINK, 0, 0, 24, name.len() as u8, 0, 0];
        address.extend(name.as_bytes());
        address.resize(56, 0);
        message.extend(address);
        let len = message.len() as u16;
        message[..2].copy_from_slice(&len.to_ne_bytes());
        message
    }

    #[test]
    fn tunnels_have_devices_and_other_interfaces_have_none() {
        assert!(interface("tun7", 1).has_device() && interface("vmnet0", 2).has_device());
        assert!(!interface("lo0", 1).has_device() && !interface("tunnel7", 2).has_device());
    }

    #[test]
    fn iflist_gives_names_and_skips_addresses() {
        let mut answer = ifinfo("lo0", 1);
        // RTM_NEWADDR, whatever it holds.
        answer.extend([8, 0, RTM_VERSION, 0xc, 1, 2, 3, 4]);
        answer.extend(ifinfo("epair0a", 300));
        assert_eq!(from_iflist(&answer), [interface("lo0", 1), interface("epair0a", 300)]);
    }

    #[test]
    fn a_cut_iflist_gives_what_is_whole() {
        let mut answer = ifinfo("lo0", 1);
        answer.extend(ifinfo("lo10", 2));
        for cut in 0..ifinfo("lo10", 2).len() {
            assert_eq!(from_iflist(&answer[..ifinfo("lo0", 1).len() + cut]), [interface("lo0", 1)]);
        }
        assert_eq!(from_iflist(&[0; 64]), []);
    }

    /// RTM_NEWLINK with an attribute before the name.
    fn newlink(name: &str, index: u32) -> Vec<u8> {
        let mut payload = vec![0; IFINFOMSG_LEN];
        payload[4..8].copy_from_slice(&index.to_ne_bytes());
        payload.extend([6, 0, 1, 0, 1, 2, 0, 0]);
        payload.extend((5 + name.len() as u16).to_ne_bytes());
        payload.extend(IFLA_IFNAME.to_ne_bytes());
        payload.extend(name.as_bytes());
        payload.push(0);
        let mut message = Vec::new();
        message.extend((16 + payload.len() as u32).to_ne_bytes());
        message.extend(RTM_NEWLINK.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(payload);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn links_give_names_behind_other_attributes() {
        let mut datagram = newlink("lo", 1);
        datagram.extend(newlink("dummy0", 70_000));
        assert_eq!(from_links(&datagram), [interface("lo", 1), interface("dummy0", 70_000)]);
    }

    #[test]
    fn a_link_whose_attributes_lie_has_no_name() {
        let mut datagram = newlink("lo", 1);
        datagram[32] = 0;
        assert_eq!(from_links(&datagram), []);
    }

    #[test]
    fn a_name_with_another_index_is_a_newcomer() {
        let before = [interface("lo", 1), interface("lo10", 2)];
        let now = [interface("lo", 1), interface("lo10", 3), interface("lo11", 4)];
        let fresh: Vec<_> = newcomers(&before, &now).cloned().collect();
        assert_eq!(fresh, [interface("lo10", 3), interface("lo11", 4)]);
    }
}
