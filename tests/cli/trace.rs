// SPDX-License-Identifier: BSD-2-Clause
//! `trace`, and goldens of the kernel's part.

use std::fs;
use std::process::Output;

use crate::support::{Project, text};

/// What never comes to the interface code: control messages, and what does not ask.
const QUIET: [&str; 10] = [
    "link/control-type",
    "link/control-type-below-sixteen",
    "link/done-as-a-request",
    "link/getlink-ack-without-request-flag",
    "link/overrun-as-a-request",
    "link/setlink",
    "link/setlink-without-ack",
    "link/unknown-type-high",
    "link/unknown-type-highest",
    "link/unknown-type-within-the-table",
];

fn trace(project: &Project, args: &[&str]) -> Output {
    project.nlproof().args(["trace", "--target", "sim", "--release", "14.0"]).args(args).output().unwrap()
}

#[test]
fn what_is_said_and_the_kernels_way_are_shown_together() {
    let project = Project::copy();
    let output = trace(&project, &["link/create-lo"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let order =
        ["> newlink", "T0 request-in", "T0   cloner-in op=create", "event-out", "T0 request-out", "< error"];
    let places: Vec<_> =
        order.map(|part| stdout.find(part).unwrap_or_else(|| panic!("{part}: {stdout}"))).into();
    assert!(places.is_sorted(), "{stdout}");
    let output = trace(&project, &["link/create-lo", "--probe", "nlproof:::epoch-*"]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("epoch-enter") && !stdout.contains("request-in"), "{stdout}");
}

#[test]
fn the_other_views() {
    let project = Project::copy();
    let flame = trace(&project, &["link/create-lo", "--flame"]);
    let stdout = String::from_utf8_lossy(&flame.stdout).into_owned();
    for line in stdout.lines() {
        let (stack, nanoseconds) = line.rsplit_once(' ').unwrap();
        assert!(stack.starts_with("T0;request ") && nanoseconds.parse::<u64>().is_ok(), "{line}");
    }
    assert!(stdout.contains("T0;request newlink;cloner create;event arrived "), "{stdout}");
    let aggregate = trace(&project, &["dump/one", "--aggregate"]);
    let stdout = String::from_utf8_lossy(&aggregate.stdout).into_owned();
    assert!(stdout.contains("dump-begin                      1\n"), "{stdout}");
    let file = project.path("trace.json");
    let output = trace(&project, &["link/create-lo", "--perfetto", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let begun = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert!(begun("B") > 3 && begun("B") == begun("E"), "{json}");
}

#[test]
fn wrong_input_says_what_would_be_right() {
    let project = Project::copy();
    for (args, expected) in [
        (&["link/create-low"][..], "did you mean `link/create-lo`?"),
        (&["link/create-lo", "--probe", "fbt::nlmsg_*"], "the simulator has no provider `fbt`"),
        (&["link/create-lo", "--probe", "request-inn"], "no probe matches `request-inn`"),
        (&["link/create-lo", "--perfetto", "/no/such/place.json"], "/no/such/place.json"),
    ] {
        let output = trace(&project, args);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{}", text(&output));
    }
}

#[test]
fn the_kernels_part_is_compared_unless_told_otherwise() {
    let project = Project::copy();
    let golden = project.path("golden/common/link/create-lo.ktrace");
    let good = fs::read_to_string(&golden).unwrap();
    let bad = good.replacen("cloner-in op=create", "cloner-in op=destroy", 1);
    assert_ne!(good, bad);
    fs::write(&golden, bad).unwrap();
    let run = |more: &[&str]| {
        let args = ["test-matrix", "--target", "sim", "--release", "14.0", "--filter", "link/create-lo"];
        project.nlproof().args(args).args(more).output().unwrap()
    };
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("first difference of the kernel trace in step 0"), "{said}");
    assert!(said.contains("1 missing, 1 extra"), "{said}");
    let output = run(&["--no-kernel-trace"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn every_vector_of_three_suites_has_a_golden_of_the_kernels_part() {
    let project = Project::copy();
    let goldens = nlproof::golden::Store::new(&project.path("golden")).kernel();
    let suite = nlproof::vector::load_suite(&project.path("vectors")).unwrap();
    let mut seen = 0;
    for vector in suite.vectors.iter().filter(|vector| nlproof::ktrace::has_golden(&vector.id)) {
        // What runs a command that the simulator does not know has none yet: no real kernel was recorded.
        let commands = nlproof::targets::Commands::Ifconfig;
        if !vector.needs.os.contains(&nlproof_wire::Os::FreeBsd)
            || vector.commands().any(|argv| !commands.run(argv))
        {
            continue;
        }
        for profile in ["seed", "13", "14.0", "14.3", "15", "16"] {
            let layers = nlproof::golden::layers(profile.parse().unwrap());
            let found = goldens.find(layers, &vector.id).unwrap();
            let found = found.unwrap_or_else(|| panic!("{} has none in {profile}", vector.id));
            let quiet = QUIET.contains(&vector.id.as_str());
            assert_eq!(found.golden.body.is_empty(), quiet, "{} in {profile}", vector.id);
        }
        seen += 1;
    }
    assert!(seen > 300, "{seen}");
}
