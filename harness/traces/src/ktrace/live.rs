// SPDX-License-Identifier: BSD-2-Clause
//! A trace for a person: the messages and the kernel's part interleaved by time.

use std::collections::HashMap;

use super::event::{KernelTrace, OwnFiring};
use super::perfetto::Moment;
use super::render::{Open, level};
use super::table::Span;

/// One line of what was said, with its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Index of the step; `None` outside any step.
    pub step: Option<u32>,
    /// When, and what.
    pub moment: Moment,
}

/// Both interleaved, one line each: microseconds since the first line, the thread of the kernel's part, and at the end
/// of a span its duration. Only probes that `shown` wants are shown; time and depth are counted all the same. The
/// user's own probes are always shown.
pub fn live(trace: &KernelTrace, said: &[Said], shown: impl Fn(&str) -> bool) -> String {
    let times = said.iter().map(|said| said.moment.t_ns).chain(trace.events.iter().map(|event| event.t_ns));
    let times = times.chain(trace.own.iter().map(|own| own.t_ns));
    let zero = times.min().unwrap_or(0);
    let us = |t_ns: u64| t_ns.saturating_sub(zero) as f64 / 1000.0;
    let mut lines: Vec<(u64, Option<u32>, String)> = said
        .iter()
        .map(|said| {
            let Moment { t_ns, text, .. } = &said.moment;
            (*t_ns, said.step, format!("{:>11.3} us  {text}", us(*t_ns)))
        })
        .collect();
    let mut threads: HashMap<u32, Open> = HashMap::new();
    let mut begun: HashMap<u32, Vec<(&str, u64)>> = HashMap::new();
    let mut own = trace.own.iter().peekable();
    let line = |t_ns: u64, tid: u32, level: usize, text: &str| {
        format!("{:>11.3} us    T{tid} {}{text}", us(t_ns), "  ".repeat(level))
    };
    let firing = |firing: &OwnFiring, threads: &HashMap<u32, Open>| {
        let level = threads.get(&firing.tid).map_or(0, Vec::len);
        (firing.t_ns, firing.step, line(firing.t_ns, firing.tid, level, &firing.text()))
    };
    for event in &trace.events {
        while let Some(earlier) = own.next_if(|own| own.t_ns < event.t_ns) {
            lines.push(firing(earlier, &threads));
        }
        let level = level(event.probe, threads.entry(event.tid).or_default());
        let begun = begun.entry(event.tid).or_default();
        let took = match &event.probe.span {
            Some(Span::Opens(span)) => {
                begun.push((span, event.t_ns));
                None
            }
            Some(Span::Closes(span)) => begun.iter().rposition(|(name, _)| name == span).map(|place| {
                let (_, begin) = begun[place];
                begun.truncate(place);
                event.t_ns.saturating_sub(begin)
            }),
            None => None,
        };
        if shown(&event.probe.name) {
            let took = took.map_or(String::new(), |took| format!("  ({:.3} us)", took as f64 / 1000.0));
            let text = format!("{}{took}", event.text());
            lines.push((event.t_ns, event.step, line(event.t_ns, event.tid, level, &text)));
        }
    }
    lines.extend(own.map(|last| firing(last, &threads)));
    lines.sort_by_key(|(t_ns, _, _)| *t_ns);
    let over = lines.iter().rposition(|(_, step, _)| step.is_some());
    let (mut text, mut last) = (String::new(), None);
    for (place, (_, step, line)) in lines.into_iter().enumerate() {
        if last != Some(step) {
            text.push_str(&match step {
                Some(number) => format!("step {number}\n"),
                None if last.is_none() => "before the first step\n".to_owned(),
                None if over < Some(place) => "after the last step\n".to_owned(),
                None => "outside any step\n".to_owned(),
            });
        }
        last = Some(step);
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Whether a probe of ours is meant by a pattern as DTrace has them: its name, or `nlproof:::NAME`, with `*` and `?`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let parts: Vec<&str> = pattern.split(':').collect();
    match parts[..] {
        [own] => glob(own.as_bytes(), name.as_bytes()),
        [provider, "", "", own] | [provider, "*", "*", own] => {
            glob(provider.as_bytes(), b"nlproof") && (own.is_empty() || glob(own.as_bytes(), name.as_bytes()))
        }
        _ => false,
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| glob(rest, text)),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && glob(rest, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::perfetto::Voice;
    use super::super::spans::tests::sample;
    use super::*;

    fn said(step: Option<u32>, t_ns: u64, text: &str) -> Said {
        Said { step, moment: Moment { voice: Voice::Wire, t_ns, text: text.into() } }
    }

    #[test]
    fn what_comes_outside_of_steps_says_so() {
        let all = [
            said(None, 100, "console: a"),
            said(Some(0), 900, "> newlink"),
            said(Some(1), 2_900, "console: b"),
            said(None, 3_000, "console: c"),
        ];
        let text = live(&sample(), &all, |name| name == "request-in");
        let heads: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(heads, ["before the first step", "step 0", "step 1", "after the last step"], "{text}");
        let [first, last] = [text.lines().nth(1), text.lines().last()].map(Option::unwrap);
        assert!(
            first.ends_with(" 0.000 us  console: a") && last.ends_with(" 2.900 us  console: c"),
            "{text}"
        );
    }

    #[test]
    fn both_are_interleaved_by_time() {
        let said = [said(Some(0), 900, "> newlink")];
        let text = live(&sample(), &said, |name| name != "epoch-enter");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "step 0");
        assert_eq!(lines[1], "      0.000 us  > newlink");
        assert!(lines[2].starts_with("      0.100 us    T0 request-in message=newlink"), "{text}");
        assert!(lines[3].starts_with("      0.200 us    T0   cloner-in"), "{text}");
        assert!(lines[4].ends_with("(0.600 us)") && lines[5].ends_with("(1.000 us)"), "{text}");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn the_users_own_probes_stand_at_their_time_and_depth() {
        let mut trace = sample();
        for (t_ns, tid) in [(1_150, 0), (2_500, 7)] {
            let probe = "fbt:kernel:f:entry".to_owned();
            trace.own.push(OwnFiring { step: Some(0), t_ns, cpu: 0, tid, probe, args: [1, 0xff] });
        }
        let text = live(&trace, &[], |name| name.starts_with("request"));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "      0.150 us    T0     fbt:kernel:f:entry arg0=0x1 arg1=0xff");
        assert_eq!(lines[4], "      1.500 us    T7 fbt:kernel:f:entry arg0=0x1 arg1=0xff");
        assert_eq!(lines.len(), 5, "{text}");
    }

    #[test]
    fn patterns_are_dtraces() {
        for pattern in
            ["request-in", "request-*", "*", "nlproof:::request-in", "nlproof:::", "nl*:*:*:r?quest*"]
        {
            assert!(matches(pattern, "request-in"), "{pattern}");
        }
        for pattern in ["request", "", "fbt::nlmsg_*", "fbt:::request-in", "nlproof::x:request-in"] {
            assert!(!matches(pattern, "request-in"), "{pattern}");
        }
    }
}
