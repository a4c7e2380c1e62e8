// SPDX-License-Identifier: BSD-2-Clause
//! The list that a test program prints of its cases (`-l`): paragraphs of `property: value`.

use std::collections::BTreeMap;

/// First line of a list.
const CONTENT_TYPE: &str = "Content-Type: application/X-atf-tp; version=\"1\"";

/// A case that a program lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCase {
    /// The case's name.
    pub ident: String,
    /// The case's other properties: `descr`, `require.user`, `timeout`, `has.cleanup`, ...
    pub metadata: BTreeMap<String, String>,
}

/// The cases of a program.
///
/// # Errors
/// The text is no list of cases; why, in words.
pub fn listing(text: &str) -> Result<Vec<ListedCase>, String> {
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, line)| line.trim_end()) != Some(CONTENT_TYPE) {
        return Err("it does not begin as a list of test cases does".to_owned());
    }
    let mut found: Vec<ListedCase> = Vec::new();
    let mut inside = false;
    for (number, line) in lines {
        let line = line.trim_end();
        if line.is_empty() {
            inside = false;
            continue;
        }
        let wrong = |what: &str| format!("line {} of its list of test cases {what}", number + 1);
        let (key, value) = line.split_once(':').ok_or_else(|| wrong("has no colon"))?;
        let value = value.trim().to_owned();
        if !inside {
            if key != "ident" || value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '/') {
                return Err(wrong("names no case"));
            }
            if found.iter().any(|case| case.ident == value) {
                return Err(wrong("names a case a second time"));
            }
            found.push(ListedCase { ident: value, metadata: BTreeMap::new() });
            inside = true;
        } else if let Some(case) = found.last_mut() {
            case.metadata.insert(key.to_owned(), value);
        }
    }
    if found.is_empty() { Err("it lists no test case".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_of_a_program_is_read() {
        let text = "Content-Type: application/X-atf-tp; version=\"1\"\n\nident: create\n\nident: stress\n\
            descr: Creates: and destroys\nhas.cleanup: true\nrequire.user: root\ntimeout: 60\n";
        let found = listing(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], ListedCase { ident: "create".into(), metadata: BTreeMap::new() });
        assert_eq!(found[1].metadata["descr"], "Creates: and destroys");
        assert_eq!(found[1].metadata["timeout"], "60");
    }

    #[test]
    fn what_is_no_list_says_why() {
        let head = "Content-Type: application/X-atf-tp; version=\"1\"\n\n";
        let error = |text: &str| listing(text).unwrap_err();
        assert_eq!(error("usage: x"), "it does not begin as a list of test cases does");
        assert_eq!(error(head), "it lists no test case");
        assert_eq!(error(&format!("{head}descr: x")), "line 3 of its list of test cases names no case");
        assert_eq!(error(&format!("{head}ident: a b")), "line 3 of its list of test cases names no case");
        assert_eq!(error(&format!("{head}ident: a\nx")), "line 4 of its list of test cases has no colon");
        assert_eq!(
            error(&format!("{head}ident: a\n\nident: a")),
            "line 5 of its list of test cases names a case a second time"
        );
    }

    proptest! {
        #[test]
        fn every_case_that_is_written_is_read(names in prop::collection::btree_set("[a-z0-9_]{1,12}", 1..8)) {
            let cases: String = names.iter().map(|name| format!("\nident: {name}\ndescr: x\n")).collect();
            let found = listing(&format!("{CONTENT_TYPE}\n{cases}")).unwrap();
            let mut read: Vec<_> = found.into_iter().map(|case| case.ident).collect();
            read.sort();
            prop_assert_eq!(read, names.into_iter().collect::<Vec<_>>());
        }
    }
}
