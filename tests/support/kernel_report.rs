// SPDX-License-Identifier: BSD-2-Clause
//! A report of a kernel, and what ran of that kernel's own code, as files that a run leaves. No kernel is needed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Digest of the kernel of [`as_kernel`].
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) const KERNEL: &str = "abababababababababababababababababababababababababababababababab";

/// Makes the first cell of a simulator's report one of a 14.0-STABLE kernel.
pub(crate) fn as_kernel(report: &Path) {
    let path = report.join("report.json");
    let mut run: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let cell = &mut run["cells"][0];
    cell["name"] = "freebsd/14.0-STABLE/stock".into();
    cell["target"] = "freebsd".into();
    cell["release"] = "14.0-STABLE".into();
    cell["facts"] = json!({ "kernel": "FreeBSD 14.0-STABLE GENERIC", "kernel sha256": KERNEL });
    fs::write(path, run.to_string()).unwrap();
}

/// Three blocks of that kernel, of which link/create-lo reached one: as `coverage --kernel-blocks` writes them.
pub(crate) fn blocks() -> String {
    let file = "sys/netlink/route/iface.c";
    let block = |at: u64, line: u64, first: Option<&str>| json!({ "at": at, "file": file, "line": line, "first": first });
    let blocks = [block(0, 3, Some("link/create-lo")), block(4, 5, None), block(9, 6, Some("link/not-here"))];
    let function = json!({ "name": "dump_<iface>", "side": "kernel", "file": file, "blocks": blocks });
    json!({ "schema": "nlproof-blocks-1", "cells": [{
        "cell": "freebsd/14.0-STABLE/stock", "release": "14.0-STABLE", "build": "55c6", "kernel": KERNEL,
        "selection": "s", "all": true, "slices": [], "vectors": 3, "holes": [], "functions": [function],
    }] })
    .to_string()
}

/// A list with the reason for the one that is not reached.
pub(crate) const UNREACHED: &str = "release: 14.0-STABLE\nbuild: '55c6'\nreasons: {memory: no memory <here>}\nfunctions:\n  \
                                    dump_<iface>: [{at: '+0x4', line: 'iface.c:5', why: memory}]\n";

/// Six lines of a file like the kernel's.
pub(crate) const SOURCE: &str = "int\ndump_iface(void)\n{\n\n\tif (x <b>y</b> 0)\n\t\treturn (\"&\");\n";
