// SPDX-License-Identifier: BSD-2-Clause
//! A module for every release that is here, twice, in two places: the bytes must be the same.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs};

use nlproof_image::{Dists, ReleaseDir};
use nlproof_kmod::{HeaderSource, Options, ToolPaths, Toolchain, build, build_faultnic};
use tokio_util::sync::CancellationToken;

/// Past libtest's capture, which would hide it in a test that passes.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
fn skipped(test: &str, reason: &str) {
    writeln!(std::io::stderr().lock(), "skipped: {test}: {reason}").unwrap();
}

#[test]
fn modules_are_built_and_the_same_inputs_give_the_same_bytes() {
    let test = "modules_are_built_and_the_same_inputs_give_the_same_bytes";
    let tools = match Toolchain::find(&ToolPaths::from_env()) {
        Ok(tools) => tools,
        Err(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            return skipped(test, &errors.join("; "));
        }
    };
    let dists = Dists::from_env();
    let mut with_source: Vec<_> = dists
        .list()
        .iter()
        .filter_map(|name| dists.find(name).ok())
        .filter(|release| release.path.join("src.txz").is_file())
        .collect();
    // Kernels of one source with different options share a module.
    let source = |release: &ReleaseDir| release.manifest.entry("src.txz").map(|entry| entry.sha256);
    with_source.sort_by_key(source);
    with_source.dedup_by_key(|release| source(release));
    if with_source.is_empty() {
        return skipped(test, &format!("no release with src.txz in {:?}", dists.search));
    }
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cancel = CancellationToken::new();
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for release in &with_source {
        let in_cache = |cache: &Path| {
            let options = Options {
                headers: HeaderSource::Release(release),
                checkout: &checkout,
                cache,
                faults: false,
                cancel: &cancel,
            };
            build(&tools, &options, &mut |_| {}).unwrap()
        };
        let one = in_cache(first.path());
        assert!(!one.cached);
        assert!(one.imports.iter().any(|import| import == "_nlmsg_end"), "{:?}", one.imports);
        let bytes = fs::read(&one.path).unwrap();
        assert_eq!(fs::read(in_cache(second.path()).path).unwrap(), bytes, "{}", release.name);
        assert!(in_cache(first.path()).cached);
        let has = |text: &[u8]| bytes.windows(text.len()).any(|at| at == text);
        assert!(has(b"nlproof_mode") && !has(b"nlproof_faulty"), "{}", release.name);
        let faultnic = |cache: &Path| {
            build_faultnic(&tools.c, HeaderSource::Release(release), &checkout, cache, &cancel).unwrap()
        };
        let cards = faultnic(first.path());
        assert!(!cards.cached && cards.imports.iter().any(|import| import == "ifc_attach_cloner"));
        let bytes = fs::read(&cards.path).unwrap();
        assert_eq!(fs::read(faultnic(second.path()).path).unwrap(), bytes, "{}", release.name);
        assert!(faultnic(first.path()).cached);
    }
}
