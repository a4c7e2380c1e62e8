// SPDX-License-Identifier: BSD-2-Clause
//! The project's files: read up to a limit, with a file, a place and a remedy in every complaint.

mod json;
mod read;
mod schema;
pub(crate) mod tree;
mod value;
mod walk;
mod yaml;

pub use json::parse_json;
pub use nlproof_base::{FileError, Limit, Position, nearest};
pub use read::{read, read_any, read_text};
pub use schema::{one_of, profile, profiles, schema_of};
pub use value::{Node, Value};
pub use walk::files_below;
pub use yaml::{load_yaml, parse_yaml};
