// SPDX-License-Identifier: BSD-2-Clause
//! Whole builds, of releases made here and of a real one where there is one.

mod export;
mod images;
mod own;
mod real;
mod refusals;
mod synthetic;
