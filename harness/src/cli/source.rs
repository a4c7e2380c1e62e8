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
use crate::kernels::{BuildError, BuildOptions, Built, Step, Tree, build, kept};

/// Where objects of builds are kept.
fn objects() -> Result<PathBuf, CliError> {
    Ok(cache_directory()?.join("kernels/objects"))
}

/// A kernel from a tree, and the tree that it is from.
pub(super) struct FromTree {
    pub(super) kernel: OwnKernel,
    pub(super) tree: Tree,
    pub(super) built: Built,
}

/// Builds the kernel that is asked for, and shows on standard error how far it is.
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
        Step::Directories(done, total) => tell!("directory {done} of {total}"),
    })
    .map_err(failed)?;
    let kernel = OwnKernel::open(&built.installed, &cache_directory()?.join("kernels"))
        .map_err(|error| CliError::Build(error.into()))?;
    Ok(FromTree { kernel, tree, built })
}

fn failed(error: BuildError) -> CliError {
    match error {
        BuildError::Interrupted => CliError::Interrupted,
        error @ BuildError::Tools { .. } => CliError::NothingRan(error.to_string()),
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
            if found.is_empty() {
                say!("no objects of kernels; nlproof kernel build --src TREE makes some");
            }
        }
        KernelCommand::Rm { trees } => remove(trees)?,
    }
    Ok(ExitCode::OK)
}

fn remove(wanted: &[String]) -> Result<(), CliError> {
    let found = kept(&objects()?);
    let absolute = |name: &str| std::fs::canonicalize(name).unwrap_or_else(|_| PathBuf::from(name));
    let named = |name: &String| -> Vec<_> {
        found.iter().filter(|kept| kept.key == *name || kept.tree == absolute(name)).collect()
    };
    // All names are looked at before anything is removed.
    if let Some(unknown) = wanted.iter().find(|name| named(name).is_empty()) {
        return Err(CliError::Usage(format!(
            "no objects of `{unknown}`\n  help: nlproof kernel list shows them"
        )));
    }
    let mut count = 0;
    for kept in wanted.iter().flat_map(named) {
        let bytes = kept.bytes();
        kept.remove().map_err(|error| CliError::Build(format!("{}: {error}", kept.path.display()).into()))?;
        say!("removed {} of {} {} ({})", kept.key, kept.tree.display(), kept.kernconf, HumanBytes(bytes));
        count += 1;
    }
    say!("{} removed", counted(count, "directory").verb("of objects was", "of objects were"));
    Ok(())
}
