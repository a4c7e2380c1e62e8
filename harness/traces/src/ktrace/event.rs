// SPDX-License-Identifier: BSD-2-Clause
//! Kernel records by the table: which probe, and what its arguments say.

use iface_core::Name;
use nlproof_agent::{Body, KernelEvent, Record};
use nlproof_wire::schema::{FlagPart, flag_parts, group_name, if_flags, message, nlm_flags};
use nlproof_wire::{Os, errno_name};
use serde_json::Value as Json;

use super::table::{Arg, ArgType, Probe, Simple, table};

/// The system whose interface code has probes.
const OS: Os = Os::FreeBsd;

/// A vector's kernel trace.
#[derive(Debug, Clone, Default)]
pub struct KernelTrace {
    /// What fired, in the order of time.
    pub events: Vec<Event>,
    /// Records that there was no room for.
    pub lost: u64,
    /// Whether a kernel trace was kept at all. Without, that nothing is there says nothing.
    pub present: bool,
    /// Firings of the user's own probes, in the order of time.
    pub own: Vec<OwnFiring>,
}

/// A probe of the user's that fired: DTrace's, not of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFiring {
    /// Index of the step; `None` outside any step.
    pub step: Option<u32>,
    /// Nanoseconds of the guest's monotonic clock.
    pub t_ns: u64,
    /// The processor.
    pub cpu: u16,
    /// The thread.
    pub tid: u32,
    /// `PROVIDER:MODULE:FUNCTION:NAME`.
    pub probe: String,
    /// `arg0` and `arg1`.
    pub args: [u64; 2],
}

impl OwnFiring {
    /// The probe with its arguments, on one line.
    pub fn text(&self) -> String {
        let [arg0, arg1] = self.args;
        format!("{} arg0={arg0:#x} arg1={arg1:#x}", self.probe)
    }
}

/// A probe that fired.
#[derive(Debug, Clone)]
pub struct Event {
    /// Index of the step; `None` outside any step.
    pub step: Option<u32>,
    /// Nanoseconds of the guest's monotonic clock.
    pub t_ns: u64,
    /// The processor.
    pub cpu: u16,
    /// The thread.
    pub tid: u32,
    /// Which one.
    pub probe: &'static Probe,
    /// The values of its arguments, in the table's order; `None`: not known there.
    pub values: Vec<Option<Value>>,
}

/// An argument's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number of any unsigned type.
    Number(u64),
    /// An error's number.
    Errno(i32),
    /// The name of an interface.
    Name(String),
    /// Final text, as a golden shows it.
    Text(String),
}

impl Value {
    /// A name in its two words.
    pub(super) fn name([low, high]: [u64; 2]) -> Value {
        let bytes = (u128::from(low) | (u128::from(high) << 64)).to_le_bytes();
        Value::Name(Name::of_array(bytes).as_bytes().escape_ascii().to_string())
    }
}

impl KernelTrace {
    /// The kernel records of one program, in the order of time. What an unknown number says cannot be known: it
    /// counts as lost.
    pub fn from_records(records: &[Record]) -> KernelTrace {
        let mut trace = KernelTrace::default();
        for record in records {
            match &record.body {
                Body::Kernel(event) => {
                    let step = record.in_step();
                    match Event::of(step, record.t_ns, event) {
                        Some(event) => trace.events.push(event),
                        None => trace.lost += 1,
                    }
                }
                Body::KernelLost { count } => {
                    trace.present = true;
                    trace.lost += count;
                }
                _ => {}
            }
        }
        // The sort is stable: what one processor recorded at one time stays in its order.
        trace.events.sort_by_key(|event| event.t_ns);
        trace
    }
}

impl Event {
    fn of(step: Option<u32>, t_ns: u64, raw: &KernelEvent) -> Option<Event> {
        let probe = table().by_number(raw.probe)?;
        let mut words = raw.args.iter().copied();
        let values = probe.args.iter().map(|arg| Some(value(arg, &mut words))).collect();
        Some(Event { step, t_ns, cpu: raw.cpu, tid: raw.tid, probe, values })
    }

