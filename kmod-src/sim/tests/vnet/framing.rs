// SPDX-License-Identifier: BSD-2-Clause
//! Datagrams: lengths, acknowledgements, where they are cut.

use iface_sim::{Errno, Privilege, Profile, SocketOptions};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};

use crate::support::*;

fn bytes(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.encode_to(&mut bytes));
    bytes
}

fn send(vnet: &Vnet, datagram: &[u8]) -> Vec<Message> {
    assert_eq!(vnet.sim.send(vnet.socket, datagram), Ok(()));
    vnet.drain(vnet.socket)
}

#[test]
fn a_noop_that_wants_an_answer_gets_one() {
    let vnet = Vnet::new(Profile::R14_0);
    let noop = |flags| Message::new(header(NLMSG_NOOP, flags), vec![], vec![]);
    let answer = vnet.ack(&noop(ACK));
    assert_eq!((answer.error, answer.flags), (0, NLM_F_CAPPED));
    assert_eq!(vnet.ack(&noop(NLM_F_ACK)).error, 0);
    assert!(vnet.ask(&noop(NLM_F_REQUEST)).is_empty());
}

#[test]
fn only_15_takes_up_a_datagram_of_several_pages_in_order() {
    // 60 bytes each: the first page of 14 holds 67 of them.
    let name = "a".repeat(23);
    let requests: Vec<_> = (0..201)
        .map(|seq| {
            let mut request = link(RTM_DELLINK, ACK, 0, vec![alias(&name)]);
            request.header.seq = seq;
            request
        })
        .collect();
    let order = |profile, requests: &[Message]| -> Vec<u32> {
        let vnet = Vnet::new(profile);
        send(&vnet, &bytes(requests)).iter().map(|answer| answer.header.seq).collect()
    };
    assert_eq!(bytes(&requests[..67]).len(), 4020);
    assert_eq!(order(Profile::R14_0, &requests[..67]), (0..67).collect::<Vec<_>>());
    assert_eq!(order(Profile::R14_0, &requests[..135]), (67..135).chain(0..67).collect::<Vec<_>>());
    // The third page begins within a message: nothing of the datagram is understood.
    assert_eq!(order(Profile::R14_0, &requests), [0; 0]);
    assert_eq!(order(Profile::R15, &requests), (0..201).collect::<Vec<_>>());
}

#[test]
fn no_request_flag_no_request() {
    let vnet = Vnet::new(Profile::R14_0);
    let mut request = create("lo10", "lo", &[]);
    request.header.flags = NLM_F_CREATE | NLM_F_ACK;
    assert_eq!(vnet.ack(&request).brief(), (0, ""));
    assert_eq!(vnet.names(), ["lo0"]);
}

#[test]
fn success_is_silent_unless_asked_for_and_failure_is_not() {
    let vnet = Vnet::new(Profile::R14_0);
    let mut request = create("lo10", "lo", &[]);
    request.header.flags &= !NLM_F_ACK;
    assert!(vnet.ask(&request).is_empty());
    assert_eq!(vnet.ack(&request).error, 17);
}

#[test]
fn an_error_brings_the_request_back() {
    let request = link(RTM_NEWLINK, ACK, 77, vec![mtu(1400)]);
    for (ext_ack, cap_ack, flags) in [
        (false, false, 0),
        (true, false, NLM_F_ACK_TLVS),
        (false, true, NLM_F_CAPPED),
        (true, true, NLM_F_CAPPED | NLM_F_ACK_TLVS),
    ] {
        let options = SocketOptions { ext_ack, cap_ack, ..SocketOptions::default() };
        let vnet = Vnet::with(Profile::R14_0, options, Privilege::Root);
        let answers = vnet.ask(&request);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.header.flags, flags);
        let mut echoed = bytes(std::slice::from_ref(&request));
        echoed[12..16].copy_from_slice(&vnet.sim.pid(vnet.socket).to_le_bytes());
        let whole = [&answer.fixed[4..], &answer.echo].concat();
        assert_eq!(whole, echoed[..if cap_ack { 16 } else { echoed.len() }]);
        assert_eq!(text(answer.get(NLMSGERR_ATTR_MSG)).is_some(), ext_ack);
    }
}

#[test]
fn a_fault_is_told_with_its_place() {
    let vnet = Vnet::new(Profile::R14_0);
    let request = link(RTM_GETLINK, ACK, 0, vec![mtu(1), Attr::bytes(IFLA_IFNAME, *b"lo0")]);
    let ack = vnet.ack(&request);
    assert_eq!(ack.brief(), (22, "nla type 3 size(3) is not NULL-terminated"));
    assert_eq!((ack.offset, ack.flags), (Some(40), NLM_F_ACK_TLVS));
    let request = link(RTM_NEWLINK, ACK, 3, vec![Attr::bytes(IFLA_MTU, [1, 2])]);
    assert_eq!(vnet.ack(&request).brief(), (22, "nla type 4 size(2) is not uint32"));
}

