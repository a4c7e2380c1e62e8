// SPDX-License-Identifier: BSD-2-Clause
//! A trace that a kernel wrote, and traces that none would write. `say.ktrace` is what 14.0-STABLE wrote of the static
//! program `say.c`, `say.kdump` what kdump(1) makes of it.

use std::path::Path;

use nlproof_wire::Os;
use proptest::prelude::*;

use super::*;
use crate::import::{read as read_any, replica};
use crate::vector::{ReplicaStep, lint};

const OBSERVED: &[u8] = include_bytes!("../../../../../tests/fixtures/import/say.ktrace");
const PRINTED: &[u8] = include_bytes!("../../../../../tests/fixtures/import/say.kdump");

fn acts_of(pieces: &[&[u8]]) -> (Vec<Act>, Option<Damage>, bool) {
    let (mut acts, mut trace, mut damage) = (Vec::new(), KernelTrace::default(), None);
    for piece in pieces {
        damage = trace.push(piece, &mut |act| acts.push(act)).err();
    }
    trace.finish(&mut |act| acts.push(act));
    (acts, damage, trace.is_cut())
}

#[test]
fn what_a_kernel_wrote_is_the_conversation_that_the_program_has() {
    let (acts, damage, cut) = acts_of(&[OBSERVED]);
    assert_eq!((damage, cut), (None, false));
    let told: Vec<String> = acts
        .iter()
        .map(|act| {
            let what = match &act.deed {
                Deed::Opened { route, .. } => format!("opened route={route}"),
                Deed::Moved { sent, data, whole, .. } => {
                    assert_eq!(data.len(), *whole);
                    format!("{} {whole}", if *sent { ">" } else { "<" })
                }
                Deed::Option { number, .. } => format!("option {number}"),
                Deed::Bound { groups } => format!("groups {groups}"),
                Deed::Ended => "ended".to_owned(),
                deed => format!("{deed:?}"),
            };
            format!("{} {}: {what}", act.who(), act.socket)
        })
        .collect();
    assert_eq!(
        told,
        [
            "say[62] 0: opened route=true",
            "say[62] 1: opened route=true",
            "say[62] 1: groups 1",
            "say[62] 0: option 11",
            "say[62] 0: > 56",
            "say[62] 0: < 60",
            "say[62] 1: < 324",
            // The child has its parent's sockets.
            "say[63] 0: > 44",
            "say[63] 0: < 360",
            "say[63] 0: ended",
            "say[62] 0: > 44",
            "say[62] 0: < 64",
            "say[62] 0: ended",
        ]
    );
}

#[test]
fn the_file_and_what_kdump_prints_of_it_are_read_alike() {
    let [file, text] = [OBSERVED, PRINTED].map(|bytes| read_any(Path::new("f"), bytes).unwrap());
    assert_eq!((file.format, text.format), (Format::Ktrace, Format::Kdump));
    let datagrams = |reading: &Reading| {
        reading.seen.iter().map(|seen| (seen.direction, seen.data.clone())).collect::<Vec<_>>()
    };
    assert_eq!(datagrams(&file).len(), 7);
    assert_eq!(datagrams(&file), datagrams(&text));
    assert_eq!(file.socket, text.socket);
    let made = replica("a/b", "f", Os::FreeBsd, &file);
    assert_eq!(made.steps.len(), 3);
}

#[test]
fn a_vector_of_it_joins_the_groups_that_were_heard_and_waits_where_the_program_waited() {
    let (acts, ..) = acts_of(&[OBSERVED]);
    let event = acts.iter().find_map(|act| match &act.deed {
        Deed::Moved { sent: false, data, whole: 324, .. } => Some(data.clone()),
        _ => None,
    });
    let heard = [Heard { group: 1, data: event.unwrap() }];
    let (made, left) = replica_of("a/b", "what say says", &acts, &heard);
    assert_eq!(left, [""; 0]);
    let (vector, _) = made.vector(Path::new("a/b.yaml")).unwrap();
    assert_eq!(lint(&vector), []);
    assert_eq!(
        vector.to_yaml().replace('"', "'"),
        "about: what say says\n\
         needs: {os: [freebsd]}\n\
         groups: [link]\n\
         socket: {ext-ack: true}\n\
         steps:\n  \
           - send:\n      \
               message: newlink\n      \
               flags: [request, ack, excl, create]\n      \
               attrs:\n        \
                 - ifname: lo11\n        \
                 - linkinfo:\n            \
                     - kind: lo\n  \
           - wait: {quiet-ms: 100, limit-ms: 2000}\n  \
           - send:\n      \
               message: getlink\n      \
               flags: [request, ack]\n      \
               attrs:\n        \
                 - ifname: lo11\n  \
           - send:\n      \
               message: dellink\n      \
               flags: [request, ack]\n      \
               attrs:\n        \
                 - ifname: lo11\n"
    );
}

