// SPDX-License-Identifier: BSD-2-Clause
//! Lines that the kernel printed while a vector ran, from its message buffer, each in the step during which it came.

use nlproof_agent::{Body, ConsoleLine, Record};
use nlproof_base::counted;
use nlproof_wire::Os;

use super::item::Item;
use super::text::errno_text;

/// syslog(3)'s names of severities, from 0.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
/// syslog(3)'s number of the kernel's own facility.
const KERNEL: u32 = 0;
/// The kernel's facility number for what programs write to the console (LOG_CONSOLE).
const CONSOLE: u32 = 14;

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Console {
    /// The lines ([`Kind::Console`](super::Kind::Console)), in the order in which they were printed.
    pub lines: Vec<Item>,
    /// Whether they could be read.
    pub status: ConsoleStatus,
}

/// Whether the kernel's lines could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ConsoleStatus {
    /// There is no console: the simulator prints nothing.
    #[default]
    Nothing,
    /// The lines were read.
    Read {
        /// A note about missing lines, if any.
        missing: Option<String>,
    },
    /// The lines cannot be read, and why.
    NotAvailable(String),
}

impl ConsoleStatus {
    /// Collects the lines from the records of a program.
    pub(super) fn of(os: Os, records: &[Record]) -> ConsoleStatus {
        let said = records.iter().rev().find_map(|record| match &record.body {
            Body::ConsoleRead { lines, bytes, overrun } => {
                let left =
                    format!("{} ({}) more than are kept", counted(*lines, "line"), counted(*bytes, "byte"));
                let over = "what was printed before the kernel's message buffer ran over".to_owned();
                let missing: Vec<_> =
                    [(*lines > 0).then_some(left), overrun.then_some(over)].into_iter().flatten().collect();
                Some(ConsoleStatus::Read { missing: (!missing.is_empty()).then(|| missing.join("; ")) })
            }
            Body::NoConsole { errno: 0, text } => Some(ConsoleStatus::NotAvailable(text.clone())),
            Body::NoConsole { errno, text } => {
                Some(ConsoleStatus::NotAvailable(format!("{}: {text}", errno_text(os, *errno))))
            }
            _ => None,
        });
        said.unwrap_or_default()
    }

    /// A note for a person who looks at the lines or misses them.
    pub fn shortfall(&self) -> Option<String> {
        match self {
            ConsoleStatus::Nothing | ConsoleStatus::Read { missing: None } => None,
            ConsoleStatus::Read { missing: Some(missing) } => Some(format!("missing: {missing}")),
            ConsoleStatus::NotAvailable(why) => Some(format!("not available: {why}")),
        }
    }
}

/// A line as it is shown: `console[info]: lo10: link state changed to UP`.
pub(super) fn console_text(line: &ConsoleLine) -> String {
    let mut text = match line.priority {
        None => "console".to_owned(),
        Some(priority) => format!("console[{}]", priority_name(priority)),
    };
    text.push_str(&format!(": {}", line.text.escape_ascii()));
    if line.cut > 0 {
        text.push_str(&format!(" ... ({} more)", counted(line.cut, "byte")));
    }
    if !line.whole {
        text.push_str(" (no newline yet)");
    }
    text
}

/// `info` of the kernel, `console.info` of others.
pub(super) fn priority_name(priority: u32) -> String {
    let [facility, severity] = [priority / 8, priority % 8];
    let severity = SEVERITIES.get(severity as usize).copied().unwrap_or_default();
    match facility {
        KERNEL => severity.to_owned(),
        CONSOLE => format!("console.{severity}"),
        other => format!("{other}.{severity}"),
    }
}

#[cfg(test)]
mod tests {
    use nlproof_agent::NO_STEP;

    use super::*;

    fn shown(priority: Option<u32>, text: &[u8], cut: u32, whole: bool) -> String {
        console_text(&ConsoleLine { priority, text: text.to_vec(), cut, whole })
    }

    #[test]
    fn lines_are_plain_text_whatever_they_hold() {
        assert_eq!(
            shown(Some(6), b"lo10: link state changed to UP", 0, true),
            "console[info]: lo10: link state changed to UP"
        );
        assert_eq!(shown(None, b"lock order reversal:", 0, true), "console: lock order reversal:");
        assert_eq!(shown(Some(118), b"a\x1b\xff", 0, true), "console[console.info]: a\\x1b\\xff");
        assert_eq!(shown(Some(8 * 3 + 2), b"a", 7, true), "console[3.crit]: a ... (7 bytes more)");
        assert_eq!(shown(Some(u32::MAX), b"a", 0, false), "console[536870911.debug]: a (no newline yet)");
    }

    #[test]
    fn whether_they_could_be_read_is_told() {
        let told = |body| {
            let record = Record { program: 0, step: NO_STEP, t_ns: 1, body };
            ConsoleStatus::of(Os::FreeBsd, &[record]).shortfall()
        };
        let read = |lines, bytes, overrun| told(Body::ConsoleRead { lines, bytes, overrun });
        assert_eq!(ConsoleStatus::of(Os::FreeBsd, &[]), ConsoleStatus::Nothing);
        assert_eq!(read(0, 0, false), None);
        assert_eq!(read(2, 90, false).unwrap(), "missing: 2 lines (90 bytes) more than are kept");
        assert!(
            read(2, 90, true)
                .unwrap()
                .ends_with("; what was printed before the kernel's message buffer ran over")
        );
        let busy = Body::NoConsole { errno: 16, text: "/dev/klog cannot be opened".into() };
        assert_eq!(told(busy).unwrap(), "not available: EBUSY: /dev/klog cannot be opened");
        let never = Body::NoConsole { errno: 0, text: "not here".into() };
        assert_eq!(told(never).unwrap(), "not available: not here");
    }
}
