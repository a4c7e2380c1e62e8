// SPDX-License-Identifier: BSD-2-Clause
//! Puts the module's sources and its policy into the program, which then builds modules without a checkout.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/parts.rs"]
mod parts;

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let root = here.join("../..").canonicalize()?;
    let mut names = vec![parts::POLICY.to_owned()];
    for (tree, endings) in parts::TREES.into_iter().chain([parts::FAULTNIC]) {
        println!("cargo::rerun-if-changed={}", root.join(tree).display());
        add(&root, tree, endings, &mut names)?;
    }
    println!("cargo::rerun-if-changed={}", root.join(parts::POLICY).display());
    names.sort();
    let mut table = "&[\n".to_owned();
    for name in names {
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", root.join(&name))?;
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("sources.rs"), table)?;
    Ok(())
}

/// The names of the files below a directory of the root.
fn add(root: &Path, below: &str, endings: &[&str], names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = format!("{below}/{}", entry.file_name().to_str().ok_or("a name that is not UTF-8")?);
        if entry.file_type()?.is_dir() {
            add(root, &name, endings, names)?;
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            names.push(name);
        }
    }
    Ok(())
}
