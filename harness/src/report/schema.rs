// SPDX-License-Identifier: BSD-2-Clause
//! The contents of `report.json`. The schema's number rises when a reader would misread. Schema 1 had `observed`
//! for every golden of the release, whichever of its builds was recorded.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::file::{one_of, schema_of};
use crate::golden::Standing;
use crate::matrix::Soft;

/// Version of `report.json`. 2: `golden_line` is a line of the file, no longer of the body; `origin`, `recorded` and
/// `soft_because`.
pub const REPORT_SCHEMA: u32 = 2;

/// The oldest version that is still read.
pub(super) const OLDEST_SCHEMA: u32 = 1;

/// The schema of `report.json`.
pub fn report_schema() -> Schema {
    schema_of::<Report>("The report of a run of nlproof, report.json")
}

/// One of these words, or null.
fn word_or_null<'w>(words: impl IntoIterator<Item = &'w str>) -> Schema {
    let words: Vec<_> = words.into_iter().map(Some).chain([None]).collect();
    json_schema!({ "enum": words })
}

fn origins(_: &mut SchemaGenerator) -> Schema {
    word_or_null(Standing::ALL.map(Standing::word))
}

fn reasons_to_be_soft(_: &mut SchemaGenerator) -> Schema {
    word_or_null(Soft::ALL.map(Soft::word))
}

fn failures(_: &mut SchemaGenerator) -> Schema {
    word_or_null(["comparison", "build", "verification", "load", "module", "guest"])
}

fn cell_statuses(_: &mut SchemaGenerator) -> Schema {
    one_of(["passed", "failed", "not-run"])
}

fn vector_statuses(_: &mut SchemaGenerator) -> Schema {
    one_of(["passed", "failed", "violated", "inconclusive", "lost", "survived", "no-golden", "not-run"])
}

/// A report of a run.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// Version of the format.
    pub(super) schema: u32,
    /// The version of nlproof that wrote it.
    pub(super) nlproof: String,
    /// The run was interrupted: cells that are not listed did not run.
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
    /// The cells, in the order of the matrix.
    pub(super) cells: Vec<Cell>,
    /// FreeBSD's own tests, a run a cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) atf: Vec<crate::atf::Run>,
}

/// A cell of the matrix.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cell {
    /// Name of the cell: `freebsd/14.0-STABLE/stock`.
    pub(super) name: String,
    /// `sim` or `freebsd`.
    pub(super) target: String,
    /// The release; of the simulator what it plays.
    pub(super) release: String,
    /// The profile whose goldens hold.
    pub(super) profile: String,
    /// `stock` or `rust`.
    pub(super) module: String,
    /// `boot`, where the loader loads the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) load: Option<String>,
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
    #[schemars(schema_with = "reasons_to_be_soft")]
    pub(super) soft_because: Option<String>,
    /// The weakest of its vectors' origins, or null when nothing was compared.
    #[schemars(schema_with = "origins")]
    pub(super) origin: Option<String>,
    /// The kernels that the goldens were recorded from, as goldens name them.
    #[serde(default)]
    pub(super) recorded: Vec<String>,
    /// What became of the cell.
    #[schemars(schema_with = "cell_statuses")]
    pub(super) status: String,
    /// What failed, in a failed cell.
    // The words but the first are those of `CellStatus::failure`.
    #[schemars(schema_with = "failures")]
    pub(super) failure: Option<String>,
    /// Why the cell failed or did not run.
    pub(super) reason: Option<String>,
    /// The command or step that would make it run.
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
    /// Texts about the cell's target by label: kernel, accelerator, image and so on.
    pub(super) facts: serde_json::Map<String, serde_json::Value>,
    /// Number of vectors by outcome.
    pub(super) counts: Counts,
    /// Milliseconds from opening the first guest to the last vector.
    pub(super) duration_ms: u64,
    /// Milliseconds that its guests took together; they may have run side by side.
    #[serde(default)]
    pub(super) guest_time_ms: Option<u64>,
    /// The vectors, in their own order.
    pub(super) vectors: Vec<Vector>,
}

/// Something that a kernel complained of.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Complaint {
    /// Text of the complaint.
    pub(super) text: String,
    /// Equal for the same complaint in two guests of one release.
    pub(super) fingerprint: String,
}

/// A guest that was lost.
#[derive(Serialize, Deserialize, JsonSchema)]
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
    /// How the guest was lost, with the console's last lines.
    pub(super) text: String,
}

/// Number of vectors by outcome.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    /// Equal to their golden.
    pub(super) passed: usize,
    /// Different from it, violated, or survived.
    pub(super) failed: usize,
    /// Vectors that lost their guest, as they state.
    #[serde(default)]
    pub(super) lost: usize,
    /// With a hole in the trace.
    pub(super) inconclusive: usize,
    /// Without a golden.
    pub(super) no_golden: usize,
    /// Not run.
    pub(super) not_run: usize,
}

/// A vector's result.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    /// Id of the vector: `link/create-lo`.
    pub(super) id: String,
    /// What became of the vector.
    // The words are those of `Outcome::word`.
    #[schemars(schema_with = "vector_statuses")]
    pub(super) status: String,
    /// What the golden is to the kernel that answered; null: nothing was compared.
    #[schemars(schema_with = "origins")]
    pub(super) origin: Option<String>,
    /// The layer of the golden.
    pub(super) golden: Option<String>,
    /// Microseconds from the first record to the last, on the guest's clock.
    pub(super) duration_us: u64,
    /// Why the vector did not pass, where that is no difference.
    pub(super) reason: Option<String>,
    /// The difference from the golden, of a failed vector.
    pub(super) divergence: Option<Divergence>,
}

/// How a trace differs from its golden.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Divergence {
    /// The kernel trace differs, not what was said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) kernel: bool,
    /// The step of the first difference: `step 1`.
    pub(super) step: String,
    /// Line of the golden's file, from 1.
    pub(super) golden_line: usize,
    /// Number of lines that only the golden has.
    pub(super) missing: usize,
    /// Number of lines that only the trace has.
    pub(super) extra: usize,
    /// The lines of the golden that the first difference belongs to, where the lines around it do not show them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) within: Vec<String>,
    /// The first difference with lines around it, each with `- `, `+ ` or two spaces in front.
    pub(super) hunk: Vec<String>,
    /// Equal for the same differences in two vectors; empty: nobody looked.
    #[serde(default)]
    pub(super) fingerprint: String,
}
