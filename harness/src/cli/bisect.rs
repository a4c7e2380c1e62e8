// SPDX-License-Identifier: BSD-2-Clause
//! `bisect`: the commit that changed the answer to a vector.
//!
//! git bisect runs in a worktree of its own, which a repository keeps between runs: what was found out so far, and the
//! objects of the build, are there for the next one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nlproof_base::{Limit, counted, read_text};
use nlproof_files::write_whole;
use sha2::{Digest as _, Sha256};
use similar::{ChangeTag, TextDiff};

use super::args::{BisectArgs, CellArgs, KernelArgs, OwnArgs, ProjectArgs, Until};
use super::default_cell::default_cell;
use super::directories::cache_directory;
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text, tell};
use super::project::Project;
use super::run::{Seen, look};
use super::targets::Targets;
use crate::vector::Vector;

/// Worktree of a bisection, with the verdicts so far.
struct Place {
    tree: PathBuf,
    /// The question, so that a different one begins anew.
    question: PathBuf,
    /// A file a commit: its verdict, then the conversation.
    seen: PathBuf,
}

impl Place {
    fn of(repository: &Path) -> Result<Place, CliError> {
        let digest = Sha256::digest(repository.to_string_lossy().as_bytes());
        let key: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let directory = cache_directory()?.join("kernels/bisect").join(key);
        let place = Place {
            tree: directory.join("tree"),
            question: directory.join("question"),
            seen: directory.join("seen"),
        };
        fs::create_dir_all(&place.seen).map_err(|error| output(&place.seen, error))?;
        Ok(place)
    }

    fn file(&self, revision: &str) -> PathBuf {
        self.seen.join(revision)
    }

    fn git(&self, arguments: &[&str]) -> Result<Output, CliError> {
        git(&self.tree, arguments)
    }
}

fn output(path: &Path, error: std::io::Error) -> CliError {
    CliError::Output { what: path.display().to_string(), error }
}

/// Runs git in a directory.
fn git(directory: &Path, arguments: &[&str]) -> Result<Output, CliError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).stdin(Stdio::null());
    command.output().map_err(|error| {
        CliError::NothingRan(format!("git does not start: {error}\n  help: install it (Debian: git)"))
    })
}

/// Output of a git command, or its complaint.
fn said(directory: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let output = git(directory, arguments)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(CliError::Usage(format!("git {}: {complaint}", arguments.join(" "))))
}

/// Verdict on a commit for git bisect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    Skip,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Skip => "skip",
        }
    }

    /// Verdict on an answer in this search.
    fn of(seen: &Seen, until: Until) -> Verdict {
        match (seen, until) {
            (Seen::Panicked, Until::Panics)
            | (Seen::Differs, Until::Differs)
            | (Seen::Violated, Until::Violated)
            | (Seen::Inconclusive, Until::Inconclusive) => Verdict::Bad,
            // What a lost guest, or a trace with a hole, would have answered is not known.
            (Seen::Panicked | Seen::Lost, _) | (Seen::Inconclusive, Until::Differs | Until::Violated) => {
                Verdict::Skip
            }
            _ => Verdict::Good,
        }
    }
}

pub(super) fn main(project: &ProjectArgs, args: &BisectArgs) -> Result<ExitCode, CliError> {
    let vector = Project::find(project)?.vector(&args.vector)?;
    let repository = fs::canonicalize(&args.src)
        .map_err(|error| CliError::Usage(format!("{}: {error}", args.src.display())))?;
    let commit = |rev: &str| said(&repository, &["rev-parse", "--verify", &format!("{rev}^{{commit}}")]);
    let (good, bad) = (commit(&args.good)?, commit(&args.bad)?);
    let place = Place::of(&repository)?;
    begin(&place, &repository, &good, &bad, args)?;
    let mut first_bad = None;
    while first_bad.is_none() {
        let revision = said(&place.tree, &["rev-parse", "HEAD"])?;
        let verdict = judge(&place, &revision, project, args, &vector)?;
        let next = place.git(&["bisect", verdict.word()])?;
        let text = String::from_utf8_lossy(&next.stdout).into_owned();
        first_bad =
            text.lines().find_map(|line| line.strip_suffix(" is the first bad commit").map(str::to_owned));
        if first_bad.is_none() && !next.status.success() {
            let text = text + &String::from_utf8_lossy(&next.stderr);
            return Err(CliError::NothingRan(format!("git bisect cannot go on:\n{}", text.trim_end())));
        }
    }
    let first_bad = first_bad.unwrap_or_default();
    conclude(&place, &first_bad, project, args, &vector)?;
    // Kept until it is told: an interruption before costs nothing.
    drop(place.git(&["bisect", "reset"]));
    fs::remove_file(&place.question).map_err(|error| output(&place.question, error))?;
    Ok(ExitCode::OK)
}

/// Starts, or continues where the same search was left.
fn begin(place: &Place, repository: &Path, good: &str, bad: &str, args: &BisectArgs) -> Result<(), CliError> {
    let question = format!(
        "{good} {bad} {} {:?} {} {} {:?}\n",
        args.vector, args.until, args.module, args.source.kernconf, args.profile
    );
    if !place.tree.join(".git").exists() {
        drop(git(repository, &["worktree", "prune"])?);
        let path = place.tree.to_string_lossy().into_owned();
        said(repository, &["worktree", "add", "--detach", &path, bad])?;
    }
    let asked = read_text(&place.question, Limit::LISTING).unwrap_or_default();
    if asked == question {
        tell!("goes on in {}", place.tree.display());
        return Ok(());
    }
    drop(place.git(&["bisect", "reset"])?);
    for file in fs::read_dir(&place.seen).into_iter().flatten().flatten() {
        fs::remove_file(file.path()).map_err(|error| output(&file.path(), error))?;
    }
    said(&place.tree, &["bisect", "start", bad, good])?;
    write_whole(&place.question, question.as_bytes()).map_err(|error| output(&place.question, error))
}

