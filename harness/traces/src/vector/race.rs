// SPDX-License-Identifier: BSD-2-Clause
//! Races: requests of several sockets at once, and whether their outcome is permitted.
//!
//! A round comes to one word a request: `ok` or the error's name for an acknowledgement, `done` for the end of a dump
//! (`done:ENOENT` with an error), `reply` for a message alone. `unanswered`, `answered-twice` and `malformed` are never
//! permitted by accident: they would have to be written down.

use std::borrow::Cow;
use std::collections::BTreeMap;

use nlproof_agent::{Body, Card, Race, Record, ReplyEnd, Send};
use nlproof_base::counted;
use nlproof_wire::consts::{NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR};
use nlproof_wire::view::{MessageItem, messages};
use nlproof_wire::{Os, errno_name, errno_names, errno_number};

use super::cards::act;
use super::datagram::Datagram;
use super::format::{RawMessage, RawRace};
use super::load::Vector;
use super::message::put_message;
use super::numbering::{REPLY_LIMIT_MS, SEQ_STEP};
use super::place::{SourceFile, place};
use super::repeat::expand;
use crate::file::{FileError, Position};

/// Words for the outcome of a request, beside the names of errors.
const OUTCOMES: [&str; 7] = ["ok", "done", "reply", ANSWERED, "unanswered", "answered-twice", "malformed"];
/// The word that permits any one answer.
pub(crate) const ANSWERED: &str = "answered";
/// Outcomes that are no one answer.
const NO_ANSWER: [&str; 3] = ["unanswered", "answered-twice", "malformed"];
/// Most rounds; more would exceed a vector's limit.
const MOST_ROUNDS: u32 = 100;
/// A race by time that is longer keeps a guest for too long.
const MOST_SECONDS: u32 = 3600;

/// The race as bytes; its messages are numbered from `seq`, those before it first.
pub(super) fn compile_race(
    file: SourceFile<'_>,
    os: Os,
    seq: u32,
    place_of_step: Position,
    cards: &[Card],
    raw: &RawRace,
) -> Result<Race, FileError> {
    let (rounds, for_ms) = length(file, place_of_step, raw)?;
    if for_ms == 0 && !raw.hardware.is_empty() {
        return Err(file
            .error(place_of_step, "what is done with network cards meanwhile takes time, not rounds")
            .help("give `seconds` in the place of `rounds`"));
    }
    let acts = raw.hardware.iter().map(|node| act(file, cards, node)).collect::<Result<_, _>>()?;
    if raw.sockets.len() < 2 || raw.sockets.iter().any(Vec::is_empty) {
        return Err(file.error(place_of_step, "a race needs two sockets or more, and each something to ask"));
    }
    // Copies of a repeated message are requests of their own.
    let [before, after] = [&raw.before, &raw.after].map(|messages| expand(file, messages));
    let (before, after) = (before?, after?);
    let sockets: Vec<Vec<Cow<'_, RawMessage>>> =
        raw.sockets.iter().map(|messages| expand(file, messages)).collect::<Result<_, _>>()?;
    let requests: usize = sockets.iter().map(Vec::len).sum();
    if before.len() + requests + after.len() > SEQ_STEP as usize {
        return Err(file.error(place_of_step, format!("more than {SEQ_STEP} messages in one race")));
    }
    if raw.permit.is_empty() {
        return Err(file.error(place_of_step, "`permit` is empty: nothing could come of the race"));
    }
    if let Some(odd) = raw.permit.iter().find(|permit| permit.value.split(' ').count() != requests) {
        return Err(file
            .error(place(odd), format!("`{}` is not one word for each of {requests} requests", odd.value))
            .help("such as `ok EEXIST`: the first socket's requests first"));
    }
    for permit in &raw.permit {
        if let Some(word) = permit.value.split([' ', '|']).find(|word| !can_come(os, word)) {
            let known = OUTCOMES.into_iter().chain(errno_names(os));
            return Err(file.unknown(place(permit), "outcome", word, known));
        }
    }
    let mut seqs = seq..;
    let mut sends = |raw: &[Cow<'_, RawMessage>]| -> Result<Vec<Send>, FileError> {
        raw.iter().zip(&mut seqs).map(|(message, seq)| send(file, os, seq, message)).collect()
    };
    Ok(Race {
        rounds,
        for_ms,
        acts,
        before: sends(&before)?,
        lanes: sockets.iter().map(|messages| sends(messages)).collect::<Result<_, _>>()?,
        after: sends(&after)?,
        limit_ms: REPLY_LIMIT_MS,
    })
}

