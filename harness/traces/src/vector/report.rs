// SPDX-License-Identifier: BSD-2-Clause
//! The lint of a directory of vectors as a report like that of a module: the same records and presentations.

use std::fmt;
use std::path::Path;

use nlproof_base::counted;
use nlproof_verify::{
    Finding, Row, Rule as _, Source, Subject, TextStyle, details, elapsed, row, sarif, table, verdict_line,
};
use serde::Serialize;

use super::check::VectorCheck;
use super::lint::{lint_by_check, lint_modules};
use super::load::{Listing, Vector};
use crate::file::FileError;

/// Version of the JSON form. A higher number may break readers.
pub const VECTORS_SCHEMA: u32 = 1;

/// The lint's report on the vectors below a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VectorReport {
    /// [`VECTORS_SCHEMA`].
    pub schema: u32,
    /// The directory, as it was given.
    pub vectors: String,
    /// Whether all of them may be sent.
    pub accepted: bool,
    /// One row for each check.
    pub checks: Vec<Row<VectorCheck>>,
    /// By check, then by file.
    pub findings: Vec<Finding<VectorCheck>>,
    /// Sizes.
    pub stats: VectorStats,
    /// How long it took in microseconds, if the caller measured it.
    pub elapsed_micros: Option<u64>,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VectorStats {
    /// Files that were read.
    pub files: usize,
    /// Steps of those that are vectors.
    pub steps: usize,
    /// Vectors that are malformed on purpose.
    pub malformed: usize,
    /// Programs: a vector for two systems is two.
    pub programs: usize,
}

/// Facts about a project beside its vectors.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Goldens that belong to no vector.
    pub strays: Vec<FileError>,
    /// Kernel modules that its guests have loaded.
    pub modules: Vec<String>,
}

/// Lints every vector of a listing below `root`, those beside a broken one too. With `project`, `root` is a project's own
/// directory, in which every vector is in a suite.
pub fn judge_vectors(root: &Path, listing: &Listing, project: Option<&Beside>) -> VectorReport {
    let loaded = listing.load(root);
    let mut stats = VectorStats { files: loaded.len(), ..VectorStats::default() };
    let mut findings = Vec::new();
    if let Some(beside) = project {
        let outside = listing.outside_suites().into_iter().map(|error| (VectorCheck::File, error));
        let strays = beside.strays.iter().map(|error| (VectorCheck::Golden, error.clone()));
        findings.extend(outside.chain(strays).map(|(check, error)| finding(root, check, error)));
    }
    for result in &loaded {
        match result {
            Ok(vector) => {
                stats.steps += vector.steps.len();
                stats.malformed += usize::from(!vector.malformed.is_empty());
                stats.programs += vector.needs.os.len();
                let found = lint_by_check(vector);
                let absent = project.map(|beside| lint_modules(vector, &beside.modules)).unwrap_or_default();
                let absent = absent.into_iter().map(|error| (VectorCheck::Needs, error));
                findings.extend(
                    found.into_iter().chain(absent).map(|(check, error)| finding(root, check, error)),
                );
            }
            Err(error) => findings.push(finding(root, VectorCheck::File, error.clone())),
        }
    }
    findings.sort_by_key(|finding| finding.check);
    let read: Vec<&Vector> = loaded.iter().flatten().collect();
    let checks = VectorCheck::ALL
        .iter()
        .map(|check| {
            let detail = match check {
                VectorCheck::File => counted(stats.steps, "step").to_string(),
                VectorCheck::Program => counted(stats.programs, "program").to_string(),
                VectorCheck::Form => format!("{} malformed on purpose", stats.malformed),
                VectorCheck::Declared => {
                    let kinds = read.iter().flat_map(|vector| &vector.malformed).count();
                    format!("{} declared", counted(kinds, "deviation"))
                }
                VectorCheck::Needs => {
                    let modules = read.iter().flat_map(|vector| &vector.needs.modules).count();
                    counted(modules, "kernel module").to_string()
                }
                VectorCheck::Golden => match project {
                    Some(_) => "each of a vector".into(),
                    None => "not looked at: these are no project's vectors".into(),
                },
            };
            row(*check, counted(read.len(), "vector").to_string(), detail, &findings)
        })
        .collect();
    VectorReport {
        schema: VECTORS_SCHEMA,
        vectors: root.display().to_string(),
        accepted: !findings.iter().any(Finding::rejects),
        checks,
        findings,
        stats,
        elapsed_micros: None,
    }
}

