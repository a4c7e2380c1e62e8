// SPDX-License-Identifier: BSD-2-Clause
//! Compiler flags and kernel options.

/// For everything in Rust. Why each is there:
/// - static relocation and `relro-level=off`: otherwise calls go through a table that the kernel's module
///   loader does not know (`unexpected relocation type 9`);
/// - kernel code model and no red zone: addresses are in the top 2 GiB, and interrupts use the stack;
/// - frame pointers and no shrink-wrapping: fbt patches the first `push %rbp`, which has to be at the entry.
pub(crate) const RUST: &[&str] = &[
    "--target=x86_64-unknown-none",
    "--edition=2024",
    "-Cpanic=abort",
    "-Copt-level=2",
    "-Ccodegen-units=1",
    "-Crelocation-model=static",
    "-Ccode-model=kernel",
    "-Crelro-level=off",
    "-Cno-redzone=yes",
    "-Cforce-unwind-tables=no",
    "-Cforce-frame-pointers=yes",
    "-Cllvm-args=-enable-shrink-wrap=false",
    "-Zemit-stack-sizes",
    "--cap-lints=warn",
];

/// Flags for debug information of the Rust part's types, by which layouts are compared (`nlproof verify`, check `abi`).
pub(crate) const RUST_DEBUG: &str = "-Cdebuginfo=2";

/// For the shim, as sys/conf/kern.mk and kmod.mk compile modules on amd64; kmod-src/Makefile gets them from there.
pub(crate) const C: &[&str] = &[
    "-std=gnu99",
    "-O2",
    "-nostdinc",
    "-D_KERNEL",
    "-DKLD_MODULE",
    "-DHAVE_KERNEL_OPTION_HEADERS",
    "-Wall",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wpointer-arith",
    "-Wcast-qual",
    "-Wundef",
    "-Wno-pointer-sign",
    "-Wno-address-of-packed-member",
    "-D__printf__=__freebsd_kprintf__",
    "-Werror",
    "-fno-common",
    "-fno-strict-aliasing",
    "-ffreestanding",
    "-fwrapv",
    "-fno-pic",
    "-mcmodel=kernel",
    "-mno-red-zone",
    "-mno-mmx",
    "-mno-sse",
    "-msoft-float",
    "-fno-asynchronous-unwind-tables",
    "-fno-omit-frame-pointer",
    "-mno-omit-leaf-frame-pointer",
    "-g",
];

/// For the shim, beyond that; kmod-src/Makefile has the same.
pub(crate) const OWN_C: &[&str] = &[
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-sign-compare",
    "-Wno-missing-field-initializers",
    "-fstack-size-section",
];

/// Further flags for a module that can be made to fail (kmod-src/shim/fault.c).
pub(crate) const FAULTS: &str = "-DNLPROOF_FAULTS";

/// The option headers of a kernel with the options of GENERIC that reach into structures and inline functions.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("opt_global.h", "#define SMP 1\n#define MAC 1\n#define VIMAGE 1\n#define NETLINK 1\n"),
    ("opt_inet.h", "#define INET 1\n"),
    ("opt_inet6.h", "#define INET6 1\n"),
];

/// The functions of the Rust part that C calls; everything else in it is kept only if one of them needs it.
pub(crate) const ENTRIES: &[&str] = &[
    "nlproof_core_request",
    "nlproof_core_handles",
    "nlproof_core_link_event",
    "nlproof_core_link_renamed",
    "nlproof_core_address_event",
];

/// The crate that rustc wants beside `core`: nothing of it is used.
pub(crate) const COMPILER_BUILTINS: &str = "#![no_std]\n#![no_builtins]\n#![allow(internal_features)]\n\
     #![feature(compiler_builtins)]\n#![compiler_builtins]\n";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn kmod_src() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kmod-src")
    }

    /// The words that a makefile assigns to a variable; `+=` adds. What it says about other variables is not looked
    /// into.
    fn assigned(makefile: &str) -> BTreeMap<String, Vec<String>> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let joined = makefile.replace("\\\n", " ");
        for line in joined.lines().filter(|line| !line.starts_with(['#', '\t', '.'])) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let words = value.split_whitespace().map(str::to_owned);
            match name.strip_suffix('+') {
                Some(name) => values.entry(name.trim().to_owned()).or_default().extend(words),
                None => drop(values.insert(name.trim().to_owned(), words.collect())),
            }
        }
        values
    }

    #[test]
    fn the_makefile_has_the_sources_flags_and_entries_of_the_harness() {
        let text = fs::read_to_string(kmod_src().join("Makefile")).unwrap();
        let makefile = assigned(&text);
        let mut sources: Vec<String> = fs::read_dir(kmod_src().join("shim"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".c"))
            .collect();
        sources.sort();
        sources.extend(["opt_inet.h", "opt_inet6.h"].map(str::to_owned));
        assert_eq!(makefile["SRCS"], sources);
        assert_eq!(makefile["RUSTFLAGS_KERNEL"], RUST);
        assert_eq!(makefile["ENTRIES"], ENTRIES);
        assert_eq!(makefile["CFLAGS"], [&["-I${.CURDIR}/shim"], OWN_C].concat());
        assert_eq!(makefile["KMOD"], ["nlproof_iface"]);
        assert!(text.contains(&format!(" -Clto=fat {RUST_DEBUG} ")), "{RUST_DEBUG}");
        for line in COMPILER_BUILTINS.lines() {
            assert!(text.contains(&format!("'{line}'")), "{line}");
        }
        // bsd.kmod.mk makes the headers of OPTIONS that are asked for by name, and opt_global.h by itself.
        let asked: Vec<_> = OPTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(asked, ["opt_global.h", "opt_inet.h", "opt_inet6.h"]);
    }

    #[test]
    fn assignments_are_read_over_lines_and_added_to() {
        let values = assigned("# A=\nA=\tb \\\n\tc\nA+= d\n\tA=e\n.if A=f\nB?=g\n");
        assert_eq!(values["A"], ["b", "c", "d"]);
        assert_eq!(values.get("B?").map(Vec::len), Some(1));
    }
}
