// SPDX-License-Identifier: BSD-2-Clause
//! The matrix: which cells there are, which can run here, and the engine that runs them.

mod apart;
mod blame;
mod cell;
mod config;
mod dtrace_session;
mod engine;
mod event;
mod format;
mod guest_file_name;
mod interruption;
mod judge;
mod outcome;
mod raw;
mod rejudge;
mod remaining;
mod running;
mod select;
mod share;
mod slice;
mod timings;
mod vector_run;
mod work_queue;
mod wrong_profile;

pub use blame::settle;
pub use cell::{Cell, LoadKind, ModuleKind, Soft, Stated, TargetKind, Without};
pub use config::{Matrix, load_matrix};
pub(crate) use engine::LOSSES;
pub use engine::{Emit, Engine, GuestRequest, Opener, RunRequest};
pub use event::Event;
pub use format::matrix_schema;
pub use guest_file_name::GuestFileName;
pub use judge::{is_stated, stated, stated_hang};
pub use outcome::{
    CellResult, CellStatus, Counts, LostGuest, Outcome, RunResult, VectorResult, VectorsOfRun,
};
pub use rejudge::rejudge;
pub use select::{Selection, VectorFilter};
pub use slice::{Slice, selection_digest};
pub use timings::Timings;
pub use vector_run::{VectorRun, VectorRunError, mismatch, reread, run_vectors, run_vectors_within};
pub use wrong_profile::WrongProfile;

#[cfg(test)]
pub(crate) use cell::tests;
