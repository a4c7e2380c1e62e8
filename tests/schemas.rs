// SPDX-License-Identifier: BSD-2-Clause
//! The JSON Schemas of tests/schemas: fresh, accepting what the project has, rejecting what is broken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use nlproof::file::parse_yaml;
use serde_json::Value;

const KINDS: [&str; 11] = [
    "vector",
    "matrix",
    "releases",
    "divergences",
    "inventory",
    "policy",
    "report",
    "qualification",
    "inputs",
    "statement",
    "unreached",
];
/// The kinds of which the project has one file.
const TABLES: [&str; 5] = ["matrix", "releases", "divergences", "inventory", "policy"];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// What `nlproof schema KIND` prints.
fn printed(kind: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nlproof")).args(["schema", kind]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn schema(kind: &str) -> Value {
    serde_json::from_str(&printed(kind)).unwrap()
}

fn yaml(text: &str) -> Value {
    parse_yaml(Path::new("text"), text).unwrap()
}

/// What is wrong with a document, one line each.
fn complaints(validator: &Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The project's file of this kind.
fn own_file(kind: &str) -> PathBuf {
    match kind {
        "policy" => tests().join("fixtures/verify/nlproof_iface.yaml"),
        "unreached" => tests().join("unreached/14.0-STABLE.yaml"),
        kind => tests().join(format!("{kind}.yaml")),
    }
}

#[test]
fn the_schemas_in_the_repository_are_those_of_the_program() {
    for kind in KINDS {
        let path = tests().join(format!("schemas/{kind}.json"));
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == printed(kind),
            "{} is not what the program reads\n  help: nlproof schema {kind} > tests/schemas/{kind}.json",
            path.display()
        );
    }
}

#[test]
fn every_key_is_described() {
    fn keys(schema: &Value, place: &str, bare: &mut Vec<String>) {
        let Value::Object(schema) = schema else { return };
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if property.get("description").is_none() {
                bare.push(format!("{place}/{name}"));
            }
        }
        for (name, definition) in schema.get("definitions").and_then(Value::as_object).into_iter().flatten() {
            // Attributes are the kernel's: netlink's manual pages describe them.
            if name.starts_with("Raw") || name.chars().next().is_some_and(char::is_uppercase) {
                keys(definition, &format!("{place}/{name}"), bare);
            }
        }
    }
    for kind in KINDS {
        let mut bare = Vec::new();
        keys(&schema(kind), kind, &mut bare);
        assert!(bare.is_empty(), "without a doc comment: {bare:?}");
    }
}

