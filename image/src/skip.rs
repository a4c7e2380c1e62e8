// SPDX-License-Identifier: BSD-2-Clause
//! Files that the guest does not get, with the reasons.
//!
//! The guest boots, brings up one interface, runs sshd and the agent, and is thrown away. Files
//! that it never reads would only make the image slower to build and to copy.

use sha2::Digest as _;

use crate::path::TreePath;

/// Pattern of a rule of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The path and everything below it.
    Under(&'static str),
    /// Files below a directory whose name begins so.
    Prefix(&'static str, &'static str),
    /// Files below a directory whose name ends so.
    Suffix(&'static str, &'static str),
}

use Rule::{Prefix, Suffix, Under};

/// Files that are left out, with the reason.
const LEFT_OUT: &[(Rule, &str)] = &[
    (Under("usr/share"), "documentation, locales, time zones, sources of messages"),
    (Under("usr/include"), "the guest compiles nothing"),
    (Under("usr/libdata"), "lint libraries, pkg-config files, linker scripts: the same"),
    (Suffix("usr/lib", ".a"), "static libraries: the same"),
    (Suffix("usr/lib", ".o"), "start files of the C compiler: the same"),
    (Under("usr/lib/clang"), "headers and run time of the C compiler: the same"),
    (Under("usr/lib/include"), "headers: the same"),
    (Prefix("usr/bin", "clang"), "C compiler"),
    (Prefix("usr/bin", "llvm-"), "tools of the C compiler"),
    (Prefix("usr/bin", "lldb"), "debugger"),
    (Under("usr/bin/cc"), "C compiler, by its other names"),
    (Under("usr/bin/c++"), "C compiler, by its other names"),
    (Under("usr/bin/CC"), "C compiler, by its other names"),
    (Under("usr/bin/cpp"), "C compiler, by its other names"),
    (Under("usr/bin/ld"), "linker"),
    (Under("usr/bin/ld.lld"), "linker"),
    (Under("usr/bin/lld"), "linker"),
    (Under("usr/lib/debug"), "debug symbols"),
    (Suffix("boot", ".debug"), "debug symbols"),
    (Suffix("boot", ".symbols"), "debug symbols"),
    (Under("usr/lib32"), "32-bit libraries: the agent is a static 64-bit program"),
    (Under("libexec/ld-elf32.so.1"), "the same"),
    (Under("usr/tests"), "FreeBSD's own tests are not what is run here"),
    (Under("rescue"), "a guest that needs rescue is thrown away"),
    (Under("var/db/etcupdate"), "the guest is never upgraded"),
    (Under("usr/src"), "sources"),
    (Under("usr/obj"), "sources"),
    (Under("boot/dtb"), "device trees: QEMU's pc machine has none"),
    (Under("boot/images"), "pictures of the graphical loader: the console is serial"),
    (Under("boot/fonts"), "fonts of the graphical console: the same"),
    (Suffix("boot", ".efi"), "the image boots through the BIOS"),
    (Prefix("boot/kernel", "iwl"), "drivers of wireless cards: QEMU emulates none"),
    (Prefix("boot/kernel", "if_iw"), "the same"),
    (Prefix("boot/kernel", "if_rt"), "the same"),
    (Prefix("boot/kernel", "rtw"), "the same"),
    (Prefix("boot/kernel", "rtlwifi"), "their firmware"),
    (Prefix("boot/kernel", "mt76"), "the same"),
    (Prefix("boot/kernel", "snd_"), "sound"),
    (Prefix("boot/kernel", "t4fw"), "firmware of network cards that QEMU does not emulate"),
    (Prefix("boot/kernel", "t5fw"), "the same"),
    (Prefix("boot/kernel", "t6fw"), "the same"),
    (Prefix("boot/kernel", "ice_ddp"), "the same"),
    (Prefix("boot/kernel", "bxe"), "the same"),
    (Prefix("boot/kernel", "if_bxe"), "the same"),
    (Prefix("boot/kernel", "qlxgb"), "the same"),
    (Prefix("boot/kernel", "if_qlxg"), "the same"),
    (Prefix("boot/kernel", "ispfw"), "firmware of disk controllers that QEMU does not emulate"),
    (Prefix("boot/kernel", "isp_"), "the same"),
];

/// Files that are kept although the table above matches them, with the reason.
const KEPT: &[(Rule, &str)] = &[
    (Under("usr/share/misc"), "termcap, and what programs look up by name"),
    (Under("usr/include/sys/param.h"), "names __FreeBSD_version, which image.json reports"),
];

/// Whether the guest gets the file or directory `path` of an archive.
pub(crate) fn is_wanted(path: &TreePath) -> bool {
    let matches = |(rule, _): &(Rule, &str)| rule.matches(path);
    KEPT.iter().any(matches) || !LEFT_OUT.iter().any(matches)
}

/// A digest over the tables, so that an image made by others is not taken for a new one.
pub(crate) fn version(hasher: &mut sha2::Sha256) {
    for (rule, _) in LEFT_OUT.iter().chain(KEPT) {
        hasher.update(format!("{rule:?}\n"));
    }
}

impl Rule {
    fn matches(self, path: &TreePath) -> bool {
        match self {
            Under(dir) => path.is_under(dir),
            Prefix(dir, prefix) => path.is_under(dir) && path.name().starts_with(prefix.as_bytes()),
            Suffix(dir, suffix) => path.is_under(dir) && path.name().ends_with(suffix.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_runs_is_kept() {
        for path in [
            "etc/rc",
            "boot/loader",
            "boot/gptboot",
            "boot/kernel/kernel",
            "boot/kernel/if_epair.ko",
            "boot/kernel/dtraceall.ko",
            "usr/sbin/sshd",
            "usr/lib/libc++.so.1",
            "usr/lib/dtrace/ip.d",
            "usr/share/misc/termcap.db",
            "usr/include/sys/param.h",
        ] {
            assert!(is_wanted(&TreePath::known(path)), "{path}");
        }
    }

    #[test]
    fn what_it_never_reads_is_not() {
        for path in [
            "usr/share/man/man1/ls.1.gz",
            "usr/include/stdio.h",
            "usr/lib/libc.a",
            "usr/lib32/libc.so.7",
            "usr/bin/clang-scan-deps",
            "boot/loader_lua.efi",
            "boot/kernel/snd_hda.ko",
            "rescue/sh",
        ] {
            assert!(!is_wanted(&TreePath::known(path)), "{path}");
        }
    }

    #[test]
    fn no_rule_is_without_effect() {
        for (rule, reason) in KEPT {
            let (Under(path) | Prefix(path, _) | Suffix(path, _)) = *rule;
            let left_out = LEFT_OUT.iter().any(|(rule, _)| rule.matches(&TreePath::known(path)));
            assert!(left_out, "{path} ({reason}) would be kept anyway");
        }
    }
}
