// SPDX-License-Identifier: BSD-2-Clause
//! Arrays of bytes in source text of C and Rust: `{ 0x14, 0x00, 'a' }`, `[0x14, 0u8, b'a']`, `"\x14\0"`, `b"\x14\0"`.
//!
//! Whatever else stands in the text is code, and passed over.

use std::path::Path;

use super::escape::unescape;
use super::reading::{Direction, Format, Reading, Seen};
use crate::file::{FileError, Position};

/// Whether the text may hold arrays: hex has neither brackets nor quotes nor commas.
pub(super) fn is(text: &str) -> bool {
    text.contains(['{', '[', '"', ','])
}

/// A datagram for each array.
pub(super) fn read(path: &Path, text: &str) -> Result<Reading, FileError> {
    let mut reading = Reading::new(Format::Array, None);
    let text = &without_comments(text);
    let mut put = |at: usize, data: Vec<u8>| {
        if !data.is_empty() {
            let place = format!("line {}", position(text, at).line);
            reading.seen.push(Seen { place, direction: Direction::Unknown, data });
        }
    };
    if !text.contains(['{', '[', '"']) {
        put(0, bytes_of(path, text, 0, text)?.unwrap_or_default());
        return Ok(reading);
    }
    let mut strings = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '[', '"', ';']).map(|found| at + found) {
        at = found + 1;
        let closing = match text.as_bytes()[found] {
            b'"' => {
                let Some(end) = end_of_string(&text[at..]) else { break };
                strings.push((found, &text[at..at + end]));
                at += end + 1;
                continue;
            }
            b'{' => '}',
            // What follows a name is an index or a length.
            b'[' if !text[..found]
                .trim_end()
                .ends_with(|c: char| c.is_alphanumeric() || "_)]".contains(c)) =>
            {
                ']'
            }
            _ => {
                put_strings(&mut strings, &mut put);
                continue;
            }
        };
        put_strings(&mut strings, &mut put);
        let Some(end) = text[at..].find(['{', '[', '"', '}', ']', ';']) else { break };
        if !text[at + end..].starts_with(closing) {
            continue;
        }
        if let Some(data) = bytes_of(path, text, at, &text[at..at + end])? {
            put(found, data);
            at += end + 1;
        }
    }
    put_strings(&mut strings, &mut put);
    Ok(reading)
}

/// Strings that follow each other are one, as in C. Text without an escape is a name of something.
fn put_strings(strings: &mut Vec<(usize, &str)>, put: &mut impl FnMut(usize, Vec<u8>)) {
    let strings = std::mem::take(strings);
    let escaped = strings.iter().any(|(_, text)| text.contains("\\x") || text.contains("\\0"));
    let bytes: Option<Vec<_>> = strings.iter().map(|(_, text)| unescape(&text.replace("\\\n", ""))).collect();
    if let (Some((first, _)), Some(bytes), true) = (strings.first(), bytes, escaped) {
        put(*first, bytes.concat());
    }
}

fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

/// The numbers between brackets; `None`: something else stands there too.
fn bytes_of(path: &Path, text: &str, at: usize, list: &str) -> Result<Option<Vec<u8>>, FileError> {
    let mut bytes = Vec::new();
    let mut start = at;
    for item in list.split(',') {
        let word = item.trim();
        let here = start + (item.len() - item.trim_start().len());
        start += item.len() + 1;
        if word.is_empty() {
            continue;
        }
        let Some(number) = number(word) else { return Ok(None) };
        let byte = u8::try_from(number).or_else(|_| i8::try_from(number).map(i8::cast_unsigned));
        bytes.push(byte.map_err(|_| {
            FileError::at(path, position(text, here), format!("{word} is no byte"))
                .help("an array of bytes, in the order in which they are sent")
        })?);
    }
    Ok(Some(bytes))
}

/// A number of C or Rust.
fn number(word: &str) -> Option<i64> {
    let word = word.strip_prefix("(char)").unwrap_or(word).trim();
    if let Some(letter) = word.strip_prefix('b').unwrap_or(word).strip_prefix('\'') {
        return match unescape(letter.strip_suffix('\'')?)?[..] {
            [byte] => Some(byte.into()),
            _ => None,
        };
    }
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |digits| (true, digits));
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', _, ..] if digits.bytes().all(|byte| byte.is_ascii_digit()) => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits =
        ["u8", "i8", "U", "u"].into_iter().find_map(|suffix| digits.strip_suffix(suffix)).unwrap_or(digits);
    let number = i64::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -number } else { number })
}

/// The text with spaces in the place of comments, and of what the C preprocessor reads: places stay.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let blank = |text: &str, out: &mut String| {
        out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
    };
    while !rest.is_empty() {
        let at_line = out.is_empty() || out.ends_with('\n');
        let len = if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("//") || (at_line && rest.starts_with('#')) {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            0
        };
        if len > 0 {
            blank(&rest[..len], &mut out);
            rest = &rest[len..];
            continue;
        }
        let len = match rest.strip_prefix('"').and_then(end_of_string) {
            Some(end) => end + 2,
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

fn position(text: &str, at: usize) -> Position {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Position { line: line as u64, column: column as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays(text: &str) -> Vec<Vec<u8>> {
        read(Path::new("t"), text).unwrap().seen.into_iter().map(|seen| seen.data).collect()
    }

    #[test]
    fn arrays_of_c_and_rust() {
        let c = "#include \"x.h\"\n/* { 9 } */ static unsigned char msg[4] = {\n  0x14, 0, 020, 'a', // } 1\n};\nint main(void) { f(msg[1]); return (0); }\n";
        assert_eq!(arrays(c), [[0x14, 0, 16, b'a']]);
        assert_eq!(arrays("const M: &[u8] = &[0x14, 0u8, b'a', 0xff_u8];"), [[0x14, 0, b'a', 255]]);
        assert_eq!(arrays(r#"let m = b"\x14\0a"; let n = [1, 2];"#), [&[0x14, 0, b'a'][..], &[1, 2]]);
        assert_eq!(arrays("char m[] = \"\\x14\\x00\"\n  \"\\x01a\";\n"), [[0x14, 0, 1, b'a']]);
        assert_eq!(arrays("0x14, 0x00,\n 0x01"), [[0x14, 0, 1]]);
        assert_eq!(arrays("{ {1, 2}, {3} }"), [vec![1, 2], vec![3]]);
        assert_eq!(arrays("unsigned char x[] = {\n 0x01, -1\n};\nunsigned int x_len = 2;\n"), [[1, 255]]);
        assert_eq!(arrays("int main(void) { printf(\"hello\"); }"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_number_that_is_no_byte_is_told_with_its_place() {
        let error = read(Path::new("t"), "x = {\n 1,\n 256 };").unwrap_err().to_string();
        assert!(error.starts_with("t:3:2: 256 is no byte"), "{error}");
    }
}
