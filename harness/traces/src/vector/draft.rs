// SPDX-License-Identifier: BSD-2-Clause
//! A vector from what was seen: datagrams by names where there is a name, raw where there is none.
//!
//! Nothing is lost: the vector compiles to the very bytes, but for the numbers that a run gives (`nlmsg_seq`, `nlmsg_pid`)
//! and indexes of interfaces whose names are known. Each of these is told as a [`Replaced`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use nlproof_agent::{Privilege, Setting, SocketOptions, Step};
use nlproof_wire::Os;
use nlproof_wire::strict::{self, Options};

use super::compile::compile;
use super::lint::malformation;
use super::load::{Vector, parse_vector};
use super::named::{Segment, segments};
use super::numbering::seqs_of;
use super::write::{exec_tree, wait_tree};
use crate::file::tree::{Entries, list, pair, text, texts, yaml};
use crate::file::{FileError, Value};

/// A vector that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Path below `vectors/` without `.yaml`.
    pub id: String,
    /// One sentence: what it shows.
    pub about: String,
    /// The system whose names and numbers hold, and for which the vector is.
    pub os: Os,
    /// Who sends; never outside.
    pub privilege: Privilege,
    /// Kernel modules that the guest must have loaded.
    pub modules: Vec<String>,
    /// Settings of the kernel while it runs.
    pub sysctl: Vec<Setting>,
    /// Multicast groups by name.
    pub groups: Vec<String>,
    /// Options of the request socket.
    pub socket: SocketOptions,
    /// What is done.
    pub steps: Vec<DraftStep>,
}

/// A step of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftStep {
    /// Sends these bytes as one datagram.
    Send {
        /// The bytes.
        data: Vec<u8>,
        /// Interfaces whose indexes are written by name, as they were when the datagram was sent.
        interfaces: BTreeMap<u32, String>,
    },
    /// Runs a command.
    Exec {
        /// The program and its arguments.
        argv: Vec<String>,
        /// The command is killed after this many milliseconds.
        limit_ms: u32,
    },
    /// Waits until no event has come for `quiet_ms`, at most `limit_ms`.
    Wait {
        /// Milliseconds without an event that end the step.
        quiet_ms: u32,
        /// The step ends after this many milliseconds whatever comes.
        limit_ms: u32,
    },
}

/// Bytes of a datagram that the vector does not send as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Index of the step.
    pub step: usize,
    /// Where the message begins in the datagram, in bytes.
    pub offset: usize,
    /// What was there, and what is sent.
    pub what: String,
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}, message at byte {}: {}", self.step, self.offset, self.what)
    }
}

impl Draft {
    /// A draft without steps, for root and without options.
    pub fn new(id: impl Into<String>, about: impl Into<String>, os: Os) -> Self {
        Self {
            id: id.into(),
            about: about.into(),
            os,
            privilege: Privilege::Root,
            modules: Vec::new(),
            sysctl: Vec::new(),
            groups: Vec::new(),
            socket: SocketOptions::default(),
            steps: Vec::new(),
        }
    }

    /// The vector, which is to stand in `path`, and what it sends otherwise than it was.
    ///
    /// # Errors
    /// An empty text or a name that no vector may have; or a datagram that no vector can send.
    pub fn vector(&self, path: &Path) -> Result<(Vector, Vec<Replaced>), FileError> {
        let forms: Vec<_> = self.steps.iter().map(|step| Form::of(self.os, step)).collect();
        let vector = self.parsed(path, &forms, &BTreeSet::new())?;
        let (forms, differs) = self.checked(&vector, forms)?;
        let vector = if differs { self.parsed(path, &forms, &BTreeSet::new())? } else { vector };
        let (forms, differs) = self.checked(&vector, forms)?;
        if differs {
            return Err(FileError::whole(path, "a datagram cannot be sent by a vector as it is"));
        }
        let steps = compile(&vector, self.os, 0)?.steps;
        let mut malformed = BTreeSet::new();
        for step in &steps {
            if let Step::Send(send) = step {
                strict::faults(self.os, &send.data, Options { unknown: true }, &mut |fault| {
                    malformed.insert(malformation(&fault).name());
                    ControlFlow::Continue(())
                });
            }
        }
        let vector = if malformed.is_empty() { vector } else { self.parsed(path, &forms, &malformed)? };
        let mut replaced = Vec::new();
        for (index, (form, step)) in forms.iter().zip(&self.steps).enumerate() {
            if let (Form::Datagram(segments), DraftStep::Send { interfaces, .. }) = (form, step) {
                let first = seqs_of(u32::try_from(index).unwrap_or(u32::MAX)).start;
                for (segment, seq) in segments.iter().zip(first..) {
                    let told = segment.replaced(seq, interfaces);
                    replaced.extend(told.into_iter().map(|what| Replaced {
                        step: index,
                        offset: segment.offset,
                        what,
                    }));
                }
            }
        }
        Ok((vector, replaced))
    }

