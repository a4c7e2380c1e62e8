// SPDX-License-Identifier: BSD-2-Clause
//! Requirements for a program, checked before a child is started for it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::frame::FENCE_SEQ_BASE;
use crate::{Act, Count, MAX_CARDS, Program, Send, Step, Until};

/// The most groups a program may join: each is a socket, and RTNLGRP_* ends at 36 on Linux (rtnetlink.h)
/// and at 7 used ones on FreeBSD (sys/netlink/route/common.h).
pub const MAX_GROUPS: usize = 64;

/// Why a program is not run. Steps are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No steps.
    #[error("the program has no steps")]
    NoSteps,
    /// A limit of 0 ms would kill the child before it has begun.
    #[error("the program's limit is 0 ms")]
    NoLimit,
    /// More groups than [`MAX_GROUPS`].
    #[error("the program joins {count} groups, at most {max} are possible", max = MAX_GROUPS)]
    TooManyGroups {
        /// How many it names.
        count: usize,
    },
    /// A patch does not lie within its datagram.
    #[error(
        "step {step}: the patch for interface `{ifname}` at offset {offset} needs 4 bytes within a datagram of {len}"
    )]
    PatchOutside {
        /// Index of the step that is wrong.
        step: usize,
        /// The interface's name.
        ifname: String,
        /// [`Patch::offset`](crate::Patch::offset).
        offset: u32,
        /// Length of the datagram in bytes.
        len: usize,
    },
    /// The seq belongs to the agent's fences.
    #[error("step {step}: seq {seq:#x} is not below {base:#x}, where the agent's own begin", base = FENCE_SEQ_BASE)]
    ReservedSeq {
        /// Index of the step that is wrong.
        step: usize,
        /// [`Send::seq`](crate::Send::seq).
        seq: u32,
    },
    /// A socket that has nothing to ask, or a wait for a command that does not exist.
    #[error("step {step}: a socket has nothing to ask, or the end of no command is waited for")]
    EmptyCount {
        /// Index of the step that is wrong.
        step: usize,
    },
    /// More cards than [`MAX_CARDS`].
    #[error("the program has {count} network cards, at most {max} are possible", max = MAX_CARDS)]
    TooManyCards {
        /// How many it names.
        count: usize,
    },
    /// Something is done with a card that the program does not have.
    #[error("step {step}: there is no network card {card}")]
    NoSuchCard {
        /// Index of the step that is wrong.
        step: usize,
        /// [`Act::card`](crate::Act::card).
        card: u32,
    },
    /// The command is empty, or a path that begins in no particular directory.
    #[error("step {step}: command `{command}` is neither a name nor an absolute path")]
    Command {
        /// Index of the step that is wrong.
        step: usize,
        /// `argv[0]`, empty if there is none.
        command: String,
    },
    /// An argument holds a NUL byte, which execve(2) cannot pass on.
    #[error("step {step}: argument {argument} of the command holds a NUL byte")]
    Nul {
        /// Index of the step that is wrong.
        step: usize,
        /// Index into `argv`.
        argument: usize,
    },
}

impl Program {
    /// Whether the agent would run this program.
    ///
    /// # Errors
    /// The first [`Refusal`] in the order of the program.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.steps.is_empty() {
            return Err(Refusal::NoSteps);
        }
        if self.limit_ms == 0 {
            return Err(Refusal::NoLimit);
        }
        if self.groups.len() > MAX_GROUPS {
            return Err(Refusal::TooManyGroups { count: self.groups.len() });
        }
        if self.cards.len() > MAX_CARDS {
            return Err(Refusal::TooManyCards { count: self.cards.len() });
        }
        self.steps.iter().enumerate().try_for_each(|(index, step)| {
            check_acts(index, step, self.cards.len())?;
            check_step(index, step)
        })
    }
}

