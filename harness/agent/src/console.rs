// SPDX-License-Identifier: BSD-2-Clause
//! The kernel's message buffer, as FreeBSD's klog(4) gives it: lines with a priority and the time.
//!
//! ```text
//!  <6>[12.345678] lo10: link state changed to UP\n       log(9), priority 6
//!  [12.345701] lock order reversal:\n                    printf(9), no priority
//! ```
//! Lines have a time while `kern.msgbuf_show_timestamp` is 2. It is microuptime(9)'s, read when the line is begun: the
//! clock of CLOCK_MONOTONIC, cut to whole microseconds (sys/kern/subr_msgbuf.c `msgbuf_addstr`, kern_time.c
//! `kern_clock_gettime`). Lines may hold any bytes, and the last one may not be finished when it is read.

use alloc::vec::Vec;

use crate::frame::FrameError;
use crate::record::ConsoleLine;
use crate::{Body, NO_STEP, Record};

/// Bytes of a line that are kept; the kernel's own lines have at most a few hundred.
pub const MAX_LINE: usize = 1024;
/// Lines that are kept of one program.
pub const MAX_LINES: usize = 1000;
/// Bytes before the text that may hold priority and time: two numbers of at most twenty digits, and signs.
const MAX_PREFIX: usize = 64;

/// A line with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Microseconds of CLOCK_MONOTONIC, when the line was begun. 0: the kernel did not say.
    pub t_us: u64,
    /// The line.
    pub line: ConsoleLine,
}

/// What the kernel printed since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The lines.
    pub printed: Vec<Printed>,
    /// The buffer ran over.
    pub overrun: bool,
}

/// Takes the message buffer's bytes in whatever pieces they come and gives its lines.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// The unfinished line, as far as it has arrived.
    pending: Vec<u8>,
    /// How many bytes of it found no room in `pending`.
    beyond: u32,
    /// Time and priority of a line of which a part was given already.
    continued: Option<(u64, Option<u32>)>,
    /// The time of the last line.
    last_us: u64,
}

