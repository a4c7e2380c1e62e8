// SPDX-License-Identifier: BSD-2-Clause
//! `doctor --nics`: what it asks for before a guest starts.

use crate::support::{Project, text};

#[test]
fn whose_cards_are_meant_is_asked_for() {
    let project = Project::small(&["link/create-lo"]);
    for (args, code, said) in [
        (
            &["--nics", "--target", "freebsd", "--release", "15.1-RELEASE", "--module", "stock"][..],
            104,
            "no release directory",
        ),
        (&["--nics", "--target", "sim"], 2, "the simulator is no guest"),
        (&["--release", "15.1-RELEASE"], 2, "--nics shows which network cards"),
    ] {
        let output = project
            .nlproof()
            .arg("doctor")
            .args(args)
            .env("NLPROOF_DISTS", project.path("no-dists"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
}