    /// The value of the argument of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let place = self.probe.args.iter().position(|arg| arg.name == name)?;
        self.values.get(place)?.as_ref()
    }

    /// The number in the argument of that name.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            Value::Errno(number) => u64::try_from(*number).ok(),
            Value::Name(_) | Value::Text(_) => None,
        }
    }

    /// The error's number that the probe tells.
    pub fn errno(&self) -> Option<i32> {
        match self.get("errno")? {
            Value::Errno(number) => Some(*number),
            _ => None,
        }
    }

    /// The probe with its arguments, `name=value`, on one line.
    pub fn text(&self) -> String {
        let mut line = self.probe.name.clone();
        for (place, arg) in self.probe.args.iter().enumerate() {
            if let Some(Some(value)) = self.values.get(place) {
                let text = self.shown(arg, value);
                if !text.is_empty() {
                    line.push_str(&format!(" {}={text}", arg.name));
                }
            }
        }
        line
    }

    /// Arguments of the event for the raw trace: numbers as they are, and names.
    pub fn raw_args(&self) -> serde_json::Map<String, Json> {
        let args = self.probe.args.iter().zip(&self.values).filter_map(|(arg, value)| {
            let json = match value.as_ref()? {
                Value::Number(number) => Json::from(*number),
                Value::Errno(number) => Json::from(*number),
                Value::Name(text) | Value::Text(text) => Json::from(text.as_str()),
            };
            Some((arg.name.clone(), json))
        });
        args.collect()
    }

    /// An argument as text, if its value is known.
    pub fn argument(&self, name: &str) -> Option<String> {
        let place = self.probe.args.iter().position(|arg| arg.name == name)?;
        Some(self.shown(self.probe.args.get(place)?, self.values.get(place)?.as_ref()?))
    }

    fn shown(&self, arg: &Arg, value: &Value) -> String {
        let number = match value {
            Value::Text(text) => return text.clone(),
            Value::Name(name) if name.is_empty() => return "-".into(),
            Value::Name(name) => return name.clone(),
            Value::Errno(0) => return "0".into(),
            Value::Errno(number) => {
                return errno_name(OS, *number).map_or_else(|| number.to_string(), str::to_owned);
            }
            Value::Number(number) => *number,
        };
        let low = number as u32;
        let named = match &arg.kind {
            ArgType::Word(words) => usize::try_from(number).ok().and_then(|place| words.get(place)).cloned(),
            ArgType::Simple(Simple::Message) => {
                message(OS, low as u16).map(|message| message.name.to_owned())
            }
            ArgType::Simple(Simple::NlmFlags) => {
                Some(flags(nlm_flags(OS, self.number("message").unwrap_or(0) as u16), low))
            }
            ArgType::Simple(Simple::IfFlags) => Some(flags(if_flags(OS), low)),
            ArgType::Simple(Simple::Group) => group_name(OS, low).map(str::to_owned),
            ArgType::Simple(Simple::Pointer) => Some(format!("{number:#x}")),
            ArgType::Simple(_) => None,
        };
        named.unwrap_or_else(|| number.to_string())
    }
}

fn flags(table: &'static [nlproof_wire::schema::Flag], value: u32) -> String {
    let parts: Vec<String> = flag_parts(table, value)
        .map(|part| match part {
            FlagPart::Named(flag) => flag.name.to_owned(),
            FlagPart::Unnamed(bits) => format!("{bits:#x}"),
        })
        .collect();
    if parts.is_empty() { "-".into() } else { parts.join("|") }
}

/// Takes an argument's words.
fn value(arg: &Arg, words: &mut impl Iterator<Item = u64>) -> Value {
    let word = words.next().unwrap_or(0);
    match arg.kind {
        ArgType::Simple(Simple::Name) => Value::name([word, words.next().unwrap_or(0)]),
        ArgType::Simple(Simple::Errno) => Value::Errno(word as i32),
        _ => Value::Number(word),
    }
}

/// An argument that takes one word.
pub(super) fn word_value(arg: &Arg, word: u64) -> Value {
    value(arg, &mut std::iter::once(word))
}

/// A probe's name and its arguments for the raw trace: numbers as they are, and names.
pub fn raw_args(event: &KernelEvent) -> (String, serde_json::Map<String, Json>) {
    let Some(decoded) = Event::of(None, 0, event) else {
        return (format!("probe#{}", event.probe), serde_json::Map::new());
    };
    (decoded.probe.name.clone(), decoded.raw_args())
}

