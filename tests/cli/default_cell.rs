// SPDX-License-Identifier: BSD-2-Clause
//! The cell of `run` and `trace` where the user names none.

use std::fs;

use crate::support::{Project, text};

/// What `run` compares with, in a project whose goldens are these.
fn verdict(project: &Project, arguments: &[&str]) -> String {
    let output = project.nlproof().args(["run", "link/create-lo"]).args(arguments).output().unwrap();
    text(&output).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_cell_is_the_newest_that_was_observed_and_not_the_oldest_or_a_prediction() {
    let project = Project::small(&["link/create-lo"]);
    assert!(verdict(&project, &[]).starts_with("sim/15: equal to the golden"), "{}", verdict(&project, &[]));
    let branch = verdict(&project, &["--release", "14"]);
    assert!(branch.starts_with("sim/14.2: equal to the golden"), "{branch}");
    let traced = project.nlproof().args(["trace", "link/create-lo"]).output().unwrap();
    assert_eq!(traced.status.code(), Some(0), "{}", text(&traced));
    // What no kernel said makes no cell the newest: there is nothing that one could hold against another.
    fs::remove_dir_all(project.path("golden")).unwrap();
    fs::create_dir(project.path("golden")).unwrap();
    let output = project.nlproof().args(["run", "link/create-lo"]).output().unwrap();
    assert!(text(&output).contains("sim/seed"), "{}", text(&output));
}

#[test]
fn a_vectors_own_goldens_decide_and_only_where_they_name_no_kernel_all_do() {
    let project = Project::small(&["link/create-lo", "link/create-lo0"]);
    // Of this vector only 14.0 and 14.2 were observed, whatever was of the others.
    fs::remove_file(project.path("golden/freebsd-15/link/create-lo.trace")).unwrap();
    fs::remove_file(project.path("golden/freebsd-16/link/create-lo.trace")).unwrap();
    let own = verdict(&project, &[]);
    assert!(own.starts_with("sim/14.2: equal to the golden"), "{own}");
    for layer in ["common", "freebsd-13"] {
        let path = project.path("golden").join(layer).join("link/create-lo.trace");
        fs::remove_file(path).unwrap();
    }
    let all = verdict(&project, &[]);
    assert!(all.starts_with("no golden in sim/1"), "{all}");
    assert_ne!(all, "no golden in sim/13");
}
