// SPDX-License-Identifier: BSD-2-Clause

use std::path::Path;

use nlproof_agent::Step;
use nlproof_wire::Os;

use super::*;
use crate::golden::Store;
use crate::vector::{compile, load_suite, parse_vector};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

/// What a program says of one vector.
fn exported(text: &str, golden: Option<&str>) -> Result<String, ExportError> {
    let vector = parse_vector("x/y", Path::new("y.yaml"), text).unwrap();
    c_program(&vector, &compile(&vector, Os::FreeBsd, 0).unwrap(), golden)
}

#[test]
fn every_vector_of_the_project_is_exported_or_says_why_not() {
    let store = Store::new(&root().join("golden"));
    let suite = load_suite(&root().join("vectors")).unwrap();
    let (mut programs, mut scripts, mut reasons) = (0, 0, std::collections::BTreeMap::new());
    for vector in suite.vectors.iter().filter(|vector| vector.needs.os.contains(&Os::FreeBsd)) {
        let program = compile(vector, Os::FreeBsd, 0).unwrap();
        let golden =
            store.find(&["freebsd-15", "common"], &vector.id).unwrap().map(|found| found.golden.body);
        match c_program(vector, &program, golden.as_deref()) {
            Ok(text) => {
                programs += 1;
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{}", vector.id);
                assert_eq!(
                    text.matches("\task(").count()
                        + text.matches("\trun(").count()
                        + text.matches("\twait_quiet(").count(),
                    program.steps.len(),
                    "{}",
                    vector.id
                );
                assert!(
                    text.lines().all(|line| line.is_ascii()) || !vector.about.is_ascii(),
                    "{}",
                    vector.id
                );
            }
            Err(why) => {
                *reasons.entry(why.to_string().split(": ").last().unwrap().to_owned()).or_insert(0) += 1
            }
        }
        let commands = program.steps.iter().all(|step| matches!(step, Step::Exec { .. } | Step::Wait { .. }));
        match shell_script(vector, &program, golden.as_deref()) {
            Ok(text) => {
                scripts += 1;
                assert!(commands && text.ends_with("\nexit $differs\n"), "{}", vector.id);
            }
            Err(why) => assert!(!commands || matches!(why, ExportError::Whole(_)), "{}: {why}", vector.id),
        }
    }
    assert!(programs > 650 && scripts > 0, "{programs} programs, {scripts} scripts; not: {reasons:?}");
}

#[test]
fn what_cannot_be_exported_is_named_by_its_step() {
    let race = "about: x\nneeds: {os: [freebsd]}\nsteps:\n- wait: {quiet-ms: 1, limit-ms: 2}\n- race: {rounds: 2, sockets: \
                [[{message: getlink, flags: [request, dump]}], [{message: getlink, flags: [request, dump]}]], permit: [done done]}\n";
    assert_eq!(
        exported(race, None).unwrap_err().to_string(),
        "step 1: sockets race in it, and a program has one"
    );
    let jailed = "about: x\nneeds: {os: [freebsd], privilege: jailed}\nsteps:\n- send: {message: getlink, flags: [request, dump]}\n";
    assert!(exported(jailed, None).unwrap_err().to_string().starts_with("its sender sits in a jail"));
}

#[test]
fn bytes_have_names_and_expectations_are_the_goldens() {
    let text = "about: an MTU\nneeds: {os: [freebsd]}\nsocket: {ext-ack: true}\nsteps:\n- send: {message: newlink, flags: [request, \
                ack], header: {index: $lo0}, attrs: [{mtu: 71}, {linkinfo: [{kind: lo}]}]}\n- exec: {argv: [echo, 'a \"b\"']}\n";
    let golden = "step 0\n  > newlink\n  < error ack_tlvs seq=+0 error=EINVAL\n      msg \"Failed to set mtu\"\nstep 1\n  exec status=0\n";
    let program = exported(text, Some(golden)).unwrap();
    for line in [
        "/*-\n * x/y: an MTU\n *\n * As root,",
        "\t0x08, 0x00, 0x04, 0x00, 0x47, 0x00, 0x00, 0x00,\t/* mtu */\n",
        "/* linkinfo */\n\t0x07, 0x00, 0x01, 0x00, 0x6c, 0x6f, 0x00, 0x00,\t/*   kind */\n",
        "\t{ \"msg\", { 1 }, 18, \"Failed to set mtu\\000\" },\n",
        "\t\t{ 2, 22, 20, 1, step0_reply0 },\n",
        "\tset_option(requests, SOL_NETLINK, NETLINK_EXT_ACK, 1);\n",
        "\tput_index(step0 + 20, \"lo0\");\n\task(0, step0, sizeof(step0), 4096, END_ACK, &expect0);\n",
        "\trun(1, (const char *const []){ \"echo\", \"a \\\"b\\\"\", NULL }, 0);\n",
    ] {
        assert!(program.contains(line), "{line}\n{program}");
    }
    let blind = exported(text, None).unwrap();
    assert!(blind.contains("expect0 = { .nreplies = -1, .nevents = -1 };"), "{blind}");
}