    fn parsed(
        &self,
        path: &Path,
        forms: &[Form<'_>],
        malformed: &BTreeSet<&str>,
    ) -> Result<Vector, FileError> {
        let mut file = Entries::default();
        file.put("about", text(&self.about));
        file.put("needs", pair("os", texts([self.os.name()])));
        file.put_some("malformed", texts(malformed.iter().copied()));
        file.put("steps", list(forms.iter().map(Form::tree)));
        let mut vector = parse_vector(self.id.clone(), path, &yaml(&file.map()))?;
        vector.needs.privilege = self.privilege;
        vector.needs.modules.clone_from(&self.modules);
        vector.needs.sysctl.clone_from(&self.sysctl);
        vector.groups.clone_from(&self.groups);
        vector.socket = self.socket;
        // Read back, so that every place is one of the file that is written.
        parse_vector(self.id.clone(), path, &vector.to_yaml())
    }

    /// The forms of the datagrams that the vector sends as they were; those of the others are their bytes instead. Whether
    /// there were such.
    fn checked<'a>(
        &'a self,
        vector: &Vector,
        forms: Vec<Form<'a>>,
    ) -> Result<(Vec<Form<'a>>, bool), FileError> {
        let steps = compile(vector, self.os, 0)?.steps;
        let mut differs = false;
        let checked = forms.into_iter().zip(&steps).enumerate().map(|(index, (form, step))| {
            let (mut segments, send) = match (form, step) {
                (Form::Datagram(segments), Step::Send(send)) => (segments, send),
                (form, _) => return form,
            };
            let mut expected = Vec::new();
            let first = seqs_of(u32::try_from(index).unwrap_or(u32::MAX)).start;
            for (segment, seq) in segments.iter().zip(first..) {
                expected.extend(segment.numbered(seq));
            }
            for patch in &send.patches {
                let at = patch.offset as usize;
                if let Some(index) = expected.get_mut(at..at + 4) {
                    index.fill(0);
                }
            }
            if expected != send.data {
                differs = true;
                segments.iter_mut().for_each(Segment::make_raw);
            }
            Form::Datagram(segments)
        });
        let checked = checked.collect();
        Ok((checked, differs))
    }
}

/// What a step becomes.
enum Form<'a> {
    Datagram(Vec<Segment<'a>>),
    Other(Value),
}

impl<'a> Form<'a> {
    fn of(os: Os, step: &'a DraftStep) -> Self {
        match step {
            DraftStep::Send { data, interfaces } => Self::Datagram(segments(os, data, interfaces)),
            DraftStep::Exec { argv, limit_ms } => Self::Other(pair("exec", exec_tree(argv, *limit_ms))),
            DraftStep::Wait { quiet_ms, limit_ms } => {
                Self::Other(pair("wait", wait_tree(*quiet_ms, *limit_ms)))
            }
        }
    }

