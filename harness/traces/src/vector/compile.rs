// SPDX-License-Identifier: BSD-2-Clause
//! A vector as a program: the bytes to send, for one ABI.

use nlproof_agent::{Act, Card, Deed, Program, ReplyEnd, Send, Step};
use nlproof_wire::Os;
use nlproof_wire::schema::{group_number, groups};

use super::cards::{act, check_order, with_interfaces};
use super::datagram::Datagram;
use super::format::{RawMessage, RawStep};
use super::load::Vector;
use super::message::put_message;
use super::numbering::{REPLY_LIMIT_MS, SEQ_STEP, seqs_of};
use super::place::{SourceFile, place};
use super::race::compile_race;
use super::repeat::expand;
use crate::file::{FileError, Position};

/// How long no event must come after the reply for a step to end. Events that a request causes
/// directly are queued before its reply; link-state changes come from a taskqueue a little later.
///
/// On one processor that thread goes before a FreeBSD agent, which then waits for nothing: whatever is ready to run has
/// run when the agent looks again. With several it may run beside the agent, and Linux takes its time.
const fn settle_ms(os: Os) -> u32 {
    match os {
        Os::FreeBsd => 10,
        Os::Linux => 30,
    }
}
/// Limit after which a program counts as stuck.
const PROGRAM_LIMIT_MS: u32 = 90_000;

/// Compiles a vector; `id` is the program's.
///
/// # Errors
/// A name that this ABI does not have, a value that does not fit, a step that cannot be put into bytes.
pub fn compile(vector: &Vector, os: Os, id: u32) -> Result<Program, FileError> {
    let file = SourceFile(&vector.path);
    let mut numbers = Vec::new();
    for (name, place) in vector.groups.iter().zip(&vector.group_places) {
        let known = groups(os).iter().map(|group| group.name);
        numbers.push(group_number(os, name).ok_or_else(|| file.unknown(*place, "group", name, known))?);
    }
    let cards = &vector.cards;
    if let (Some(step), Os::Linux) = (vector.steps.iter().find(|step| step.value.hardware.is_some()), os) {
        return Err(file
            .error(place(step), "network cards are for guests under QEMU")
            .help("needs: {os: [freebsd]}"));
    }
    let (mut steps, mut acts, mut racing_ms) = (Vec::new(), Vec::new(), 0_u32);
    for (index, step) in (0..).zip(&vector.steps) {
        if step.value.race.is_some() && !numbers.is_empty() {
            return Err(file
                .error(place(step), "a vector with a race joins no groups")
                .help("events of racing requests have no one order: leave out `groups`"));
        }
        let mut compiled = match &step.value.hardware {
            Some(node) => Step::Hardware(act(file, cards, node)?),
            None => compile_step(file, os, index, place(step), cards, &with_interfaces(cards, &step.value))?,
        };
        if let (Step::Race(race), Some(seconds)) = (&mut compiled, vector.race_seconds)
            && race.for_ms > 0
        {
            race.for_ms = seconds.saturating_mul(1000);
        }
        match &compiled {
            Step::Hardware(act) => acts.push((place(step), vec![*act])),
            // Twice: a turn ends as it began.
            Step::Race(race) => {
                racing_ms = racing_ms.saturating_add(race.for_ms);
                acts.push((place(step), [race.acts.clone(), race.acts.clone()].concat()));
            }
            _ => {}
        }
        steps.push(compiled);
    }
    check_order(file, cards, &acts)?;
    Ok(Program {
        id,
        name: vector.id.clone(),
        privilege: vector.needs.privilege,
        socket: vector.socket,
        groups: numbers,
        cards: cards.clone(),
        settings: vector.needs.sysctl.clone(),
        steps,
        limit_ms: PROGRAM_LIMIT_MS.saturating_add(racing_ms).saturating_add(acts_ms(&acts, cards.len())),
        kernel_trace: false,
    })
}

/// What a program may take beside its ordinary limit for what is done with its cards.
fn acts_ms(acts: &[(Position, Vec<Act>)], cards: usize) -> u32 {
    let ends = Deed::Plug.limit_ms() + Deed::Unplug.limit_ms();
    let all = acts.iter().flat_map(|(_, acts)| acts).map(|act| act.limit_ms);
    all.fold(ends.saturating_mul(cards as u32), u32::saturating_add)
}

/// Whether the agent looks for a program under this name: in PATH, or at an absolute path.
fn is_program(word: &str) -> bool {
    !word.is_empty() && (word.starts_with('/') || !word.contains('/'))
}

fn compile_step(
    file: SourceFile<'_>,
    os: Os,
    index: u32,
    place_of_step: Position,
    cards: &[Card],
    step: &RawStep,
) -> Result<Step, FileError> {
    if let Some(exec) = &step.exec {
        let argv = &exec.argv.value;
        if !argv.first().is_some_and(|program| is_program(program)) {
            return Err(file
                .error(place(&exec.argv), "the first word is no program")
                .help("a name that is looked for in the guest's PATH, or an absolute path: ifconfig, /sbin/ifconfig"));
        }
        return Ok(Step::Exec { argv: argv.clone(), limit_ms: exec.limit_ms.value });
    }
    if let Some(wait) = &step.wait {
        if wait.limit_ms.value < wait.quiet_ms.value {
            return Err(file.error(place(&wait.limit_ms), "the limit is below quiet-ms"));
        }
        if wait.limit_ms.value > PROGRAM_LIMIT_MS {
            return Err(
                file.error(place(&wait.limit_ms), format!("the limit is above {PROGRAM_LIMIT_MS} ms"))
            );
        }
        return Ok(Step::Wait { quiet_ms: wait.quiet_ms.value, limit_ms: wait.limit_ms.value });
    }
    if let Some(race) = &step.race {
        return compile_race(file, os, seqs_of(index).start, place_of_step, cards, race).map(Step::Race);
    }
    let messages: &[RawMessage] = match (&step.send, &step.datagram) {
        (Some(message), _) => std::slice::from_ref(message),
        (None, Some(messages)) => messages,
        (None, None) => &[],
    };
    let messages = expand(file, messages)?;
    if messages.len() > SEQ_STEP as usize {
        return Err(file.error(place_of_step, format!("more than {SEQ_STEP} messages in one datagram")));
    }
    let mut datagram = Datagram::default();
    let mut end = ReplyEnd::Nothing;
    let mut last_seq = 0;
    for (seq, message) in seqs_of(index).zip(&messages) {
        // Messages of a datagram are aligned to four bytes (NLMSG_ALIGN).
        datagram.align();
        end = put_message(file, os, message, seq, &mut datagram)?;
        last_seq = seq;
    }
    if messages.is_empty() {
        return Err(file.error(place_of_step, "a datagram without messages"));
    }
    Ok(Step::Send(Send {
        data: datagram.data,
        patches: datagram.patches,
        seq: last_seq,
        end,
        limit_ms: REPLY_LIMIT_MS,
        settle_ms: settle_ms(os),
    }))
}
