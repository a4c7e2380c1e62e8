// SPDX-License-Identifier: BSD-2-Clause
//! Vectors, the traces that kernels leave of them, and the goldens that traces are compared with.
//!
//! Nothing here starts a guest or knows of one: records go in, and texts and differences come out. Rooms, from the top:
//! `coverage` → `golden`, `ktrace` → `trace`, `draft`, `import` → `vector` → `file`.

pub mod coverage;
pub mod draft;
pub mod file;
pub mod golden;
pub mod import;
pub mod ktrace;
pub mod trace;
pub mod vector;
