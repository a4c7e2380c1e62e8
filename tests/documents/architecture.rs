// SPDX-License-Identifier: BSD-2-Clause
//! The tables of ARCHITECTURE: crates against `Cargo.toml`, rooms against their `use` lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::document::root;

/// A row of a table: the words in code of its first cells.
struct Row {
    name: String,
    cells: Vec<Vec<String>>,
}

/// The rows of the table that follows this text.
fn table(document: &str, after: &str) -> Vec<Row> {
    let place = document.find(after).unwrap_or_else(|| panic!("ARCHITECTURE does not say `{after}`"));
    let lines = document[place..].lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2).map(|line| {
        let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let cells: Vec<_> = line.trim_matches('|').split('|').map(code).collect();
        Row { name: cells[0].join(" "), cells }
    });
    rows.collect()
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// The crates of this repository that a manifest depends on, those of its tests left out.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let of_section = manifest.split("\n[").find(|section| section.starts_with("dependencies]"));
    let names = of_section.unwrap_or_default().lines().filter_map(|line| line.split(['=', '.']).next());
    let own = |name: &&str| name.starts_with("nlproof-") || name.starts_with("iface-");
    names.map(str::trim).filter(own).map(str::to_owned).collect()
}

/// The complaint about a crate whose row says other dependencies than its manifest.
fn wrong_crate(row: &Row, manifest: &str) -> Option<String> {
    let (said, found) = (row.cells[2].iter().cloned().collect(), dependencies(manifest));
    (found != said).then(|| format!("{} uses {found:?}, and its row says {said:?}", row.name))
}

#[test]
fn crates_use_what_their_rows_say() {
    let rows = table(&architecture(), "## Crates");
    let manifest = |directory: &str| fs::read_to_string(root().join(directory).join("Cargo.toml")).unwrap();
    for row in &rows {
        let text = manifest(&row.cells[1][0]);
        assert!(text.contains(&format!("name = \"{}\"", row.name)), "{} is elsewhere", row.name);
        assert_eq!(wrong_crate(row, &text), None);
    }
    let workspace = manifest(".");
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(rows.iter().any(|row| row.cells[1][0] == member), "the crate in {member} has no row");
    }
}

#[test]
fn a_crate_that_uses_another_is_found() {
    let row = &table("x\n| crate | directory | uses |\n|---|---|---|\n| `a` | `d` | `nlproof-b` |\n", "x")[0];
    let manifest = |extra: &str| {
        format!(
            "[package]\n\n[dependencies]\nserde = \"1\"\nnlproof-b.workspace = true\n{extra}\n[dev-dependencies]\niface-c = 1\n"
        )
    };
    assert_eq!(wrong_crate(row, &manifest("")), None);
    assert!(wrong_crate(row, &manifest("iface-c = { path = \"c\" }")).unwrap().contains("iface-c"));
}

/// Every room that a source text names behind `crate::`.
fn named(source: &str) -> BTreeSet<String> {
    let paths = source.split("crate::").skip(1);
    let room = |path: &str| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    paths.map(room).collect()
}

fn sources(directory: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// What is wrong with a room: it uses what its row does not name. `rooms` are all that there are to use.
fn wrong_room(row: &Row, rooms: &BTreeSet<String>, source: &str) -> Option<String> {
    let allowed: BTreeSet<_> = row.cells[1].iter().cloned().collect();
    let used = named(source).into_iter().filter(|room| rooms.contains(room) && *room != row.name);
    let beyond: Vec<_> = used.filter(|room| !allowed.contains(room)).collect();
    (!beyond.is_empty()).then(|| format!("{} uses {beyond:?}, which its row does not name", row.name))
}

/// The complaint about a room that uses one of the same table that does not stand below it.
fn upward(rows: &[Row]) -> Option<String> {
    rows.iter().enumerate().find_map(|(place, row)| {
        let above = rows[..place].iter().find(|other| row.cells[1].contains(&other.name))?;
        Some(format!("{} uses {}, which stands above it", row.name, above.name))
    })
}

#[test]
fn rooms_use_what_their_rows_name_and_stand_in_that_order() {
    let document = architecture();
    for directory in ["harness/src", "harness/traces/src", "harness/guest/src"] {
        let rows = table(&document, &format!("Rooms of `{directory}`:"));
        // Rooms of other crates are used under their own names.
        let mut rooms: BTreeSet<_> = rows.iter().map(|row| row.name.clone()).collect();
        rooms.extend(rows.iter().flat_map(|row| row.cells[1].clone()));
        for row in &rows {
            let place = root().join(directory).join(&row.name);
            assert_eq!(wrong_room(row, &rooms, &sources(&place).concat()), None, "{directory}");
        }
        assert_eq!(upward(&rows), None, "{directory}");
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(
                !path.is_dir() || rows.iter().any(|row| row.name == name),
                "{directory}/{name} has no row"
            );
        }
    }
}

#[test]
fn a_use_beyond_the_wall_and_an_upward_one_are_found() {
    let text = "x\n| room | uses |\n|---|---|\n| `a` | `b` |\n| `b` | |\n| `c` | `a` |\n";
    let rows = table(text, "x");
    let rooms = ["a", "b", "c"].map(str::to_owned).into();
    assert_eq!(wrong_room(&rows[0], &rooms, "use crate::b::X;\nuse crate::error::E;"), None);
    assert!(wrong_room(&rows[0], &rooms, "use crate::c::X;").unwrap().contains("\"c\""));
    assert!(upward(&rows).unwrap().contains("c uses a"));
    assert_eq!(upward(&rows[..2]), None);
}
