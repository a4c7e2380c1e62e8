// SPDX-License-Identifier: BSD-2-Clause
//! The messages of a golden's body, read back from the text that `render` writes.

use super::text::{ATTRIBUTES, LEVEL};

/// A message of a golden: its first line and the attribute lines below it, with their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The step's line, `step 0`.
    pub step: &'a str,
    /// The message's line: mark, name, flags and the header's fields.
    pub head: &'a str,
    /// Paths such as `freebsd caps size`, each with its value; a nest has the value "".
    pub attrs: Vec<(String, &'a str)>,
}

impl<'a> Message<'a> {
    /// Mark and name: `< newlink`, `* link: newlink`. What is no message has its mark alone, or its first word: `!`, `exec`.
    pub fn name(&self) -> &'a str {
        let words = match self.head.as_bytes().first() {
            Some(b'*') => 3,
            Some(b'<' | b'>') => 2,
            _ => 1,
        };
        self.head.match_indices(' ').nth(words - 1).map_or(self.head, |(end, _)| &self.head[..end])
    }

    /// Whether the line has this word: a flag of the netlink header (`create`), or `field=value`, where the
    /// value may be one of several joined by `|`.
    pub fn has(&self, word: &str) -> bool {
        let mut words = self.head[self.name().len()..].split_whitespace();
        match word.split_once('=') {
            None => words.next().is_some_and(|flags| flags.split('|').any(|flag| flag == word)),
            Some((field, value)) => words.filter_map(|other| other.split_once('=')).any(|(name, values)| {
                name == field && (values == value || values.split('|').any(|other| other == value))
            }),
        }
    }
}

/// Cuts a body into messages. Steps stand at the margin, messages one level in, attributes from the third level on
/// (see `text`).
pub fn messages(body: &str) -> Vec<Message<'_>> {
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut step = "";
    let mut path: Vec<&str> = Vec::new();
    for line in body.lines() {
        let text = line.trim_start();
        match (line.len() - text.len()) / LEVEL.len() {
            0 => step = text,
            1 => messages.push(Message { step, head: text, attrs: Vec::new() }),
            level => {
                let (word, value) = text.split_once(' ').unwrap_or((text, ""));
                path.truncate(level.saturating_sub(ATTRIBUTES));
                path.push(word);
                if let Some(message) = messages.last_mut() {
                    message.attrs.push((path.join(" "), value));
                }
            }
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_flags_and_fields_of_its_line() {
        let body =
            "step 0\n  > newlink request|ack seq=+0 flags=up|promisc\n      linkinfo\n        kind \"lo\"\n";
        let all = messages(body);
        assert_eq!(all[0].name(), "> newlink");
        assert_eq!(all[0].attrs, [("linkinfo".to_owned(), ""), ("linkinfo kind".to_owned(), "\"lo\"")]);
        assert!(all[0].has("ack") && all[0].has("flags=promisc") && all[0].has("flags=up|promisc"));
        assert!(!all[0].has("create") && !all[0].has("flags=down") && !all[0].has("up"));
    }

    #[test]
    fn an_event_is_named_with_its_group() {
        let all = messages("step 0\n  * link: newlink - change=up\n");
        assert_eq!(all[0].name(), "* link: newlink");
        assert!(all[0].has("change=up") && !all[0].has("change=promisc"));
    }

    #[test]
    fn what_is_no_message_is_named_by_its_mark_or_first_word() {
        let body = "step 0\n  = 134 messages that count:\n  ! the kernel dropped messages\n  exec status=0\n";
        let all = messages(body);
        let names: Vec<_> = all.iter().map(Message::name).collect();
        assert_eq!(names, ["=", "!", "exec"]);
    }
}
