// SPDX-License-Identifier: BSD-2-Clause
//! Reporters: each consumes the stream of run events and nothing else.

mod file;
mod json;
mod junit;
mod lines;
mod screen;
mod summary;
mod terminal;

pub use json::{REPORT_SCHEMA, write_json};
pub use junit::write_junit;
pub use lines::Lines;
pub use screen::Screen;
pub use summary::{cell_line, problems};
pub use terminal::Terminal;
