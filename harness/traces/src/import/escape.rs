// SPDX-License-Identifier: BSD-2-Clause
//! Bytes in quotes: the escapes of C and Rust, of strace(1), and of vis(3), which truss(1) and kdump(1) use.

/// The bytes of a text with escapes; `None`: an escape that none of them writes.
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'e' | b'E' => 27,
            b's' => b' ',
            b'\\' | b'"' | b'\'' | b'?' => kind,
            b'x' => hex_byte(&mut rest)?,
            b'0'..=b'7' => octal(kind, &mut rest)?,
            b'^' => control(take(&mut rest)?)?,
            b'M' => match take(&mut rest)? {
                b'-' => take(&mut rest)? | 0x80,
                b'^' => control(take(&mut rest)?)? | 0x80,
                _ => return None,
            },
            _ => return None,
        });
    }
    Some(bytes)
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

fn hex_byte(rest: &mut &[u8]) -> Option<u8> {
    let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, after) = rest.split_at(digits);
    *rest = after;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn octal(first: u8, rest: &mut &[u8]) -> Option<u8> {
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let Some(digit) = rest.first().filter(|byte| matches!(byte, b'0'..=b'7')) else { break };
        value = value * 8 + u32::from(digit - b'0');
        *rest = &rest[1..];
    }
    u8::try_from(value).ok()
}

/// The control character `^X`; `^?` is DEL.
fn control(letter: u8) -> Option<u8> {
    match letter {
        b'?' => Some(0x7f),
        b'@'..=b'_' => Some(letter & 0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escapes_of_every_tool() {
        for (text, bytes) in [
            (r"\x14\x00a", &[0x14, 0, b'a'][..]),
            (r"\24\0\0012", &[0o24, 0, 1, b'2']),
            (r"\^P\0\^?\M^@\M-a\240\M^?", &[0x10, 0, 0x7f, 0x80, 0xe1, 0xa0, 0xff]),
            (r#"\n\t\\\"\s"#, b"\n\t\\\" "),
            ("", b""),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(bytes), "{text}");
        }
        for text in [r"\", r"\q", r"\x", r"\M", r"\M-", r"\^1", r"\777"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
