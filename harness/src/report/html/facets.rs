// SPDX-License-Identifier: BSD-2-Clause
//! What a conversation is about, for the page's filter: its messages, attributes and errors.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::trace::messages;

/// What occurs in a vector's conversations.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Facets {
    /// `newlink`, in a request, a reply or an event.
    messages: BTreeSet<String>,
    /// `mtu`, `kind`: without the nests around it.
    attributes: BTreeSet<String>,
    /// `EINVAL`.
    errnos: BTreeSet<String>,
}

impl Facets {
    /// Adds what occurs in a conversation, which is text as goldens have it.
    pub(super) fn add(&mut self, conversation: &str) {
        for message in messages(conversation) {
            if let Some((_, name)) = message.name().rsplit_once(' ') {
                self.messages.insert(name.to_owned());
            }
            let errors = message.head.split(' ').filter_map(|word| word.strip_prefix("error="));
            self.errnos.extend(errors.filter(|errno| *errno != "0").map(str::to_owned));
            for (path, _) in &message.attrs {
                let name = path.rsplit(' ').next().unwrap_or(path);
                self.attributes.insert(name.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_attributes_and_errors_are_found() {
        let mut facets = Facets::default();
        facets.add(
            "step 0\n  > newlink request|ack seq=+0\n      linkinfo\n        kind \"lo\"\n  < error capped error=EINVAL\n  \
             * link: dellink - seq=0\nstep 1\n  < error capped error=0\n  timeout\n",
        );
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(facets.messages, set(&["newlink", "error", "dellink"]));
        assert_eq!(facets.attributes, set(&["linkinfo", "kind"]));
        assert_eq!(facets.errnos, set(&["EINVAL"]));
    }
}