/// A record as a kernel writes it.
fn record(pid: i32, kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend((kind | 0x4000).to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(pid.to_le_bytes());
    bytes.extend(b"prog\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.resize(48, 0);
    bytes.extend(i64::from(pid).to_le_bytes());
    bytes.resize(64, 0);
    bytes.extend(body);
    bytes
}

fn call(pid: i32, number: u16, args: &[u64]) -> Vec<u8> {
    let mut body = [number.to_le_bytes(), (args.len() as u16).to_le_bytes(), [0; 2], [0; 2]].concat();
    body.extend(args.iter().flat_map(|arg| arg.to_le_bytes()));
    record(pid, 1, &body)
}

fn returns(pid: i32, number: u16, error: i32, value: i64) -> Vec<u8> {
    let mut body = [number.to_le_bytes(), [0; 2]].concat();
    body.extend(error.to_le_bytes());
    body.extend(value.to_le_bytes());
    record(pid, 2, &body)
}

fn does(pid: i32, number: u16, args: &[u64], value: i64) -> Vec<u8> {
    [call(pid, number, args), returns(pid, number, 0, value)].concat()
}

/// Writes four bytes on a file; `whole` are said to have been written.
fn writes(pid: i32, fd: u32, whole: i64) -> Vec<u8> {
    let moved = [fd.to_le_bytes(), 1_u32.to_le_bytes(), *b"abcd"].concat();
    [call(pid, 4, &[fd.into(), 0, 4]), record(pid, 4, &moved), returns(pid, 4, 0, whole)].concat()
}

/// The processes and sockets that something was written on.
fn written(trace: &[Vec<u8>]) -> Vec<(i32, u32)> {
    let (acts, ..) = acts_of(&[&trace.concat()]);
    let moved = acts.iter().filter(|act| matches!(act.deed, Deed::Moved { .. }));
    moved.map(|act| (act.pid, act.socket)).collect()
}

const SOCKET: u16 = 97;
const NETLINK: [u64; 3] = [38, 3, 0];

#[test]
fn a_socket_is_followed_through_its_numbers_and_ends_with_them() {
    let made = || does(7, SOCKET, &NETLINK, 3);
    assert_eq!(written(&[made(), writes(7, 3, 4), writes(7, 4, 4)]), [(7, 0)]);
    assert_eq!(written(&[made(), does(7, 6, &[3], 0), writes(7, 3, 4)]), []);
    assert_eq!(written(&[made(), does(7, 41, &[3], 5), writes(7, 5, 4)]), [(7, 0)]);
    assert_eq!(written(&[made(), does(7, 90, &[3, 9], 9), writes(7, 9, 4)]), [(7, 0)]);
    assert_eq!(written(&[made(), does(7, 90, &[0, 3], 3), writes(7, 3, 4)]), []);
    assert_eq!(written(&[made(), does(7, 92, &[3, 17, 9], 9), writes(7, 9, 4)]), [(7, 0)]);
    assert_eq!(written(&[made(), does(7, 575, &[3, 0xffff_ffff, 0], 0), writes(7, 3, 4)]), []);
    // A file of the number of a socket that was closed unseen.
    assert_eq!(written(&[made(), does(7, 499, &[0], 3), writes(7, 3, 4)]), []);
    // Another family.
    assert_eq!(written(&[does(7, SOCKET, &[2, 3, 0], 3), writes(7, 3, 4)]), []);
}

#[test]
fn a_program_that_is_executed_keeps_what_is_not_to_be_closed() {
    let executes = || [call(7, 59, &[]), returns(7, 59, -2, 0)].concat();
    let closes = does(7, SOCKET, &[38, 3 | 0x1000_0000, 0], 3);
    assert_eq!(written(&[closes.clone(), executes(), writes(7, 3, 4)]), []);
    assert_eq!(written(&[closes, does(7, 92, &[3, 2, 0], 0), executes(), writes(7, 3, 4)]), [(7, 0)]);
    assert_eq!(written(&[does(7, SOCKET, &NETLINK, 3), executes(), writes(7, 3, 4)]), [(7, 0)]);
}

#[test]
fn a_child_has_its_parents_sockets_whoever_speaks_first() {
    let made = || does(7, SOCKET, &NETLINK, 3);
    assert_eq!(written(&[made(), does(7, 2, &[], 8), writes(8, 3, 4)]), [(8, 0)]);
    let vforked = [made(), call(7, 66, &[]), writes(8, 3, 4), returns(7, 66, 0, 8), writes(8, 3, 4)];
    assert_eq!(written(&vforked), [(8, 0), (8, 0)]);
    // What a child closes its parent has still.
    let closed = [made(), does(7, 2, &[], 8), does(8, 6, &[3], 0), writes(8, 3, 4), writes(7, 3, 4)];
    assert_eq!(written(&closed), [(7, 0)]);
    // A number of a process that has ended is another process's.
    let again = [made(), record(7, 11, &[]), writes(7, 3, 4)];
    assert_eq!(written(&again), []);
}

#[test]
fn what_the_kernel_cut_dropped_or_let_fail_is_told() {
    let made = does(7, SOCKET, &NETLINK, 3);
    let dropped = record(7, 0x8000 | 10, &[]);
    let failed = [call(7, 27, &[3, 0, 0]), returns(7, 27, 55, -1)].concat();
    let again = [call(7, 27, &[3, 0, 0]), returns(7, 27, 35, -1)].concat();
    let generic = does(7, SOCKET, &[38, 3, 16], 4);
    let reading = read(&[made, writes(7, 3, 9), dropped, failed, again, generic].concat());
    let notes: Vec<&str> = reading.notes.iter().filter_map(|note| Some(note.split_once("]: ")?.1)).collect();
    assert_eq!(
        notes,
        [
            "the kernel kept 4 of 9 bytes that were sent (kern.ktrace.genio_size), left out",
            "the kernel dropped records of the trace here",
            "receiving failed: ENOBUFS",
            "a socket for generic netlink, left out",
        ]
    );
    assert!(reading.seen.is_empty());
}

#[test]
fn a_look_at_what_waits_to_be_received_is_no_datagram() {
    let moved = [3_u32.to_le_bytes(), 0_u32.to_le_bytes(), *b"abcd"].concat();
    let receives = |flags| [call(7, 27, &[3, 0, flags]), record(7, 4, &moved), returns(7, 27, 0, 4)].concat();
    assert_eq!(written(&[does(7, SOCKET, &NETLINK, 3), receives(2), receives(0)]), [(7, 0)]);
}

#[test]
fn what_ioctl_makes_a_vector_makes_by_ifconfig_and_the_rest_is_told() {
    let ioctl = |request: u64| does(7, 54, &[4, request, 0], 0);
    let trace =
        [ioctl(0xc020_697c), ioctl(0xc020_697c), ioctl(0x8020_6910), ioctl(0xc020_6911), ioctl(0x8020_6979)];
    let (acts, ..) = acts_of(&[&trace.concat()]);
    let heard: Vec<Heard> = [(16, "epair0a"), (16, "epair0b"), (16, "lo10"), (17, "lo10")]
        .iter()
        .map(|(kind, name)| {
            let mut data = vec![0; 32];
            data[4] = *kind;
            let mut attr = [(5 + name.len() as u16).to_le_bytes(), 3_u16.to_le_bytes()].concat();
            attr.extend(name.as_bytes());
            attr.push(0);
            attr.resize(attr.len().next_multiple_of(4), 0);
            data.extend(attr);
            data[0] = data.len() as u8;
            Heard { group: 1, data }
        })
        .collect();
    let (made, left) = replica_of("a/b", "x", &acts, &heard);
    let commands: Vec<String> = made
        .steps
        .iter()
        .map(|step| match step {
            ReplicaStep::Exec { argv, .. } => argv.join(" "),
            step => panic!("{step:?}"),
        })
        .collect();
    assert_eq!(
        commands,
        ["/sbin/ifconfig epair0 create", "/sbin/ifconfig lo10 create", "/sbin/ifconfig lo10 destroy"]
    );
    assert_eq!(made.modules, ["if_epair"]);
    assert_eq!(left, ["ioctl(2) SIOCSIFFLAGS"]);
    let (_, left) = replica_of("a/b", "x", &acts, &[]);
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_trace_that_is_none_or_is_cut_says_where() {
    let (acts, damage, cut) = acts_of(&[&OBSERVED[..OBSERVED.len() - 1]]);
    assert!(cut && damage.is_none() && acts.len() == 12, "{}", acts.len());
    let mut broken = does(7, SOCKET, &NETLINK, 3);
    let good = broken.len() as u64;
    broken.extend([0xff; 64]);
    let (acts, damage, _) = acts_of(&[&broken, &writes(7, 3, 4)]);
    assert_eq!((acts.len(), damage.map(|damage| damage.place)), (1, Some(good)));
    // A length that nobody could keep in memory.
    let mut bomb = record(7, 4, &[]);
    bomb[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(acts_of(&[&bomb]).1.unwrap().what, "a record of more than 16 MiB");
    assert!(!is(&bomb) && is(OBSERVED) && !is(&OBSERVED[..63]) && !is(b"10000000 1200"));
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_acts(cuts in prop::collection::vec(0..OBSERVED.len(), 0..40)) {
        let mut cuts = cuts;
        cuts.extend([0, OBSERVED.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &OBSERVED[cut[0]..cut[1]]).collect();
        prop_assert_eq!(acts_of(&pieces), acts_of(&[OBSERVED]));
    }

    #[test]
    fn damaged_traces_are_read_without_a_panic(
        changes in prop::collection::vec((0..OBSERVED.len(), any::<u8>()), 1..12),
        len in 0..OBSERVED.len(),
    ) {
        let mut bytes = OBSERVED.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(len);
        let (acts, ..) = acts_of(&[&bytes]);
        let (made, _) = replica_of("a/b", "x", &acts, &[]);
        if !made.steps.is_empty() {
            let (vector, _) = made.vector(Path::new("a/b.yaml")).unwrap();
            prop_assert_eq!(lint(&vector), []);
        }
    }
}
