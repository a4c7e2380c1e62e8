// SPDX-License-Identifier: BSD-2-Clause
//! Loading vectors: one file, or all of a directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nlproof_agent::{Card, Privilege, Setting, SocketOptions};
use nlproof_wire::Os;
use serde_saphyr::Spanned;

use super::cards::{NeededCard, cards};
use super::format::{RawPrivilege, RawStep, RawVector};
use super::loss::{StatedLoss, stated};
use super::malformed::Malformation;
use super::place::{SourceFile, place};
use super::schema::MOST_PROCESSORS;
use crate::file::{FileError, Limit, Position, files_below, nearest, parse_yaml, read_text};

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
    pub(super) cards: Vec<Card>,
    /// How long races by time take instead of what they say, in seconds.
    pub race_seconds: Option<u32>,
    pub(super) group_places: Vec<Position>,
    pub(super) malformed_place: Position,
    pub(super) module_places: Vec<Position>,
    pub(super) sysctl_places: Vec<Position>,
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
    /// Network cards of its own.
    pub hardware: Vec<NeededCard>,
    /// Processors that a guest must have at least.
    pub processors: u32,
    /// Settings of the kernel while it runs.
    pub sysctl: Vec<Setting>,
}

impl Vector {
    /// The permitted outcomes of a step, if that is a race.
    pub(crate) fn permits(&self, step: usize) -> Vec<&str> {
        let race = self.steps.get(step).and_then(|step| step.value.race.as_ref());
        race.iter().flat_map(|race| &race.permit).map(|permit| permit.value.as_str()).collect()
    }

    /// Whether it has a race that takes a time and not a number of rounds.
    pub fn races_by_time(&self) -> bool {
        self.steps.iter().filter_map(|step| step.value.race.as_ref()).any(|race| race.seconds.is_some())
    }

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

/// Loads every vector below `root`, which has a directory for each suite. All files are read, so that one run shows every
/// error.
///
/// # Errors
/// Every file that is not a vector, or stands where none is; or the directory cannot be listed or holds none.
pub fn load_suite(root: &Path) -> Result<Suite, Vec<FileError>> {
    let listing = list(root)?;
    let (mut vectors, mut errors) = (Vec::new(), listing.outside_suites());
    for loaded in listing.load(root) {
        match loaded {
            Ok(vector) => vectors.push(vector),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Suite { vectors }) } else { Err(errors) }
}

/// The files of vectors below a directory; none of them was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Each vector's id and file, by path.
    pub files: Vec<(String, PathBuf)>,
    /// Files whose names look like those of vectors, and why they are none.
    pub strays: Vec<FileError>,
}

impl Listing {
    /// The ids, by path.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(id, _)| id.as_str())
    }

    /// Vectors that stand beside the suites' directories instead of in one.
    pub(super) fn outside_suites(&self) -> Vec<FileError> {
        let outside = self.files.iter().filter(|(id, _)| !id.contains('/'));
        let error = |(_, path): &(String, PathBuf)| {
            FileError::whole(path, "is in no suite")
                .help("a suite is a directory beside this file: move it into one, such as `link`")
        };
        outside.map(error).collect()
    }

    /// Loads every one of the files, by path: the vector, or why it is none. Strays come last.
    pub(super) fn load(&self, root: &Path) -> Vec<Result<Vector, FileError>> {
        let files = self.files.iter().map(|(_, path)| load_vector(root, path));
        files.chain(self.strays.iter().cloned().map(Err)).collect()
    }
}

/// Lists the vectors below `root`.
///
/// # Errors
/// A directory cannot be listed, or there is no vector.
pub fn list(root: &Path) -> Result<Listing, Vec<FileError>> {
    let mut listing = Listing { files: Vec::new(), strays: Vec::new() };
    for path in files_below(root)? {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension {
            "yaml" => match id_of(root, &path) {
                Ok(id) => listing.files.push((id, path)),
                Err(error) => listing.strays.push(error),
            },
            _ if ["yml", "yaml"].iter().any(|known| extension.eq_ignore_ascii_case(known)) => {
                let error = FileError::whole(&path, "is not read: the name of a vector ends in `.yaml`");
                listing.strays.push(error.help("rename it"));
            }
            _ => {}
        }
    }
    if listing.files.is_empty() && listing.strays.is_empty() {
        let none = FileError::whole(root, "holds no vectors").help("a vector is a file that ends in .yaml");
        return Err(vec![none]);
    }
    Ok(listing)
}

