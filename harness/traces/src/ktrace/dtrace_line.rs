// SPDX-License-Identifier: BSD-2-Clause
//! The lines that a D program (`script.rs`) prints, and what dtrace(1) complains of.

use std::collections::HashMap;

use super::event::{Event, OwnFiring, Value, word_value};
use super::table::{ArgType, Simple, Span, Stock, table};

/// What one line says.
#[derive(Debug)]
pub(super) struct Line {
    /// Nanoseconds on DTrace's clock.
    pub(super) t_ns: u64,
    /// The address of the network stack; 0: none.
    pub(super) vnet: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Probe(Event),
    Own(OwnFiring),
    /// The network stack is destroyed: what follows is no work of a vector.
    Gone,
}

/// Drops calls that the table does not mean: those from other functions, and those outside the required span.
pub(super) fn meant(heard: Vec<(Line, Option<(&'static Stock, String)>)>) -> Vec<Line> {
    let mut threads: HashMap<u32, Vec<(&'static str, Event)>> = HashMap::new();
    let mut kept = Vec::new();
    for (mut line, stock) in heard {
        if let What::Probe(event) = &mut line.what {
            let open = threads.entry(event.tid).or_default();
            let fits = stock.is_none_or(|(stock, caller)| {
                // `kernel`rtnl_handle_getlink+0x2b7`
                let function = caller.rsplit('`').next().unwrap_or_default();
                stock.by.as_ref().is_none_or(|by| function.starts_with(by.as_str()))
                    && (stock.of.is_empty()
                        || open.iter().any(|(name, _)| stock.of.iter().any(|of| of == name)))
            });
            if !fits {
                continue;
            }
            match &event.probe.span {
                Some(Span::Opens(span)) => open.push((span, event.clone())),
                Some(Span::Closes(span)) => {
                    if let Some(place) = open.iter().rposition(|(name, _)| name == span) {
                        let begun = open.drain(place..).next();
                        complete(event, begun.map(|(_, begun)| begun));
                    }
                }
                None => {}
            }
        }
        kept.push(line);
    }
    kept
}

/// Makes the end of a span name the same thing as its beginning, where an argument is a word.
fn complete(end: &mut Event, begun: Option<Event>) {
    let Some(begun) = begun else { return };
    for (arg, value) in end.probe.args.iter().zip(&mut end.values) {
        if value.is_none() && matches!(arg.kind, ArgType::Word(_)) {
            *value = begun.get(&arg.name).cloned();
        }
    }
}

/// A line, and for a function of stock code its row in the table and its caller.
pub(super) fn parse(line: &str) -> Option<(Line, Option<(&'static Stock, String)>)> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let mut decimal = || words.next()?.parse::<u64>().ok();
    let (t_ns, cpu, tid) = (decimal()?, decimal()?, decimal()?);
    let (cpu, tid) = (u16::try_from(cpu).ok()?, u32::try_from(tid).ok()?);
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let vnet = hex(words.next()?)?;
    let parsed = match kind {
        "k" => {
            let (number, place) = words.next()?.split_once('.')?;
            let probe = table().by_number(number.parse().ok()?)?;
            let stock = match place {
                "-" => None,
                place => Some(probe.stock.get(place.parse::<usize>().ok()?)?),
            };
            let caller = words.next()?.to_owned();
            let mut values = Vec::new();
            for arg in &probe.args {
                values.push(match words.next()? {
                    "-" => None,
                    low if arg.kind == ArgType::Simple(Simple::Name) => {
                        Some(Value::name([hex(low)?, hex(words.next()?)?]))
                    }
                    word => Some(word_value(arg, hex(word)?)),
                });
            }
            let event = Event { step: None, t_ns, cpu, tid, probe, values };
            (What::Probe(event), stock.map(|stock| (stock, caller)))
        }
        "u" => {
            words.next()?.parse::<usize>().ok()?;
            let probe = words.next()?.to_owned();
            let args = [hex(words.next()?)?, hex(words.next()?)?];
            (What::Own(OwnFiring { step: None, t_ns, cpu, tid, probe, args }), None)
        }
        "d" => (What::Gone, None),
        _ => return None,
    };
    let (what, stock) = parsed;
    words.next().is_none().then_some((Line { t_ns, vnet, what }, stock))
}

/// `dtrace: 12 drops on CPU 0`, and other kinds of drops; what else DTrace complains of counts as one.
pub(super) fn drops(stderr: &str) -> u64 {
    stderr
        .lines()
        .filter(|line| line.contains("drop") || line.contains("error"))
        .map(|line| line.split(' ').find_map(|word| word.parse::<u64>().ok()).unwrap_or(1).max(1))
        .sum()
}
