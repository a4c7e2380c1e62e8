// SPDX-License-Identifier: BSD-2-Clause
//! Programs that run to their end.

use nlproof_agent::datagram::messages;
use nlproof_agent::frame::FENCE_SEQ_BASE;
use nlproof_agent::{
    Body, Count, Counted, DropSource, ErrorStage, Patch, Privilege, Program, ReplyEnd, Send, SocketOptions,
    Step, Until,
};

use crate::support::*;

const EPERM: i32 = 1;
const ENODEV: i32 = 19;
const EOPNOTSUPP: i32 = 95;
const ENOBUFS: i32 = 105;

#[test]
fn a_dump_comes_whole_in_a_fresh_namespace() {
    let Some(agent) = agent("a_dump_comes_whole_in_a_fresh_namespace") else { return };
    let run = run(agent, vec![program(vec![get_links()])]);
    assert_eq!((run.status, run.died(1)), (Some(0), None), "{}", run.stderr);
    let all = run.of(1);
    assert!(matches!(all[0], Body::Start { pid } if *pid > 0), "{all:?}");
    // Named before the first step and again at the end: `lo` is always 1.
    let lo = Body::Resolved { ifname: "lo".to_owned(), ifindex: 1 };
    assert_eq!(all[1], &lo);
    assert_eq!(all.iter().filter(|body| **body == &lo).count(), 2);
    let step = run.step(0);
    assert_eq!(step[0], &Body::Sent { data: message(RTM_GETLINK, REQUEST | DUMP, &[0; 16]) });
    let kinds: Vec<u16> = step[1..]
        .iter()
        .flat_map(|body| match body {
            Body::Reply { data, full_len } => {
                assert_eq!(data.len(), *full_len as usize);
                messages(data).map(|message| message.kind).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&RTM_NEWLINK), Some(&NLMSG_DONE)), "{kinds:?}");
    let times: Vec<u64> = run.records.iter().map(|record| record.t_ns).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_change_gives_an_acknowledgement_and_events_and_no_fence() {
    let Some(agent) = agent("a_change_gives_an_acknowledgement_and_events_and_no_fence") else { return };
    let steps = vec![set_lo(true), set_lo(false)];
    let run = run(agent, vec![Program { groups: vec![1], ..program(steps) }]);
    assert_eq!(run.died(1), None);
    for step in 0..2 {
        let bodies = run.step(step);
        let Body::Sent { data } = bodies[0] else { panic!("{bodies:?}") };
        assert_eq!(data[20..24], 1u32.to_ne_bytes(), "the patched index");
        let replies: Vec<_> = bodies
            .iter()
            .filter_map(|body| match body {
                Body::Reply { data, .. } => Some(head(data)),
                _ => None,
            })
            .collect();
        assert_eq!(replies, [(NLMSG_ERROR, 0)], "{bodies:?}");
        let events: Vec<_> = bodies
            .iter()
            .filter_map(|body| match body {
                Body::Event { group: 1, data } => Some((head(data).0, data[24] & 1)),
                _ => None,
            })
            .collect();
        assert!(events.contains(&(RTM_NEWLINK, u8::from(step == 0))), "{bodies:?}");
        // Events are taken before the reply that was there at the same time.
        assert!(matches!(bodies[1], Body::Event { .. }), "{bodies:?}");
    }
    let fences = run.records.iter().filter(|record| match &record.body {
        Body::Reply { data, .. } => messages(data).any(|message| message.seq >= FENCE_SEQ_BASE),
        _ => false,
    });
    assert_eq!(fences.count(), 0);
}

#[test]
fn an_unknown_type_is_an_error_reply_whatever_was_expected() {
    let Some(agent) = agent("an_unknown_type_is_an_error_reply_whatever_was_expected") else { return };
    let unknown = message(1000, REQUEST, &[0; 16]);
    let run = run(agent, vec![program(vec![Step::Send(send(unknown, ReplyEnd::Message))])]);
    match run.step(0)[..] {
        [Body::Sent { .. }, Body::Reply { data, .. }] => assert_eq!(head(data), (NLMSG_ERROR, -EOPNOTSUPP)),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn the_unprivileged_may_ask_and_not_change() {
    let Some(agent) = agent("the_unprivileged_may_ask_and_not_change") else { return };
    let steps = vec![set_lo(true), get_links(), shell("id -u; id -G")];
    let unprivileged =
        Program { privilege: Privilege::Unprivileged, groups: vec![1], ..program(steps.clone()) };
    let run = run(agent, vec![unprivileged, Program { id: 2, ..program(steps) }]);
    let refused =
        |body: &&Body| matches!(body, Body::Reply { data, .. } if head(data) == (NLMSG_ERROR, -EPERM));
    assert!(run.step(0).iter().any(refused), "{:?}", run.step(0));
    assert!(run.step(1).len() > 1, "{:?}", run.step(1));
    let ids = Body::Exec { status: 0, stdout: b"65534\n65534\n".to_vec(), stderr: vec![] };
    assert_eq!(run.step(2), [&ids]);
    assert!(!run.of(2).iter().any(refused), "{:?}", run.of(2));
}

#[test]
fn an_unknown_name_fails_its_step_only() {
    let Some(agent) = agent("an_unknown_name_fails_its_step_only") else { return };
    let patches = |ifname: &str| vec![Patch { offset: 20, ifname: ifname.to_owned() }];
    let get = || send(message(RTM_GETLINK, REQUEST, &[0; 16]), ReplyEnd::Message);
    let steps = ["lo10", "a-name-that-is-too-long-for-one", "lo"]
        .map(|ifname| Step::Send(Send { patches: patches(ifname), ..get() }));
    let run = run(agent, vec![program(steps.to_vec())]);
    for (step, name) in [(0, "lo10"), (1, "a-name-that-is-too-long-for-one")] {
        match run.step(step)[..] {
            [Body::Error { stage: ErrorStage::Resolve, errno: ENODEV, text }] => {
                assert!(text.contains(name), "{text}");
            }
            ref other => panic!("{other:?}"),
        }
    }
    assert!(matches!(run.step(2)[..], [Body::Sent { .. }, Body::Reply { .. }]), "{:?}", run.step(2));
}

#[test]
fn an_answer_that_does_not_come_is_a_timeout_and_the_program_goes_on() {
    let Some(agent) = agent("an_answer_that_does_not_come_is_a_timeout_and_the_program_goes_on") else {
        return;
    };
    let noop = message(1, REQUEST, &[]);
    let silent = Send { limit_ms: 20, ..send(noop.clone(), ReplyEnd::End) };
    let steps = vec![Step::Send(silent), Step::Send(send(noop, ReplyEnd::Nothing)), get_links()];
    let run = run(agent, vec![program(steps)]);
    assert!(matches!(run.step(0)[..], [Body::Sent { .. }, Body::Timeout]), "{:?}", run.step(0));
    assert!(matches!(run.step(1)[..], [Body::Sent { .. }]), "{:?}", run.step(1));
    assert!(run.step(2).len() > 1, "{:?}", run.step(2));
    assert_eq!(run.died(1), None);
}

#[test]
fn a_surplus_reply_is_taken_before_the_fence() {
    let Some(agent) = agent("a_surplus_reply_is_taken_before_the_fence") else { return };
    // Both answers are asked for in one datagram; only the first is expected.
    let two = [message(1, REQUEST | ACK, &[]), message(1, REQUEST | ACK, &[])].concat();
    let run = run(agent, vec![program(vec![Step::Send(send(two, ReplyEnd::End))])]);
    let replies = run.step(0).iter().filter(|body| matches!(body, Body::Reply { .. })).count();
    assert_eq!(replies, 2, "{:?}", run.step(0));
}

#[test]
fn a_full_receive_buffer_is_a_drop_and_the_fence_still_passes() {
    let Some(agent) = agent("a_full_receive_buffer_is_a_drop_and_the_fence_still_passes") else { return };
    let many = message(1, REQUEST | ACK, &[]).repeat(500);
    let socket = SocketOptions { receive_buffer: Some(2304), ..SocketOptions::default() };
    let steps = vec![Step::Send(send(many, ReplyEnd::Nothing)), get_links()];
    let run = run(agent, vec![Program { socket, ..program(steps) }]);
    let dropped = Body::Drop { source: DropSource::Request, errno: ENOBUFS };
    assert!(run.step(0).contains(&&dropped), "{:?}", run.step(0));
    assert!(!run.of(1).iter().any(|body| matches!(body, Body::Error { .. })), "{:?}", run.of(1));
    assert!(run.step(1).len() > 1, "{:?}", run.step(1));
}

#[test]
fn events_of_a_command_come_with_the_waiting_after_it() {
    let Some(agent) = agent("events_of_a_command_come_with_the_waiting_after_it") else { return };
    // No tool that sets links is everywhere; a file that makes an event is.
    let steps = vec![
        set_lo(true),
        Step::Wait { quiet_ms: 20, limit_ms: 1000 },
        shell("cat /proc/sys/net/ipv4/conf/lo/forwarding"),
        shell("echo 1 > /proc/sys/net/ipv4/conf/lo/forwarding"),
        Step::Wait { quiet_ms: 20, limit_ms: 1000 },
    ];
    // RTNLGRP_LINK and RTNLGRP_IPV4_NETCONF (linux/rtnetlink.h).
    let run = run(agent, vec![Program { groups: vec![1, 24], ..program(steps) }]);
    assert_eq!(run.died(1), None);
    let forwarding = Body::Exec { status: 0, stdout: b"0\n".to_vec(), stderr: vec![] };
    assert_eq!(run.step(2), [&forwarding]);
    let event = |body: &&Body| matches!(body, Body::Event { group: 24, .. });
    let seen: Vec<_> = run.step(3).into_iter().chain(run.step(4)).filter(event).collect();
    assert_eq!(seen.len(), 1, "{:?} {:?}", run.step(3), run.step(4));
}

/// What is counted of a [`Count`] step, and the other bodies of step 0.
fn counted(run: &Run) -> (Counted, Vec<&Body>) {
    let mut found = None;
    let mut others = run.step(0);
    others.retain(|body| match body {
        Body::Counted(counted) => {
            found = Some(*counted);
            false
        }
        _ => true,
    });
    (found.expect("a count"), others)
}

fn links() -> Send {
    send(message(RTM_GETLINK, REQUEST | DUMP, &[0; 16]), ReplyEnd::End)
}

#[test]
fn many_requests_of_several_sockets_are_counted_and_not_recorded() {
    let Some(agent) = agent("many_requests_of_several_sockets_are_counted_and_not_recorded") else { return };
    let absent = message(RTM_GETLINK, REQUEST, &[&[0; 4][..], &99u32.to_ne_bytes(), &[0; 8]].concat());
    let lanes = vec![vec![links(), send(absent, ReplyEnd::End)], vec![links()]];
    let until = Until::Requests(20);
    let count = Count { lanes, until, command: vec![], rest_ms: 0, limit_ms: 5000 };
    let run =
        run(agent, vec![Program { groups: vec![1], ..program(vec![Step::Count(count), set_lo(true)]) }]);
    let (counted, others) = counted(&run);
    assert_eq!(others, Vec::<&Body>::new(), "{}", run.stderr);
    assert_eq!((counted.asked, counted.answered, counted.errors, counted.events), (40, 40, 10, 0));
    // Of each dump at least `lo` and the end, and ten errors.
    assert!(counted.messages >= 70 && counted.bytes > counted.messages * 16, "{counted:?}");
    assert_eq!(counted.uneven, 0, "{counted:?}");
    assert!(counted.ticks > 0);
    assert_eq!(run.died(1), None);
}

#[test]
fn sockets_ask_while_a_command_runs_and_their_events_are_counted() {
    let Some(agent) = agent("sockets_ask_while_a_command_runs_and_their_events_are_counted") else { return };
    let argv = ["/bin/sh", "-c", "ip link set lo up; ip link set lo down; sleep 0.1; echo done; exit 3"];
    let command = argv.map(str::to_owned).to_vec();
    let count = Count {
        lanes: vec![vec![links()], vec![links()]],
        until: Until::Command,
        command: command.clone(),
        rest_ms: 1,
        limit_ms: 5000,
    };
    let run = run(agent, vec![Program { groups: vec![1], ..program(vec![Step::Count(count)]) }]);
    let (counted, others) = counted(&run);
    assert_eq!(counted.asked, counted.answered);
    assert!(counted.asked > 4 && counted.errors == 0, "{counted:?}");
    let ended = Body::Exec { status: 3, stdout: b"done\n".to_vec(), stderr: vec![] };
    assert_eq!(others, [&ended]);
    // Without `ip` there is nothing to see of it.
    assert!(counted.events == 2 || run.stderr.contains("ip"), "{counted:?}");
}

/// Linux answers within the call that asks, so that there is never nothing to take.
#[test]
fn sockets_that_never_rest_do_not_keep_the_command_from_being_heard() {
    let Some(agent) = agent("sockets_that_never_rest_do_not_keep_the_command_from_being_heard") else {
        return;
    };
    // More than a pipe holds: it ends only if somebody reads.
    let long = "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789012345678; i=$((i+1)); done";
    let command = ["/bin/sh", "-c", long].map(str::to_owned).to_vec();
    let lanes = vec![vec![links()]; 4];
    let count = Count { lanes, until: Until::Command, command, rest_ms: 0, limit_ms: 5000 };
    let run = run(agent, vec![program(vec![Step::Count(count)])]);
    let (counted, others) = counted(&run);
    assert_eq!(counted.asked, counted.answered);
    assert!(
        matches!(others[..], [Body::Exec { status: 0, stdout, .. }] if stdout.len() == 100_000),
        "{}",
        others.len()
    );
}

#[test]
fn a_command_that_outlives_the_requests_is_killed_and_said_to_be() {
    let Some(agent) = agent("a_command_that_outlives_the_requests_is_killed_and_said_to_be") else { return };
    let command = ["/bin/sh", "-c", "echo begun; exec sleep 60"].map(str::to_owned).to_vec();
    let until = Until::Requests(300);
    let count = Count { lanes: vec![vec![links()]], until, command, rest_ms: 1, limit_ms: 5000 };
    let run = run(agent, vec![program(vec![Step::Count(count)])]);
    let (counted, others) = counted(&run);
    assert_eq!((counted.asked, counted.answered), (300, 300));
    let killed = Body::Exec { status: 137, stdout: b"begun\n".to_vec(), stderr: vec![] };
    assert_eq!(others, [&killed]);
}

#[test]
fn a_request_that_nobody_answers_ends_the_count() {
    let Some(agent) = agent("a_request_that_nobody_answers_ends_the_count") else { return };
    // A request without NLM_F_ACK that asks for nothing: Linux says nothing to it.
    let silent = Send { seq: SEQ + 1, ..send(message(RTM_GETLINK, ACK, &[0; 16]), ReplyEnd::End) };
    let until = Until::Requests(2);
    let count = Count { lanes: vec![vec![silent]], until, command: vec![], rest_ms: 0, limit_ms: 50 };
    let run = run(agent, vec![program(vec![Step::Count(count)])]);
    let (counted, others) = counted(&run);
    assert_eq!((counted.asked, counted.answered), (1, 0));
    assert!(matches!(others[..], [Body::Timeout, Body::Error { .. }]), "{others:?}");
}

#[test]
fn each_step_tells_when_it_begins_and_the_kernels_lines_are_said_not_to_be_read() {
    let Some(agent) = agent("each_step_tells_when_it_begins_and_the_kernels_lines_are_said_not_to_be_read")
    else {
        return;
    };
    let run = run(agent, vec![program(vec![shell("sleep 0.05"), get_links()])]);
    let begun: Vec<_> = run.records.iter().filter(|record| record.body == Body::Begin).collect();
    assert_eq!(begun.iter().map(|record| record.step).collect::<Vec<_>>(), [0, 1, u32::MAX]);
    assert!(begun[1].t_ns - begun[0].t_ns >= 50_000_000, "{begun:?}");
    // Before all else of a step.
    for begun in &begun[..2] {
        assert_eq!(run.records.iter().find(|record| record.step == begun.step), Some(*begun));
    }
    let [.., last, end] = &run.records[..] else { panic!() };
    assert!(matches!(&last.body, Body::NoConsole { errno: 0, text } if text.contains("Linux")), "{last:?}");
    assert_eq!(end.body, Body::End { died: None });
}
