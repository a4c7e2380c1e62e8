// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's own tests: what Kyuafiles and test programs say of themselves, what becomes of a test case, and two runs
//! of the same cases beside each other. Pure: texts go in.

mod compare;
mod kyuafile;
mod listing;
mod needs;
mod outcome;
mod run;
mod select;

pub use compare::{Comparison, Differing, comparisons};
pub use kyuafile::{AbsentDirectory, Interface, KyuafileError, Programs, TestProgram, programs};
pub use listing::{ListedCase, listing};
pub use needs::Needs;
pub use outcome::{Ended, Outcome};
#[cfg(test)]
pub(crate) use run::tests;
pub use run::{CaseRun, Complained, Counts, Failure, Run, is_counted};
pub use select::{DEFAULT, SelectError, Selected, Selection, select};
