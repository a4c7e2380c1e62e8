// SPDX-License-Identifier: BSD-2-Clause
//! make(1) on a source tree: its command, what it says, how far it is, and its end.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nlproof_base::Limit;
use nlproof_files::free_bytes;
use nlproof_guest::Tasks;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::timeout;

use super::build_error::{BuildError, objects};
use super::follow::{Follower, Heard};
use super::tools::{Compilers, lacking_here};
use super::tree::Tree;

/// The target of make(1) that builds the tools of the build.
pub(super) const TOOLCHAIN: &str = "kernel-toolchain";
/// Bytes: a disk with less than that is full for a compiler.
const LEAST_FREE: u64 = 16 << 20;
/// How long make(1) may take to stop.
const STOP: Duration = Duration::from_secs(10);

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

/// What is known beforehand of how much there is to do.
#[derive(Default)]
pub(super) struct Total<'a> {
    pub(super) directories: usize,
    /// Where the objects of the kernel are.
    pub(super) made: Option<&'a Path>,
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

/// Runs of make(1) for one kernel.
pub(super) struct Make<'a> {
    pub(super) options: &'a BuildOptions<'a>,
    pub(super) compilers: &'a Compilers,
    pub(super) prefix: &'a Path,
    pub(super) log: &'a Path,
}

impl Make<'_> {
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

    /// Makes a target, and tells how far it is.
    pub(super) fn target(
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
        let mut child = child.map_err(BuildError::Start)?;
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
    use std::fs;

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
