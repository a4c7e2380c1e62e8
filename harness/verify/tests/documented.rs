// SPDX-License-Identifier: BSD-2-Clause
//! The README's table of fixtures names every check, and tests that there are.

use std::path::Path;

use nlproof_verify::Check;

#[test]
fn every_check_has_a_fixture_that_it_accepts_and_one_that_it_rejects() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: String = ["abi", "checks", "graph", "report"]
        .map(|name| std::fs::read_to_string(here.join("tests").join(format!("{name}.rs"))).unwrap())
        .concat();
    let readme = std::fs::read_to_string(here.join("README.md")).unwrap();
    let (_, table) = readme.split_once("| check | accepts | rejects |\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let named: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(named, Check::ALL.map(Check::name));
    for row in &rows {
        for test in &row[2..4] {
            assert!(tests.contains(&format!("#[test]\nfn {test}() {{")), "{}: no test {test}", row[1]);
        }
    }
}