    fn tree(&self) -> Value {
        match self {
            Form::Datagram(segments) => match &segments[..] {
                [one] => pair("send", one.tree.clone()),
                many => pair("datagram", list(many.iter().map(|segment| segment.tree.clone()))),
            },
            Form::Other(tree) => tree.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use nlproof_wire::view::{MessageItem, messages};
    use proptest::prelude::*;

    use super::super::{hex, lint, load_suite};
    use super::*;

    fn drafted(os: Os, data: &[u8], interfaces: &[(u32, &str)]) -> (Vector, Vec<Replaced>) {
        let interfaces = interfaces.iter().map(|(index, name)| (*index, (*name).to_owned())).collect();
        let mut draft = Draft::new("x/y", "what was seen", os);
        draft.steps.push(DraftStep::Send { data: data.to_vec(), interfaces });
        draft.vector(&PathBuf::from("x/y.yaml")).unwrap()
    }

    /// The bytes that a vector of one step sends, and those that it was made from, without the numbers of a run.
    fn sent_and_seen(os: Os, data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (vector, _) = drafted(os, data, &[]);
        assert_eq!(lint(&vector), [], "{}", vector.to_yaml());
        let steps = compile(&vector, os, 0).unwrap().steps;
        let Step::Send(send) = &steps[0] else { panic!("{steps:?}") };
        let mut starts: Vec<_> = messages(data)
            .filter_map(|item| match item {
                MessageItem::Message(message) => Some(message.offset),
                MessageItem::Trailing(_) => None,
            })
            .collect();
        starts.push(0);
        let plain = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for start in &starts {
                bytes.iter_mut().skip(start + 8).take(8).for_each(|byte| *byte = 0);
            }
            bytes
        };
        (plain(&send.data), plain(data))
    }

    #[test]
    fn names_where_there_is_a_name_and_bytes_where_there_is_none() {
        // newlink of lo10 (index 7), up, with a nest that has NLA_F_NESTED, an unknown attribute and an odd size.
        let bytes = hex("50000000 1000 0580 2a000000 63000000 00000000 07000000 01000000 01000000
             09000300 6c6f3130 00000000 0c001280 07000100 6c6f0000 06004d00 01020000 06000400 dc050000")
        .unwrap();
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let (vector, replaced) = drafted(Os::FreeBsd, &bytes, &[(7, "lo10")]);
        let expected = "about: what was seen\n\
            needs: {os: [freebsd]}\n\
            malformed: [attr-size, unknown-attr]\n\
            steps:\n  \
              - send:\n      \
                  message: newlink\n      \
                  flags: [request, ack, '0x8000']\n      \
                  header: {index: $lo10, flags: up, change: up}\n      \
                  attrs:\n        \
                    - ifname: lo10\n        \
                    - linkinfo|nested:\n            \
                        - kind: lo\n        \
                    - '#77': {hex: '0102'}\n        \
                    - mtu: {hex: dc05}\n";
        assert_eq!(vector.to_yaml().replace('"', "'"), expected);
        let told: Vec<_> = replaced.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "step 0, message at byte 0: nlmsg_seq 42 is numbered by the run",
                "step 0, message at byte 0: nlmsg_pid 99 is 0",
                "step 0, message at byte 0: index 7 is that of lo10 in the guest",
            ]
        );
    }

