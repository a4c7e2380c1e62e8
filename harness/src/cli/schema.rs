// SPDX-License-Identifier: BSD-2-Clause
//! `schema`: JSON Schemas of the files that people write, and of reports, from the types that read them.

use nlproof_verify::Policy;

use super::args::SchemaKind;
use super::exit::{CliError, ExitCode};
use super::out::say;
use crate::blocks::unreached_schema;
use crate::coverage::inventory_schema;
use crate::file::schema_of;
use crate::golden::divergences_schema;
use crate::matrix::matrix_schema;
use crate::qualify::{inputs_schema, qualification_schema, statement_schema};
use crate::releases::releases_schema;
use crate::report::report_schema;
use crate::vector::vector_schema;

pub(super) fn main(kind: SchemaKind) -> Result<ExitCode, CliError> {
    let schema = match kind {
        SchemaKind::Vector => vector_schema(),
        SchemaKind::Matrix => matrix_schema(),
        SchemaKind::Releases => releases_schema(),
        SchemaKind::Divergences => divergences_schema(),
        SchemaKind::Inventory => inventory_schema(),
        SchemaKind::Report => report_schema(),
        SchemaKind::Unreached => unreached_schema(),
        SchemaKind::Qualification => qualification_schema(),
        SchemaKind::Inputs => inputs_schema(),
        SchemaKind::Statement => statement_schema(),
        SchemaKind::Policy => schema_of::<Policy>("What a kernel module may do, for nlproof verify"),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| CliError::Output { what: "the schema".into(), error: error.into() })?;
    say!("{text}");
    Ok(ExitCode::OK)
}
