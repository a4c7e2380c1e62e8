// SPDX-License-Identifier: BSD-2-Clause
//! Block coverage of real kernels under QEMU. A release that is not there is skipped by name.

#[path = "support/cell.rs"]
mod cell;
#[path = "support/skip.rs"]
mod support;

use std::path::Path;

use cell::{nlproof, runs_here, text};
use serde_json::Value;

/// The functions of the first cell that a run wrote.
fn functions(path: &Path) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    report["cells"][0]["functions"].as_array().unwrap().clone()
}

/// The vector that entered a function first.
fn entered(functions: &[Value], name: &str) -> Option<String> {
    let function = functions.iter().find(|function| function["name"] == name).unwrap();
    function["blocks"][0]["first"].as_str().map(str::to_owned)
}

#[test]
fn a_vector_is_known_by_the_functions_that_it_enters_first() {
    if !runs_here("a_vector_is_known_by_the_functions_that_it_enters_first", "14.0-STABLE", "stock") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("blocks.json");
    let run = |more: &[&str]| {
        let cell =
            ["coverage", "--kernel-blocks", "--release", "14.0-STABLE", "--module", "stock", "--jobs", "1"];
        let vectors = ["--suite", "link", "--filter", "link/create-lo", "--filter", "link/delete-by-index"];
        nlproof(&[&cell[..], &vectors, &["--json", json.to_str().unwrap()], more].concat())
    };
    let functions_named = [
        "--function",
        "rtnl_handle_newlink",
        "--function",
        "rtnl_handle_dellink",
        "--function",
        "rtnl_handle_addr",
    ];
    let output = run(&[&functions_named[..], &["--cost"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        text(&output).contains("not held against a list: not all vectors were selected"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("s with QEMU's log and vectors one by one"), "{}", text(&output));
    let found = functions(&json);
    assert_eq!(found.len(), 3);
    assert_eq!(entered(&found, "rtnl_handle_newlink").unwrap(), "link/create-lo");
    assert!(entered(&found, "rtnl_handle_dellink").unwrap().starts_with("link/delete"), "{found:?}");
    assert_eq!(entered(&found, "rtnl_handle_addr"), None);
    // No file that this kernel's debug information could be in, and a function that it has not.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = run(&["--debug", manifest.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("is not a readable amd64 ELF file"), "{}", text(&output));
    let output = run(&["--function", "rtnl_handle_newlinks"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("there is rtnl_handle_newlink"), "{}", text(&output));
    let output = run(&["--file", "no-such-file.c"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn the_module_s_own_blocks_are_told_beside_the_kernel_s() {
    if !runs_here("the_module_s_own_blocks_are_told_beside_the_kernel_s", "14.0-STABLE", "rust") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("blocks.json");
    let cell = ["coverage", "--kernel-blocks", "--release", "14.0-STABLE", "--module", "rust", "--jobs", "1"];
    let more =
        ["--filter", "link/create-lo", "--function", "rtnl_handle_newlink", "--json", json.to_str().unwrap()];
    let output = nlproof(&[&cell[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("HOLE"), "{}", text(&output));
    let found = functions(&json);
    assert_eq!(entered(&found, "rtnl_handle_newlink"), None, "the stock code answered");
    let module = found.iter().filter(|function| function["side"] == "module");
    let entered = module.filter(|function| !function["blocks"][0]["first"].is_null()).count();
    assert!(entered > 10, "{entered} functions of the module were entered");
}
