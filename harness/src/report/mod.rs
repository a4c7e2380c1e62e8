// SPDX-License-Identifier: BSD-2-Clause
//! Reporters: each consumes the stream of run events and nothing else. Reports can be read again and joined.

mod annotate;
mod html;
mod json;
mod junit;
mod kept;
mod lines;
mod live;
mod merge;
mod problems;
mod read;
mod schema;
mod screen;
mod seen;
mod summary;
mod terminal;
mod trend;

pub use annotate::{Places, annotations};
pub use html::{BlockFiles, Follows, HtmlError, HtmlReport, STYLE, plain_page};
pub(crate) use json::json_file;
pub use json::write_json;
pub use junit::write_junit;
pub use kept::{GuestFile, KINDS, forget, kept};
pub use lines::Lines;
pub use live::Live;
pub use merge::{MergeError, Part, merge};
pub use problems::{Problem, problems, troubled};
pub use read::read_report;
pub use schema::{REPORT_SCHEMA, report_schema};
pub use screen::Screen;
pub use seen::{Seen, seen};
pub use summary::{cell_line, goldens};
pub use terminal::Terminal;
pub use trend::{CellTimes, Trend, trend_page};
