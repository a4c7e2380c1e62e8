// SPDX-License-Identifier: BSD-2-Clause
//! The trace event format (JSON object with `traceEvents`), which ui.perfetto.dev and chrome://tracing open: a track for
//! each kernel thread, and one for what was said.

use serde_json::{Value, json};

use super::event::KernelTrace;
use super::spans::label;
use super::table::Span;

/// The process that all tracks belong to.
const PROCESS: u32 = 1;
/// The track of what was said.
const WIRE: u32 = 0;
/// The track of what the kernel printed; kernel threads come behind it.
const CONSOLE: u32 = 1;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The vector or the kernel, by netlink.
    Wire,
    /// The kernel, on its console.
    Console,
}

impl Voice {
    /// The track, and the category of its events.
    fn track(self) -> (u32, &'static str) {
        match self {
            Voice::Wire => (WIRE, "wire"),
            Voice::Console => (CONSOLE, "console"),
        }
    }
}

/// An instant at which a message was sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// By whom.
    pub voice: Voice,
    /// Nanoseconds of the guest's clock.
    pub t_ns: u64,
    /// One line.
    pub text: String,
}

/// The trace as one JSON value. Times are microseconds from the first record.
pub fn perfetto(vector: &str, trace: &KernelTrace, said: &[Moment]) -> Value {
    let times = said.iter().map(|moment| moment.t_ns).chain(trace.events.iter().map(|event| event.t_ns));
    let times = times.chain(trace.own.iter().map(|own| own.t_ns));
    let zero = times.min().unwrap_or(0);
    let us = |t_ns: u64| t_ns.saturating_sub(zero) as f64 / 1000.0;
    let mut events = vec![name("process_name", WIRE, vector), name("thread_name", WIRE, "messages")];
    let mut threads: Vec<u32> = trace.events.iter().map(|event| event.tid).collect();
    threads.extend(trace.own.iter().map(|own| own.tid));
    threads.sort_unstable();
    threads.dedup();
    for thread in threads {
        events.push(name("thread_name", track(thread), &format!("kernel T{thread}")));
    }
    if said.iter().any(|moment| moment.voice == Voice::Console) {
        events.push(name("thread_name", CONSOLE, "console"));
    }
    for moment in said {
        let (track, category) = moment.voice.track();
        events.push(json!({
            "name": moment.text, "cat": category, "ph": "i", "s": "t",
            "ts": us(moment.t_ns), "pid": PROCESS, "tid": track,
        }));
    }
    for event in &trace.events {
        let (phase, called) = match &event.probe.span {
            Some(Span::Opens(span)) => ("B", label(span, event)),
            Some(Span::Closes(span)) => ("E", label(span, event)),
            None => ("i", event.probe.name.clone()),
        };
        let args: serde_json::Map<String, Value> = event
            .probe
            .args
            .iter()
            .filter_map(|arg| Some((arg.name.clone(), Value::from(event.argument(&arg.name)?))))
            .collect();
        let mut line = json!({
            "name": called, "cat": "kernel", "ph": phase,
            "ts": us(event.t_ns), "pid": PROCESS, "tid": track(event.tid), "args": args,
        });
        if phase == "i" {
            line["s"] = json!("t");
        }
        events.push(line);
    }
    for firing in &trace.own {
        let [arg0, arg1] = firing.args;
        events.push(json!({
            "name": firing.probe, "cat": "dtrace", "ph": "i", "s": "t", "ts": us(firing.t_ns), "pid": PROCESS,
            "tid": track(firing.tid), "args": { "arg0": format!("{arg0:#x}"), "arg1": format!("{arg1:#x}") },
        }));
    }
    json!({ "displayTimeUnit": "ns", "traceEvents": events, "otherData": { "vector": vector } })
}

fn track(tid: u32) -> u32 {
    tid.saturating_add(2)
}

fn name(kind: &str, tid: u32, name: &str) -> Value {
    json!({ "name": kind, "ph": "M", "pid": PROCESS, "tid": tid, "args": { "name": name } })
}

#[cfg(test)]
mod tests {
    use super::super::spans::tests::sample;
    use super::*;

    /// Requirements of the format's description (Trace Event Format, Google, 2016) for every event.
    fn check(trace: &Value) {
        let events = trace["traceEvents"].as_array().expect("an array");
        for event in events {
            let phase = event["ph"].as_str().expect("a phase");
            assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
            match phase {
                "M" => assert!(event["args"]["name"].is_string(), "{event}"),
                "B" | "E" => assert!(event["ts"].is_number(), "{event}"),
                "i" => assert!(event["ts"].is_number() && event["s"] == "t", "{event}"),
                other => panic!("no such phase here: {other}"),
            }
        }
    }

    #[test]
    fn every_event_is_as_the_format_wants_it() {
        let mut said = vec![Moment { voice: Voice::Wire, t_ns: 900, text: "> newlink".into() }];
        let value = perfetto("link/x", &sample(), &said);
        check(&value);
        let of = |phase: &str| {
            let events = value["traceEvents"].as_array().unwrap().iter();
            events.filter(|event| event["ph"] == phase).cloned().collect::<Vec<_>>()
        };
        // Two spans that end, and one that does not.
        assert_eq!((of("B").len(), of("E").len()), (3, 2));
        assert_eq!(of("B")[0]["ts"], json!(0.1));
        assert_eq!(of("B")[0]["args"]["message"], json!("newlink"));
        assert_eq!(of("i")[0]["ts"], json!(0.0));
        assert_eq!(of("M").len(), 4, "process, messages, two threads");
        said.push(Moment { voice: Voice::Console, t_ns: 1_000, text: "console: a".into() });
        let value = perfetto("link/x", &sample(), &said);
        check(&value);
        let track = |called: &str| {
            let events = value["traceEvents"].as_array().unwrap();
            let found =
                events.iter().find(|event| event["name"] == called || event["args"]["name"] == called);
            found.unwrap()["tid"].clone()
        };
        assert_eq!(track("console: a"), track("console"));
        let others = ["messages", "kernel T0", "kernel T1"].map(track);
        assert!(!others.contains(&track("console")), "{others:?}");
    }
}
