// SPDX-License-Identifier: BSD-2-Clause
//! `--copy` and `--copy-out`: files into a guest before it is asked anything, and out of it afterwards.

use super::args::CopyArgs;
use super::exit::CliError;
use super::out::tell;
use super::targets::{Targets, lost};
use crate::guest::{CopyError, CopyIn, CopyOut};
use crate::matrix::{Cell, TargetKind};
use crate::targets::FreebsdTarget;

/// The copies of one command, looked at before anything else begins.
pub(super) struct Copies {
    into: Vec<CopyIn>,
    out: Vec<CopyOut>,
}

impl Copies {
    /// Reads the copies' arguments and checks that they are possible.
    pub(super) fn parse(args: &CopyArgs) -> Result<Copies, CliError> {
        let wrong = |option: &str, error: CopyError| CliError::Usage(format!("{option}: {error}"));
        let into = args.copy.iter().map(|text| CopyIn::parse(text)).collect::<Result<_, _>>();
        let out = args.copy_out.iter().map(|text| CopyOut::parse(text)).collect::<Result<_, _>>();
        Ok(Copies {
            into: into.map_err(|error| wrong("--copy", error))?,
            out: out.map_err(|error| wrong("--copy-out", error))?,
        })
    }

    /// Rejects a copy into a cell that is no guest.
    pub(super) fn demand_guest(&self, cell: Option<&Cell>) -> Result<(), CliError> {
        let guest = cell.is_some_and(|cell| cell.target == TargetKind::Freebsd);
        if guest || (self.into.is_empty() && self.out.is_empty()) {
            return Ok(());
        }
        let name = cell.map_or_else(|| "this machine's Linux".to_owned(), Cell::name);
        Err(CliError::Usage(format!(
            "{name} is no guest that something could be copied into or out of\n  help: --target freebsd"
        )))
    }

    /// Guests with room for the copies.
    pub(super) fn room_in(&self, targets: Targets) -> Targets {
        targets.with_room_for(self.into.iter().map(CopyIn::bytes).sum())
    }

    /// Copies into the guest.
    pub(super) fn put(&self, target: &mut FreebsdTarget) -> Result<(), CliError> {
        for copy in &self.into {
            let path = target.put(copy).map_err(lost)?;
            tell!("copied {} to {path} in the guest", copy.source().display());
        }
        Ok(())
    }

    /// Copies out of the guest. Each copy is tried; the first error is the result.
    pub(super) fn get(&self, target: &mut FreebsdTarget) -> Result<(), CliError> {
        let mut result = Ok(());
        for copy in &self.out {
            match target.get(copy) {
                Ok(got) => {
                    let left_out = match got.left_out {
                        0 => String::new(),
                        count => format!("; left out what is no file, directory or link: {count}"),
                    };
                    tell!(
                        "copied {} out of the guest to {}{left_out}",
                        copy.guest_path(),
                        got.path.display()
                    );
                }
                Err(error) => result = result.and(Err(lost(error))),
            }
        }
        result
    }
}
