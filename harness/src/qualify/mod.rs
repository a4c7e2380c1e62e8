// SPDX-License-Identifier: BSD-2-Clause
//! The qualification of a kernel against another one, as a bundle that others can check.
//!
//! Raw traces go in. What differs between the two kernels is classified ([`derive`]), written as a page and for machines,
//! signed, and packed with the evidence ([`write`]). [`Checker`] believes nothing of a bundle and comes to it again.

mod answers;
mod bundle;
mod check;
mod compare;
mod declared;
mod derive;
mod finding;
mod inputs;
mod manifest;
mod module;
mod own_tests;
mod page;
mod sign;
mod signers;
mod statement;
#[cfg(test)]
mod tests;
mod troubles;
mod unpack;
mod write;

pub use answers::Told;
pub use bundle::BundleLimits;
pub use check::{Checked, Checker, Reports, answered_otherwise, doubts};
pub use derive::{Sources, Tests, derive};
pub use finding::{
    Bench, Class, Comparison, Coverage, Difference, Known, Module, NotCompared, NotRun, Party, Qualification,
    Trouble, qualification_schema,
};
pub use inputs::{Input, Inputs, digest_of, inputs_schema, tests as digests_of_tests};
pub use own_tests::OwnTests;
pub use sign::{SignError, Signer};
pub use signers::{NAMESPACE, Signers};
pub use statement::{Resource, Statement, TestResult, statement_schema};
pub use write::{ATF, BASELINE, BENCH, CANDIDATE, WriteError, write};
