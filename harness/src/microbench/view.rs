// SPDX-License-Identifier: BSD-2-Clause
//! Interface messages decoded: through borrowed views, by the strict walk, into owned trees.

use iface_sim::{Errno, Profile};
use nlproof_wire::consts::freebsd::{IFLA_FREEBSD, IFLAF_CAPS};
use nlproof_wire::consts::*;
use nlproof_wire::view::{AttrItem, Attrs, IfInfoMsg, MessageItem, RtnlLinkStats64, attrs, messages};
use nlproof_wire::{Os, tree::Datagram};

use super::dump::Dump;

/// Datagrams of RTM_NEWLINK as the simulated kernel sends them, byte for byte what a real one does.
#[derive(Debug)]
pub struct Links {
    /// The datagrams.
    pub datagrams: Vec<Vec<u8>>,
    /// RTM_NEWLINK in all of them.
    pub messages: u64,
    /// Bytes of all of them.
    pub bytes: usize,
}

impl Links {
    /// A dump of 40 interfaces of a 15 kernel.
    ///
    /// # Errors
    /// Same as [`Dump::new`].
    pub fn new() -> Result<Self, Errno> {
        let dump = Dump::new(Profile::R15, 40)?;
        let datagrams: Vec<_> = dump.answer().collect();
        let messages = datagrams.iter().map(|datagram| view(datagram).messages).sum();
        let bytes = datagrams.iter().map(Vec::len).sum();
        Ok(Self { datagrams, messages, bytes })
    }
}

/// The values that a reader of interfaces takes out of messages, reduced to a few sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// RTM_NEWLINK messages.
    pub messages: u64,
    /// Attributes, those in nests too.
    pub attributes: u64,
    /// Of all values.
    pub sum: u64,
}

impl Seen {
    fn add(&mut self, value: impl Into<u64>) {
        self.sum = self.sum.wrapping_add(value.into());
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        self.add(bytes.first().copied().unwrap_or(0));
    }

    /// Nests of FreeBSD's interface messages have at most three levels; deeper ones are not entered.
    fn attrs(&mut self, list: Attrs<'_>, number_of_nest: u16, levels: u8) {
        for item in list {
            let AttrItem::Attr(attr) = item else { continue };
            self.attributes += 1;
            match (number_of_nest, attr.number()) {
                (0, IFLA_STATS64) => {
                    let stats = RtnlLinkStats64::parse(attr.payload).unwrap_or_default();
                    stats.counters.into_iter().for_each(|counter| self.add(counter));
                }
                (0, nest @ (IFLA_LINKINFO | IFLA_FREEBSD))
                | (IFLA_LINKINFO, nest @ IFLA_INFO_DATA)
                | (IFLA_FREEBSD, nest @ IFLAF_CAPS)
                    if levels > 0 =>
                {
                    self.attrs(attr.nested(), nest, levels - 1);
                }
                (0, IFLA_IFNAME | IFLA_IFALIAS) | (IFLA_LINKINFO, IFLA_INFO_KIND) => {
                    self.add_bytes(attr.as_str_bytes().unwrap_or_default());
                }
                _ => match attr.as_u32() {
                    Some(value) => self.add(value),
                    None => self.add_bytes(attr.payload),
                },
            }
        }
    }
}

/// Reads every RTM_NEWLINK of a datagram through the view layer: header, `ifinfomsg`, every attribute with
/// its value, nests and the 24 counters included.
#[must_use]
pub fn view(datagram: &[u8]) -> Seen {
    let mut seen = Seen::default();
    for item in messages(datagram) {
        let MessageItem::Message(message) = item else { continue };
        if message.header.kind != RTM_NEWLINK {
            continue;
        }
        let Some(info) = IfInfoMsg::parse(message.payload) else { continue };
        seen.messages += 1;
        seen.add(info.index.unsigned_abs());
        seen.add(info.flags);
        seen.attrs(attrs(message.payload.get(IfInfoMsg::SIZE..).unwrap_or_default()), 0, 2);
    }
    seen
}

/// The strict walk over a datagram; whether it found no fault.
#[must_use]
pub fn strict(datagram: &[u8]) -> bool {
    nlproof_wire::strict::walk(Os::FreeBsd, datagram).is_ok()
}

/// The owned tree of a datagram; how many messages it has.
#[must_use]
pub fn tree(datagram: &[u8]) -> usize {
    Datagram::decode(Os::FreeBsd, datagram).messages.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_and_attribute_of_a_dump_is_seen() {
        let links = Links::new().unwrap();
        assert_eq!(links.messages, 40);
        for datagram in &links.datagrams {
            let seen = view(datagram);
            let owned = Datagram::decode(Os::FreeBsd, datagram);
            // The last datagram ends with NLMSG_DONE.
            assert!((0..=1).contains(&(tree(datagram) - seen.messages as usize)));
            let top: usize = owned.messages.iter().map(|message| message.attrs.len()).sum();
            assert!(seen.attributes as usize > top, "{seen:?}: nests have attributes too");
            assert!(strict(datagram));
        }
    }

    #[test]
    fn a_byte_of_a_value_changes_what_is_seen() {
        let links = Links::new().unwrap();
        let good = &links.datagrams[0];
        let mut bytes = good.clone();
        // ifi_flags of the first message.
        bytes[24] ^= 1;
        assert_ne!(view(&bytes), view(good));
    }
}
