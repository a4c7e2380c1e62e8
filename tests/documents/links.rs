// SPDX-License-Identifier: BSD-2-Clause
//! Links between documents: file and heading are there, and every page can be reached from the README.

use std::collections::{BTreeMap, BTreeSet};

use super::complaints;
use super::document::{Document, Parts, root};

/// The path and the fragment of a link that leads to a file of the repository.
fn local(from: &str, link: &str) -> Option<(String, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, fragment) = match link.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return Some((from.to_owned(), fragment));
    }
    let mut place: Vec<&str> = from.split('/').collect();
    place.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            // Beyond the root there is nothing: such a path is found nowhere.
            ".." if place.pop().is_none() => place.push(".."),
            ".." => {}
            part => place.push(part),
        }
    }
    Some((place.join("/"), fragment))
}

/// The links of a document that lead nowhere.
fn broken(
    document: &Document,
    known: &BTreeMap<String, Parts>,
    exists: impl Fn(&str) -> bool,
) -> Vec<(usize, String)> {
    let wrong = |link: &str| {
        let (path, fragment) = local(&document.name, link)?;
        if !exists(&path) {
            return Some(format!("`{link}` leads to no file"));
        }
        let (fragment, parts) = (fragment?, known.get(&path)?);
        (!parts.anchors.contains(&fragment)).then(|| format!("`{link}`: {path} has no heading `{fragment}`"))
    };
    let links = document.parts().links;
    links.into_iter().filter_map(|(line, link)| Some((line, wrong(&link)?))).collect()
}

fn known(documents: &[Document]) -> BTreeMap<String, Parts> {
    documents.iter().map(|document| (document.name.clone(), document.parts())).collect()
}

#[test]
fn links_lead_to_files_and_headings() {
    let known = known(&Document::all());
    assert_eq!(complaints(|document| broken(document, &known, |path| root().join(path).exists())), "");
}

#[test]
fn each_way_in_which_a_link_is_broken_is_found() {
    let other = Document::of("docs/other.md", "# There\n");
    let known = known(&[other]);
    for (link, found) in [
        ("other.md", None),
        ("other.md#there", None),
        ("../docs/other.md#there", None),
        ("https://example.org/none", None),
        ("none.md", Some("leads to no file")),
        ("../other.md", Some("leads to no file")),
        ("../../docs/other.md", Some("leads to no file")),
        ("other.md#here", Some("has no heading `here`")),
    ] {
        let document = Document::of("docs/one.md", &format!("\n[x]({link})\n"));
        let wrong = broken(&document, &known, |path| path == "docs/other.md");
        match found {
            None => assert!(wrong.is_empty(), "{wrong:?}"),
            Some(what) => {
                assert_eq!(wrong.len(), 1, "{link}");
                assert!(wrong[0].0 == 2 && wrong[0].1.contains(what), "{wrong:?}");
            }
        }
    }
}

/// Documents that no chain of links from `start` reaches.
fn unreached(documents: &[Document], start: &str) -> Vec<String> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![start.to_owned()]);
    while let Some(name) = left.pop() {
        let Some(document) = documents.iter().find(|document| document.name == name) else { continue };
        if reached.insert(name) {
            let links = document.parts().links.into_iter();
            left.extend(links.filter_map(|(_, link)| Some(local(&document.name, &link)?.0)));
        }
    }
    // Forms of the code host are found by it; what transcripts begin with is no document.
    let elsewhere = [".github/", "tests/transcripts/"];
    let names = documents
        .iter()
        .map(|document| document.name.clone())
        .filter(|name| !elsewhere.iter().any(|start| name.starts_with(start)));
    names.filter(|name| !reached.contains(name)).collect()
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let lost = unreached(&Document::all(), "README.md");
    assert!(lost.is_empty(), "no link leads to {lost:?}");
    let pair = [Document::of("README.md", "[x](a.md)"), Document::of("a.md", ""), Document::of("b.md", "")];
    assert_eq!(unreached(&pair, "README.md"), ["b.md"]);
}
