// SPDX-License-Identifier: BSD-2-Clause
//! The project's text files: loading YAML so that every complaint has a file, a place and a remedy.

mod error;
mod nearest;
mod schema;
mod value;
mod yaml;

pub use error::FileError;
pub use nearest::nearest;
pub use schema::{one_of, profile, profiles, schema_of};
pub use value::{Node, Value};
pub use yaml::{load_yaml, parse_yaml};
