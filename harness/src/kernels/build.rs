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
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nlproof_base::Limit;
use nlproof_files::{free_bytes, write_whole};
use nlproof_guest::Tasks;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::timeout;

use super::follow::{Follower, Heard};
use super::kept::{INFO, Info, lock_of, place};
use super::tools::{Compilers, lacking_here, remedy};
use super::tree::Tree;

/// The target of make(1) that builds the tools of the build.
const TOOLCHAIN: &str = "kernel-toolchain";
/// Bytes: a disk with less than that is full for a compiler.
const LEAST_FREE: u64 = 16 << 20;
/// Between two looks at a lock that another process holds.
const TICK: Duration = Duration::from_millis(100);
/// How long make(1) may take to stop.
const STOP: Duration = Duration::from_secs(10);
/// Modules that the matrix's modules depend on and that have directories of their own.
const BELOW: [&str; 7] = ["bridgestp", "dtrace", "ksyms", "netlink", "opensolaris", "virtio", "xdr"];

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildOptions<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// The kernel's configuration, such as `GENERIC`.
    pub kernconf: &'a str,
    /// Modules that guests want.
    pub modules: &'a [String],
    /// Further arguments of make(1).
    pub make_args: &'a [String],
    /// Where objects are kept.
    pub objects: &'a Path,
    /// The runtime on which the build is waited for, and the token that interrupts it.
    pub tasks: &'a Tasks,
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Another process builds the same tree.
    Wait,
    /// The tools that the build needs are built, once a tree.
    Toolchain,
    /// make(1) says what it does.
    Stage(String),
    /// The tool in this directory is built.
    Tool(String),
    /// A directory of modules is begun: which one of how many.
    Directory {
        /// Name below sys/modules.
        name: String,
        /// One at the first.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Number of the kernel's own files compiled so far, and of those known to be missing at first.
    Objects(usize, Option<usize>),
    /// The kernel is put together.
    Link,
}

/// A kernel that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// A directory with `kernel` and modules.
    pub installed: PathBuf,
    /// How long it took.
    pub took: Duration,
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool of the build is not here.
    #[error("{missing}\n  help: {}", remedy())]
    Tools {
        /// What is missing.
        missing: String,
    },
    /// A file or directory of the objects cannot be written.
    #[error("cannot write {}: {error}\n  help: make it writable, or name another place with XDG_CACHE_HOME", path.display())]
    Objects {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// make(1) gave up.
    #[error("{what} of {} failed:\n{complaint}\n  the whole log: {}{}", tree.display(), log.display(), help(*full, lacking.as_deref()))]
    Failed {
        /// The target of make(1).
        what: &'static str,
        /// The tree.
        tree: PathBuf,
        /// The compiler's words.
        complaint: String,
        /// Path of the build's whole log.
        log: PathBuf,
        /// Whether the disk is full.
        full: bool,
        /// What this machine lacks for the build, in words.
        lacking: Option<String>,
    },
    /// The build ended well and left no kernel.
    #[error("the build of {} left no kernel in {}\n  help: see {}", tree.display(), path.display(), log.display())]
    NoKernel {
        /// The tree.
        tree: PathBuf,
        /// Where it should be.
        path: PathBuf,
        /// Path of the build's whole log.
        log: PathBuf,
    },
    /// The user interrupted the build. The next build goes on from there.
    #[error("interrupted; the next build goes on from here")]
    Interrupted,
}

fn help(full: bool, lacking: Option<&str>) -> String {
    match lacking {
        _ if full => "\n  help: the disk is full; make room (nlproof kernel rm, nlproof image gc), and build again: it goes on"
            .to_owned(),
        Some(lacking) => format!("\n  help: the build may need what is not here: {lacking}"),
        None => String::new(),
    }
}

impl BuildError {
    /// Whether the tree is to blame, so that another one might be built.
    pub fn is_the_trees(&self) -> bool {
        match self {
            BuildError::Failed { full, lacking, .. } => !full && lacking.is_none(),
            BuildError::NoKernel { .. } => true,
            BuildError::Tools { .. } | BuildError::Objects { .. } | BuildError::Interrupted => false,
        }
    }
}

fn objects(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |error| BuildError::Objects { path, error }
}

/// Builds a tree's kernel, or what has changed of it.
///
/// # Errors
/// See [`BuildError`].
pub fn build(options: &BuildOptions<'_>, on_step: &mut dyn FnMut(Step)) -> Result<Built, BuildError> {
    let began = Instant::now();
    let compilers = Compilers::from_env().map_err(|missing| BuildError::Tools { missing })?;
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
    let run = Run { options, compilers: &compilers, prefix: &prefix, log: &log };
    let toolchain = place.join("toolchain");
    if !toolchain.is_file() {
        on_step(Step::Toolchain);
        run.make(TOOLCHAIN, &[], &Total::default(), on_step)?;
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
    run.make("buildkernel", &arguments, &total, on_step)?;
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

/// What is known beforehand of how much there is to do.
#[derive(Default)]
struct Total<'a> {
    directories: usize,
    /// Where the objects of the kernel are.
    made: Option<&'a Path>,
}

/// How many objects a kernel lacks that its Makefile, which config(8) writes, names; `None`: none, so that make(1) alone
/// knows what is old.
fn missing_objects(made: &Path) -> Option<usize> {
    let makefile = nlproof_base::read_text(&made.join("Makefile"), Limit::LISTING).ok()?;
    let objects = makefile.lines().skip_while(|line| !line.starts_with("OBJS="));
    let (mut missing, mut goes_on) = (0, true);
    for line in objects.take_while(|line| std::mem::replace(&mut goes_on, line.ends_with('\\'))) {
        let words = line.trim_start_matches("OBJS=").split_whitespace();
        missing += words.filter(|word| word.ends_with(".o") && !made.join(word).exists()).count();
    }
    (missing > 0).then_some(missing)
}

struct Run<'a> {
    options: &'a BuildOptions<'a>,
    compilers: &'a Compilers,
    prefix: &'a Path,
    log: &'a Path,
}

