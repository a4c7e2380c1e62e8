// SPDX-License-Identifier: BSD-2-Clause
//! Messages that a vector gives once and sends many times.

use std::borrow::Cow;

use super::format::RawMessage;
use super::numbering::SEQ_STEP;
use super::place::{SourceFile, place};
use crate::file::{FileError, Node, Value};

/// Placeholder for the number of the copy.
const PLACEHOLDER: &str = "{n}";

/// The messages as they are sent: each that has `repeat` is replaced by its copies.
///
/// # Errors
/// A count that is no repetition or more than a step can number, or a message whose copies would all be equal.
pub(super) fn expand<'a>(
    file: SourceFile<'_>,
    messages: &'a [RawMessage],
) -> Result<Vec<Cow<'a, RawMessage>>, FileError> {
    let mut expanded = Vec::with_capacity(messages.len());
    for message in messages {
        let Some(repeat) = &message.repeat else {
            expanded.push(Cow::Borrowed(message));
            continue;
        };
        let (count, from) = (repeat.value.count, repeat.value.from);
        if !(2..=SEQ_STEP).contains(&count) {
            return Err(file
                .error(place(repeat), format!("a message is repeated 2 to {SEQ_STEP} times, not {count}")));
        }
        let last = from
            .checked_add(count - 1)
            .ok_or_else(|| file.error(place(repeat), "the number of the last copy does not fit 32 bits"))?;
        for number in from..=last {
            let mut copy = message.clone();
            let nodes = [copy.header.as_mut(), copy.attrs.as_mut()];
            if !nodes.into_iter().flatten().fold(false, |found, node| put_number(node, number) | found) {
                return Err(file
                    .error(
                        place(repeat),
                        format!("no `{PLACEHOLDER}` in the message: its copies would be equal"),
                    )
                    .help(format!("put the number of the copy somewhere: `ifname: lo{PLACEHOLDER}`")));
            }
            expanded.push(Cow::Owned(copy));
        }
    }
    Ok(expanded)
}

/// Replaces the placeholder in every text below `node`; whether there was one.
fn put_number(node: &mut Node, number: u32) -> bool {
    match &mut node.value {
        Value::Str(text) if text.contains(PLACEHOLDER) => {
            *text = text.replace(PLACEHOLDER, &number.to_string());
            true
        }
        Value::List(items) => items.iter_mut().fold(false, |found, item| put_number(item, number) | found),
        Value::Map(entries) => {
            entries.iter_mut().fold(false, |found, (_, value)| put_number(value, number) | found)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nlproof_agent::Step;
    use nlproof_wire::Os;
    use nlproof_wire::view::{MessageItem, messages};

    use super::super::{compile, load_vector};

    fn compiled(repeat: &str, name: &str) -> Result<Vec<Step>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        let text = format!(
            "about: x\nsteps:\n- send: {{message: newlink, flags: [request], repeat: {repeat}, attrs: [{{ifname: \"{name}\"}}]}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let vector = load_vector(Path::new("/"), &path).unwrap();
        compile(&vector, Os::FreeBsd, 0).map(|program| program.steps).map_err(|error| error.to_string())
    }

    #[test]
    fn each_copy_has_its_number_and_its_seq() {
        let steps = compiled("{count: 3, from: 9}", "lo{n}").unwrap();
        let Step::Send(send) = &steps[0] else { panic!("{steps:?}") };
        let seqs: Vec<_> = messages(&send.data)
            .map(|item| match item {
                MessageItem::Message(message) => (message.header.seq, message.header.len),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seqs, [(0x1000, 40), (0x1001, 44), (0x1002, 44)]);
        assert_eq!(send.seq, 0x1002);
        assert!(send.data.windows(5).any(|bytes| bytes == b"lo11\0"));
    }

    #[test]
    fn what_repeats_nothing_is_refused() {
        for (repeat, name, expected) in [
            ("{count: 1}", "lo{n}", "2 to 1024 times, not 1"),
            ("{count: 1025}", "lo{n}", "not 1025"),
            ("{count: 2, from: 4294967295}", "lo{n}", "32 bits"),
            ("{count: 2}", "lo7", "no `{n}`"),
        ] {
            let error = compiled(repeat, name).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
