// SPDX-License-Identifier: BSD-2-Clause
//! Lines of a raw trace read back into the records that they were written from (`raw.rs` has the format).
//!
//! Whoever doubts a verdict can come to it again from these alone. What no comparison asks for is kept as text only: what the
//! kernel printed, and the part of a command's standard error that is no UTF-8.

use std::borrow::Cow;

use nlproof_agent::{Body, Counted, Deed, DropSource, ErrorStage, NO_STEP, Phase, Record};
use serde::Deserialize;
use serde::de::Error as _;

use super::raw::VERSION;
use crate::ktrace::from_raw_args;

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// The vector's id.
    pub vector: String,
    /// What the line is.
    pub what: RawWhat,
}

/// What a line of a raw trace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawWhat {
    /// A record of the agent's or the simulator's; its program is 0.
    Record(Record),
    /// Something that the kernel printed, or why that cannot be read.
    Console {
        /// Index of the step; `None` outside any step.
        step: Option<u32>,
        /// The line as people read it.
        text: String,
    },
    /// What dtrace(1) told of.
    Dtrace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    v: u32,
    vec: Cow<'a, str>,
    step: Option<u32>,
    t_ns: u64,
    src: Cow<'a, str>,
    group: Option<u32>,
    cpu: Option<u16>,
    tid: Option<u32>,
    probe: Option<Cow<'a, str>>,
    args: Option<serde_json::Map<String, serde_json::Value>>,
    #[expect(dead_code, reason = "people read it in `text`")]
    priority: Option<Cow<'a, str>>,
    raw: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
}

/// Reads a line of a raw trace.
///
/// # Errors
/// The line is no JSON, or not of this version, or lacks what its `src` comes with.
pub fn read_raw(line: &[u8]) -> serde_json::Result<RawRecord> {
    let line: Line<'_> = serde_json::from_slice(line)?;
    let wrong = |what: &str| serde_json::Error::custom(format!("a line of `{}` {what}", line.src));
    if line.v != VERSION {
        return Err(wrong(&format!("of version {}; this nlproof reads version {VERSION}", line.v)));
    }
    let what = match &*line.src {
        "dtrace" => RawWhat::Dtrace,
        "cons" => RawWhat::Console {
            step: line.step,
            text: line.text.as_deref().ok_or_else(|| wrong("has no `text`"))?.to_owned(),
        },
        _ => {
            let body = body(&line).ok_or_else(|| wrong("does not say what such a line says"))?;
            RawWhat::Record(Record { program: 0, step: line.step.unwrap_or(NO_STEP), t_ns: line.t_ns, body })
        }
    };
    Ok(RawRecord { vector: line.vec.into_owned(), what })
}

fn body(line: &Line<'_>) -> Option<Body> {
    let raw = || unhex(line.raw.as_deref()?);
    let text = line.text.as_deref();
    Some(match &*line.src {
        "start" => Body::Start { pid: field(text?, "pid")? },
        "begin" => Body::Begin,
        "resolved" => {
            let (ifname, index) = text?.rsplit_once('=')?;
            Body::Resolved { ifname: ifname.to_owned(), ifindex: index.parse().ok()? }
        }
        "sent" => Body::Sent { data: raw()? },
        "reply" => {
            let data = raw()?;
            let full_len = match text {
                None => u32::try_from(data.len()).ok()?,
                Some(cut) => cut.strip_prefix("cut, ")?.strip_suffix(" bytes in all")?.parse().ok()?,
            };
            Body::Reply { data, full_len }
        }
        "race" => Body::Race { round: field(text?, "round")?, lane: field(text?, "lane")?, data: raw()? },
        "hardware" => hardware(text?)?,
        "raced" => Body::Raced { rounds: field(text?, "rounds")?, acts: field(text?, "acts")? },
        "counted" => Body::Counted(counted(text?)?),
        "mcast" => Body::Event { group: line.group?, data: raw()? },
        "exec" => {
            let (_, stderr) = text?.split_once(" stderr=")?;
            Body::Exec { status: field(text?, "status")?, stdout: raw()?, stderr: stderr.as_bytes().to_vec() }
        }
        "output" => Body::Output { stderr: field(text?, "stderr")?, data: raw()? },
        "traced" => Body::Traced { data: raw()? },
        "kern" => match &line.probe {
            None => Body::KernelLost { count: field(text?, "lost")? },
            Some(probe) => Body::Kernel(from_raw_args(line.cpu?, line.tid?, probe, line.args.as_ref()?)?),
        },
        "drop" => Body::Drop {
            source: line.group.map_or(DropSource::Request, DropSource::Group),
            errno: field(text?, "errno")?,
        },
        "timeout" => Body::Timeout,
        "error" => {
            let (head, told) = text?.split_once(": ")?;
            let (stage, _) = head.split_once(' ')?;
            Body::Error { stage: stage_named(stage)?, errno: field(head, "errno")?, text: told.to_owned() }
        }
        "spent" => Body::Spent(text?.split_whitespace().map(spent).collect::<Option<_>>()?),
        "end" => Body::End {
            died: text.map(|text| field(text, "died")).map_or(Some(None), |died| died.map(Some))?,
        },
        _ => return None,
    })
}

