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

/// For the shim, as sys/conf/kern.mk and kmod.mk compile modules on amd64.
pub(crate) const C: &[&str] = &[
    "-std=gnu99",
    "-O2",
    "-nostdinc",
    "-D_KERNEL",
    "-DKLD_MODULE",
    "-DHAVE_KERNEL_OPTION_HEADERS",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-sign-compare",
    "-Wno-missing-field-initializers",
    "-Werror",
    "-fno-common",
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
    "-fstack-size-section",
    "-g1",
];

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
    "nlproof_core_address_event",
];

/// The crate that rustc wants beside `core`: nothing of it is used.
pub(crate) const COMPILER_BUILTINS: &str = "#![no_std]\n#![no_builtins]\n#![allow(internal_features)]\n\
     #![feature(compiler_builtins)]\n#![compiler_builtins]\n";
