// SPDX-License-Identifier: BSD-2-Clause
//! Source lines and inlined functions in the paths of findings.

#[path = "support/dwarf.rs"]
mod dwarf;
mod support;

use dwarf::Debug;
use gimli::constants::{DW_LANG_C99, DW_LANG_Rust};
use nlproof_verify::{Check, Finding, Policy, Report};
use support::*;

/// `outer` calls `inner`, which calls `panic`; both of one file, in the version of DWARF.
fn panics(version: u16, lines: bool) -> Report {
    let mut fixture = Fixture::new();
    let panic = fixture.import("panic");
    let inner = fixture.caller("inner", &[panic]);
    let outer = fixture.caller("outer", &[inner]);
    fixture.hide(inner);
    let mut debug = Debug::new(version);
    let (start, end) = (fixture.start_of(inner), fixture.start_of(outer));
    if lines {
        // `push`, `mov`, `call`: four bytes in.
        debug.unit(DW_LANG_C99, "inner.c", start, &[(0, 40), (4, 41), (9, 42)], 11);
        let unit = debug.unit(DW_LANG_Rust, "outer.rs", end, &[(0, 87), (4, 88), (9, 89)], 11);
        debug.inlined(unit, "_RNvNtCs1234_7mycrate3sub4pick", (end + 4, end + 9), 12);
        debug.add_to(&mut fixture);
    }
    fixture.verify(&Policy::default())
}

fn path_of<'r>(report: &'r Report, subject: &str) -> &'r Finding {
    let find = |finding: &&Finding| finding.check == Check::Panic && finding.subject == subject;
    report.findings.iter().find(find).unwrap()
}

#[test]
fn steps_have_file_line_and_column_and_say_what_was_inlined() {
    for version in [3, 4, 5] {
        let report = panics(version, true);
        assert_eq!(report.without_lines, None, "{report}");
        let path = &path_of(&report, "outer").path;
        let source = path[0].source.as_ref().unwrap();
        assert_eq!((source.file.as_str(), source.line, source.column), ("/shim/outer.rs", 88, Some(7)));
        assert_eq!(path[1].source.as_ref().unwrap().line, 41);
        let inlined = &path[0].inlined[0];
        assert_eq!(inlined.function, "mycrate::sub::pick");
        assert_eq!(inlined.call.as_ref().unwrap().line, 12);
        assert!(path[1].inlined.is_empty());
        let text = report.to_string();
        assert!(text.contains("outer.rs:88 "), "{text}");
        assert!(text.contains("inner.c:41 "), "{text}");
        assert!(text.contains("in mycrate::sub::pick, inlined, called at outer.rs:12"), "{text}");
        let sarif = report.to_sarif();
        assert!(
            sarif.contains("\"uri\": \"/shim/inner.c\"") && sarif.contains("\"startLine\": 41"),
            "{sarif}"
        );
    }
}

#[test]
fn a_module_without_lines_says_so_where_they_would_be_shown() {
    let report = panics(4, false);
    assert!(
        report.to_string().contains("paths without source lines: the module has no .debug_line"),
        "{report}"
    );
    let mut fixture = Fixture::new();
    fixture.caller("f", &[]);
    assert_eq!(accepts(&fixture, &Policy::default()).without_lines, None);
}

#[test]
fn lines_of_the_wrong_place_are_not_shown() {
    let mut fixture = Fixture::new();
    let panic = fixture.import("panic");
    let first = fixture.caller("first", &[panic]);
    let mut debug = Debug::new(5);
    // The sequence ends before the call.
    debug.unit(DW_LANG_C99, "a.c", fixture.start_of(first), &[(0, 1)], 4);
    debug.add_to(&mut fixture);
    let report = fixture.verify(&Policy::default());
    assert_eq!(path_of(&report, "first").path[0].source, None);
    assert!(report.without_lines.unwrap().contains("nothing for 1 of the places"));
}