/// Rounds, or milliseconds.
fn length(file: SourceFile<'_>, place_of_step: Position, raw: &RawRace) -> Result<(u32, u32), FileError> {
    match (&raw.rounds, &raw.seconds) {
        (Some(rounds), None) if (1..=MOST_ROUNDS).contains(&rounds.value) => Ok((rounds.value, 0)),
        (Some(rounds), None) => {
            Err(file.error(place(rounds), format!("a race has 1 to {MOST_ROUNDS} rounds")))
        }
        (None, Some(seconds)) if (1..=MOST_SECONDS).contains(&seconds.value) => Ok((0, seconds.value * 1000)),
        (None, Some(seconds)) => {
            Err(file.error(place(seconds), format!("a race takes 1 to {MOST_SECONDS} seconds")))
        }
        _ => Err(file.error(place_of_step, "a race has either `rounds` or `seconds`")),
    }
}

/// Whether a request can come to this word.
fn can_come(os: Os, word: &str) -> bool {
    let error = word.strip_prefix("done:").unwrap_or(word);
    // As it is shown: upper case, and the first of an error's names. Or the number of one that has no name.
    let shown = errno_number(os, error).and_then(|number| errno_name(os, number)) == Some(error);
    let number = error.strip_prefix("errno").is_some_and(|number| number.parse::<i32>().is_ok());
    OUTCOMES.contains(&word) || shown || number
}

fn send(file: SourceFile<'_>, os: Os, seq: u32, message: &RawMessage) -> Result<Send, FileError> {
    let mut datagram = Datagram::default();
    let end = put_message(file, os, message, seq, &mut datagram)?;
    if end == ReplyEnd::Nothing {
        return Err(file
            .error(message.message.place, "a racing request without an answer tells nothing")
            .help("give it the flag `ack`"));
    }
    Ok(Send {
        data: datagram.data,
        patches: datagram.patches,
        seq,
        end,
        limit_ms: REPLY_LIMIT_MS,
        settle_ms: 0,
    })
}

/// Whether what came of a round is what a line permits: word for word one of its alternatives.
fn permits(permit: &str, outcome: &str) -> bool {
    let mut words = permit.split(' ').zip(outcome.split(' '));
    words.all(|(permitted, word)| {
        let is = |permitted| permitted == word || (permitted == ANSWERED && !NO_ANSWER.contains(&word));
        permitted.split('|').any(is)
    })
}

