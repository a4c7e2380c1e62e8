// SPDX-License-Identifier: BSD-2-Clause
//! Kernel pointers in texts (`Invalid attr 0xfffff80003a3f024 type 3 len: 2`, FreeBSD's %p): the first becomes
//! `p0`, the same one again `p0`, the next `p1`.

use super::super::item::Trace;
use super::super::node::Val;
use super::messages;

/// Hex digits from which on a number is a kernel address: amd64's are 16, and they begin with `ffff`.
const POINTER: &str = "0xffff";

pub(super) fn rename(trace: &mut Trace) {
    let mut known: Vec<String> = Vec::new();
    for message in messages(trace) {
        message.walk_mut(&mut |node| {
            if let Val::Str(text) = &mut node.value {
                *text = renamed(text, &mut known);
            }
        });
    }
}

fn renamed(text: &str, known: &mut Vec<String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(POINTER) {
        let digits = rest[start + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let end = start + 2 + digits;
        result.push_str(&rest[..start]);
        if digits == 16 {
            let pointer = &rest[start..end];
            let position = known.iter().position(|other| other == pointer).unwrap_or_else(|| {
                known.push(pointer.to_owned());
                known.len() - 1
            });
            result.push_str(&format!("p{position}"));
        } else {
            result.push_str(&rest[start..end]);
        }
        rest = &rest[end..];
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::super::testing::{replies, values, with};
    use super::*;

    #[test]
    fn pointers_keep_their_identity_and_other_numbers_stay() {
        let texts = [
            "Invalid attr 0xfffff80003a3f024 type 3 len: 2",
            "0xfffff80003a3f024 0xfffff80003a3f028",
            "0xffff is short",
        ];
        let mut trace = replies(texts.map(|text| with("msg", Val::Str(text.into()))).into());
        rename(&mut trace);
        let expected = ["Invalid attr p0 type 3 len: 2", "p0 p1", "0xffff is short"];
        assert_eq!(values(&trace, "msg"), expected.map(|text| Val::Str(text.into())));
    }
}
