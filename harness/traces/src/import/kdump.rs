// SPDX-License-Identifier: BSD-2-Clause
//! What kdump(1) says about netlink sockets: calls, what they returned, and the bytes that they moved.
//!
//! ```text
//!   1234 ifconfig CALL  socket(PF_NETLINK,SOCK_RAW,0)
//!   1234 ifconfig RET   socket 3
//!   1234 ifconfig GIO   fd 3 wrote 32 bytes
//!        0x0000 2000 0000 1200 0503 0100 0000 0000 0000 0000 0000  |....................|
//! ```

use std::collections::BTreeMap;

use nlproof_wire::Os;

use super::call::{Call, number};
use super::calls::{Sockets, set_option};
use super::escape::unescape;
use super::reading::{Direction, Format, Reading, Seen};

/// Whether the text has a record of bytes that were moved.
pub(super) fn is(text: &str) -> bool {
    text.lines().any(|line| Record::on(line).is_some_and(|record| record.moved().is_some()))
}

/// Reads the records.
pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::new(Format::Kdump, Some(Os::FreeBsd));
    let mut sockets = Sockets::default();
    // What each thread has called and not yet returned from.
    let mut calls: BTreeMap<&str, Call<'_>> = BTreeMap::new();
    let mut lines = (1_u64..).zip(text.lines()).peekable();
    while let Some((line, text)) = lines.next() {
        let Some(record) = Record::on(text) else { continue };
        match record.kind {
            "CALL" => {
                let Some(call) = Call::on(record.rest) else {
                    calls.remove(record.who);
                    continue;
                };
                if let Some((fd, _)) = call.fd() {
                    match call.name {
                        "close" => sockets.forget(fd),
                        "setsockopt"
                            if sockets.is_route(fd)
                                && matches!(call.arg(1), "SOL_NETLINK" | "0x10e" | "270") =>
                        {
                            set_option(&mut reading, call.arg(2));
                        }
                        _ => {}
                    }
                }
                calls.insert(record.who, call);
            }
            "RET" => {
                let Some(call) = calls.remove(record.who).filter(|call| call.name == "socket") else {
                    continue;
                };
                let fd = record.rest.split([' ', '/']).nth(1).and_then(number);
                let protocol = call.arg(2).trim_end_matches(')');
                if let Some(fd) = fd.filter(|fd| *fd >= 0)
                    && sockets.made(fd, call.arg(0), protocol)
                {
                    reading
                        .notes
                        .push(format!("line {line}: a netlink socket of another protocol, left out"));
                }
            }
            "GIO" => {
                let Some((fd, direction, len)) = record.moved() else { continue };
                let mut body = Vec::new();
                while let Some((_, next)) = lines.next_if(|(_, next)| Record::on(next).is_none()) {
                    body.push(next);
                }
                let place = format!("line {line}");
                match bytes_of(&body, len) {
                    Some(data) if data.len() == len && sockets.carries(fd, &data) => {
                        reading.seen.push(Seen { place, direction, data });
                    }
                    found if sockets.is_route(fd) => {
                        let found = found.map_or(0, |data| data.len());
                        reading.notes.push(format!("{place}: {found} of {len} bytes are there, left out"));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    reading
}

/// A record: its process (and thread), its type and the rest of its line.
struct Record<'a> {
    who: &'a str,
    kind: &'a str,
    rest: &'a str,
}

impl<'a> Record<'a> {
    const KINDS: [&'static str; 12] =
        ["CALL", "RET", "GIO", "NAMI", "PSIG", "CSW", "USER", "STRU", "SCTL", "CAP", "PFLT", "PRET"];

    /// The record that begins on a line: numbers, the command's name, a time if there is one, the type.
    fn on(line: &'a str) -> Option<Self> {
        if !line.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        Self::KINDS.iter().find_map(|kind| {
            let (at, _) = line.match_indices(kind).find(|(at, kind)| {
                line[..*at].ends_with(' ') && line[at + kind.len()..].starts_with([' ', '\t'])
            })?;
            let who = line[..at].split_whitespace().next()?;
            // Lines of bytes begin with 0x.
            who.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
            Some(Self { who, kind, rest: line[at + kind.len()..].trim() })
        })
    }

    /// Of bytes that were moved: the file, which way, and how many.
    fn moved(&self) -> Option<(i64, Direction, usize)> {
        (self.kind == "GIO").then_some(())?;
        let mut words = self.rest.split_whitespace();
        (words.next() == Some("fd")).then_some(())?;
        let fd = number(words.next()?)?;
        let direction = match words.next()? {
            "wrote" => Direction::ToKernel,
            "read" => Direction::FromKernel,
            _ => return None,
        };
        Some((fd, direction, words.next()?.parse().ok()?))
    }
}

/// The bytes below a record: in hex, or as text in quotes.
fn bytes_of(body: &[&str], len: usize) -> Option<Vec<u8>> {
    let first = body.first()?.trim_start();
    if let Some(text) = first.strip_prefix('"') {
        let mut lines = vec![text];
        lines.extend(&body[1..]);
        return text_of(&lines, len);
    }
    let mut bytes = Vec::new();
    for line in body {
        let Some((offset, rest)) = line.trim_start().strip_prefix("0x").and_then(|line| line.split_once(' '))
        else {
            break;
        };
        if usize::from_str_radix(offset, 16).ok()? != bytes.len() {
            return None;
        }
        for group in rest.split("  ").next()?.split_whitespace() {
            for pair in group.as_bytes().chunks(2) {
                bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
            }
        }
    }
    Some(bytes)
}

/// kdump writes bytes that are nearly text as text: a line that is too long is broken behind a backslash, a new line is
/// written as it is; both go on behind a tab.
fn text_of(lines: &[&str], len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let line = if number == 0 { line } else { line.strip_prefix('\t').unwrap_or(line) };
        let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let broken = backslashes % 2 == 1;
        let line = if broken { &line[..line.len() - 1] } else { line };
        let last = number + 1 == lines.len();
        let text = if last { line.strip_suffix('"').unwrap_or(line) } else { line };
        bytes.extend(unescape(text)?);
        if !broken && !last {
            bytes.push(b'\n');
        }
    }
    (bytes.len() == len).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_with_bytes_in_hex_and_as_text() {
        let text = r#"  1234 ifconfig CALL  socket(PF_NETLINK,0x3<SOCK_RAW>,0)
  1234 ifconfig RET   socket 3
  1234 ifconfig CALL  setsockopt(0x3,SOL_NETLINK,0xb,0x820,0x4)
  1234 ifconfig CALL  open(0x1,0)
  1234 ifconfig RET   open 4
  1234 ifconfig GIO   fd 4 read 4 bytes
       "a\\0
	b"
  1234 ifconfig GIO   fd 3 wrote 20 bytes
       0x0000 1400 0000 1200 0103 0100 0000 0000 0000 4142 4344  |..............ABCD|

  1234 ifconfig GIO   fd 3 wrote 20 bytes
       0x0000 1400 0000                                          |....|

  1234 ifconfig GIO   fd 3 read 36 bytes
       0x0000 2400 0000 0200 0001 0100 0000 0000 0000 0000 0000  |$...................|
       0x0014 1400 0000 1200 0103 0100 0000 0000 0000            |................|

"#;
        assert!(is(text) && !is("10000000 1200"));
        let reading = read(text);
        let seen: Vec<_> =
            reading.seen.iter().map(|seen| (seen.place.as_str(), seen.direction, seen.data.len())).collect();
        assert_eq!(seen, [("line 9", Direction::ToKernel, 20), ("line 15", Direction::FromKernel, 36)]);
        assert_eq!(reading.notes, ["line 12: 4 of 20 bytes are there, left out"]);
        assert!(reading.socket.ext_ack);
    }

    #[test]
    fn text_that_is_broken_into_lines() {
        assert_eq!(text_of(&["ab\\", "\tc\\0", "\td\""], 6), Some(b"abc\0\nd".to_vec()));
        assert_eq!(text_of(&["ab\""], 3), None);
    }
}