/// What came of every race of a vector, as one line each with the index of its step. Rounds that are not there say so
/// as requests without an answer.
pub fn judge_races(
    vector: &Vector,
    steps: &[nlproof_agent::Step],
    os: Os,
    records: &[Record],
) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    for (index, (step, raw)) in (0..).zip(steps.iter().zip(&vector.steps)) {
        let (nlproof_agent::Step::Race(race), Some(raw)) = (step, &raw.value.race) else { continue };
        let sockets = race.lanes.len();
        let of_step = || records.iter().filter(|record| record.step == index);
        let raced = of_step().find_map(|record| match record.body {
            Body::Raced { rounds, acts } => Some((rounds, acts)),
            _ => None,
        });
        let (rounds, acts) = raced.unwrap_or((race.rounds, 0));
        let mut by_round: BTreeMap<u32, Vec<&Record>> = BTreeMap::new();
        for record in of_step() {
            if let Body::Race { round, .. } = record.body {
                by_round.entry(round).or_default().push(record);
            }
        }
        let odd = (0..rounds.max(race.rounds)).find_map(|round| {
            let of_round = by_round.get(&round).into_iter().flatten().copied();
            let outcome = outcome(race, os, of_round, round);
            let permitted = raw.permit.iter().any(|permit| permits(&permit.value, &outcome));
            (!permitted)
                .then(|| format!("race of {sockets} sockets: `{outcome}` in round {round} is not permitted"))
        });
        let fine = || {
            if race.for_ms > 0 {
                return timed(race, raw.seconds.as_ref().map_or(0, |seconds| seconds.value), rounds, acts);
            }
            let rounds = counted(race.rounds, "round");
            format!("race of {sockets} sockets, {rounds}: what came of each is permitted")
        };
        lines.push((index, odd.unwrap_or_else(fine)));
    }
    lines
}

/// What a race by time came to. How often it was played differs from run to run and stands in the raw trace; that it was
/// played at all does not. The seconds are
/// those of the vector, also where it was played for longer.
fn timed(race: &Race, seconds: u32, rounds: u32, acts: u32) -> String {
    let sockets = race.lanes.len();
    if rounds == 0 || (!race.acts.is_empty() && acts == 0) {
        return format!("race of {sockets} sockets, {seconds} s: nothing came of it");
    }
    let words: Vec<_> = race.acts.iter().map(|act| act.deed.name()).collect();
    let meanwhile = if words.is_empty() { String::new() } else { format!(" of {}", words.join(", ")) };
    format!("race of {sockets} sockets, {seconds} s{meanwhile}: what came of each round is permitted")
}

/// One word a request.
fn outcome<'a>(race: &Race, os: Os, records: impl Iterator<Item = &'a Record>, round: u32) -> String {
    let mut seen: Vec<Vec<Option<String>>> =
        race.lanes.iter().map(|requests| requests.iter().map(|_| None).collect()).collect();
    for record in records {
        let Body::Race { round: of, lane, data } = &record.body else { continue };
        let lane = *lane as usize;
        let (Some(requests), Some(seen)) = (race.lanes.get(lane), seen.get_mut(lane)) else { continue };
        if *of != round {
            continue;
        }
        for item in messages(data) {
            let MessageItem::Message(message) = item else {
                seen.fill(Some("malformed".into()));
                continue;
            };
            let Some(place) = requests.iter().position(|send| send.seq == message.header.seq) else {
                continue;
            };
            let word = word(os, message.header.kind, message.header.flags, message.payload);
            if let (Some(word), Some(slot)) = (word, seen.get_mut(place)) {
                *slot = Some(if slot.is_some() { "answered-twice".into() } else { word });
            }
        }
    }
    let words: Vec<_> =
        seen.into_iter().flatten().map(|word| word.unwrap_or_else(|| "unanswered".into())).collect();
    words.join(" ")
}

