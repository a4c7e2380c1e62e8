// SPDX-License-Identifier: BSD-2-Clause
//! Policies: what a module may do, in a YAML file of imports, budgets and declared exceptions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use nlproof_base::{FileError, yaml_error};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::check::Check;
use crate::limits::LONGEST_NAME;

/// Budgets of the default policy, in bytes (reference: the limit of freebsd-kpi-rs for a frame, and
/// 16 KiB of kernel stack of which most belongs to the caller).
pub const DEFAULT_FRAME: u64 = 2048;
/// Stack bytes that the deepest chain of the module's own functions may take (see [`DEFAULT_FRAME`]).
pub const DEFAULT_CHAIN: u64 = 4096;

/// What a module may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// Imports that were reviewed. `None` (the key is absent): any import that the kernel has is allowed.
    pub imports: Option<BTreeSet<String>>,
    /// Largest frame of one function in bytes, return address included.
    pub frame_bytes: u64,
    /// Deepest chain of the module's own functions in bytes.
    pub chain_bytes: u64,
    /// Symbols that stop the kernel; exact, or with a final `*` for everything that starts so. Matched
    /// against the raw and the demangled name.
    pub panic_symbols: Vec<String>,
    /// Whether module metadata must be there: `false` for a plain object on its way to a module.
    pub metadata: bool,
    /// `__FreeBSD_version` the module is meant for; the kernel's own, if it is given, counts instead.
    pub kernel_version: Option<i32>,
    /// Functions that must be traceable by fbt, by exact name; `*` means all.
    pub traced: BTreeSet<String>,
    /// Resources that are acquired and released: each function gives back what it takes.
    pub balance: Vec<Resource>,
    /// Structures whose layout more than one side relies on.
    pub abi: Vec<Shared>,
    /// Declared exceptions.
    pub waivers: Vec<Waiver>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            imports: None,
            frame_bytes: DEFAULT_FRAME,
            chain_bytes: DEFAULT_CHAIN,
            panic_symbols: [
                "panic",
                "vpanic",
                "kassert_panic",
                "__stack_chk_fail",
                "core::panicking::*",
                "core::option::unwrap_failed",
                "core::option::expect_failed",
                "core::result::unwrap_failed",
                "core::slice::index::slice_*",
                "core::str::slice_error_fail*",
                "core::cell::panic_*",
            ]
            .map(str::to_owned)
            .into(),
            metadata: true,
            kernel_version: None,
            traced: BTreeSet::new(),
            balance: Vec::new(),
            abi: Vec::new(),
            waivers: Vec::new(),
        }
    }
}

/// A kind of reference, lock or epoch, and the functions (imported or the module's own) that take and give
/// it. A function of the module that is listed is held to it: it returns with one more, or one less.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resource {
    /// Name of the resource in messages.
    pub resource: String,
    /// Functions that always acquire one.
    #[serde(default)]
    pub acquire: BTreeSet<String>,
    /// Functions that acquire one or return null.
    #[serde(default)]
    pub acquire_or_null: BTreeSet<String>,
    /// Functions that acquire one, or return the int 0.
    #[serde(default)]
    pub acquire_or_zero: BTreeSet<String>,
    /// Functions that release one.
    pub release: BTreeSet<String>,
}

/// A structure whose layout more than one side relies on, by its name on each of them. At least two sides are
/// given; numbers count as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Shared {
    /// The type's name in the module's C: the name behind `struct`, or a typedef.
    pub c: Option<String>,
    /// The type's path in the module's Rust: `iface_kmod::abi::Create`.
    pub rust: Option<String>,
    /// The type's name in the kernel.
    pub kernel: Option<String>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The alignment in bytes.
    pub align: Option<u64>,
    /// Bytes from the start, by field.
    pub offsets: BTreeMap<String, u64>,
}

impl Shared {
    /// The name that findings and waivers use.
    pub(crate) fn subject(&self) -> &str {
        self.c.as_deref().or(self.rust.as_deref()).or(self.kernel.as_deref()).unwrap_or_default()
    }

    pub(crate) fn has_numbers(&self) -> bool {
        self.size.is_some() || self.align.is_some() || !self.offsets.is_empty()
    }
}

/// One declared exception.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Waiver {
    /// The finding's subject, exactly; raw or demangled.
    pub symbol: String,
    /// The check it excuses.
    pub check: Check,
    /// Why that is right.
    pub reason: String,
    /// For `indirect`: the functions (own or imported) that the symbol's indirect branches may reach.
    #[serde(default)]
    pub targets: BTreeSet<String>,
    /// The kernels that it is for; every one if it is absent. For others it is not there.
    #[serde(default)]
    pub kernels: Option<Kernels>,
}