/// Every card that something is done with is there.
fn check_acts(step: usize, what: &Step, cards: usize) -> Result<(), Refusal> {
    let acts: &[Act] = match what {
        Step::Hardware(act) => core::slice::from_ref(act),
        Step::Race(race) => &race.acts,
        _ => &[],
    };
    match acts.iter().find(|act| act.card as usize >= cards) {
        Some(act) => Err(Refusal::NoSuchCard { step, card: act.card }),
        None => Ok(()),
    }
}

fn check_step(step: usize, what: &Step) -> Result<(), Refusal> {
    match what {
        Step::Send(send) => check_send(step, send),
        Step::Race(race) => {
            let racing = race.lanes.iter().flatten();
            race.before.iter().chain(racing).chain(&race.after).try_for_each(|send| check_send(step, send))
        }
        Step::Count(count) => check_count(step, count),
        Step::Exec { argv, .. } => check_command(step, argv),
        Step::Watch(watch) => {
            check_command(step, &watch.argv)?;
            let paths: Vec<String> =
                [Some(&watch.directory), watch.stdin.as_ref()].into_iter().flatten().cloned().collect();
            paths.iter().try_for_each(|path| check_command(step, core::slice::from_ref(path)))
        }
        Step::Wait { .. } | Step::Hardware(_) => Ok(()),
    }
}

fn check_count(step: usize, count: &Count) -> Result<(), Refusal> {
    // Nothing that ends it: it would end with the program's limit, and nobody would learn what was counted.
    if count.lanes.iter().any(Vec::is_empty) || (count.command.is_empty() && count.until == Until::Command) {
        return Err(Refusal::EmptyCount { step });
    }
    if !count.command.is_empty() {
        check_command(step, &count.command)?;
    }
    count.lanes.iter().flatten().try_for_each(|send| check_send(step, send))
}

fn check_command(step: usize, argv: &[String]) -> Result<(), Refusal> {
    let command = argv.first().cloned().unwrap_or_default();
    // A name is looked for in PATH, as a shell does; what is relative to a directory has none here.
    if command.is_empty() || (command.contains('/') && !command.starts_with('/')) {
        return Err(Refusal::Command { step, command });
    }
    match argv.iter().position(|argument| argument.contains('\0')) {
        Some(argument) => Err(Refusal::Nul { step, argument }),
        None => Ok(()),
    }
}