impl Lines {
    /// Takes bytes; the lines that are finished with them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Printed> {
        let mut printed = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ended) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            let room = (MAX_PREFIX + MAX_LINE).saturating_sub(self.pending.len());
            let (kept, beyond) = piece.split_at(piece.len().min(room));
            self.pending.extend_from_slice(kept);
            self.beyond = self.beyond.saturating_add(count(beyond.len()));
            if ended {
                printed.extend(self.take(true));
            }
        }
        printed
    }

    /// An unfinished line, as far as it has arrived.
    pub fn unfinished(&mut self) -> Option<Printed> {
        if self.pending.is_empty() { None } else { self.take(false) }
    }

    fn take(&mut self, whole: bool) -> Option<Printed> {
        let raw = core::mem::take(&mut self.pending);
        let beyond = core::mem::take(&mut self.beyond);
        let (t_us, priority, text) = match self.continued.take() {
            // All that it lacked was the newline.
            Some(_) if raw.is_empty() => return None,
            // The kernel puts neither before the rest of a line.
            Some((t_us, priority)) => (t_us, priority, &raw[..]),
            None => {
                let (priority, rest) = priority(&raw);
                // A further line of the same call of the kernel's has no time of its own.
                let (t_us, text) = stamp(rest).unwrap_or((self.last_us, rest));
                (t_us, priority, text)
            }
        };
        self.last_us = t_us;
        self.continued = (!whole).then_some((t_us, priority));
        let kept = text.get(..MAX_LINE).unwrap_or(text);
        let cut = beyond.saturating_add(count(text.len() - kept.len()));
        Some(Printed { t_us, line: ConsoleLine { priority, text: kept.to_vec(), cut, whole } })
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// `<NN>`, and what follows.
fn priority(line: &[u8]) -> (Option<u32>, &[u8]) {
    let found = line.strip_prefix(b"<").and_then(|rest| {
        let (number, rest) = number(rest)?;
        Some((u32::try_from(number).ok()?, rest.strip_prefix(b">")?))
    });
    found.map_or((None, line), |(priority, rest)| (Some(priority), rest))
}

/// `[SECONDS.MICROSECONDS] `, six digits of them, and what follows.
fn stamp(line: &[u8]) -> Option<(u64, &[u8])> {
    let (seconds, rest) = number(line.strip_prefix(b"[")?)?;
    let rest = rest.strip_prefix(b".")?;
    let (micros, after) = number(rest)?;
    if rest.len() - after.len() != 6 {
        return None;
    }
    Some((seconds.checked_mul(1_000_000)?.checked_add(micros)?, after.strip_prefix(b"] ")?))
}

/// A decimal number, and what follows.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(digits);
    Some((core::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// When the steps of a program began, by its own records.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    begun: Vec<(u32, u64)>,
}

impl Steps {
    /// Looks at a frame on its way, with its prefix: whether it is the beginning of a step.
    ///
    /// # Errors
    /// [`FrameError::Decode`]: it holds no record.
    pub fn hear(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        if let Some((step, t_ns)) = crate::frame::begun(frame)? {
            self.begun.push((step, t_ns));
        }
        Ok(())
    }

    /// The step during which something was printed at that time, and the time as it stands in a record, in nanoseconds. The
    /// stamp counts whole microseconds: what was printed in the one in which a step began is that step's.
    #[must_use]
    pub fn at(&self, t_us: u64) -> (u32, u64) {
        let t_ns = t_us.saturating_mul(1000);
        match self.begun.iter().rfind(|(_, begun)| begun / 1000 <= t_us) {
            Some((step, begun)) => (*step, t_ns.max(*begun)),
            None => (NO_STEP, t_ns),
        }
    }
}

/// The records of the lines that were printed while a program ran; the last record says when it ended.
#[must_use]
pub fn records(program: u32, steps: &Steps, look: Look, now_ns: u64) -> Vec<Record> {
    let (mut lines, mut bytes) = (0_u32, 0_u64);
    let mut all = Vec::new();
    for Printed { t_us, line } in look.printed {
        if all.len() < MAX_LINES {
            let (step, t_ns) = steps.at(t_us);
            all.push(Record { program, step, t_ns, body: Body::Console(line) });
        } else {
            lines = lines.saturating_add(1);
            bytes = bytes.saturating_add(line.text.len() as u64 + u64::from(line.cut));
        }
    }
    let body = Body::ConsoleRead { lines, bytes, overrun: look.overrun };
    all.push(Record { program, step: NO_STEP, t_ns: now_ns, body });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(t_us: u64, priority: Option<u32>, text: &[u8]) -> Printed {
        Printed { t_us, line: ConsoleLine { priority, text: text.to_vec(), cut: 0, whole: true } }
    }

    #[test]
    fn priority_and_time_are_taken_off() {
        let printed = Lines::default().push(
            b"<6>[12.345678] lo10: link state changed to UP\n[12.345701] lock order reversal:\n\
              <118>[13.000002] [5] <7>text\n",
        );
        assert_eq!(
            printed,
            [
                line(12_345_678, Some(6), b"lo10: link state changed to UP"),
                line(12_345_701, None, b"lock order reversal:"),
                line(13_000_002, Some(118), b"[5] <7>text"),
            ]
        );
    }

    #[test]
    fn what_is_no_priority_or_time_is_text() {
        for text in
            ["<x>a", "<>a", "<6a", "[12] a", "[12.3] a", "[12.3456789] a", "[12.345678]a", "[.345678] a", "["]
        {
            let mut bytes = text.as_bytes().to_vec();
            bytes.push(b'\n');
            assert_eq!(Lines::default().push(&bytes), [line(0, None, text.as_bytes())], "{text}");
        }
        // Numbers that no kernel has.
        let huge = b"<99999999999>[99999999999999999999.000000] a\n";
        assert_eq!(Lines::default().push(huge), [line(0, None, &huge[..huge.len() - 1])]);
    }

    #[test]
    fn a_further_line_of_one_call_has_the_first_ones_time() {
        let printed = Lines::default().push(b"<5>[1.000007] a\n<5>b\n\n");
        assert_eq!(
            printed,
            [line(7 + 1_000_000, Some(5), b"a"), line(1_000_007, Some(5), b"b"), line(1_000_007, None, b"")]
        );
    }

    #[test]
    fn a_line_that_is_not_finished_is_given_with_what_there_is_of_it() {
        let mut lines = Lines::default();
        assert_eq!(lines.unfinished(), None);
        assert_eq!(lines.push(b"<6>[2.000000] usb0: a"), []);
        let mut part = line(2_000_000, Some(6), b"usb0: a");
        part.line.whole = false;
        assert_eq!(lines.unfinished(), Some(part.clone()));
        assert_eq!(lines.unfinished(), None);
        // The rest has neither priority nor time; the next line has its own again.
        assert_eq!(
            lines.push(b"[9.000000] b\n<3>[3.000000] c\n"),
            [line(2_000_000, Some(6), b"[9.000000] b"), line(3_000_000, Some(3), b"c")]
        );
        assert_eq!(lines.push(b"<6>[2.000000] usb0: a"), []);
        assert_eq!(lines.unfinished(), Some(part));
        // Only the newline was missing.
        assert_eq!(lines.push(b"\n[4.000000] d\n"), [line(4_000_000, None, b"d")]);
    }

    #[test]
    fn any_bytes_and_any_length() {
        let mut bytes = b"[1.000000] ".to_vec();
        let text: Vec<u8> = (0..5000_u32).map(|n| n as u8).filter(|byte| *byte != b'\n').collect();
        bytes.extend(&text);
        bytes.push(b'\n');
        let [printed] = &Lines::default().push(&bytes)[..] else { panic!() };
        assert_eq!(printed.line.text, text[..MAX_LINE]);
        assert_eq!(printed.line.cut as usize, text.len() - MAX_LINE);
        assert!(printed.line.whole);
    }

    fn begun(step: u32, t_ns: u64) -> Vec<u8> {
        crate::frame::encode_frame(&Record { program: 1, step, t_ns, body: Body::Begin }).unwrap()
    }

    #[test]
    fn a_line_belongs_to_the_step_that_had_begun() {
        let mut steps = Steps::default();
        let other = Record { program: 1, step: 0, t_ns: 1, body: Body::Timeout };
        steps.hear(&crate::frame::encode_frame(&other).unwrap()).unwrap();
        for (step, t_ns) in [(0, 5_500), (1, 9_000), (NO_STEP, 20_900)] {
            steps.hear(&begun(step, t_ns)).unwrap();
        }
        for (t_us, expected) in [
            (0, (NO_STEP, 0)),
            (4, (NO_STEP, 4_000)),
            // In the microsecond in which it began, and no earlier than that.
            (5, (0, 5_500)),
            (8, (0, 8_000)),
            (9, (1, 9_000)),
            (19, (1, 19_000)),
            (20, (NO_STEP, 20_900)),
            (u64::MAX, (NO_STEP, u64::MAX)),
        ] {
            assert_eq!(steps.at(t_us), expected, "{t_us}");
        }
        assert!(steps.hear(&[3, 0, 0, 0, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let printed = |count: usize| (0..count).map(|n| line(n as u64, None, b"abc")).collect();
        let records = |count, overrun| {
            super::records(7, &Steps::default(), Look { printed: printed(count), overrun }, 9)
        };
        let told = |records: &[Record]| records.last().map(|record| record.body.clone());
        let none = Body::ConsoleRead { lines: 0, bytes: 0, overrun: false };
        assert_eq!(told(&records(0, false)), Some(none.clone()));
        let all = records(MAX_LINES, false);
        assert_eq!((all.len(), told(&all)), (MAX_LINES + 1, Some(none)));
        let more = records(MAX_LINES + 2, true);
        let left = Body::ConsoleRead { lines: 2, bytes: 6, overrun: true };
        assert_eq!((more.len(), told(&more)), (MAX_LINES + 1, Some(left)));
        assert!(more.iter().all(|record| record.program == 7));
    }
}
