// SPDX-License-Identifier: BSD-2-Clause
//! `watch -- COMMAND`: what any program says on its netlink sockets, and hears.

mod conversation;
mod guest;
mod program;
mod screen;

use std::path::Path;

use nlproof_base::counted;

use self::conversation::{Conversation, first_difference};
use self::program::Prepared;
use self::screen::Seen;
use super::args::{ProjectArgs, WatchArgs};
use super::copies::Copies;
use super::exit::{CliError, ExitCode};
use super::new_vector::{demand_new, write_vector};
use super::out::{say, tell};
use super::project::Project;
use super::repro::hold;
use super::shell::guest_cell;
use super::targets::{Targets, open_error, open_freebsd_shown};
use super::trace::pair;
use crate::import::replica_of;
use crate::matrix::{Cell, ModuleKind};

pub(super) fn main(project: &ProjectArgs, args: &WatchArgs) -> Result<ExitCode, CliError> {
    let copies = Copies::parse(&args.copy)?;
    let program = Prepared::of(args)?;
    if let (Some(id), false) = (&args.as_vector, args.force) {
        demand_new(project, id)?;
    }
    let project_args = project;
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let targets = copies.room_in(Targets::new(&args.guest, &project)?);
    let both = [ModuleKind::Stock, ModuleKind::Rust].iter().all(|module| args.cells.module.contains(module));
    let cells = match both {
        true => pair(&project, &args.cells, &targets)?.to_vec(),
        false => vec![guest_cell(&project, &targets, &args.cells)?],
    };
    let mut seen = Vec::new();
    for cell in cells {
        // Nothing is held to goldens here: whichever kernel there is may be looked at.
        let cell = Cell { profile_is_meant: true, ..cell };
        if both {
            say!("{}:", cell.name());
        }
        seen.push((watched(&targets, &cell, &copies, &program, args)?, cell));
    }
    let mut code = ExitCode::OK;
    if let [(left, stock), (right, rust)] = &seen[..] {
        code = compared((left, stock), (right, rust));
    }
    if let (Some(id), Some((seen, cell))) = (&args.as_vector, seen.first()) {
        write(project_args, id, args.force, &program, seen, cell)?;
    }
    Ok(seen.first().map_or(code, |(seen, _)| code.or(seen.code())))
}

/// Runs the program in a guest of the cell, and shows what it says.
fn watched(
    targets: &Targets,
    cell: &Cell,
    copies: &Copies,
    program: &Prepared,
    args: &WatchArgs,
) -> Result<Seen, CliError> {
    let mut target = open_freebsd_shown(targets, cell).map_err(open_error)?;
    copies.put(&mut target)?;
    let seen = guest::run(&mut target, program, args.timeout)?;
    say!("{}", seen.summary());
    for hole in &seen.holes {
        tell!("warning: {hole}");
    }
    let got = copies.get(&mut target);
    if args.keep {
        if let Err(error) = &got {
            tell!("error: {error}");
        }
        hold(&mut target, cell, |text| tell!("{text}"))?;
    }
    got.map(|()| seen)
}

/// Shows the first difference between both modules.
fn compared((left, stock): (&Seen, &Cell), (right, rust): (&Seen, &Cell)) -> ExitCode {
    let texts = [left, right].map(|seen| Conversation::of(seen).to_text());
    let [one, other] = &texts;
    match first_difference(one, other) {
        None => {
            say!("{} and {}: the same, {}", stock.name(), rust.name(), counted(one.lines().count(), "line"));
            ExitCode::OK
        }
        Some(difference) => {
            say!("{} and {} differ, first here:", stock.name(), rust.name());
            say!("{difference}");
            ExitCode::COMPARISON
        }
    }
}

/// Writes the vector of what was seen.
fn write(
    project: &ProjectArgs,
    id: &str,
    force: bool,
    program: &Prepared,
    seen: &Seen,
    cell: &Cell,
) -> Result<(), CliError> {
    let (replica, left) = replica_of(id, &format!("what {} says", program.shown()), &seen.acts, &seen.heard);
    if replica.steps.is_empty() {
        return Err(CliError::Usage(format!(
            "{} says nothing on netlink sockets for routes and interfaces, and makes no interface: there is no vector \
             to write",
            program.shown()
        )));
    }
    let (vector, replaced) = replica.vector(Path::new(&format!("{id}.yaml")))?;
    let mut head = format!("Watched: {}, in {}.\n", program.shown(), cell.name());
    for hole in &seen.holes {
        head.push_str(&format!("Incomplete: {hole}\n"));
    }
    for line in &left {
        tell!("not in the vector: {line}");
        head.push_str(&format!("Not in the vector: {line}\n"));
    }
    for line in &replaced {
        tell!("replaced: {line}");
        head.push_str(&format!("{line}\n"));
    }
    let plain = |line: &str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let head: String = head.lines().map(|line| format!("# {}\n", plain(line))).collect();
    write_vector(project, id, &format!("{head}{}", vector.to_yaml()), force)
}
