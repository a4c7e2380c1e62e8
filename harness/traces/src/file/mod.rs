// SPDX-License-Identifier: BSD-2-Clause
//! The project's files: read up to a limit, with a file, a place and a remedy in every complaint.

mod read;
mod schema;
mod value;
mod yaml;

pub use nlproof_base::{FileError, Limit, nearest};
pub use read::{read, read_any, read_text};
pub use schema::{one_of, profile, profiles, schema_of};
pub use value::{Node, Value};
pub use yaml::{load_yaml, parse_yaml};