/// Kernels by `__FreeBSD_version` (`sys/sys/param.h`): an exception that one release needs ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kernels {
    /// The first.
    #[serde(default)]
    pub from: Option<i32>,
    /// The first of those behind the last.
    #[serde(default)]
    pub before: Option<i32>,
}

impl Kernels {
    /// Whether a kernel is one of them.
    pub fn contains(self, version: i32) -> bool {
        self.from.is_none_or(|from| from <= version) && self.before.is_none_or(|before| version < before)
    }
}

impl Policy {
    /// Reads a policy from YAML text; `path` is only for messages. An empty file is the default policy.
    ///
    /// # Errors
    /// Not YAML, an unknown key or check, or a waiver that cannot be honest (no reason, a check that
    /// cannot be waived, `targets` outside `indirect`).
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let whole = |what: String, help: &str| FileError::whole(path, what).help(help);
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let policy: Self = serde_saphyr::from_str(text).map_err(|error| yaml_error(path, &error))?;
        for Resource { resource, acquire, acquire_or_null, acquire_or_zero, release } in &policy.balance {
            let mut acquired = acquire.iter().chain(acquire_or_null).chain(acquire_or_zero).peekable();
            if release.is_empty() || acquired.peek().is_none() {
                return Err(whole(
                    format!("`{resource}` in `balance` lacks names on one side"),
                    "name what acquires it and what releases it",
                ));
            }
            let mut seen = BTreeSet::new();
            for name in acquired.chain(release) {
                if !seen.insert(name) {
                    return Err(whole(
                        format!("`{name}` stands twice under `{resource}` in `balance`"),
                        "a function either acquires or releases",
                    ));
                }
            }
        }
        for shared in &policy.abi {
            let sides = [&shared.c, &shared.rust, &shared.kernel].into_iter().flatten().count();
            if sides + usize::from(shared.has_numbers()) < 2 || sides == 0 {
                return Err(whole(
                    format!("`{}` in `abi` has nothing to be compared with", shared.subject()),
                    "give its name on two of the sides c, rust and kernel, or numbers: size, align, offsets",
                ));
            }
        }
        for waiver in &policy.waivers {
            let name = &waiver.symbol;
            if waiver.reason.trim().is_empty() {
                return Err(whole(format!("the waiver for `{name}` has no reason"), "say why it is right"));
            }
            if !waiver.check.can_be_waived() {
                return Err(whole(
                    format!("`{}` cannot be waived (`{name}`)", waiver.check),
                    "correct the module",
                ));
            }
            if let Some(Kernels { from, before }) = waiver.kernels {
                let empty = from.zip(before).is_some_and(|(from, before)| before <= from);
                if empty || from.or(before).is_none() {
                    return Err(whole(
                        format!("the waiver for `{name}` is for no kernel: `kernels` has no range"),
                        "from: the first __FreeBSD_version, before: the first behind the last; or no `kernels`",
                    ));
                }
            }
            if !waiver.targets.is_empty() && waiver.check != Check::Indirect {
                return Err(whole(
                    format!("the waiver for `{name}` has `targets`, but is about `{}`", waiver.check),
                    "only `indirect` has targets",
                ));
            }
        }
        Ok(policy)
    }

    pub(crate) fn is_panic(&self, raw: &str) -> bool {
        let demangled = demangle(raw);
        self.panic_symbols.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => raw.starts_with(prefix) || demangled.starts_with(prefix),
            None => raw == pattern || demangled == *pattern,
        })
    }
}

/// The name without the hash, as its author wrote it; as it stands in the file if that would be too long.
pub(crate) fn demangle(raw: &str) -> String {
    if raw.starts_with("_R") || raw.starts_with("_ZN") {
        let mut name = Bounded(String::new());
        if fmt::write(&mut name, format_args!("{:#}", rustc_demangle::demangle(raw))).is_ok() {
            return name.0;
        }
    }
    raw.to_owned()
}

/// The demangled name, cut where it is one of many in a path: a report must not grow with names that every
/// finding repeats.
pub(crate) fn short_name(raw: &str) -> String {
    shorten(demangle(raw))
}

/// At most [`SHOWN`] characters.
pub(crate) fn shorten(mut name: String) -> String {
    if let Some((at, _)) = name.char_indices().nth(SHOWN) {
        name.truncate(at);
        name.push('…');
    }
    name
}

/// Characters of a name in a path; longer than the longest of FreeBSD's kernel or of this project.
const SHOWN: usize = 160;

