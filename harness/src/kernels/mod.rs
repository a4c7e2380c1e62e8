// SPDX-License-Identifier: BSD-2-Clause
//! Kernels from a FreeBSD source tree, by FreeBSD's own build. The code here only starts the build, follows it, and
//! reports what it complains of.

mod build;
mod follow;
mod kept;
mod tools;
mod tree;

pub use build::{BuildError, BuildOptions, Built, Step, build};
pub use kept::{Kept, kept};
pub use tools::{Compilers, remedy};
pub use tree::{NoTree, Tree};