/// The outcome that a message tells about its request; `None`: more messages follow.
fn word(os: Os, kind: u16, flags: u16, payload: &[u8]) -> Option<String> {
    let error = || {
        let number = payload.first_chunk().map_or(i32::MIN, |bytes| i32::from_ne_bytes(*bytes));
        // Linux negates.
        (number != 0).then(|| {
            errno_name(os, number.saturating_abs()).map_or_else(|| format!("errno{number}"), str::to_owned)
        })
    };
    match kind {
        NLMSG_ERROR => Some(error().unwrap_or_else(|| "ok".into())),
        NLMSG_DONE => Some(error().map_or_else(|| "done".into(), |error| format!("done:{error}"))),
        _ if flags & NLM_F_MULTI == 0 => Some("reply".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nlproof_wire::view::NlMsgHdr;

    use super::super::{compile, load_vector};
    use super::*;

    fn vector(race: &str) -> Result<Vector, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        std::fs::write(&path, format!("about: x\nneeds: {{os: [freebsd]}}\nsteps:\n- race: {race}\n"))
            .unwrap();
        load_vector(Path::new("/"), &path).map_err(|error| error.to_string())
    }

    const ASK: &str = "{message: getlink, flags: [request, dump]}";
    const MAKE: &str = "{message: newlink, flags: [request, ack, create]}";

    /// What is said about records of one round of a race between a creation and a dump.
    fn said(records: &[(u32, u16, u16, Option<i32>)]) -> String {
        let race = format!("{{rounds: 1, sockets: [[{MAKE}], [{ASK}]], permit: [ok done, EEXIST done]}}");
        let vector = vector(&race).unwrap();
        let steps = compile(&vector, Os::FreeBsd, 0).unwrap().steps;
        let nlproof_agent::Step::Race(race) = &steps[0] else { panic!("{steps:?}") };
        let record = |&(lane, kind, flags, error): &(u32, u16, u16, Option<i32>)| {
            let seq = race.lanes[lane as usize][0].seq;
            let payload = error.map(|error: i32| error.to_ne_bytes().to_vec()).unwrap_or_default();
            let len = 16 + payload.len() as u32;
            let header = NlMsgHdr { len, kind, flags, seq, pid: 7 };
            let data = [&header.to_bytes()[..], &payload].concat();
            Record { program: 0, step: 0, t_ns: 0, body: Body::Race { round: 0, lane, data } }
        };
        let records: Vec<_> = records.iter().map(record).collect();
        let lines = judge_races(&vector, &steps, Os::FreeBsd, &records);
        assert_eq!(lines.len(), 1);
        lines[0].1.clone()
    }

    #[test]
    fn what_is_permitted_and_what_is_not() {
        const FINE: &str = "race of 2 sockets, 1 round: what came of each is permitted";
        let (made, part) = ((0, NLMSG_ERROR, 0, Some(0)), (1, 16, NLM_F_MULTI, None));
        let done = (1, NLMSG_DONE, NLM_F_MULTI, Some(0));
        assert_eq!(said(&[made, part, done]), FINE);
        assert_eq!(said(&[(0, NLMSG_ERROR, 0, Some(17)), part, done]), FINE);
        let odd = |outcome: &str| format!("race of 2 sockets: `{outcome}` in round 0 is not permitted");
        assert_eq!(said(&[(0, NLMSG_ERROR, 0, Some(22)), done]), odd("EINVAL done"));
        assert_eq!(said(&[made, part]), odd("ok unanswered"));
        assert_eq!(said(&[made, done, done]), odd("ok answered-twice"));
        assert_eq!(said(&[made, (1, NLMSG_DONE, NLM_F_MULTI, Some(12))]), odd("ok done:ENOMEM"));
        assert_eq!(said(&[made, (1, 16, 0, None)]), odd("ok reply"));
        assert_eq!(said(&[]), odd("unanswered unanswered"));
    }

    #[test]
    fn alternatives_are_permitted_each() {
        assert!(permits("done reply|ENODEV", "done ENODEV") && permits("done reply|ENODEV", "done reply"));
        assert!(permits("answered answered", "done:ENOMEM EXDEV"));
        for bad in NO_ANSWER {
            assert!(!permits("answered answered", &format!("ok {bad}")), "{bad}");
        }
        assert!(!permits("done reply|ENODEV", "done ENXIO") && !permits("done reply", "ok reply"));
    }

    #[test]
    fn repeated_messages_of_a_race_are_requests_of_their_own() {
        let ask = "{message: getlink, flags: [request], attrs: [ifname: 'lo{n}'], repeat: {count: 2}}";
        let race = |permit: &str| format!("{{rounds: 1, sockets: [[{ASK}], [{ask}]], permit: [{permit}]}}");
        let steps = compile(&vector(&race("done reply ENODEV")).unwrap(), Os::FreeBsd, 0).unwrap().steps;
        let nlproof_agent::Step::Race(race_of_three) = &steps[0] else { panic!("{steps:?}") };
        let lane = &race_of_three.lanes[1];
        assert_eq!(lane.len(), 2);
        assert!(lane[0].data.ends_with(b"lo0\0") && lane[1].data.ends_with(b"lo1\0"));
        assert_ne!(lane[0].seq, lane[1].seq);
        let error = compile(&vector(&race("done reply")).unwrap(), Os::FreeBsd, 0).unwrap_err().to_string();
        assert!(error.contains("one word for each of 3"), "{error}");
    }

    #[test]
    fn a_race_by_time_says_that_it_was_played() {
        let race = format!(
            "about: x\nneeds: {{os: [freebsd], hardware: [{{nic: e1000, as: n}}]}}\nsteps:\n- race: {{seconds: 2, \
             hardware: [{{n: detach}}, {{n: attach}}], sockets: [[{ASK}], [{ASK}]], permit: [done done]}}\n"
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        std::fs::write(&path, race).unwrap();
        let vector = load_vector(Path::new("/"), &path).unwrap();
        let steps = compile(&vector, Os::FreeBsd, 0).unwrap().steps;
        let raced = |rounds, acts| {
            let record = Record { program: 0, step: 0, t_ns: 0, body: Body::Raced { rounds, acts } };
            judge_races(&vector, &steps, Os::FreeBsd, &[record])[0].1.clone()
        };
        assert_eq!(raced(0, 0), "race of 2 sockets, 2 s: nothing came of it");
        assert_eq!(raced(1, 1), "race of 2 sockets: `unanswered unanswered` in round 0 is not permitted");
    }

    #[test]
    fn a_race_that_cannot_tell_anything_is_refused() {
        for (race, what) in [
            (format!("{{rounds: 0, sockets: [[{ASK}], [{ASK}]], permit: [done done]}}"), "1 to 100 rounds"),
            (format!("{{sockets: [[{ASK}], [{ASK}]], permit: [done done]}}"), "either `rounds` or `seconds`"),
            (
                format!("{{rounds: 1, seconds: 1, sockets: [[{ASK}], [{ASK}]], permit: [done done]}}"),
                "either `rounds` or `seconds`",
            ),
            (
                format!("{{seconds: 0, sockets: [[{ASK}], [{ASK}]], permit: [done done]}}"),
                "1 to 3600 seconds",
            ),
            (
                format!(
                    "{{rounds: 1, hardware: [{{a: plug}}], sockets: [[{ASK}], [{ASK}]], permit: [done done]}}"
                ),
                "takes time, not rounds",
            ),
            (format!("{{rounds: 1, sockets: [[{ASK}]], permit: [done]}}"), "two sockets"),
            (format!("{{rounds: 1, sockets: [[{ASK}], []], permit: [done]}}"), "something to ask"),
            (format!("{{rounds: 1, sockets: [[{ASK}], [{ASK}]], permit: []}}"), "`permit` is empty"),
            (format!("{{rounds: 1, sockets: [[{ASK}], [{ASK}]], permit: [done]}}"), "one word for each of 2"),
            (
                format!(
                    "{{rounds: 1, sockets: [[{ASK}], [{{message: newlink, flags: [request]}}]], permit: [ok done]}}"
                ),
                "without an answer",
            ),
            (
                format!("{{rounds: 1, sockets: [[{MAKE}], [{ASK}]], permit: [eexist done]}}"),
                "unknown outcome `eexist`\n  help: did you mean `EEXIST`?",
            ),
        ] {
            let vector = vector(&race).unwrap();
            let error = compile(&vector, Os::FreeBsd, 0).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(what), "{race}: {error}");
        }
    }
}
