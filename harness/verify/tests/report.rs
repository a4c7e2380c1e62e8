// SPDX-License-Identifier: BSD-2-Clause
//! The report as text, JSON and SARIF, and against a baseline.

mod support;

use nlproof_verify::{Baseline, BaselineError, Check, Policy, Report, TextStyle, Verdict};
use serde_json::Value;
use support::*;

fn module(imports: &[&str]) -> Fixture {
    let mut fixture = Fixture::new();
    let symbols: Vec<_> = imports.iter().map(|name| fixture.import(name)).collect();
    fixture.caller("f", &symbols);
    fixture
}

fn report(imports: &[&str]) -> Report {
    module(imports).verify(&Policy::default())
}

#[test]
fn digest_and_time_stand_in_the_last_line() {
    let mut report = report(&["if_up"]);
    assert_eq!(report.sha256.len(), 64);
    let text = report.to_string();
    assert!(
        text.starts_with(&format!("sample.ko  amd64 FreeBSD  sha256:{}…  ACCEPTED", &report.sha256[..12]))
    );
    assert!(!text.contains(" ms"), "a verification knows no clock: {text}");
    report.elapsed_micros = Some(11_250);
    let text = report.to_string();
    assert!(text.ends_with(&format!("1 import in 11.2 ms; sha256 {}\n", report.sha256)), "{text}");
}

#[test]
fn growth_against_the_baseline_rejects_and_shrinkage_is_noted() {
    let small = Baseline::of(&report(&["if_up"]));
    let large = Baseline::of(&report(&["if_up", "if_down"]));
    assert_eq!(Baseline::parse(&small.to_json()).unwrap(), small);

    let mut same = report(&["if_up"]);
    assert_eq!(verdict(&same, Check::Baseline), Verdict::NotChecked);
    same.compare(&small).unwrap();
    assert!(same.accepted);
    assert_eq!(verdict(&same, Check::Baseline), Verdict::Ok, "{same}");

    let mut grown = report(&["if_up", "if_down"]);
    grown.compare(&small).unwrap();
    assert!(!grown.accepted);
    assert_eq!(verdict(&grown, Check::Baseline), Verdict::Reject);
    let text = grown.to_string();
    assert!(text.contains("`imports` have grown from 1 by: if_down"), "{text}");
    assert!(text.contains("`insns` has grown from 5 to 6 (+20.0 %)"), "{text}");

    let mut shrunk = report(&["if_up"]);
    shrunk.compare(&large).unwrap();
    assert!(shrunk.accepted);
    assert_eq!(verdict(&shrunk, Check::Baseline), Verdict::Warn);
    assert!(shrunk.to_string().contains("`imports` no longer hold: if_down"), "{shrunk}");
}

#[test]
fn a_baseline_of_another_module_schema_or_form_is_refused() {
    let mut here = report(&["if_up"]);
    let text = Baseline::of(&here).to_json();
    let other = Baseline::parse(&text.replace("sample.ko", "other.ko")).unwrap();
    assert!(matches!(here.compare(&other), Err(BaselineError::OtherModule { .. })));
    let newer = text.replace("\"schema\": 1", "\"schema\": 7");
    assert!(matches!(Baseline::parse(&newer), Err(BaselineError::Schema(7))));
    let unknown = text.replace("insns", "instructions");
    assert!(matches!(Baseline::parse(&unknown), Err(BaselineError::Unreadable(_))));
}

#[test]
fn json_has_the_records_of_the_text() {
    let report = report(&["if_up", "panic"]);
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["schema"], 2);
    assert_eq!(json["sha256"], report.sha256.as_str());
    assert_eq!(json["accepted"], false);
    assert_eq!(json["imports"], serde_json::json!(["if_up", "panic"]));
    assert_eq!(json["checks"].as_array().unwrap().len(), Check::ALL.len());
    assert_eq!(json["findings"].as_array().unwrap().len(), report.findings.len());
    assert_eq!(json["elapsed_micros"], Value::Null);
}

#[test]
fn the_verbose_text_has_what_is_waived_and_raw_names_those_of_the_file() {
    let mut fixture = Fixture::new();
    let panic = fixture.import("panic");
    for n in 0..7 {
        fixture.caller(&format!("_RNvC1a2f{n}"), &[panic]);
    }
    let policy = "waivers: [{symbol: 'a::f0', check: panic, reason: only in tests}]";
    let policy = Policy::parse(std::path::Path::new("p.yaml"), policy).unwrap();
    let report = fixture.verify(&policy);
    let text = |verbose, raw_names| report.text(TextStyle { verbose, raw_names }).to_string();
    assert_eq!(text(false, false), report.to_string());
    let functions =
        |text: &str| text.lines().filter(|line| line.ends_with("  yes") || line.ends_with("  no")).count();
    assert!(!text(false, false).contains("only in tests"));
    assert_eq!(functions(&text(false, false)), 5);
    let verbose = text(true, false);
    assert!(
        verbose.contains("waived[panic]: `a::f0`") && verbose.contains("  waived: only in tests"),
        "{verbose}"
    );
    assert!(functions(&verbose) > 6 && !verbose.contains("_RNvC1a"), "{verbose}");
    let raw = text(false, true);
    assert!(raw.contains("`_RNvC1a2f1`") && raw.contains("0: _RNvC1a2f1+0x"), "{raw}");
    assert!(!raw.contains("a::f1"), "{raw}");
}

/// What SARIF 2.1.0 (section 3) requires of the objects that are written here, and what values it allows.
#[test]
fn sarif_has_what_its_schema_requires() {
    let mut fixture = module(&["panic"]);
    fixture.bytes("cli", &[0xfa, 0xc3], 2);
    let policy = "waivers: [{symbol: cli, check: insn, reason: a test}]";
    let policy = Policy::parse(std::path::Path::new("p.yaml"), policy).unwrap();
    let report = fixture.verify(&policy);
    let log: Value = serde_json::from_str(&report.to_sarif()).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-2.1.0.json"));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(run["tool"]["driver"]["name"], "nlproof-verify");
    assert_eq!(rules.len(), Check::ALL.len());
    assert_eq!(run["artifacts"][0]["hashes"]["sha-256"], report.sha256.as_str());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings.len());
    let (mut waived, mut with_path) = (0, 0);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note", "none"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0];
        assert_eq!(place["physicalLocation"]["artifactLocation"]["uri"], "sample.ko");
        assert!(place["logicalLocations"][0]["fullyQualifiedName"].is_string());
        if let Some(flows) = result.get("codeFlows") {
            let steps = flows[0]["threadFlows"][0]["locations"].as_array().unwrap();
            assert!(!steps.is_empty() && steps.iter().all(|step| step["location"].is_object()));
            with_path += 1;
        }
        if let Some(suppressions) = result.get("suppressions") {
            assert!(["inSource", "external"].contains(&suppressions[0]["kind"].as_str().unwrap()));
            assert_eq!(suppressions[0]["justification"], "a test");
            waived += 1;
        }
    }
    assert_eq!(waived, 1);
    assert!(with_path > 0);
}