/// Text of at most [`LONGEST_NAME`] bytes.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST_NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, FileError> {
        Policy::parse(Path::new("p.yaml"), text)
    }

    #[test]
    fn keys_that_are_absent_have_the_default() {
        let policy = parse("imports: [if_up]\nframe-bytes: 512\n").unwrap();
        assert_eq!(policy.frame_bytes, 512);
        assert_eq!(policy.chain_bytes, DEFAULT_CHAIN);
        assert_eq!(policy.imports, Some(BTreeSet::from(["if_up".to_owned()])));
        assert_eq!(parse("# nothing\n").unwrap(), Policy::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = parse("frame-bytes: 1\nframes: 2\n").unwrap_err();
        assert_eq!(error.place, Some(nlproof_base::Position { line: 2, column: 1 }));
        assert!(
            error.to_string().starts_with("p.yaml:2:1: unknown key `frames`\n  help: known here: imports"),
            "{error}"
        );
    }

    #[test]
    fn a_shared_structure_needs_two_sides() {
        let policy = parse("abi:\n- {c: s, rust: 'm::S'}\n- {kernel: nl_writer, size: 56}\n").unwrap();
        assert_eq!(policy.abi[0].subject(), "s");
        assert_eq!(policy.abi[1].size, Some(56));
        for bad in ["{c: s}", "{size: 8}", "{size: 8, offsets: {a: 0}}"] {
            let error = parse(&format!("abi:\n- {bad}\n")).unwrap_err();
            assert!(error.what.contains("nothing to be compared with"), "{error}");
        }
        assert!(parse("abi:\n- {c: s, python: S}\n").unwrap_err().what.contains("unknown key `python`"));
    }

    #[test]
    fn a_waiver_needs_a_reason_and_a_check_that_can_be_waived() {
        let good = "waivers:\n- {symbol: f, check: indirect, reason: vtable of the shim, targets: [g]}\n";
        assert_eq!(parse(good).unwrap().waivers.len(), 1);
        let blank = parse("waivers:\n- {symbol: f, check: stack, reason: ' '}\n").unwrap_err();
        assert!(blank.what.contains("no reason"), "{blank}");
        let elf = parse("waivers:\n- {symbol: f, check: elf, reason: x}\n").unwrap_err();
        assert!(elf.what.contains("cannot be waived"), "{elf}");
        let targets = parse("waivers:\n- {symbol: f, check: stack, reason: x, targets: [g]}\n").unwrap_err();
        assert!(targets.what.contains("has `targets`"), "{targets}");
    }

    #[test]
    fn kernels_of_a_waiver_are_a_range_by_version() {
        let of = |kernels: &str| {
            parse(&format!("waivers:\n- {{symbol: f, check: stack, reason: x, kernels: {kernels}}}\n"))
        };
        let range = of("{from: 1400000, before: 1500000}").unwrap().waivers[0].kernels.unwrap();
        assert!(range.contains(1_400_000) && range.contains(1_499_999));
        assert!(!range.contains(1_399_999) && !range.contains(1_500_000));
        assert!(of("{before: 1500000}").unwrap().waivers[0].kernels.unwrap().contains(1_300_000));
        for bad in ["{}", "{from: 1500000, before: 1400000}"] {
            assert!(of(bad).unwrap_err().what.contains("is for no kernel"), "{bad}");
        }
    }

    #[test]
    fn a_name_that_would_grow_without_bound_stays_as_it_is() {
        assert_eq!(demangle("_RNvC6_123foo3bar"), "123foo::bar");
        // Each tuple holds the one before it twice, by back references (RFC 2603): 393,180 bytes.
        let name = "_RINvC1a1bTuuETB7_B7_ETBb_Bb_ETBj_Bj_ETBr_Br_ETBz_Bz_ETBH_BH_ETBP_BP_E\
                    TBX_BX_ETB15_B15_ETB1d_B1d_ETB1n_B1n_ETB1x_B1x_ETB1H_B1H_ETB1R_B1R_EE";
        assert_eq!(demangle(name), name);
        let long = "x".repeat(SHOWN + 1);
        assert_eq!(short_name(&long), format!("{}…", "x".repeat(SHOWN)));
        assert_eq!(short_name("if_up"), "if_up");
    }

    #[test]
    fn panic_symbols_match_raw_and_demangled() {
        let policy = Policy::default();
        assert!(policy.is_panic("panic"));
        assert!(policy.is_panic("_ZN4core9panicking5panic17h0123456789abcdefE"));
        assert!(!policy.is_panic("panic_str"));
    }
}
