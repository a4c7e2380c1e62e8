// SPDX-License-Identifier: BSD-2-Clause
//! A guest: the virtual machine that runs it, and the ssh connections into it.
//!
//! Nothing here knows of vectors, traces or releases. `vm` lies below `ssh`.

pub mod ssh;
mod tasks;
mod told;
pub mod vm;

pub use tasks::Tasks;
pub use told::{About, Told};