/// The id of the vector in a file: its path below `root` without `.yaml`.
fn id_of(root: &Path, path: &Path) -> Result<String, FileError> {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let id = below.to_str().ok_or_else(|| FileError::whole(path, "the name is not UTF-8"))?;
    // Ids stand in names of files, in command lines with `#N` behind a report, and in lines of reports.
    let odd = id.chars().find(|c| !(c.is_ascii_alphanumeric() || "./-_+".contains(*c)));
    match odd {
        Some(odd) => {
            Err(FileError::whole(path, format!("the name of a vector has no `{}`", odd.escape_debug()))
                .help("letters, digits, dashes, dots and underscores"))
        }
        None => Ok(id.to_owned()),
    }
}

/// The file of the vector with this id, which may not be there.
///
/// # Errors
/// No vector can have the id: a suite and a name, of letters, digits, dashes, dots and underscores.
pub fn path_of(root: &Path, id: &str) -> Result<PathBuf, FileError> {
    let path = root.join(format!("{id}.yaml"));
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    if !id.contains('/') || !id.split('/').all(plain) {
        return Err(FileError::whole(&path, format!("`{}` is no vector's id", id.escape_debug()))
            .help("a suite and a name: link/create-lo"));
    }
    id_of(root, &path)?;
    Ok(path)
}

/// Loads one vector; its id is the file's path below `root`.
///
/// # Errors
/// The file cannot be read, is no YAML, has an unknown key, or a step that is not exactly one thing.
pub fn load_vector(root: &Path, path: &Path) -> Result<Vector, FileError> {
    let id = id_of(root, path)?;
    parse_vector(id, path, &read_text(path, Limit::YAML)?)
}

/// Reads the vector of that id from a text, which stands in `path` or is to stand there.
///
/// # Errors
/// As for [`load_vector`], but for the reading.
pub fn parse_vector(id: impl Into<String>, path: &Path, text: &str) -> Result<Vector, FileError> {
    validated(id.into(), path, parse_yaml(path, text)?)
}

fn validated(id: String, path: &Path, raw: RawVector) -> Result<Vector, FileError> {
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
    let privilege = match raw.needs.privilege {
        RawPrivilege::Root => Privilege::Root,
        RawPrivilege::Unprivileged => Privilege::Unprivileged,
        RawPrivilege::Jailed => Privilege::Jailed,
    };
    let (hardware, cards) = cards(SourceFile(path), &raw.needs.hardware, privilege)?;
    let processors = match &raw.needs.processors {
        None => 1,
        Some(number) if (2..=MOST_PROCESSORS).contains(&number.value) => number.value,
        Some(number) => {
            let what = format!("2 to {MOST_PROCESSORS} processors are expected");
            return Err(FileError::at(path, place(number), what).help("every guest has one"));
        }
    };
    let module_places = raw.needs.modules.iter().map(place).collect();
    let sysctl_places = raw.needs.sysctl.values().map(place).collect();
    let sysctl =
        raw.needs.sysctl.into_iter().map(|(name, value)| Setting { name, value: value.value }).collect();
    Ok(Vector {
        id,
        path: path.to_owned(),
        about: raw.about.value,
        needs: Needs {
            privilege,
            hardware,
            processors,
            sysctl,
            os: systems(path, &raw.needs.os)?,
            modules: raw.needs.modules.into_iter().map(|module| module.value).collect(),
        },
        cards,
        race_seconds: None,
        module_places,
        sysctl_places,
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
        malformed_place: raw.malformed.first().map_or(Position::START, place),
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
        raw.hardware.is_some(),
    ];
    match kinds.into_iter().filter(|is| *is).count() {
        1 => Ok(()),
        count => Err(FileError::at(path, place(step), format!("a step is one thing, and this is {count}"))
            .help("give one of: send, datagram, exec, wait, race, hardware")),
    }
}

fn systems(path: &Path, names: &[Spanned<String>]) -> Result<Vec<Os>, FileError> {
    if names.is_empty() {
        return Ok(vec![Os::FreeBsd, Os::Linux]);
    }
    let mut systems = Vec::new();
    for name in names {
        let os = Os::by_name(&name.value).ok_or_else(|| {
            FileError::at(path, place(name), format!("unknown system `{}`", name.value)).help(
                match nearest(&name.value, Os::ALL.map(Os::name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "known: freebsd, linux".into(),
                },
            )
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
