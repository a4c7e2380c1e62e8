// SPDX-License-Identifier: BSD-2-Clause
//! Kernels from a FreeBSD source tree, by FreeBSD's own build. The code here only starts the build, follows it, and
//! reports what it complains of.

mod build;
mod build_error;
mod follow;
mod git;
mod kept;
mod make;
mod tools;
mod tree;
mod worktree;

pub use build::{Built, build};
pub use build_error::BuildError;
pub use git::{GitError, git, git_says};
pub use kept::{Kept, kept};
pub use make::{BuildOptions, Step};
pub use tools::{Compilers, NoTool, lacking, lacking_here, remedy};
pub use tree::{NoTree, Tree};
pub use worktree::{Worktree, worktrees};
