// SPDX-License-Identifier: BSD-2-Clause
//! Bytes of a serial console to lines of text.
//!
//! The loader draws its menu with escape sequences and the kernel writes CR LF; both are taken out here, so
//! that recognisers see plain lines. What has no line end yet (a prompt) can be looked at too.

/// A line longer than this many bytes is cut: a guest that prints without line ends must not grow the harness.
const MAX_LINE: usize = 16 * 1024;

/// Where in an escape sequence (ECMA-48) the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After ESC.
    Started,
    /// After ESC and an intermediate byte such as `(`.
    Intermediate,
    /// After ESC `[`.
    Control,
}

/// Splits console bytes into lines, whatever the chunks they come in.
#[derive(Debug, Clone)]
pub(crate) struct LineSplitter {
    line: Vec<u8>,
    escape: Escape,
    carriage_return: bool,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self { line: Vec::new(), escape: Escape::None, carriage_return: false }
    }
}

impl LineSplitter {
    /// Takes the next bytes and returns the lines that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            self.byte(byte, &mut lines);
        }
        lines
    }

    /// The line that has not ended.
    pub(crate) fn partial(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    fn byte(&mut self, byte: u8, lines: &mut Vec<String>) {
        match (self.escape, byte) {
            (Escape::None, 0x1b) => self.escape = Escape::Started,
            (Escape::None, _) => self.plain(byte, lines),
            (Escape::Started, b'[') => self.escape = Escape::Control,
            (Escape::Started, 0x20..=0x2f) => self.escape = Escape::Intermediate,
            (Escape::Started | Escape::Intermediate, _) => self.escape = Escape::None,
            (Escape::Control, 0x40..=0x7e) => {
                self.escape = Escape::None;
                // Cursor positioning starts another place of the screen: for a reader, another line.
                if matches!(byte, b'H' | b'f' | b'J') && !self.line.is_empty() {
                    self.end(lines);
                }
            }
            (Escape::Control, 0x1b) => self.escape = Escape::Started,
            (Escape::Control, _) => {}
        }
    }

    fn plain(&mut self, byte: u8, lines: &mut Vec<String>) {
        match byte {
            b'\n' => self.end(lines),
            b'\r' => self.carriage_return = true,
            // A spinner overwrites its last character.
            0x08 => {
                self.line.pop();
            }
            0 => {}
            _ => {
                if self.carriage_return && !self.line.is_empty() {
                    self.end(lines);
                }
                self.carriage_return = false;
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                }
            }
        }
    }

    fn end(&mut self, lines: &mut Vec<String>) {
        self.carriage_return = false;
        lines.push(String::from_utf8_lossy(&self.line).into_owned());
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cr_lf_escapes_and_spinners_leave_plain_lines() {
        let mut splitter = LineSplitter::default();
        let lines = splitter
            .push(b"one\r\r\ntwo\x1b[1;33m!\x1b[m\r\nload|\x08/\x08-\x08ing\r\x1b[5;1Hmenu\x1b(B\r\n");
        assert_eq!(lines, ["one", "two!", "loading", "menu"]);
        assert_eq!(splitter.push(b"db> "), Vec::<String>::new());
        assert_eq!(splitter.partial(), "db> ");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut splitter = LineSplitter::default();
        splitter.push(&vec![b'x'; MAX_LINE * 2]);
        assert_eq!(splitter.partial().len(), MAX_LINE);
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(0x1b), Just(b'['), Just(b'H'), any::<u8>()], 0..200),
            cut in 0usize..200)
        {
            let mut whole = LineSplitter::default();
            let expected = whole.push(&bytes);
            let (a, b) = bytes.split_at(cut.min(bytes.len()));
            let mut parts = LineSplitter::default();
            let mut got = parts.push(a);
            got.extend(parts.push(b));
            prop_assert_eq!(got, expected);
            prop_assert_eq!(parts.partial(), whole.partial());
        }
    }
}