fn hardware(text: &str) -> Option<Body> {
    if let Some(unnoticed) = text.strip_prefix("not noticed: ") {
        let (wait, _) = unnoticed.rsplit_once(" limit_ms=")?;
        let (limit_ms, foreknown) = (field(unnoticed, "limit_ms")?, field(unnoticed, "foreknown")?);
        return Some(Body::Unnoticed { wait: wait.to_owned(), limit_ms, foreknown });
    }
    let mut words = text.split(' ');
    let (name, deed) = (words.next()?.to_owned(), Deed::by_name(words.next()?)?);
    Some(Body::Hardware { card: field(text, "card")?, name, deed, told: field(text, "told")? })
}

/// `PHASE=NANOSECONDS`.
fn spent(word: &str) -> Option<(Phase, u64)> {
    let (name, ns) = word.split_once('=')?;
    Some((Phase::named(name)?, ns.parse().ok()?))
}

/// The number of the word `NAME=NUMBER` in a text.
fn field<T: std::str::FromStr>(text: &str, name: &str) -> Option<T> {
    let number = text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    number.parse().ok()
}

fn counted(text: &str) -> Option<Counted> {
    let number = |name: &str| field(text, name);
    Some(Counted {
        asked: number("asked")?,
        answered: number("answered")?,
        errors: number("errors")?,
        messages: number("messages")?,
        bytes: number("bytes")?,
        uneven: number("uneven")?,
        events: number("events")?,
        ticks: number("ticks")?,
    })
}

/// Everything that can fail.
const STAGES: [ErrorStage; 8] = [
    ErrorStage::Refused,
    ErrorStage::Isolate,
    ErrorStage::Socket,
    ErrorStage::Resolve,
    ErrorStage::Send,
    ErrorStage::Receive,
    ErrorStage::Exec,
    ErrorStage::Limit,
];

