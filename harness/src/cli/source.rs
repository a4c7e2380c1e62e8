// SPDX-License-Identifier: BSD-2-Clause
//! `--src`: a kernel built from a tree; `kernel build`, `list` and `rm`.

use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use nlproof_base::counted;
use nlproof_image::OwnKernel;

use super::args::{KernelCommand, KernelsArgs, ProjectArgs, SourceArgs};
use super::directories::cache_directory;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use crate::kernels::{BuildError, BuildOptions, Built, Step, Tree, Worktree, build, kept, worktrees};

/// Where objects of builds are kept.
fn objects() -> Result<PathBuf, CliError> {
    Ok(cache_directory()?.join("kernels/objects"))
}

/// Where worktrees of bisections are kept.
pub(super) fn bisections() -> Result<PathBuf, CliError> {
    Ok(cache_directory()?.join("kernels/bisect"))
}

/// A kernel from a tree, and the tree that it is from.
pub(super) struct FromTree {
    pub(super) kernel: OwnKernel,
    pub(super) tree: Tree,
    pub(super) built: Built,
}

/// Builds the requested kernel and shows the progress on standard error.
pub(super) fn from_tree(args: &SourceArgs, path: &Path, modules: &[String]) -> Result<FromTree, CliError> {
    let tree = Tree::open(path).map_err(|error| CliError::Usage(error.to_string()))?;
    let objects = objects()?;
    let options = BuildOptions {
        tree: &tree,
        kernconf: &args.kernconf,
        modules,
        make_args: &args.make_arg,
        objects: &objects,
        tasks: interrupt::tasks(),
    };
    let built = build(&options, &mut |step| match step {
        Step::Wait => tell!("{}: wait for another build of this tree", tree.path.display()),
        Step::Toolchain => tell!("{}: build the tools of the build, once", tree.path.display()),
        Step::Stage(stage) => tell!("{stage}"),
        Step::Tool(name) => tell!("tool of the build: {name}"),
        Step::Directory { name, number, of } => tell!("directory {number} of {of}: modules/{name}"),
        Step::Objects(number, Some(of)) => tell!("kernel: object {number} of {of}"),
        Step::Objects(number, None) => tell!("kernel: object {number}"),
        Step::Link => tell!("kernel: linked, and its types merged"),
    })
    .map_err(failed)?;
    let kernel = OwnKernel::open(&built.installed, &cache_directory()?.join("kernels"))
        .map_err(|error| CliError::Build(error.into()))?;
    Ok(FromTree { kernel, tree, built })
}

fn failed(error: BuildError) -> CliError {
    match error {
        BuildError::Interrupted => CliError::Interrupted,
        error @ (BuildError::Tools(_) | BuildError::Start(_)) => CliError::NothingRan(error.to_string()),
        error => CliError::Build(error.into()),
    }
}

pub(super) fn main(project: &ProjectArgs, args: &KernelsArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        KernelCommand::Build { src, source } => {
            let modules = Project::find(project)?.modules()?;
            let FromTree { kernel, tree, built } = from_tree(source, src, &modules)?;
            say!("{}: built in {:.1} s", built.installed.display(), built.took.as_secs_f64());
            say!("  kernel    {} ({} modules)", kernel.info.version, kernel.modules.len());
            say!("  ident     {}", kernel.ident);
            say!("  osreldate {}", kernel.osreldate);
            say!("  sha256    {}", kernel.info.sha256);
            say!("  tree      {}, revision {}", tree.path.display(), tree.told());
        }
        KernelCommand::List => {
            let found = kept(&objects()?);
            for kept in &found {
                let (tree, size) = (kept.tree.display(), HumanBytes(kept.bytes()).to_string());
                say!("{}  {size:>10}  {tree} {} revision {}", kept.key, kept.kernconf, kept.revision);
            }
            let worktrees = worktrees(&bisections()?);
            for worktree in &worktrees {
                let size = HumanBytes(worktree.bytes()).to_string();
                say!(
                    "{}  {size:>10}  worktree of {}, for bisect",
                    worktree.key,
                    worktree.repository.display()
                );
            }
            if found.is_empty() && worktrees.is_empty() {
                say!("no objects of kernels; nlproof kernel build --src TREE makes some");
            }
        }
        KernelCommand::Rm { trees } => remove(trees)?,
    }
    Ok(ExitCode::OK)
}

fn remove(wanted: &[String]) -> Result<(), CliError> {
    let (found, worktrees) = (kept(&objects()?), worktrees(&bisections()?));
    let absolute = |name: &str| std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name));
    let repository = |name: &String| -> Vec<_> {
        let same = |worktree: &&Worktree| worktree.key == *name || worktree.repository == absolute(name);
        worktrees.iter().filter(same).collect()
    };
    // With a worktree go its objects.
    let named = |name: &String| -> Vec<_> {
        let trees: Vec<_> =
            repository(name).into_iter().map(Worktree::tree).chain([absolute(name)]).collect();
        found.iter().filter(|kept| kept.key == *name || trees.contains(&kept.tree)).collect()
    };
    // All names are looked at before anything is removed.
    if let Some(unknown) = wanted.iter().find(|name| named(name).is_empty() && repository(name).is_empty()) {
        return Err(CliError::Usage(format!(
            "no objects of `{unknown}`\n  help: nlproof kernel list shows them"
        )));
    }
    let failed =
        |path: &Path, error: std::io::Error| CliError::Build(format!("{}: {error}", path.display()).into());
    let mut count = 0;
    for kept in wanted.iter().flat_map(named) {
        let bytes = kept.bytes();
        kept.remove().map_err(|error| failed(&kept.path, error))?;
        say!("removed {} of {} {} ({})", kept.key, kept.tree.display(), kept.kernconf, HumanBytes(bytes));
        count += 1;
    }
    for worktree in wanted.iter().flat_map(repository) {
        let bytes = worktree.bytes();
        worktree.remove().map_err(|error| failed(&worktree.tree(), error))?;
        say!("removed the worktree of {} ({})", worktree.repository.display(), HumanBytes(bytes));
    }
    say!("{} removed", counted(count, "directory").verb("of objects was", "of objects were"));
    Ok(())
}