#[test]
fn every_vector_and_every_table_of_the_project_is_accepted() {
    for kind in TABLES {
        let validator = jsonschema::validator_for(&schema(kind)).unwrap();
        let text = fs::read_to_string(own_file(kind)).unwrap();
        assert_eq!(complaints(&validator, &yaml(&text)), Vec::<String>::new(), "{kind}");
        let line = text.lines().next().unwrap_or_default();
        let named = line.strip_prefix("# yaml-language-server: $schema=").expect(kind);
        let path = own_file(kind).parent().unwrap().join(named);
        assert_eq!(
            path.canonicalize().unwrap(),
            tests().join(format!("schemas/{kind}.json")).canonicalize().unwrap()
        );
    }
    let validator = jsonschema::validator_for(&schema("vector")).unwrap();
    let mut directories = vec![tests().join("vectors")];
    let (mut count, mut wrong) = (0, Vec::new());
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            count += 1;
            let document = yaml(&fs::read_to_string(&path).unwrap());
            wrong.extend(
                complaints(&validator, &document)
                    .into_iter()
                    .map(|what| format!("{}: {what}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 600, "{count} vectors");
}

#[test]
fn broken_vectors_are_rejected() {
    let validator = jsonschema::validator_for(&schema("vector")).unwrap();
    let good = "about: x\nneeds: {os: [freebsd]}\ngroups: [link]\nmalformed: [attr-length]\nsteps:\n\
                - send:\n    message: newlink\n    flags: [request, ack]\n    header: {index: $lo0, flags: [up]}\n    attrs:\n\
                \x20   - ifname: lo0\n    - linkinfo: [{kind: lo}]\n    - mtu: {hex: '05', len: 6}\n    - '#77': {hex: '01'}\n\
                - exec: {argv: [ifconfig]}\n- wait: {quiet-ms: 10, limit-ms: 100}\n";
    assert_eq!(complaints(&validator, &yaml(good)), Vec::<String>::new());
    for (from, to) in [
        ("about: x\n", ""),
        ("about: x", "about: [x]"),
        ("about:", "abuot:"),
        ("os: [freebsd]", "os: [netbsd]"),
        ("needs: {os", "needs: {privilege: king, os"),
        ("groups: [link]", "groups: [lnik]"),
        ("[attr-length]", "[attr-lenght]"),
        ("message: newlink", "message: newlnik"),
        ("message: newlink", "message: 65536"),
        ("message: newlink", "message: newaddr"),
        ("[request, ack]", "[request, akc]"),
        ("index: $lo0", "index: lo0"),
        ("index: $lo0", "idnex: 1"),
        ("flags: [up]", "flags: [pu]"),
        ("ifname: lo0", "ifnam: lo0"),
        ("ifname: lo0", "ifname: 10"),
        ("ifname: lo0", "{ifname: lo0, mtu: 1}"),
        ("{kind: lo}", "{knid: lo}"),
        ("{hex: '05', len: 6}", "{hex: '05', lne: 6}"),
        ("{hex: '05', len: 6}", "-1"),
        ("'#77'", "'#x'"),
        ("argv: [ifconfig]", "argv: []"),
        ("quiet-ms: 10, ", ""),
        ("- wait:", "- wiat:"),
        ("- exec: {argv: [ifconfig]}\n- wait", "- exec: {argv: [ifconfig]}\n  wait"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(!complaints(&validator, &yaml(&bad)).is_empty(), "accepted: {from} -> {to}");
    }
    assert!(!complaints(&validator, &yaml("about: x\nsteps: []\n")).is_empty());
}

#[test]
fn broken_tables_are_rejected() {
    for (kind, good, damages) in [
        (
            "matrix",
            "cells:\n- {target: freebsd, release: 14.0-STABLE, profile: '14.0', module: rust, without: [{vector: a/b, reason: c}]}\n",
            &[
                ("profile: '14.0'", "profile: '14.1'"),
                ("target: freebsd", "target: netbsd"),
                ("module: rust", "modul: rust"),
                (", reason: c", ""),
                ("cells:", "clels:"),
            ][..],
        ),
        (
            "releases",
            "releases:\n- {release: 14.5-RELEASE, branch: '14', support: soft, sets: ['https://a/b']}\n",
            &[
                ("support: soft", "support: sfot"),
                ("release: 14.5-RELEASE", "release: ../x"),
                ("'https://a/b'", "'ftp://a/b'"),
                (", sets: ['https://a/b']", ""),
            ],
        ),
        (
            "divergences",
            "divergences:\n- {vector: a/b, profiles: ['15'], stock: a, rust: b, why: c, reference: d}\n",
            &[("why: c, ", ""), ("['15']", "['12']"), ("rust: b", "rusty: b")],
        ),
        (
            "inventory",
            "kinds:\n  errors:\n  - {message: '< error', has: [error=EPERM], only: ['15'], attr: a, value: b}\n",
            &[("'< error'", "'error'"), ("['15']", "['12']"), ("attr: a, ", ""), ("has:", "hsa:")],
        ),
        (
            "policy",
            "frame-bytes: 100\nwaivers:\n- {symbol: a, check: stack, reason: b, kernels: {from: 1400000}}\n",
            &[
                ("frame-bytes: 100", "frame-bytes: -1"),
                ("frame-bytes", "frame-byte"),
                ("check: stack", "check: stak"),
                (", reason: b", ""),
            ],
        ),
        (
            "unreached",
            "release: r\nbuild: '55c6'\nreasons: {memory: none}\nfunctions:\n  f: [{at: '+0x25', line: 'a.c:1', why: memory}]\n",
            &[
                ("release: r\n", ""),
                ("'+0x25'", "'37'"),
                (", why: memory", ""),
                ("line:", "lines:"),
                ("reasons:", "reason:"),
            ],
        ),
    ] {
        let validator = jsonschema::validator_for(&schema(kind)).unwrap();
        assert_eq!(complaints(&validator, &yaml(good)), Vec::<String>::new(), "{kind}");
        for (from, to) in damages {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{kind}: {from}");
            assert!(!complaints(&validator, &yaml(&bad)).is_empty(), "{kind} accepted: {from} -> {to}");
        }
    }
}