/// The stage whose name a raw trace has in this form.
fn stage_named(name: &str) -> Option<ErrorStage> {
    STAGES.into_iter().find(|stage| format!("{stage:?}") == name)
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{ConsoleLine, Fault, KernelEvent};
    use proptest::prelude::*;

    use super::*;
    use crate::ktrace::table;
    use crate::trace::RawLine;

    fn back(record: &Record) -> serde_json::Result<RawRecord> {
        read_raw(&serde_json::to_vec(&RawLine::new("link/x", record)).unwrap())
    }

    fn kernel() -> impl Strategy<Value = Body> {
        let probes = u16::try_from(table().probes.len()).unwrap();
        (0..probes, any::<[u32; 5]>(), any::<(u16, u32)>(), "[a-z0-9\\\\\"]{0,15}").prop_map(
            |(probe, numbers, (cpu, tid), name)| {
                // What a word holds beyond its argument is not kept: a probe writes none of it.
                let mut words = Vec::new();
                for (arg, number) in table().by_number(probe).unwrap().args.iter().zip(numbers) {
                    match arg.kind {
                        crate::ktrace::ArgType::Simple(crate::ktrace::Simple::Name) => {
                            let mut bytes = [0; 16];
                            bytes[..name.len()].copy_from_slice(name.as_bytes());
                            words.extend(
                                bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)),
                            );
                        }
                        crate::ktrace::ArgType::Simple(crate::ktrace::Simple::Errno) => {
                            words.push(u64::from(number >> 1));
                        }
                        _ => words.push(number.into()),
                    }
                }
                words.resize(5, 0);
                Body::Kernel(KernelEvent { cpu, tid, probe, args: words.try_into().unwrap() })
            },
        )
    }

    fn body() -> impl Strategy<Value = Body> {
        let data = proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            any::<u32>().prop_map(|pid| Body::Start { pid }),
            Just(Body::Begin),
            (any::<bool>(), data.clone()).prop_map(|(stderr, data)| Body::Output { stderr, data }),
            data.clone().prop_map(|data| Body::Traced { data }),
            Just(Body::Timeout),
            ("[a-z=. ]{1,15}", any::<u32>()).prop_map(|(ifname, ifindex)| Body::Resolved { ifname, ifindex }),
            data.clone().prop_map(|data| Body::Sent { data }),
            (data.clone(), 0_u32..3).prop_map(|(data, more)| {
                let full_len = u32::try_from(data.len()).unwrap() + more;
                Body::Reply { data, full_len }
            }),
            (any::<(u32, u32)>(), data.clone()).prop_map(|((round, lane), data)| Body::Race {
                round,
                lane,
                data
            }),
            any::<[u64; 8]>().prop_map(
                |[asked, answered, errors, messages, bytes, uneven, events, ticks]| {
                    Body::Counted(Counted { asked, answered, errors, messages, bytes, uneven, events, ticks })
                }
            ),
            (any::<u32>(), data.clone()).prop_map(|(group, data)| Body::Event { group, data }),
            (any::<i32>(), data, ".{0,20}").prop_map(|(status, stdout, stderr)| Body::Exec {
                status,
                stdout,
                stderr: stderr.into_bytes()
            }),
            (any::<Option<u32>>(), any::<i32>()).prop_map(|(group, errno)| Body::Drop {
                source: group.map_or(DropSource::Request, DropSource::Group),
                errno
            }),
            any::<u64>().prop_map(|count| Body::KernelLost { count }),
            (any::<u32>(), "[a-z0-9]{1,9}", deed(), any::<bool>())
                .prop_map(|(card, name, deed, told)| Body::Hardware { card, name, deed, told }),
            ("[a-z0-9= ]{1,20}", any::<u32>(), any::<bool>())
                .prop_map(|(wait, limit_ms, foreknown)| Body::Unnoticed { wait, limit_ms, foreknown }),
            any::<(u32, u32)>().prop_map(|(rounds, acts)| Body::Raced { rounds, acts }),
            (proptest::sample::select(&STAGES[..]), any::<i32>(), ".{0,20}")
                .prop_map(|(stage, errno, text)| Body::Error { stage, errno, text }),
            proptest::collection::vec((proptest::sample::select(&Phase::ALL[..]), any::<u64>()), 0..9)
                .prop_map(Body::Spent),
            any::<Option<i32>>().prop_map(|died| Body::End { died }),
            kernel(),
        ]
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let faults = Fault::ALL.map(Deed::Fault);
        proptest::sample::select([&Deed::ALL[..], &faults[..]].concat())
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(body in body(), step in any::<Option<u16>>(), t_ns in any::<u64>()) {
            let step = step.map_or(NO_STEP, u32::from);
            let record = Record { program: 0, step, t_ns, body };
            let read = back(&record).unwrap();
            prop_assert_eq!(read.vector, "link/x");
            prop_assert_eq!(read.what, RawWhat::Record(record));
        }
    }

    #[test]
    fn what_the_kernel_printed_is_read_as_text() {
        let console = ConsoleLine { priority: Some(6), text: b"up".to_vec(), cut: 0, whole: true };
        let record = Record { program: 0, step: 3, t_ns: 7, body: Body::Console(console) };
        let what = RawWhat::Console { step: Some(3), text: "console[info]: up".into() };
        assert_eq!(back(&record).unwrap().what, what);
    }

    #[test]
    fn what_is_no_line_of_a_raw_trace_is_told() {
        for (line, what) in [
            ("", "EOF"),
            ("{}", "missing field"),
            (
                r#"{"v":2,"vec":"x","step":null,"t_ns":1,"src":"begin"}"#,
                "of version 2; this nlproof reads version 1",
            ),
            (r#"{"v":1,"vec":"x","step":null,"t_ns":1,"src":"begun"}"#, "a line of `begun` does not say"),
            (
                r#"{"v":1,"vec":"x","step":0,"t_ns":1,"src":"sent","raw":"abc"}"#,
                "a line of `sent` does not say",
            ),
            (
                r#"{"v":1,"vec":"x","step":0,"t_ns":1,"src":"end","text":"dead"}"#,
                "a line of `end` does not say",
            ),
            (r#"{"v":1,"vec":"x","step":0,"t_ns":1,"src":"sent","more":"abc"}"#, "unknown field `more`"),
        ] {
            let error = read_raw(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
