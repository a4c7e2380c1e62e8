// SPDX-License-Identifier: BSD-2-Clause
//! One build: `kernel-toolchain` once, then `buildkernel`, and what came of it beside each other.
//!
//! ```text
//! objects/<key>/build.json      tree, configuration, revision
//! objects/<key>.lock            held while somebody builds
//! objects/<key>/log             what make said in the last build
//! objects/<key>/toolchain       the bootstrap tools are whole
//! objects/<key>/obj             MAKEOBJDIRPREFIX
//! objects/<key>/installed       links to kernel and modules
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nlproof_files::write_whole;
use nlproof_guest::Tasks;
use tokio::time::timeout;

use super::build_error::{BuildError, objects};
use super::kept::{INFO, Info, lock_of, place};
use super::make::{BuildOptions, Make, Step, TOOLCHAIN, Total};
use super::tools::Compilers;

/// Between two looks at a lock that another process holds.
const TICK: Duration = Duration::from_millis(100);
/// Modules that the matrix's modules depend on and that have directories of their own.
const BELOW: [&str; 7] = ["bridgestp", "dtrace", "ksyms", "netlink", "opensolaris", "virtio", "xdr"];

/// A kernel that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// A directory with `kernel` and modules.
    pub installed: PathBuf,
    /// How long it took.
    pub took: Duration,
}

/// Builds a tree's kernel, or what has changed of it.
///
/// # Errors
/// See [`BuildError`].
pub fn build(options: &BuildOptions<'_>, on_step: &mut dyn FnMut(Step)) -> Result<Built, BuildError> {
    let began = Instant::now();
    let compilers = Compilers::from_env()?;
    let place = place(options.objects, &options.tree.path, options.kernconf);
    let prefix = place.join("obj");
    fs::create_dir_all(&prefix).map_err(objects(&prefix))?;
    let _lock = lock(&lock_of(&place), options.tasks, on_step)?;
    let info = Info {
        tree: options.tree.path.clone(),
        kernconf: options.kernconf.to_owned(),
        revision: options.tree.told(),
    };
    let text = serde_json::to_vec_pretty(&info).unwrap_or_default();
    write_whole(&place.join(INFO), &text).map_err(objects(&place.join(INFO)))?;
    let log = place.join("log");
    drop(File::create(&log).map_err(objects(&log))?);
    let make = Make { options, compilers: &compilers, prefix: &prefix, log: &log };
    let toolchain = place.join("toolchain");
    if !toolchain.is_file() {
        on_step(Step::Toolchain);
        make.target(TOOLCHAIN, &[], &Total::default(), on_step)?;
        write_whole(&toolchain, b"").map_err(objects(&toolchain))?;
    }
    let modules = directories(&options.tree.path, options.modules);
    let arguments = [
        format!("KERNCONF={}", options.kernconf),
        format!("MODULES_OVERRIDE={}", modules.join(" ")),
        "-DNO_KERNELCLEAN".to_owned(),
    ];
    let made = made_in(&prefix, options);
    let total = Total { directories: directories_of(&options.tree.path, &modules), made: Some(&made) };
    make.target("buildkernel", &arguments, &total, on_step)?;
    let installed = place.join("installed");
    if !link(&made, &installed).map_err(objects(&installed))? {
        return Err(BuildError::NoKernel { tree: options.tree.path.clone(), path: made, log });
    }
    Ok(Built { installed, took: began.elapsed() })
}

/// Where the objects of the kernel are: make(1) keeps them by the tree's own path.
fn made_in(prefix: &Path, options: &BuildOptions<'_>) -> PathBuf {
    let tree = options.tree.path.strip_prefix("/").unwrap_or(&options.tree.path);
    prefix.join(tree).join("amd64.amd64/sys").join(options.kernconf)
}

/// The directories below sys/modules that have what guests want.
fn directories(tree: &Path, modules: &[String]) -> Vec<String> {
    let mut names: Vec<String> = modules.iter().cloned().chain(BELOW.map(str::to_owned)).collect();
    names.retain(|name| tree.join("sys/modules").join(name).is_dir());
    names.sort();
    names.dedup();
    names
}

/// How many directories make(1) goes into for these modules: those with a Makefile.
fn directories_of(tree: &Path, modules: &[String]) -> usize {
    let mut open: Vec<PathBuf> = modules.iter().map(|name| tree.join("sys/modules").join(name)).collect();
    let mut count = 0;
    while let Some(directory) = open.pop() {
        count += usize::from(directory.join("Makefile").is_file());
        let below = fs::read_dir(directory).into_iter().flatten().flatten();
        open.extend(
            below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
    count
}

/// Links to the kernel and its modules, in a directory of their own; whether there is a kernel.
fn link(made: &Path, installed: &Path) -> io::Result<bool> {
    if installed.exists() {
        fs::remove_dir_all(installed)?;
    }
    fs::create_dir(installed)?;
    let kernel = made.join("kernel");
    if !kernel.is_file() {
        return Ok(false);
    }
    symlink(&kernel, installed.join("kernel"))?;
    let mut open = vec![made.join("modules")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() && name.to_str().is_some_and(|name| name.ends_with(".ko")) => {
                    symlink(&path, installed.join(name)).or_else(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => Ok(()),
                        _ => Err(error),
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(true)
}

/// The right to build, which ends with this process.
fn lock(path: &Path, tasks: &Tasks, on_step: &mut dyn FnMut(Step)) -> Result<File, BuildError> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(objects(path))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(objects(path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !std::mem::replace(&mut said, true) {
            on_step(Step::Wait);
        }
        // No event tells of a lock that becomes free.
        let waited = tasks.drive(async { timeout(TICK, tasks.cancel().cancelled()).await });
        if waited.is_ok() {
            return Err(BuildError::Interrupted);
        }
    }
}