/// Builds a commit's kernel, asks it, and keeps its answer.
fn judge(
    place: &Place,
    revision: &str,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<Verdict, CliError> {
    let subject = said(&place.tree, &["log", "-1", "--format=%h %s"])?;
    let (verdict, what, text) = match asked(place, project, args, vector) {
        Ok((seen, text)) => (Verdict::of(&seen, args.until), seen.word().to_owned(), text),
        Err(error @ (CliError::Usage(_) | CliError::Files(_) | CliError::Interrupted)) => return Err(error),
        Err(error) => (Verdict::Skip, error.to_string(), String::new()),
    };
    say!("{}: {subject}: {}", verdict.word(), what.lines().next().unwrap_or_default());
    let file = place.file(revision);
    write_whole(&file, format!("{}\n{text}", verdict.word()).as_bytes())
        .map_err(|error| output(&file, error))?;
    Ok(verdict)
}

fn asked(
    place: &Place,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<(Seen, String), CliError> {
    let kernel = KernelArgs {
        own: OwnArgs {
            src: Some(format!("bisect={}", place.tree.display())),
            profile: args.profile,
            ..OwnArgs::default()
        },
        source: args.source.clone(),
    };
    let bases: Vec<String> = args.release.iter().cloned().collect();
    let project = Project::find(project)?.with_modules(&args.guest.kmod).with_kernels(&kernel, &bases)?;
    let targets = Targets::new(&args.guest, &project)?;
    let cells = CellArgs { target: Vec::new(), release: bases, module: vec![args.module], kernel };
    let cell = default_cell(&project, &targets, &cells)?;
    look(&project, &targets, &cell, vector)
}

/// Prints the commit, and its kernel's answer beside that of the commit before.
fn conclude(
    place: &Place,
    first_bad: &str,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<(), CliError> {
    let parent = said(&place.tree, &["rev-parse", &format!("{first_bad}^")])?;
    let mut texts = Vec::new();
    for revision in [&parent, &first_bad.to_owned()] {
        if !place.file(revision).is_file() {
            // The ends of the range were believed.
            said(&place.tree, &["checkout", "--detach", revision])?;
            judge(place, revision, project, args, vector)?;
        }
        let text = read_text(&place.file(revision), Limit::GOLDEN)
            .map_err(|error| CliError::Usage(format!("{}: {error}", place.file(revision).display())))?;
        texts.push(text.split_once('\n').map_or(String::new(), |(_, text)| text.to_owned()));
    }
    let builds = fs::read_dir(&place.seen).into_iter().flatten().count();
    say!("\n{} first {:?}, after {}:", first_bad, args.until, counted(builds, "build"));
    say!("{}", said(&place.tree, &["log", "-1", "--format=  %an, %ad%n%n%w(0,4,4)%B", first_bad])?);
    let heads = [format!("{parent:.12}"), format!("{first_bad:.12}")];
    say_text!(side_by_side(&heads, &texts[0], &texts[1]));
    Ok(())
}

/// Two texts, line by line; `|` is between lines that differ.
fn side_by_side(heads: &[String; 2], left: &str, right: &str) -> String {
    let width = left.lines().map(|line| line.chars().count()).max().unwrap_or_default().max(heads[0].len());
    let row = |left: &str, mark: char, right: &str| {
        format!("{left:width$} {mark} {right}").trim_end().to_owned() + "\n"
    };
    let mut shown = row(&heads[0], ' ', &heads[1]);
    let (mut gone, mut come): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let flush = |gone: &mut Vec<&str>, come: &mut Vec<&str>, shown: &mut String| {
        for at in 0..gone.len().max(come.len()) {
            let of = |lines: &[&str]| lines.get(at).map_or(String::new(), |line| line.trim_end().to_owned());
            shown.push_str(&row(&of(gone), '|', &of(come)));
        }
        gone.clear();
        come.clear();
    };
    let diff = TextDiff::from_lines(left, right);
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Delete => gone.push(change.value()),
            ChangeTag::Insert => come.push(change.value()),
            ChangeTag::Equal => {
                flush(&mut gone, &mut come, &mut shown);
                let line = change.value().trim_end();
                shown.push_str(&row(line, ' ', line));
            }
        }
    }
    flush(&mut gone, &mut come, &mut shown);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_bad_and_what_is_not_known_is_skipped() {
        for (seen, until, expected) in [
            (Seen::Same, Until::Differs, Verdict::Good),
            (Seen::Differs, Until::Differs, Verdict::Bad),
            (Seen::Differs, Until::Panics, Verdict::Good),
            (Seen::Panicked, Until::Panics, Verdict::Bad),
            (Seen::Panicked, Until::Differs, Verdict::Skip),
            (Seen::Lost, Until::Panics, Verdict::Skip),
            (Seen::Inconclusive, Until::Differs, Verdict::Skip),
            (Seen::Inconclusive, Until::Inconclusive, Verdict::Bad),
            (Seen::Violated, Until::Violated, Verdict::Bad),
        ] {
            assert_eq!(Verdict::of(&seen, until), expected, "{seen:?} {until:?}");
        }
    }

    #[test]
    fn two_conversations_stand_beside_each_other() {
        let heads = ["a".to_owned(), "b".to_owned()];
        let shown = side_by_side(&heads, "same\nold\n", "same\nnew\nmore\n");
        assert_eq!(shown, "a      b\nsame   same\nold  | new\n     | more\n");
    }
}
