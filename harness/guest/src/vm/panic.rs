// SPDX-License-Identifier: BSD-2-Clause
//! What a FreeBSD kernel says when it dies.
//!
//! ```text
//! Fatal trap 12: page fault while in kernel mode        sys/amd64/amd64/trap.c trap_fatal()
//! panic: page fault                                     sys/kern/kern_shutdown.c vpanic()
//! cpuid = 0
//! KDB: stack backtrace:                                 sys/kern/subr_kdb.c kdb_backtrace()
//! #0 0xffffffff80b9002d at kdb_backtrace+0x5d           without DDB: sys/kern/subr_stack.c
//! vpanic() at vpanic+0x132/frame 0xfffffe0012345670     with DDB: sys/amd64/amd64/db_trace.c
//! ```

use std::fmt;

/// Functions at the top of every backtrace, which say nothing about what happened.
const REPORTERS: &[&str] = &[
    "db_trace_self",
    "db_trace_self_wrapper",
    "kdb_backtrace",
    "vpanic",
    "panic",
    "trap",
    "trap_check",
    "trap_fatal",
    "trap_pfault",
    "calltrap",
];

/// Number of frames below the reporters that make a fingerprint.
pub(super) const FINGERPRINT_FRAMES: usize = 3;

/// One frame of a kernel's backtrace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's name.
    pub function: String,
    /// Offset into it in bytes.
    pub offset: u64,
}

impl Frame {
    /// Reads one line of either backtrace form.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let place = if let Some(rest) = line.strip_prefix('#') {
            let (number, rest) = rest.split_once(' ')?;
            number.parse::<u32>().ok()?;
            let (address, place) = rest.trim_start().split_once(" at ")?;
            address.strip_prefix("0x")?;
            place
        } else {
            let (function, rest) = line.split_once("() at ")?;
            if function.is_empty() || function.contains(' ') {
                return None;
            }
            rest.split_once("/frame ").map_or(rest, |(place, _)| place)
        };
        let (function, offset) = place.trim().rsplit_once('+')?;
        // The kernel writes a zero without `0x`: the return address of a function that never returns is the next one's start.
        let offset = match offset.strip_prefix("0x") {
            Some(digits) => digits.split(|c: char| !c.is_ascii_hexdigit()).next()?,
            None => Some(offset).filter(|offset| *offset == "0")?,
        };
        Some(Self { function: function.to_owned(), offset: u64::from_str_radix(offset, 16).ok()? })
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.function, self.offset)
    }
}

/// A kernel panic as far as the console told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Panic {
    /// The text after `panic: `, or the trap line where no such text came.
    pub message: String,
    /// The line `Fatal trap N: …`, if there was one.
    pub trap: Option<String>,
    /// The backtrace, innermost first.
    pub frames: Vec<Frame>,
}

impl Panic {
    /// The functions that led to it, innermost first, without those that report it.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        let names = self.frames.iter().map(|frame| frame.function.as_str());
        names.filter(|name| !REPORTERS.contains(name))
    }

    /// A name for this kind of panic: the message without numbers, and the innermost functions outside the
    /// panic machinery. Equal for the same fault in two builds.
    pub fn fingerprint(&self) -> String {
        let mut text = without_build(&self.message);
        for (n, function) in self.calls().take(FINGERPRINT_FRAMES).enumerate() {
            text.push_str(if n == 0 { " | " } else { " < " });
            text.push_str(function);
        }
        text
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(trap) = self.trap.as_deref().filter(|trap| *trap != self.message) {
            write!(f, " ({trap})")?;
        }
        for frame in self.frames.iter().filter(|frame| !REPORTERS.contains(&frame.function.as_str())).take(8)
        {
            write!(f, "\n  at {frame}")?;
        }
        Ok(())
    }
}

/// The text without what another build of the same source says otherwise: addresses, line numbers and counts become `N`, and
/// files are named from their tree's `sys`, wherever the tree lay.
pub fn without_build(text: &str) -> String {
    let from_sys = |word: &str| match word.find("/sys/") {
        Some(at) if word.starts_with('/') => word[at + 1..].to_owned(),
        _ => word.to_owned(),
    };
    without_numbers(&text.split(' ').map(from_sys).collect::<Vec<_>>().join(" "))
}

/// Addresses, line numbers and counts become `N`; digits inside names stay.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let in_name = previous.is_alphanumeric() || previous == '_';
        let number = match rest.strip_prefix("0x") {
            Some(hex) => 2 + hex.bytes().take_while(u8::is_ascii_hexdigit).count(),
            None => rest.bytes().take_while(u8::is_ascii_digit).count(),
        };
        if number > 0 && !in_name {
            out.push('N');
            previous = '0';
            rest = &rest[number..];
        } else {
            out.push(c);
            previous = c;
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, offset: u64) -> Frame {
        Frame { function: function.into(), offset }
    }

    #[test]
    fn both_backtrace_forms_are_read() {
        assert_eq!(Frame::parse("#12 0xffffffff80b9002d at ifc_find+0x5d"), Some(frame("ifc_find", 0x5d)));
        assert_eq!(
            Frame::parse("modify_link() at modify_link+0x2b/frame 0xfffffe00084f9c10"),
            Some(frame("modify_link", 0x2b))
        );
    }

    #[test]
    fn a_zero_offset_has_no_prefix() {
        let line = "#3 0xffffffff80c59540 at if_allmulti+0";
        assert_eq!(Frame::parse(line), Some(frame("if_allmulti", 0)));
        assert_eq!(Frame::parse("#3 0xffffffff80c59540 at if_allmulti+7"), None);
    }

    #[test]
    fn other_lines_are_not_frames() {
        for line in ["cpuid = 0", "#x 0x1 at a+0x1", "#1 12 at a+0x1", "look at a+0x1", "#3 0x1 at a", ""] {
            assert_eq!(Frame::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_fingerprint_is_the_same_for_another_build() {
        let panic = |line: u32, offset| Panic {
            message: format!("mtx_lock() of spin mutex 0xfffff8{line} @ if_vlan2.c:{line}"),
            trap: None,
            frames: vec![
                frame("kdb_backtrace", 1),
                frame("vpanic", 2),
                frame("if_x", offset),
                frame("nl_y", 4),
            ],
        };
        assert_eq!(panic(10, 3).fingerprint(), "mtx_lock() of spin mutex N @ if_vlan2.c:N | if_x < nl_y");
        assert_eq!(panic(10, 3).fingerprint(), panic(999, 70).fingerprint());
        let tree = |tree: &str| without_build(&format!("Assertion x failed at {tree}/sys/net/if.c:12"));
        assert_eq!(tree("/usr/src"), "Assertion x failed at sys/net/if.c:N");
        assert_eq!(tree("/usr/src"), tree("/home/me/src-14.0"));
        assert_eq!(
            without_build("  1st 0x12 a /sys/b @ /usr/src/sys/b2.c:3"),
            "  Nst N a sys/b @ sys/b2.c:N"
        );
    }

    #[test]
    fn another_fault_has_another_fingerprint() {
        let at = |name| Panic { message: "page fault".into(), trap: None, frames: vec![frame(name, 1)] };
        assert_ne!(at("a").fingerprint(), at("b").fingerprint());
    }
}
