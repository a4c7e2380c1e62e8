// SPDX-License-Identifier: BSD-2-Clause
//! Losses that a vector states: kernels that do not survive it.
//!
//! ```yaml
//! loses:
//!   - kernels: [14.0-STABLE, 15.1-RELEASE]    # releases, as their directories are called
//!     module: stock                           # without it: stock and rust
//!     kind: panicked
//!     says: page fault                        # a panic's own words, numbers as N; any without it
//!     calls: [rtnl_handle_newlink, rtnl_handle_message]   # innermost first; there may be others around them
//!     because: the memory for the cookie is used although there was none
//! ```
//!
//! In other kernels the vector runs to its end and is compared with its golden.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::place::place;
use crate::file::FileError;

/// A stated loss as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLoss {
    /// Releases, as their directories are called.
    #[schemars(with = "Vec<String>", length(min = 1))]
    kernels: Vec<Spanned<String>>,
    /// Whose code is lost; without it both are.
    #[serde(default)]
    module: Option<LossCode>,
    /// How the guest is lost.
    kind: LossKind,
    /// The panic's own words, numbers as N; any without it.
    #[serde(default)]
    says: Option<String>,
    /// Functions that call each other where the kernel is lost, the innermost first.
    #[schemars(length(min = 1))]
    calls: Vec<String>,
    /// Why the kernel does not survive it.
    #[schemars(with = "String")]
    because: Spanned<String>,
}

/// The interface code of a kernel that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossCode {
    /// The release's own.
    Stock,
    /// The Rust-backed module's.
    Rust,
}

impl LossCode {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Stock, Self::Rust];

    /// The word for it in vectors.
    pub(super) fn word(self) -> &'static str {
        match self {
            LossCode::Stock => "stock",
            LossCode::Rust => "rust",
        }
    }
}

/// How a guest is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// The kernel panics.
    Panicked,
    /// The kernel stays busy and does not come back.
    Hung,
}

impl LossKind {
    /// The word of [`GuestFailure::kind`](crate::vm::GuestFailure::kind) for it.
    pub fn word(self) -> &'static str {
        match self {
            LossKind::Panicked => "panicked",
            LossKind::Hung => "hung",
        }
    }
}

/// Kernels that are lost in a vector, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedLoss {
    /// Releases, as their directories are called.
    pub kernels: Vec<String>,
    /// Whose code; `None`: either.
    pub code: Option<LossCode>,
    /// How.
    pub kind: LossKind,
    /// A panic's own words, numbers as `N`; `None`: any.
    pub says: Option<String>,
    /// Functions of the kernel that call each other where it is lost, innermost first. Others may be further in.
    pub calls: Vec<String>,
    /// The reason, in a few words.
    pub because: String,
}

impl StatedLoss {
    /// Whether it is about this release with this code.
    pub fn is_about(&self, release: &str, code: LossCode) -> bool {
        self.code.is_none_or(|own| own == code) && self.kernels.iter().any(|kernel| kernel == release)
    }
}

impl fmt::Display for StatedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.kind.word(), self.calls.join(" < "), self.because)
    }
}

/// The losses that a file states.
pub(super) fn stated(path: &Path, raw: Vec<Spanned<RawLoss>>) -> Result<Vec<StatedLoss>, FileError> {
    let mut about = BTreeSet::new();
    let mut losses = Vec::new();
    for spanned in raw {
        let here = place(&spanned);
        let raw = spanned.value;
        let wrong = |what: &str, help: &str| Err(FileError::at(path, here, what).help(help));
        if raw.kernels.is_empty() {
            return wrong("a loss in no kernel", "kernels: [14.0-STABLE]");
        }
        if raw.calls.is_empty() || raw.calls.iter().any(|name| name.trim().is_empty()) {
            return wrong("a loss without the calls that lead to it", "reports list them below a lost guest");
        }
        if raw.because.value.trim().is_empty() {
            return wrong("a loss without a reason", "`because` says in a few words what the kernel does");
        }
        for kernel in &raw.kernels {
            for code in LossCode::ALL.into_iter().filter(|code| raw.module.is_none_or(|own| own == *code)) {
                if !about.insert((kernel.value.clone(), code)) {
                    let what =
                        format!("the loss of {} with {} code is stated twice", kernel.value, code.word());
                    return Err(FileError::at(path, place(kernel), what));
                }
            }
        }
        losses.push(StatedLoss {
            kernels: raw.kernels.into_iter().map(|kernel| kernel.value).collect(),
            code: raw.module,
            kind: raw.kind,
            says: raw.says,
            calls: raw.calls,
            because: raw.because.value,
        });
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::super::load_vector;
    use super::*;

    fn losses(text: &str) -> Result<Vec<StatedLoss>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        let text = format!(
            "about: x\nloses: {text}\nsteps:\n- send: {{message: getlink, flags: [request, dump]}}\n"
        );
        std::fs::write(&path, text).unwrap();
        load_vector(Path::new("/"), &path).map(|vector| vector.losses).map_err(|error| error.to_string())
    }

    #[test]
    fn a_loss_is_about_its_kernels_and_its_code() {
        let text = "[{kernels: [14.0-STABLE, 15.1-RELEASE], module: stock, kind: panicked, says: page fault, calls: [a, b], because: y}, \
                    {kernels: [14.0-STABLE], module: rust, kind: hung, calls: [a], because: z}]";
        let losses = losses(text).unwrap();
        assert!(losses[0].is_about("15.1-RELEASE", LossCode::Stock));
        assert!(!losses[0].is_about("15.1-RELEASE", LossCode::Rust));
        assert!(!losses[0].is_about("15.1", LossCode::Stock));
        assert_eq!(losses[1].kind.word(), "hung");
        assert_eq!(losses[0].to_string(), "panicked in a < b: y");
        let any = super::tests::losses("[{kernels: [x], kind: hung, calls: [h], because: b}]").unwrap();
        assert!(any[0].is_about("x", LossCode::Stock) && any[0].is_about("x", LossCode::Rust));
    }

    #[test]
    fn what_states_nothing_or_twice_is_refused() {
        for (text, what) in [
            ("[{kernels: [], kind: hung, calls: [h], because: b}]", "a loss in no kernel"),
            ("[{kernels: [a], kind: hung, calls: [], because: b}]", "without the calls"),
            ("[{kernels: [a], kind: hung, calls: [h], because: ' '}]", "without a reason"),
            ("[{kernels: [a], kind: sad, calls: [h], because: b}]", "sad"),
            ("[{kernels: [a], kind: hung, because: b}]", "calls"),
            (
                "[{kernels: [a], kind: hung, calls: [h], because: b}, \
                  {kernels: [a], module: rust, kind: hung, calls: [h], because: b}]",
                "the loss of a with rust code is stated twice",
            ),
        ] {
            let error = losses(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
