// SPDX-License-Identifier: BSD-2-Clause
//! Requests to begin with out of a directory: vectors, and inputs of the libFuzzer target `netlink`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nlproof_agent::{Privilege, SocketOptions};

use super::world::{OS, World};
use crate::draft::Draft;
use crate::file::{FileError, Limit, files_below, read, read_text};
use crate::import::conversation;
use crate::vector::{Replica, ReplicaStep, parse_vector};

/// The indexes of lo0 and of the first interface that is made, where the simulator answers to which those inputs were made.
const LO0: u32 = 3;
const FIRST: u32 = 4;

/// A file that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub why: NoRequest,
}

/// Why a file is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRequest {
    /// A vector that does other things than to ask.
    #[error("it runs a command, or a kernel is lost in it")]
    CommandOrLoss,
    /// A vector without parts.
    #[error("it is no request that could be changed")]
    Unchangeable,
    /// An input that is empty.
    #[error("it holds no datagram")]
    NoDatagram,
    /// An input of other bytes.
    #[error("a datagram is no sequence of messages")]
    NoMessages,
}

/// The files of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Requests by the names of their files.
    pub requests: Vec<(String, Draft)>,
    /// Files that are none.
    pub unread: Vec<Unread>,
}

/// The requests below a directory, by the names of their files, and the files that are none: `.yaml` is a vector, any other file an
/// input of the libFuzzer target.
///
/// # Errors
/// The directory or a file cannot be read, or a vector is not well-formed.
pub fn seeds_in(directory: &Path) -> Result<Seeds, Vec<FileError>> {
    let (mut seeds, mut errors) = (Seeds::default(), Vec::new());
    for path in files_below(directory)? {
        let name = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        let is_vector = path.extension().is_some_and(|extension| extension == "yaml");
        match if is_vector { vector(&path) } else { input(&path) } {
            Ok(Ok(draft)) => seeds.requests.push((name, draft)),
            Ok(Err(why)) => seeds.unread.push(Unread { path, why }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(seeds) } else { Err(errors) }
}

/// A request, or why there is none.
type Seed = Result<Draft, NoRequest>;

fn vector(path: &Path) -> Result<Seed, FileError> {
    let vector = parse_vector("fuzz/seed", path, &read_text(path, Limit::YAML)?)?;
    if vector.commands().next().is_some() || !vector.losses.is_empty() {
        return Ok(Err(NoRequest::CommandOrLoss));
    }
    // What a race permits holds for its own requests.
    let draft = Draft::of(&vector, OS).filter(|draft| !draft.has_race());
    Ok(draft.ok_or(NoRequest::Unchangeable))
}

fn input(path: &Path) -> Result<Seed, FileError> {
    let bytes = read(path, Limit::YAML)?;
    let (options, datagrams) = conversation(&bytes);
    if datagrams.is_empty() {
        return Ok(Err(NoRequest::NoDatagram));
    }
    let bit = |number: u8| options & 1 << number != 0;
    let mut replica = Replica::new("fuzz/seed", "an input of libFuzzer", OS);
    replica.socket =
        SocketOptions { ext_ack: bit(0), cap_ack: bit(1), strict: bit(2), ..SocketOptions::default() };
    replica.privilege = match (bit(4), bit(6)) {
        (true, _) => Privilege::Unprivileged,
        (false, true) => Privilege::Jailed,
        (false, false) => Privilege::Root,
    };
    let mut with = |interfaces: &BTreeMap<u32, String>| {
        let step =
            |datagram: &&[u8]| ReplicaStep::Send { data: datagram.to_vec(), interfaces: interfaces.clone() };
        replica.steps = datagrams.iter().map(step).collect();
        let (vector, _) = replica.vector(path).ok()?;
        Draft::of(&vector, OS)
    };
    let mut interfaces = BTreeMap::from([(LO0, "lo0".to_owned())]);
    let Some(first) = with(&interfaces) else {
        return Ok(Err(NoRequest::NoMessages));
    };
    if let Some(name) = World::behind(&first.steps).first_made() {
        interfaces.insert(FIRST, name.to_owned());
    }
    Ok(Ok(with(&interfaces).unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_the_libfuzzer_target_are_requests() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/netlink");
        let Seeds { requests: seeds, unread } = seeds_in(&corpus).unwrap();
        assert!(seeds.len() > 50 && unread.len() < seeds.len(), "{} and {unread:?}", seeds.len());
        let named = |wanted: &str| {
            seeds
                .iter()
                .any(|(_, draft)| draft.messages().any(|message| message.index.as_deref() == Some(wanted)))
        };
        assert!(named("lo0") && named("lo10"));
    }

    #[test]
    fn vectors_are_requests_and_other_bytes_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        let ask =
            "about: x\nneeds: {os: [freebsd]}\nsteps:\n- send: {message: getlink, flags: [request, dump]}\n";
        write("ask.yaml", ask.as_bytes());
        write("run.yaml", b"about: x\nneeds: {os: [freebsd]}\nsteps:\n- exec: {argv: [/bin/true]}\n");
        write("empty", b"");
        let Seeds { requests: seeds, unread } = seeds_in(directory.path()).unwrap();
        assert_eq!(seeds.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ask.yaml"]);
        let names: Vec<_> = unread.iter().filter_map(|unread| unread.path.file_name()?.to_str()).collect();
        assert_eq!(names, ["empty", "run.yaml"]);
        write("bad.yaml", b"about: x\n");
        assert!(seeds_in(directory.path()).unwrap_err()[0].to_string().contains("steps"));
        assert!(seeds_in(&directory.path().join("none")).is_err());
    }
}
