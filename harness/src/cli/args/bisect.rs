// SPDX-License-Identifier: BSD-2-Clause
//! `bisect`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iface_core::Profile;

use super::guest::GuestArgs;
use super::kernel::SourceArgs;
use crate::matrix::ModuleKind;

#[derive(Debug, Args)]
pub(in crate::cli) struct BisectArgs {
    /// The vector's id, such as link/create-lo.
    pub(in crate::cli) vector: String,
    /// A git repository with FreeBSD's sources. What is checked out there, its index and its stash stay as they are.
    #[arg(long, value_name = "REPO")]
    pub(in crate::cli) src: PathBuf,
    /// A commit whose kernel answers as it should.
    #[arg(long, value_name = "REV")]
    pub(in crate::cli) good: String,
    /// A later one whose kernel does not.
    #[arg(long, value_name = "REV")]
    pub(in crate::cli) bad: String,
    /// What makes a commit a bad one.
    #[arg(long, value_enum, default_value_t = Until::Differs)]
    pub(in crate::cli) until: Until,
    /// Whose code answers.
    #[arg(long, value_enum, default_value_t = ModuleKind::Stock)]
    pub(in crate::cli) module: ModuleKind,
    /// The release whose userland kernels get [default: the newest here that is not newer than the kernel].
    #[arg(long, value_name = "RELEASE")]
    pub(in crate::cli) release: Option<String>,
    /// The profile whose goldens hold [default: by each kernel's osreldate].
    #[arg(long, value_name = "PROFILE")]
    pub(in crate::cli) profile: Option<Profile>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

/// What a bad commit's kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Until {
    /// Answers otherwise than its golden.
    Differs,
    /// Panics in the vector.
    Panics,
    /// Breaks a rule of kernel traces.
    Violated,
    /// Gives an answer with a hole.
    Inconclusive,
}

impl Until {
    /// What the first bad commit's kernel does.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Until::Differs => "differs",
            Until::Panics => "panics",
            Until::Violated => "breaks a rule",
            Until::Inconclusive => "is inconclusive",
        }
    }
}