fn check_send(step: usize, send: &Send) -> Result<(), Refusal> {
    if send.seq >= FENCE_SEQ_BASE {
        return Err(Refusal::ReservedSeq { step, seq: send.seq });
    }
    let len = send.data.len();
    let outside = send.patches.iter().find(|patch| patch.offset as usize + 4 > len);
    outside.map_or(Ok(()), |patch| {
        let (ifname, offset) = (patch.ifname.clone(), patch.offset);
        Err(Refusal::PatchOutside { step, ifname, offset, len })
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::{Patch, Privilege, ReplyEnd, SocketOptions};

    fn program(steps: Vec<Step>) -> Program {
        Program {
            id: 1,
            name: "link/create".to_string(),
            privilege: Privilege::Root,
            socket: SocketOptions::default(),
            groups: vec![1],
            cards: vec![],
            settings: vec![],
            steps,
            limit_ms: 1000,
            kernel_trace: false,
        }
    }

    fn send(seq: u32, offset: u32) -> Step {
        let patches = vec![Patch { offset, ifname: "lo10".to_string() }];
        Step::Send(Send { data: vec![0; 32], patches, seq, end: ReplyEnd::End, limit_ms: 1, settle_ms: 0 })
    }

    fn exec(argv: &[&str]) -> Step {
        Step::Exec { argv: argv.iter().map(ToString::to_string).collect(), limit_ms: 1 }
    }

    #[test]
    fn what_is_in_order_passes() {
        let steps = vec![
            send(1, 20),
            send(FENCE_SEQ_BASE - 1, 28),
            exec(&["/bin/sh", "-c", "true"]),
            Step::Wait { quiet_ms: 0, limit_ms: 0 },
        ];
        assert_eq!(program(steps).check(), Ok(()));
    }

    #[test]
    fn a_program_without_steps_limit_or_bounds_is_refused() {
        assert_eq!(program(vec![]).check(), Err(Refusal::NoSteps));
        let unlimited = Program { limit_ms: 0, ..program(vec![send(1, 0)]) };
        assert_eq!(unlimited.check(), Err(Refusal::NoLimit));
        let many = Program { groups: vec![1; MAX_GROUPS + 1], ..program(vec![send(1, 0)]) };
        assert_eq!(many.check(), Err(Refusal::TooManyGroups { count: MAX_GROUPS + 1 }));
    }

    #[test]
    fn a_patch_that_leaves_its_datagram_is_refused_by_place() {
        let refusal = program(vec![send(1, 28), send(2, 29)]).check().unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "step 1: the patch for interface `lo10` at offset 29 needs 4 bytes within a datagram of 32"
        );
        assert!(program(vec![send(1, u32::MAX)]).check().is_err());
    }

    #[test]
    fn a_seq_of_the_fences_is_refused() {
        let refusal = program(vec![send(FENCE_SEQ_BASE, 0)]).check();
        assert_eq!(refusal, Err(Refusal::ReservedSeq { step: 0, seq: FENCE_SEQ_BASE }));
    }

    #[test]
    fn a_count_has_requests_and_an_end() {
        let count = |lanes: Vec<Vec<Send>>, until, argv: &[&str]| {
            let command = argv.iter().map(ToString::to_string).collect();
            program(vec![Step::Count(Count { lanes, until, command, rest_ms: 0, limit_ms: 1 })]).check()
        };
        let Step::Send(asked) = send(1, 20) else { unreachable!() };
        let lanes = || vec![vec![asked.clone()]];
        assert_eq!(count(lanes(), Until::Requests(1), &[]), Ok(()));
        assert_eq!(count(vec![], Until::Command, &["/bin/true"]), Ok(()));
        assert_eq!(count(vec![vec![]], Until::Requests(1), &[]), Err(Refusal::EmptyCount { step: 0 }));
        assert_eq!(count(lanes(), Until::Command, &[]), Err(Refusal::EmptyCount { step: 0 }));
        assert!(matches!(count(lanes(), Until::Command, &["./true"]), Err(Refusal::Command { .. })));
    }

    #[test]
    fn only_cards_of_the_program_have_something_done() {
        let act = |card| Step::Hardware(Act { card, deed: crate::Deed::Plug, limit_ms: 1, unnoticed: false });
        let card = crate::Card {
            name: "nic1".to_string(),
            model: "e1000".to_string(),
            interface: "em0".to_string(),
            device: "em0".to_string(),
            controller: None,
            slot: 28,
            plugged: true,
            settle_ms: 100,
        };
        let with =
            |card_count, steps| Program { cards: vec![card.clone(); card_count], ..program(steps) }.check();
        assert_eq!(with(1, vec![act(0)]), Ok(()));
        assert_eq!(with(1, vec![act(0), act(1)]), Err(Refusal::NoSuchCard { step: 1, card: 1 }));
        assert_eq!(with(5, vec![act(0)]), Err(Refusal::TooManyCards { count: 5 }));
    }

    #[test]
    fn commands_are_names_or_absolute_and_without_nul() {
        let command = |argv: &[&str]| program(vec![exec(argv)]).check();
        assert_eq!(command(&[]), Err(Refusal::Command { step: 0, command: String::new() }));
        assert_eq!(command(&["ls"]), Ok(()));
        assert_eq!(command(&["bin/ls"]), Err(Refusal::Command { step: 0, command: "bin/ls".to_string() }));
        assert_eq!(command(&["/bin/ls", "a\0b"]), Err(Refusal::Nul { step: 0, argument: 1 }));
    }
}
