// SPDX-License-Identifier: BSD-2-Clause
//! JSON Schemas of the project's text files, made from the types that read them: `nlproof schema`, and the files in
//! `tests/schemas` that editors complete and check by.

use iface_core::Profile;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The schema of a file that `T` reads.
pub fn schema_of<T: JsonSchema>(title: &str) -> Schema {
    // Draft 7 is what editors' YAML servers know best.
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema
}

/// One of these words.
pub fn one_of<T: ToString>(words: impl IntoIterator<Item = T>) -> Schema {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    json_schema!({ "enum": words })
}

/// A profile's name.
pub fn profile(_: &mut SchemaGenerator) -> Schema {
    one_of(Profile::ALL)
}

/// A list of profiles' names.
pub fn profiles(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": profile(generator) })
}