#[test]
fn a_truncated_attribute_is_not_seen() {
    let vnet = Vnet::new(Profile::R14_0);
    let mut request = link(RTM_NEWLINK, ACK, 3, vec![mtu(1400)]);
    request.attrs[0].len = 12;
    assert_eq!(vnet.ack(&request).brief(), (0, ""));
    assert_eq!(number(vnet.link("lo0").get(IFLA_MTU)), Some(16384));
    request.attrs[0].len = 3;
    let ack = vnet.ack(&request);
    assert!(ack.text.starts_with("Invalid attr 0x") && ack.text.ends_with(" type 4 len: 3"), "{ack:?}");
    assert_eq!((ack.error, ack.offset), (22, Some(32)));
}

#[test]
fn strict_sockets() {
    let options = SocketOptions { ext_ack: true, strict: true, ..SocketOptions::default() };
    let strict = Vnet::with(Profile::R14_0, options, Privilege::Root);
    let lax = Vnet::new(Profile::R14_0);
    let short = Message::new(header(RTM_GETLINK, ACK), vec![0; 4], vec![]);
    assert_eq!(strict.ack(&short).brief(), (22, "header too short: expected 16, got 4"));
    assert_eq!(lax.ask(&short).len(), 2, "lo0 and the end of the dump");
    let down = flagged(RTM_NEWLINK, ACK, 3, 0, IFF_UP, vec![]);
    assert_eq!(strict.ack(&down).brief(), (22, "strict checking: non-zero values in ifinfomsg header"));
    assert_eq!(lax.ack(&down).error, 0);
}

#[test]
fn a_length_that_lies_ends_the_datagram_silently() {
    let vnet = Vnet::new(Profile::R14_0);
    let good = create("lo10", "lo", &[]);
    for len in [0_u32, 15, 1000, u32::MAX] {
        let mut bad = good.clone();
        bad.header.len = len;
        assert!(send(&vnet, &bytes(&[bad.clone(), good.clone()])).is_empty(), "{len}");
        assert_eq!(vnet.names(), ["lo0"]);
    }
    let mut bad = good.clone();
    bad.header.len = 1000;
    assert_eq!(send(&vnet, &bytes(&[good, bad])).len(), 1);
    assert_eq!(vnet.names(), ["lo0", "lo10"]);
}

#[test]
fn several_requests_in_a_datagram() {
    let vnet = Vnet::new(Profile::R14_0);
    let requests =
        [create("lo10", "lo", &[]), link(RTM_GETLINK, ACK, 99, vec![]), link(RTM_GETLINK, DUMP, 0, vec![])];
    let answers = send(&vnet, &bytes(&requests));
    let answered: Vec<_> = answers.iter().map(|answer| answer.header.kind).collect();
    assert_eq!(answered, [NLMSG_ERROR, NLMSG_ERROR, RTM_NEWLINK, RTM_NEWLINK, NLMSG_DONE]);
    // The cookie of the first is not carried over to the second.
    assert_eq!([ack(&answers[0]).cookie.is_some(), ack(&answers[1]).cookie.is_some()], [true, false]);
}

#[test]
fn datagrams_that_cannot_be_sent() {
    let vnet = Vnet::new(Profile::R14_0);
    assert_eq!(vnet.sim.send(vnet.socket, &[0; 15]), Err(Errno::ENOBUFS));
    assert_eq!(vnet.sim.send(vnet.socket, &[0; 65537]), Err(Errno::EMSGSIZE));
    assert_eq!(vnet.sim.send(vnet.socket, &[0; 65536]), Ok(()));
}

#[test]
fn a_long_dump_comes_in_datagrams_of_at_most_2048_bytes() {
    let vnet = Vnet::new(Profile::R14_0);
    for unit in 1..40 {
        vnet.create(&format!("lo{unit}"), "lo");
    }
    assert_eq!(vnet.sim.send(vnet.socket, &bytes(&[link(RTM_GETLINK, DUMP, 0, vec![])])), Ok(()));
    let datagrams: Vec<_> = std::iter::from_fn(|| vnet.sim.recv(vnet.socket)).collect();
    assert!(datagrams.iter().all(|datagram| datagram.len() <= 2048));
    // 320 or 324 bytes an interface, by the length of its name: six to a datagram.
    assert_eq!(datagrams.len(), 7);
}