/// The event whose probe and arguments a raw trace has in that form. `None`: the table has no such probe, or an argument is
/// missing.
pub(crate) fn from_raw_args(
    cpu: u16,
    tid: u32,
    probe: &str,
    args: &serde_json::Map<String, Json>,
) -> Option<KernelEvent> {
    if let Some(number) = probe.strip_prefix("probe#") {
        return Some(KernelEvent { cpu, tid, probe: number.parse().ok()?, args: [0; 5] });
    }
    let number = table().probes.iter().position(|known| known.name == probe)?;
    let mut words = Vec::new();
    for arg in &table().probes.get(number)?.args {
        let json = args.get(&arg.name)?;
        match arg.kind {
            ArgType::Simple(Simple::Name) => {
                let mut name = unescape(json.as_str()?)?;
                name.resize(16, 0);
                words.extend(name.chunks_exact(8).flat_map(|word| word.try_into().map(u64::from_le_bytes)));
            }
            ArgType::Simple(Simple::Errno) => words.push(json.as_i64()? as u64),
            _ => words.push(json.as_u64()?),
        }
    }
    words.resize(5, 0);
    Some(KernelEvent { cpu, tid, probe: u16::try_from(number).ok()?, args: words.try_into().ok()? })
}

/// Undoes [`slice::escape_ascii`].
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [escape, tail @ ..] = rest else { return None };
        rest = tail;
        bytes.push(match escape {
            b't' => b'\t',
            b'r' => b'\r',
            b'n' => b'\n',
            b'x' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => *other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use iface_core::Fired;

    use super::*;

    /// A record of a probe in a thread.
    pub(in crate::ktrace) fn record(step: u32, t_ns: u64, tid: u32, probe: iface_core::Probe) -> Record {
        let Fired { probe, args } = probe.fired();
        Record { program: 0, step, t_ns, body: Body::Kernel(KernelEvent { cpu: 0, tid, probe, args }) }
    }

    #[test]
    fn arguments_are_shown_by_their_type() {
        let probes = [
            iface_core::Probe::RequestIn { message: 16, flags: 5, seq: 7, pid: 9, len: 32 },
            iface_core::Probe::InterfaceLookedUp { index: 0, name: Name::truncated(b"lo0"), found: 3 },
            iface_core::Probe::Error { message: 17, seq: 7, errno: 2 },
            iface_core::Probe::EventBegin {
                what: iface_core::Happening::Changed,
                index: 3,
                change: 1,
                name: Name::truncated(b""),
            },
            iface_core::Probe::EventOut { message: 16, group: 1, index: 3 },
        ];
        let records: Vec<_> = (1..).zip(probes).map(|(t_ns, probe)| record(0, t_ns, 1, probe)).collect();
        let trace = KernelTrace::from_records(&records);
        assert_eq!(
            trace.events.iter().map(Event::text).collect::<Vec<_>>(),
            [
                "request-in message=newlink flags=request|ack seq=7 pid=9 len=32",
                "interface-looked-up index=0 name=lo0 found=3",
                "error message=dellink seq=7 errno=ENOENT",
                "event-begin what=changed index=3 change=up name=-",
                "event-out message=newlink group=link index=3",
            ]
        );
    }

    #[test]
    fn records_are_put_in_the_order_of_time_and_losses_add_up() {
        let enter = |t_ns| record(0, t_ns, 1, iface_core::Probe::EpochEnter { depth: 1 });
        let event = KernelEvent { cpu: 0, tid: 1, probe: 999, args: [0; 5] };
        let unknown = Record { program: 0, step: 0, t_ns: 3, body: Body::Kernel(event) };
        let lost = Record { program: 0, step: 0, t_ns: 3, body: Body::KernelLost { count: 4 } };
        let trace = KernelTrace::from_records(&[enter(9), enter(2), unknown, lost]);
        assert_eq!(trace.events.iter().map(|event| event.t_ns).collect::<Vec<_>>(), [2, 9]);
        assert_eq!((trace.lost, trace.present), (5, true));
        assert!(!KernelTrace::from_records(&[enter(1)]).present, "nobody said that this is all");
    }
}