impl Run<'_> {
    fn command(&self, target: &str, arguments: &[String]) -> Command {
        let tree = &self.options.tree.path;
        let mut command = if cfg!(target_os = "freebsd") {
            let mut command = Command::new("make");
            command.arg("-C").arg(tree);
            command
        } else {
            let mut command = Command::new(&self.compilers.python);
            command.arg(tree.join("tools/build/make.py")).args(["--host-compiler-type", "clang"]);
            let directory = self.compilers.directory.display();
            command.arg(format!("--host-bindir={directory}")).arg(format!("--cross-bindir={directory}"));
            command
        };
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        command.args(["TARGET=amd64", "TARGET_ARCH=amd64", "-DNO_CLEAN"]).arg(format!("-j{jobs}"));
        command.args(self.options.make_args).arg(target).args(arguments);
        command.env("MAKEOBJDIRPREFIX", self.prefix).stdin(Stdio::null());
        // A process group of its own: Ctrl-C is passed on, once, and make(1) removes what it has half made.
        command.process_group(0);
        command
    }

    fn make(
        &self,
        target: &'static str,
        arguments: &[String],
        total: &Total<'_>,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<(), BuildError> {
        let mut missing = None;
        let mut follower = Follower::default();
        let status = self.options.tasks.drive(self.follow(self.command(target, arguments), |line| {
            match follower.hear(line) {
                None => {}
                Some(Heard::Stage(stage)) => {
                    // config(8) says in the stage before which objects a kernel has.
                    if stage.ends_with("building everything") {
                        missing = total.made.and_then(missing_objects);
                    }
                    on_step(Step::Stage(stage));
                }
                Some(Heard::Tool(name)) => on_step(Step::Tool(name)),
                Some(Heard::Directory(name)) => {
                    let number = follower.directories;
                    on_step(Step::Directory { name, number, of: total.directories.max(number) });
                }
                Some(Heard::Object) => {
                    let of = missing.filter(|missing| *missing >= follower.objects);
                    on_step(Step::Objects(follower.objects, of));
                }
                Some(Heard::Link) => on_step(Step::Link),
            }
        }))?;
        if status.success() {
            return Ok(());
        }
        Err(BuildError::Failed {
            what: target,
            tree: self.options.tree.path.clone(),
            complaint: follower.complaint(),
            log: self.log.to_owned(),
            // Not everybody says why something cannot be written.
            full: follower.disk_is_full || free_bytes(self.prefix).is_ok_and(|free| free < LEAST_FREE),
            // What the tools of the build are made with: later stages use those.
            lacking: if target == TOOLCHAIN { lacking_here() } else { None },
        })
    }

    /// Runs a command and passes on what it says, line by line, until it ends or the user interrupts.
    async fn follow(
        &self,
        command: Command,
        mut on_line: impl FnMut(&str),
    ) -> Result<ExitStatus, BuildError> {
        let (reader, writer) = io::pipe().map_err(objects(self.log))?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(objects(self.log))?;
        let mut log = OpenOptions::new().append(true).open(self.log).map_err(objects(self.log))?;
        let child = {
            let mut command = tokio::process::Command::from(command);
            let both = writer.try_clone().map_err(objects(self.log))?;
            command.stdout(writer).stderr(both).spawn()
        };
        let mut child = child
            .map_err(|error| BuildError::Tools { missing: format!("the build does not start: {error}") })?;
        let mut lines = BufReader::new(reader).split(b'\n');
        loop {
            let line = tokio::select! {
                biased;
                () = self.options.tasks.cancel().cancelled() => {
                    stop(&mut child).await;
                    return Err(BuildError::Interrupted);
                }
                line = lines.next_segment() => line,
            };
            let Ok(Some(line)) = line else { break };
            let line = String::from_utf8_lossy(&line);
            // A log that finds no room is no reason to stop: make(1) will say so of its own files.
            drop(writeln!(log, "{line}"));
            on_line(&line);
        }
        child.wait().await.map_err(objects(self.log))
    }
}

/// Asks make(1) and its children to stop, and kills those that do not.
async fn stop(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let Some(group) = group else { return };
    // A group that is gone needs no signal.
    kill_process_group(group, Signal::INT).ok();
    let ended = timeout(STOP, child.wait()).await;
    kill_process_group(group, Signal::KILL).ok();
    if ended.is_err() {
        child.wait().await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_the_makefile_names_and_that_are_not_there_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(missing_objects(directory.path()), None);
        fs::write(
            directory.path().join("Makefile"),
            "S=x.o\nOBJS=cam.o iface.o \\\n\tneigh.o\nCFILES=rt.o\n",
        )
        .unwrap();
        assert_eq!(missing_objects(directory.path()), Some(3));
        fs::write(directory.path().join("iface.o"), "").unwrap();
        assert_eq!(missing_objects(directory.path()), Some(2));
        ["cam.o", "neigh.o"].iter().for_each(|name| fs::write(directory.path().join(name), "").unwrap());
        assert_eq!(missing_objects(directory.path()), None, "make(1) alone knows what is old");
    }
}
