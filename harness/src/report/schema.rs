// SPDX-License-Identifier: BSD-2-Clause
//! The contents of `report.json`. The schema's number rises when a reader would misread. Schema 1 had `observed`
//! for every golden of the release, whichever of its builds was recorded.

use serde::{Deserialize, Serialize};

/// Version of `report.json`. 2: `golden_line` is a line of the file, no longer of the body; `origin`, `recorded` and
/// `soft_because`.
pub const REPORT_SCHEMA: u32 = 2;

/// The oldest version that is still read.
pub(super) const OLDEST_SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    pub(super) schema: u32,
    /// The version of nlproof that wrote it.
    pub(super) nlproof: String,
    pub(super) interrupted: bool,
    /// Digest of the ids of the vectors that were selected, before any slice was taken.
    #[serde(default)]
    pub(super) selection: String,
    /// `2/4`: the slice of them that ran; null: all.
    #[serde(default)]
    pub(super) slice: Option<String>,
    /// Parts whose reports were missing when this one was joined.
    #[serde(default)]
    pub(super) missing: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) target: String,
    pub(super) release: String,
    pub(super) profile: String,
    pub(super) module: String,
    /// The release of which its kernel is another build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build_of: Option<String>,
    /// The layer of goldens that only its release has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layer: Option<String>,
    /// A failure does not fail the run, as far as `soft_because` says.
    #[serde(default)]
    pub(super) soft: bool,
    /// `tried` or `never-observed`, where it is soft.
    #[serde(default)]
    pub(super) soft_because: Option<String>,
    /// The weakest of its vectors' origins, or null when nothing was compared.
    pub(super) origin: Option<String>,
    /// The kernels that the goldens were recorded from, as goldens name them.
    #[serde(default)]
    pub(super) recorded: Vec<String>,
    /// `passed`, `failed`, `not-run`.
    pub(super) status: String,
    /// `comparison`, or a word of [`CellStatus::failure`](crate::matrix::CellStatus::failure), for a failed cell.
    pub(super) failure: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) remedy: Option<String>,
    /// Saved states that could not be restored: the guest was booted instead.
    #[serde(default)]
    pub(super) fallbacks: u32,
    /// Guests that were lost while vectors ran.
    #[serde(default)]
    pub(super) losses: Vec<Lost>,
    /// What the kernels of its guests complained of on their consoles.
    #[serde(default)]
    pub(super) complaints: Vec<Complaint>,
    pub(super) facts: serde_json::Map<String, serde_json::Value>,
    pub(super) counts: Counts,
    pub(super) duration_ms: u64,
    /// What its guests took together, where several may have run side by side.
    #[serde(default)]
    pub(super) guest_time_ms: Option<u64>,
    pub(super) vectors: Vec<Vector>,
}

/// Something that a kernel complained of.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Complaint {
    pub(super) text: String,
    /// Equal for the same complaint in two guests of one release.
    pub(super) fingerprint: String,
}

/// A guest that was lost.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lost {
    /// The vector that ran then.
    pub(super) vector: String,
    /// `panicked`, `debugger`, `reboot-loop`, `hung`, `lost-ssh`, `agent-died`, `qemu-failed`, ...
    pub(super) kind: String,
    /// Equal for the same loss in two runs.
    pub(super) fingerprint: String,
    /// The kernel's functions in which it was lost, innermost first.
    #[serde(default)]
    pub(super) calls: Vec<String>,
    pub(super) text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// Vectors that lost their guest, as they state.
    #[serde(default)]
    pub(super) lost: usize,
    pub(super) inconclusive: usize,
    pub(super) no_golden: usize,
    pub(super) not_run: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) id: String,
    pub(super) status: String,
    /// A word of [`Standing::word`](crate::golden::Standing::word): `this-kernel`, `other-build`, `observed`, `predicted`.
    pub(super) origin: Option<String>,
    pub(super) golden: Option<String>,
    pub(super) duration_us: u64,
    pub(super) reason: Option<String>,
    pub(super) divergence: Option<Divergence>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Divergence {
    /// The kernel trace differs, not what was said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) kernel: bool,
    pub(super) step: String,
    /// Line of the golden's file, from 1.
    pub(super) golden_line: usize,
    pub(super) missing: usize,
    pub(super) extra: usize,
    pub(super) hunk: Vec<String>,
    /// Equal for the same differences in two vectors; empty: nobody looked.
    #[serde(default)]
    pub(super) fingerprint: String,
}