    #[test]
    fn every_datagram_of_the_project_s_vectors_is_drafted_to_its_bytes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
        for vector in &load_suite(&root).unwrap().vectors {
            for os in &vector.needs.os {
                for step in compile(vector, *os, 0).unwrap().steps {
                    if let Step::Send(send) = step {
                        let (sent, seen) = sent_and_seen(*os, &send.data);
                        assert_eq!(sent, seen, "{}", vector.id);
                    }
                }
            }
        }
    }

    #[test]
    fn data_of_a_kind_and_capabilities_are_named() {
        let text = "00000000 1000 0500 00000000 00000000 00000000 00000000 00000000 00000000
             24001200 09000100 766c616e 00000000 14000200 06000100 16000000 06000500 a8880000
             00000000 00000000 00000000 1b006000 00000080";
        let mut bytes = hex(text).unwrap();
        let freebsd = nlproof_wire::schema::message_by_name(Os::FreeBsd, "newlink").unwrap().attrs.unwrap();
        let iflaf = freebsd.by_name("freebsd").unwrap();
        let caps = iflaf.kind.table().unwrap().by_name("caps").unwrap();
        let value = caps.kind.table().unwrap().by_name("value").unwrap();
        let at = bytes.len() - 20;
        for (offset, number) in [(2, iflaf.number), (6, caps.number), (10, value.number)] {
            bytes[at + offset..at + offset + 2].copy_from_slice(&number.to_le_bytes());
        }
        for (offset, len) in [(0, 20_u16), (4, 16), (8, 12)] {
            bytes[at + offset..at + offset + 2].copy_from_slice(&len.to_le_bytes());
        }
        bytes[0] = bytes.len() as u8;
        let (sent, seen) = sent_and_seen(Os::FreeBsd, &bytes);
        assert_eq!(sent, seen);
        let yaml = drafted(Os::FreeBsd, &bytes, &[]).0.to_yaml();
        for line in ["- kind: vlan\n", "- id: 22\n", "- protocol: 34984\n"] {
            assert!(yaml.contains(line), "{line}: {yaml}");
        }
        let names =
            "[rxcsum, txcsum, vlan_mtu, vlan_hwtagging, rxcsum_ipv6, txcsum_ipv6, 9223372036854775808]";
        assert!(yaml.contains(&format!("- value: {names}\n")), "{yaml}");
        let odd = yaml.replace("txcsum_ipv6", "txcsum_ipv7");
        let odd = parse_vector("x/y", Path::new("x/y.yaml"), &odd).unwrap();
        let error = compile(&odd, Os::FreeBsd, 0).unwrap_err().to_string();
        assert!(error.contains("capability") && error.contains("txcsum_ipv6"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_message_are_sent_as_they_are() {
        for text in ["", "01", "0102030405", "ffffffff 1000 0500 00000000 00000000 aabb", "05000000 1000"] {
            let (sent, seen) = sent_and_seen(Os::FreeBsd, &hex(text).unwrap());
            assert_eq!(sent, seen, "{text}");
        }
    }

    #[test]
    fn a_wireless_interface_of_a_freebsd_that_nobody_recorded_is_drafted() {
        let text = include_str!("../../../../tests/fixtures/import/wlan0-newlink.hex");
        let bytes = hex(text).unwrap();
        let (sent, seen) = sent_and_seen(Os::FreeBsd, &bytes);
        assert_eq!(sent, seen);
        let (vector, _) = drafted(Os::FreeBsd, &bytes, &[]);
        let yaml = vector.to_yaml();
        assert!(yaml.contains("- ifname: wlan0\n") && yaml.contains("- operstate: unknown\n"), "{yaml}");
    }

    /// Datagrams near to what is sent in earnest: messages of known types with attributes, cut and damaged.
    fn any_datagram() -> impl Strategy<Value = Vec<u8>> {
        let attr = (0_u16..70, prop::collection::vec(any::<u8>(), 0..14), any::<u8>()).prop_map(
            |(number, payload, odd)| {
                let flags = match odd {
                    0..=9 => 0x8000,
                    10..=15 => 0x4000,
                    16..=18 => 0xc000,
                    _ => 0,
                };
                let len = payload.len() as u16 + 4 + u16::from(odd == 19);
                let mut bytes = [len.to_le_bytes(), (number | flags).to_le_bytes()].concat();
                bytes.extend(payload);
                bytes.resize(bytes.len().next_multiple_of(4), if odd == 20 { 1 } else { 0 });
                bytes
            },
        );
        let types = prop_oneof![Just(16_u16), Just(17), Just(18), Just(20), Just(2), Just(3), 0_u16..100];
        let message =
            (types, any::<u16>(), any::<[u8; 16]>(), prop::collection::vec(attr, 0..5), any::<u8>())
                .prop_map(|(kind, flags, fixed, attrs, odd)| {
                    let header = if matches!(kind, 20..=22) { &fixed[..8] } else { &fixed[..] };
                    let mut body = [header, &attrs.concat()].concat();
                    if odd < 40 {
                        body.truncate(body.len().saturating_sub(usize::from(odd)));
                    }
                    let len = 16 + body.len() as u32 + u32::from(odd == 41) * 3;
                    let mut bytes = len.to_le_bytes().to_vec();
                    bytes.extend([kind.to_le_bytes(), flags.to_le_bytes()].concat());
                    bytes.extend([7; 8]);
                    bytes.extend(body);
                    if odd != 42 {
                        bytes.resize(bytes.len().next_multiple_of(4), u8::from(odd == 43));
                    }
                    bytes
                });
        prop_oneof![
            8 => prop::collection::vec(message, 1..4).prop_map(|messages| messages.concat()),
            1 => prop::collection::vec(any::<u8>(), 0..80),
        ]
    }

    proptest! {
        #[test]
        fn any_datagram_is_drafted_to_its_bytes(data in any_datagram(), linux: bool) {
            let os = if linux { Os::Linux } else { Os::FreeBsd };
            let (sent, seen) = sent_and_seen(os, &data);
            prop_assert_eq!(sent, seen);
        }
    }
}
