// SPDX-License-Identifier: BSD-2-Clause
//! `bisect`: the commit that changed the answer to a vector.
//!
//! git bisect runs in a worktree of its own ([`Worktree`]).

use std::fs;
use std::path::Path;

use nlproof_base::{Limit, counted, read_text};
use nlproof_files::write_whole;
use similar::{ChangeTag, TextDiff};

use super::answer::{Seen, ask};
use super::args::{BisectArgs, CellArgs, KernelArgs, LoadArgs, OwnArgs, ProjectArgs, Until};
use super::default_cell::default_cell;
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text, tell};
use super::project::Project;
use super::source::bisections;
use super::targets::{Targets, open_error, open_shown};
use crate::kernels::{GitError, Worktree, git, git_says};
use crate::vector::Vector;

fn no_git(error: GitError) -> CliError {
    match error {
        GitError::Start(_) => CliError::NothingRan(error.to_string()),
        GitError::Complaint { .. } => CliError::Usage(error.to_string()),
    }
}

/// Output of a git command, or its complaint.
fn said(directory: &Path, arguments: &[&str]) -> Result<String, CliError> {
    git_says(directory, arguments).map_err(no_git)
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

    /// The same of a commit that was asked.
    fn told(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Skip => "not to be built or booted",
        }
    }

    /// What an answer is to who looks for this.
    fn of(seen: &Seen, until: Until) -> Verdict {
        match (seen, until) {
            (Seen::Panicked, Until::Panics)
            | (Seen::Differs, Until::Differs)
            | (Seen::Violated, Until::Violated)
            | (Seen::Inconclusive, Until::Inconclusive) => Verdict::Bad,
            // What a lost guest, or a trace with a hole, would have answered is not known.
            (Seen::Panicked | Seen::Lost, _)
            | (Seen::Inconclusive, Until::Differs | Until::Violated)
            | (Seen::NoGolden | Seen::NotCompared, Until::Differs) => Verdict::Skip,
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
    let place = Worktree::of(&bisections()?, &repository);
    let held = place.begin().map_err(CliError::unwritten(&place.seen()))?;
    let Some(_held) = held else {
        let what = format!("another bisection runs in the worktree of {}", repository.display());
        return Err(CliError::NothingRan(what));
    };
    begin(&place, &repository, &good, &bad, args)?;
    // What was asked before may have left nothing to ask.
    let mut first_bad = next(&place, &["bisect", "next"])?;
    while first_bad.is_none() {
        let revision = said(&place.tree(), &["rev-parse", "HEAD"])?;
        let verdict = judge(&place, &revision, project, args, &vector)?;
        first_bad = next(&place, &["bisect", verdict.word()])?;
    }
    let first_bad = first_bad.unwrap_or_default();
    conclude(&place, &first_bad, project, args, &vector)?;
    // Kept until it is told: an interruption before costs nothing.
    drop(git(&place.tree(), &["bisect", "reset"]));
    fs::remove_file(place.question()).map_err(CliError::unwritten(&place.question()))?;
    Ok(ExitCode::OK)
}

/// Has git bisect check out the next commit; the first bad one if it knows that.
fn next(place: &Worktree, arguments: &[&str]) -> Result<Option<String>, CliError> {
    let next = git(&place.tree(), arguments).map_err(no_git)?;
    let text = String::from_utf8_lossy(&next.stdout).into_owned();
    let first_bad = text.lines().find_map(|line| line.strip_suffix(" is the first bad commit"));
    if first_bad.is_none() && !next.status.success() {
        let text = format!("{text}{}", String::from_utf8_lossy(&next.stderr));
        return Err(CliError::NothingRan(format!("git bisect cannot go on:\n{}", text.trim_end())));
    }
    Ok(first_bad.map(str::to_owned))
}

/// Starts, or goes on where the same question was left.
fn begin(
    place: &Worktree,
    repository: &Path,
    good: &str,
    bad: &str,
    args: &BisectArgs,
) -> Result<(), CliError> {
    let question = format!(
        "{good} {bad} {} {:?} {} {} {:?} {:?} {:?}\n",
        args.vector,
        args.until,
        args.module,
        args.source.kernconf,
        args.source.make_arg,
        args.profile,
        args.release
    );
    if !place.tree().join(".git").exists() {
        drop(git(repository, &["worktree", "prune"]).map_err(no_git)?);
        let path = place.tree().to_string_lossy().into_owned();
        said(repository, &["worktree", "add", "--detach", &path, bad])?;
    }
    let asked = read_text(&place.question(), Limit::LISTING).unwrap_or_default();
    if asked == question {
        tell!("goes on in {}", place.tree().display());
        return Ok(());
    }
    drop(git(&place.tree(), &["bisect", "reset"]).map_err(no_git)?);
    for file in fs::read_dir(place.seen()).into_iter().flatten().flatten() {
        fs::remove_file(file.path()).map_err(CliError::unwritten(&file.path()))?;
    }
    said(&place.tree(), &["bisect", "start", bad, good])?;
    write_whole(&place.question(), question.as_bytes()).map_err(CliError::unwritten(&place.question()))
}

/// Builds a commit's kernel, asks it, and keeps its answer.
fn judge(
    place: &Worktree,
    revision: &str,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<Verdict, CliError> {
    let subject = said(&place.tree(), &["log", "-1", "--format=%h %s"])?;
    let (verdict, what, text) = match asked(place, project, args, vector) {
        Ok((seen, text)) => (Verdict::of(&seen, args.until), seen.word().to_owned(), text),
        Err(error) if error.is_the_kernels() => (Verdict::Skip, error.to_string(), String::new()),
        // The next commit would fare no better.
        Err(error) => return Err(error),
    };
    // Of a build that failed the second line is the compiler's.
    let what: Vec<&str> = what.lines().take(2).map(|line| line.trim_start_matches([' ', '|'])).collect();
    say!("{}: {subject}: {}", verdict.word(), what.join(" "));
    let file = place.seen().join(revision);
    write_whole(&file, format!("{}\n{text}", verdict.word()).as_bytes())
        .map_err(CliError::unwritten(&file))?;
    Ok(verdict)
}

fn asked(
    place: &Worktree,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<(Seen, String), CliError> {
    let kernel = KernelArgs {
        own: OwnArgs {
            src: Some(format!("bisect={}", place.tree().display())),
            profile: args.profile.into_iter().collect(),
            ..OwnArgs::default()
        },
        source: args.source.clone(),
    };
    let bases: Vec<String> = args.release.iter().cloned().collect();
    let project = Project::find(project)?.with_modules(&args.guest.kmod).with_kernels(&kernel, &bases)?;
    let targets = Targets::new(&args.guest, &project)?;
    let cells = CellArgs {
        target: Vec::new(),
        release: bases,
        module: vec![args.module],
        load: LoadArgs::default(),
        kernel,
    };
    let cell = default_cell(&project, &targets, &cells, &vector.id)?;
    let mut target = open_shown(&targets, &cell).map_err(open_error)?;
    let answer = ask(&project, target.as_mut(), Some(&cell), vector)?;
    if answer.seen() == Seen::NoGolden {
        return Err(CliError::Usage(format!(
            "{} has no golden in {}: nothing says what is right",
            vector.id,
            cell.name()
        )));
    }
    Ok((answer.seen(), answer.text()))
}

/// Prints the commit, and its kernel's answer beside that of the commit before.
fn conclude(
    place: &Worktree,
    first_bad: &str,
    project: &ProjectArgs,
    args: &BisectArgs,
    vector: &Vector,
) -> Result<(), CliError> {
    let parent = said(&place.tree(), &["rev-parse", &format!("{first_bad}^")])?;
    let mut texts = Vec::new();
    for (revision, expected) in [(parent.as_str(), Verdict::Good), (first_bad, Verdict::Bad)] {
        if !place.seen().join(revision).is_file() {
            // The ends of the range were believed.
            said(&place.tree(), &["checkout", "--quiet", "--detach", revision])?;
            let verdict = judge(place, revision, project, args, vector)?;
            if verdict != expected {
                return Err(CliError::NothingRan(format!(
                    "{revision:.12} was believed to be {}, and is {}\n  help: give other ends: --good REV --bad REV",
                    expected.word(),
                    verdict.told()
                )));
            }
        }
        let text = read_text(&place.seen().join(revision), Limit::GOLDEN).map_err(|error| {
            CliError::Usage(format!("{}: {error}", place.seen().join(revision).display()))
        })?;
        texts.push(text.split_once('\n').map_or(String::new(), |(_, text)| text.to_owned()));
    }
    let builds = fs::read_dir(place.seen()).into_iter().flatten().count();
    say!("\n{first_bad:.12} is the first that {}, after {}:", args.until.word(), counted(builds, "build"));
    say!("{}", indented(&said(&place.tree(), &["log", "-1", "--format=%an, %ad%n%n%B", first_bad])?));
    let heads = [format!("{parent:.12}"), format!("{first_bad:.12}")];
    say_text!(side_by_side(&heads, &texts[0], &texts[1]));
    Ok(())
}

/// A text two columns to the right.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect()
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
    fn a_commits_message_is_indented_and_its_empty_lines_are_empty() {
        assert_eq!(indented("A\n\nb"), "  A\n\n  b\n");
    }

    #[test]
    fn two_conversations_stand_beside_each_other() {
        let heads = ["a".to_owned(), "b".to_owned()];
        let shown = side_by_side(&heads, "same\nold\n", "same\nnew\nmore\n");
        assert_eq!(shown, "a      b\nsame   same\nold  | new\n     | more\n");
    }
}
