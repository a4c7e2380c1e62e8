// SPDX-License-Identifier: BSD-2-Clause
//! Loading vectors: one file, or all of a directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nlproof_agent::{Privilege, SocketOptions};
use nlproof_wire::Os;
use serde_saphyr::Spanned;

use super::format::{RawPrivilege, RawStep, RawVector};
use super::loss::{StatedLoss, stated};
use super::malformed::Malformation;
use super::place::place;
use crate::file::{FileError, load_yaml, nearest};

/// A vector, validated but for what only the lint can see.
#[derive(Debug)]
pub struct Vector {
    /// Path below `vectors/` without `.yaml`: `link/create-lo`.
    pub id: String,
    /// File of the vector.
    pub path: PathBuf,
    /// One sentence: what it shows.
    pub about: String,
    /// What must be there for it to run.
    pub needs: Needs,
    /// Multicast groups by name.
    pub groups: Vec<String>,
    /// Options of the request socket.
    pub socket: SocketOptions,
    /// Events are compared in order.
    pub ordered: bool,
    /// Deviations from well-formedness that it carries on purpose.
    pub malformed: BTreeSet<Malformation>,
    /// Kernels whose guest is lost in it.
    pub losses: Vec<StatedLoss>,
    pub(super) group_places: Vec<(u64, u64)>,
    pub(super) malformed_place: (u64, u64),
    pub(super) steps: Vec<Spanned<RawStep>>,
}

/// What a vector needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Who sends.
    pub privilege: Privilege,
    /// The systems that it is for.
    pub os: Vec<Os>,
    /// Kernel modules that the guest must have loaded.
    pub modules: Vec<String>,
}

impl Vector {
    /// The commands that it runs: program and arguments.
    pub fn commands(&self) -> impl Iterator<Item = &[String]> {
        self.steps.iter().filter_map(|step| Some(step.value.exec.as_ref()?.argv.value.as_slice()))
    }
}

/// All vectors of a directory, sorted by id.
#[derive(Debug)]
pub struct Suite {
    /// The vectors.
    pub vectors: Vec<Vector>,
}

/// Loads every `.yaml` file below `root`. All files are read, so that one run shows every error.
///
/// # Errors
/// Every file that is not a vector; or the directory cannot be listed or holds none.
pub fn load_suite(root: &Path) -> Result<Suite, Vec<FileError>> {
    let (mut vectors, mut errors) = (Vec::new(), Vec::new());
    for loaded in load_each(root)? {
        match loaded {
            Ok(vector) => vectors.push(vector),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Suite { vectors }) } else { Err(errors) }
}

/// Every `.yaml` file below `root`, by path: the vector, or why it is none.
///
/// # Errors
/// A directory cannot be listed, or there is no such file.
pub(super) fn load_each(root: &Path) -> Result<Vec<Result<Vector, FileError>>, Vec<FileError>> {
    let mut files = Vec::new();
    let mut errors = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                errors.push(FileError::whole(&directory, format!("cannot be listed: {error}")));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() && errors.is_empty() {
        errors.push(FileError::whole(root, "holds no vectors").help("a vector is a file that ends in .yaml"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(files.iter().map(|file| load_vector(root, file)).collect())
}

/// Loads one vector; its id is the file's path below `root`.
///
/// # Errors
/// The file cannot be read, is no YAML, has an unknown key, or a step that is not exactly one thing.
pub fn load_vector(root: &Path, path: &Path) -> Result<Vector, FileError> {
    let raw: RawVector = load_yaml(path)?;
    let id = path
        .strip_prefix(root)
        .unwrap_or(path)
        .with_extension("")
        .to_str()
        .ok_or_else(|| FileError::whole(path, "the name is not UTF-8"))?
        .to_owned();
    if raw.about.value.trim().is_empty() {
        return Err(FileError::at(path, place(&raw.about), "`about` is empty")
            .help("one sentence: what the vector shows"));
    }
    if raw.steps.is_empty() {
        return Err(FileError::whole(path, "no steps"));
    }
    for step in &raw.steps {
        check_step(path, step)?;
    }
    let mut malformed = BTreeSet::new();
    for word in &raw.malformed {
        let known = Malformation::by_name(&word.value).ok_or_else(|| unknown_malformation(path, word))?;
        if !malformed.insert(known) {
            return Err(FileError::at(path, place(word), format!("`{known}` is declared twice")));
        }
    }
    Ok(Vector {
        id,
        path: path.to_owned(),
        about: raw.about.value,
        needs: Needs {
            privilege: match raw.needs.privilege {
                RawPrivilege::Root => Privilege::Root,
                RawPrivilege::Unprivileged => Privilege::Unprivileged,
                RawPrivilege::Jailed => Privilege::Jailed,
            },
            os: systems(path, &raw.needs.os)?,
            modules: raw.needs.modules.into_iter().map(|module| module.value).collect(),
        },
        group_places: raw.groups.iter().map(place).collect(),
        groups: raw.groups.into_iter().map(|group| group.value).collect(),
        socket: SocketOptions {
            ext_ack: raw.socket.ext_ack,
            cap_ack: raw.socket.cap_ack,
            strict: raw.socket.strict,
            receive_buffer: raw.socket.receive_buffer,
            event_buffer: raw.socket.event_buffer,
        },
        ordered: raw.ordered,
        malformed_place: raw.malformed.first().map_or((1, 1), place),
        malformed,
        losses: stated(path, raw.loses)?,
        steps: raw.steps,
    })
}

fn check_step(path: &Path, step: &Spanned<RawStep>) -> Result<(), FileError> {
    let raw = &step.value;
    let kinds = [
        raw.send.is_some(),
        raw.datagram.is_some(),
        raw.exec.is_some(),
        raw.wait.is_some(),
        raw.race.is_some(),
    ];
    match kinds.into_iter().filter(|is| *is).count() {
        1 => Ok(()),
        count => Err(FileError::at(path, place(step), format!("a step is one thing, and this is {count}"))
            .help("give one of: send, datagram, exec, wait, race")),
    }
}

fn systems(path: &Path, names: &[Spanned<String>]) -> Result<Vec<Os>, FileError> {
    if names.is_empty() {
        return Ok(vec![Os::FreeBsd, Os::Linux]);
    }
    let mut systems = Vec::new();
    for name in names {
        let os = Os::by_name(&name.value).ok_or_else(|| {
            FileError::at(path, place(name), format!("unknown system `{}`", name.value))
                .help("known: freebsd, linux")
        })?;
        systems.push(os);
    }
    Ok(systems)
}

fn unknown_malformation(path: &Path, word: &Spanned<String>) -> FileError {
    let names = Malformation::ALL.map(Malformation::name);
    let error = FileError::at(path, place(word), format!("unknown malformation `{}`", word.value));
    match nearest(&word.value, names) {
        Some(name) => error.help(format!("did you mean `{name}`? known: {}", names.join(", "))),
        None => error.help(format!("known: {}", names.join(", "))),
    }
}
