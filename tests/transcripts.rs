// SPDX-License-Identifier: BSD-2-Clause
//! What commands print, word for word: tests/transcripts/*.trycmd. `TRYCMD=overwrite` writes them anew.

#[test]
fn commands_print_what_their_transcripts_say() {
    trycmd::TestCases::new()
        .register_bin("nlproof", std::path::Path::new(env!("CARGO_BIN_EXE_nlproof")))
        .env("COLUMNS", "100")
        // What is on this machine is not what they are about.
        .env("NLPROOF_DISTS", "no-dists")
        .env("XDG_CACHE_HOME", "no-cache")
        .case("../tests/transcripts/*.trycmd");
}
