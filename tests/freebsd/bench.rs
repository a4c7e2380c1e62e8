// SPDX-License-Identifier: BSD-2-Clause
//! Loads and measurements: of the module, and of guests.

use std::process::Output;

use crate::cell::{nlproof, runs_here, text};

/// The end of `bench kmod` with these arguments; `None` if the module cannot run here.
fn bench_kmod(test: &str, arguments: &[&str]) -> Option<Output> {
    runs_here(test, "14.0-STABLE", "rust")
        .then(|| nlproof(&[&["bench", "kmod", "--release", "14.0-STABLE"], arguments].concat()))
}

/// Few rounds: what only many show is for `bench kmod` with its defaults.
#[test]
fn the_module_survives_loads_mode_switches_and_vanishing_interfaces() {
    let test = "the_module_survives_loads_mode_switches_and_vanishing_interfaces";
    let rounds =
        ["--part", "endurance", "--loads", "3", "--busy", "2", "--requests", "800", "--interfaces", "80"];
    let Some(output) = bench_kmod(test, &rounds) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("bench kmod: 0 complaints"), "{}", text(&output));
}

#[test]
fn what_must_not_load_is_refused_and_nothing_has_changed() {
    let test = "what_must_not_load_is_refused_and_nothing_has_changed";
    let Some(output) = bench_kmod(test, &["--part", "refusals"]) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for attempt in [
        "another major",
        "other headers",
        "without its netlink",
        "a second load",
        "below another module",
        "with a handler inside",
        "during a dump",
    ] {
        assert!(text(&output).contains(attempt), "{attempt}: {}", text(&output));
    }
}

/// Few turns: their numbers mean nothing, and how they come about is what is tested.
#[test]
fn the_measurements_of_guests_take_as_many_turns_as_they_are_told() {
    let test = "the_measurements_of_guests_take_as_many_turns_as_they_are_told";
    if !runs_here(test, "14.0-STABLE", "stock") {
        return;
    }
    let release = ["--release", "14.0-STABLE"];
    let output = nlproof(
        &[&["bench", "guest", "--no-matrix", "--restores", "1", "--vectors", "2"], &release[..]].concat(),
    );
    // 100: a limit was exceeded, on a machine that does something else too.
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    assert!(text(&output).contains("restore"), "{}", text(&output));
    let few = ["--part", "speed", "--links", "10", "--addresses", "10", "--turns", "1"];
    let Some(output) = bench_kmod(test, &few) else { return };
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    let output = nlproof(&[&["bench", "trace", "--seconds", "0.01", "--turns", "1"], &release[..]].concat());
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    assert!(!text(&output).contains("in a real kernel: not measured"), "{}", text(&output));
}