fn finding(root: &Path, check: VectorCheck, error: FileError) -> Finding<VectorCheck> {
    let id = error.path.strip_prefix(root).unwrap_or(&error.path).with_extension("");
    let (line, column) = error.place.map_or((1, None), |place| (place.line, Some(place.column)));
    let source = Source { file: error.path.display().to_string(), line, column };
    let mut finding = Finding::error(check, id.display().to_string(), error.what);
    (finding.source, finding.help) = (Some(source), error.help);
    finding
}

impl VectorReport {
    /// The report for programs: one JSON object, keys in a fixed order.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists only: serialising them has no error case.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The report as a SARIF 2.1.0 log.
    pub fn to_sarif(&self) -> String {
        sarif(Subject { name: &self.vectors, sha256: None }, &self.findings)
    }
}

impl fmt::Display for VectorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        verdict_line(f, &self.vectors, self.accepted, &self.findings)?;
        table(f, &self.checks, TextStyle::default())?;
        details(f, &self.findings, TextStyle::default())?;
        let VectorStats { files, steps, programs, .. } = self.stats;
        let [files, steps, programs] = [(files, "vector"), (steps, "step"), (programs, "program")]
            .map(|(number, noun)| counted(number, noun));
        write!(f, "\nverified {files}, {steps}, {programs}")?;
        elapsed(f, self.elapsed_micros)?;
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nlproof_verify::Verdict;

    use super::super::list;
    use super::*;

    const GOOD: &str = "about: a dump\nsteps:\n- send: {message: getlink, flags: [request, dump]}\n";

    fn judge(files: &[(&str, &str)]) -> VectorReport {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        judge_vectors(root.path(), &list(root.path()).unwrap(), None)
    }

    fn verdict(report: &VectorReport, check: VectorCheck) -> Verdict {
        report.checks.iter().find(|row| row.check == check).unwrap().verdict
    }

    #[test]
    fn good_vectors_are_accepted_and_counted() {
        let report = judge(&[("a.yaml", GOOD), ("b.yaml", GOOD)]);
        assert!(report.accepted, "{report}");
        assert_eq!((report.stats.files, report.stats.steps, report.stats.programs), (2, 2, 4));
        assert!(report.to_string().contains("ACCEPTED: 0 errors"), "{report}");
        assert!(report.checks.iter().all(|row| row.verdict == Verdict::Ok), "{report}");
    }

    #[test]
    fn each_check_rejects_what_it_is_for_and_nothing_else() {
        let cases = [
            (VectorCheck::File, format!("{GOOD}colour: red\n"), "colour"),
            (VectorCheck::Program, GOOD.replace("getlink", "getlnk"), "getlnk"),
            (VectorCheck::Declared, format!("{GOOD}malformed: [padding]\n"), "`padding` is declared"),
            (
                VectorCheck::Needs,
                format!("{GOOD}needs: {{modules: ['if epair']}}\n"),
                "no kernel module's name",
            ),
        ];
        for (check, text, says) in cases {
            let report = judge(&[("bad.yaml", &text), ("good.yaml", GOOD)]);
            assert!(!report.accepted, "{report}");
            for row in &report.checks {
                assert_eq!(row.verdict == Verdict::Reject, row.check == check, "{report}");
            }
            let finding = &report.findings[0];
            assert_eq!(finding.subject, "bad");
            assert!(finding.what.contains(says), "{report}");
            assert!(finding.source.as_ref().unwrap().file.ends_with("bad.yaml"));
        }
    }

    #[test]
    fn a_malformed_datagram_is_rejected_unless_it_is_declared() {
        let send = "{message: getlink, flags: [request], len: 41, attrs: [{ifname: lo0}], reply: nothing}";
        let text = &format!("about: longer than its datagram\nsteps:\n- send: {send}\n");
        let report = judge(&[("m.yaml", text)]);
        assert_eq!(verdict(&report, VectorCheck::Form), Verdict::Reject, "{report}");
        let report = judge(&[("m.yaml", &format!("{text}malformed: [message-length]\n"))]);
        assert!(report.accepted, "{report}");
    }

    #[test]
    fn what_the_data_of_a_kind_may_hold_is_known_by_its_kind() {
        let vector = |info: &str| {
            let send = format!(
                "{{message: newlink, flags: [request, ack, create], attrs: [{{ifname: x7}}, {{linkinfo: [{info}]}}]}}"
            );
            format!("about: data of a kind\nneeds: {{os: [freebsd]}}\nsteps:\n- send: {send}\n")
        };
        for good in [
            "{kind: vlan}, {data: [{id: 22}, {protocol: 0x88a8}]}",
            "{data: [{IFLA_VLAN_ID: 22}]}, {IFLA_INFO_KIND: vlan}",
            "{kind: vlan}, {data: {hex: '0600010016000000'}}",
            "{kind: gif}, {data: [{local: 192.0.2.1}, {remote: 192.0.2.2}, {flags: 1}]}",
            "{kind: lo}, {data: {hex: '00'}}",
            "{kind: gif}, {kind: vlan}, {data: [{id: 22}]}",
        ] {
            let report = judge(&[("m.yaml", &vector(good))]);
            assert!(report.accepted, "{good}: {report}");
        }
        for (bad, check, says) in [
            ("{kind: gif}, {data: [{id: 22}]}", VectorCheck::Program, "unknown attribute `id`"),
            ("{kind: lo}, {data: [{id: 22}]}", VectorCheck::Program, "bytes is expected"),
            ("{data: [{id: 22}]}", VectorCheck::Program, "bytes is expected"),
            ("{kind: vlan}, {data: {hex: '0800010016000000'}}", VectorCheck::Form, "in id of newlink"),
        ] {
            let report = judge(&[("m.yaml", &vector(bad))]);
            assert_eq!(verdict(&report, check), Verdict::Reject, "{bad}: {report}");
            assert!(report.to_string().contains(says), "{bad}: {report}");
        }
    }

    #[test]
    fn a_project_s_vectors_are_in_suites_and_its_goldens_are_theirs() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("link")).unwrap();
        for name in ["link/good.yaml", "loose.yaml", "link/odd.yml", "link/a#1.yaml"] {
            fs::write(root.path().join(name), GOOD).unwrap();
        }
        let listing = list(root.path()).unwrap();
        let strays = vec![FileError::whole(Path::new("golden/x.trace"), "is of no vector")];
        let beside = Beside { strays, modules: Vec::new() };
        let report = judge_vectors(root.path(), &listing, Some(&beside));
        let told: Vec<_> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(told.len(), 4, "{report}");
        for (what, expected) in told.iter().zip([
            "is in no suite",
            "the name of a vector has no `#`",
            "is not read: the name of a vector ends in `.yaml`",
            "is of no vector",
        ]) {
            assert_eq!(what, &expected, "{report}");
        }
        assert_eq!(verdict(&report, VectorCheck::Golden), Verdict::Reject, "{report}");
        // A directory that somebody names is no project: what is directly in it is fine, what is misnamed is not.
        let report = judge_vectors(root.path(), &listing, None);
        assert_eq!(report.findings.len(), 2, "{report}");
    }

    #[test]
    fn a_module_that_no_guest_of_the_project_has_is_rejected_with_the_one_that_was_meant() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("link")).unwrap();
        for module in ["if_epair", "epair", "if_brigde", "zfs"] {
            let text = format!("{GOOD}needs: {{modules: [{module}]}}\n");
            fs::write(root.path().join(format!("link/{module}.yaml")), text).unwrap();
        }
        let listing = list(root.path()).unwrap();
        let beside = Beside { modules: vec!["if_epair".into(), "if_bridge".into()], ..Beside::default() };
        let report = judge_vectors(root.path(), &listing, Some(&beside));
        assert_eq!(verdict(&report, VectorCheck::Needs), Verdict::Reject, "{report}");
        let helps: Vec<_> = report.findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
        let begins = [
            "did you mean `if_epair`? otherwise list",
            "did you mean `if_bridge`? otherwise list",
            "list it in",
        ];
        assert_eq!(helps.len(), begins.len(), "{report}");
        for (help, begin) in helps.iter().zip(begins) {
            assert!(help.starts_with(begin), "{report}");
        }
        assert_eq!(report.findings[0].source.as_ref().map(|source| source.line), Some(4), "{report}");
        // A directory that somebody names has no guests.
        assert!(judge_vectors(root.path(), &listing, None).accepted);
    }

    #[test]
    fn json_and_sarif_carry_the_findings_with_their_places() {
        let report = judge(&[("bad.yaml", &format!("{GOOD}malformed: [padding]\n"))]);
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!((json["schema"].as_u64(), json["accepted"].as_bool()), (Some(1), Some(false)));
        assert_eq!(json["findings"][0]["check"], "declared");
        let sarif: serde_json::Value = serde_json::from_str(&report.to_sarif()).unwrap();
        let result = &sarif["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "declared");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    }

    #[test]
    fn no_vectors_are_no_report() {
        let root = tempfile::tempdir().unwrap();
        assert!(list(root.path()).unwrap_err()[0].what.contains("holds no vectors"));
        assert!(list(&root.path().join("none")).unwrap_err()[0].what.contains("cannot be listed"));
    }
}
