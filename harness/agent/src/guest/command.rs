// SPDX-License-Identifier: BSD-2-Clause
//! The command of an exec step.

use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use crate::sys::io::{self, Fd, PollFd, STDERR, STDOUT};
use crate::sys::process::{self, Forked, Pid};
use crate::sys::{Errno, errno};

/// How much of a command's output is kept per stream, in bytes. The rest is read and dropped, so that the
/// command does not wait for a reader.
const KEPT: usize = 1 << 20;

/// The environment: nothing of the guest's own, so that a vector runs the same everywhere. PATH comes first.
const ENVIRONMENT: [&CStr; 3] =
    [c"PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin", c"HOME=/", c"LC_ALL=C"];

/// The files that a command's name may mean: itself if it is a path, else one in each directory of PATH.
fn files(program: &CStr) -> Vec<CString> {
    let name = program.to_bytes();
    if name.contains(&b'/') {
        return Vec::from([program.into()]);
    }
    let path = ENVIRONMENT[0].to_bytes().strip_prefix(b"PATH=").unwrap_or_default();
    let in_directory = |directory: &[u8]| CString::new([directory, b"/", name].concat()).unwrap_or_default();
    path.split(|byte| *byte == b':').map(in_directory).collect()
}

/// Becomes the first of these files that can be executed. Otherwise the errno is that of one that is there and may not,
/// or that nothing is there (execvp(3)).
fn execute(files: &[CString], argv: &[&CStr]) -> Errno {
    let mut why = errno::ENOENT;
    for file in files {
        let error = process::execute(file, argv, &ENVIRONMENT);
        if files.len() == 1 || error == errno::EACCES {
            why = error;
        }
    }
    why
}

/// A command that was started.
pub(crate) struct Command {
    pid: Pid,
    stdout: Stream,
    stderr: Stream,
    /// Known once it has ended, and not to be asked for again.
    status: Option<i32>,
}

/// One output of a command.
struct Stream {
    /// `None` after its end.
    pipe: Option<Fd>,
    kept: Vec<u8>,
}

/// What became of a command.
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Command {
    /// Starts it. It stays in the process group of the child, which the parent kills at the end: what the
    /// command leaves behind goes with it.
    pub(crate) fn start(argv: &[String]) -> Result<Self, Errno> {
        Self::start_after(argv, || Ok(()))
    }

    /// Starts it after something that its process does first.
    pub(crate) fn start_after(
        argv: &[String],
        first: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<Self, Errno> {
        // `Program::check` has refused NUL bytes and an empty argv.
        let argv: Vec<CString> =
            argv.iter().map(|argument| CString::new(argument.as_str()).unwrap_or_default()).collect();
        let argv: Vec<&CStr> = argv.iter().map(CString::as_c_str).collect();
        let files = files(argv.first().copied().unwrap_or_default());
        let (stdout, out) = io::pipe()?;
        let (stderr, err) = io::pipe()?;
        // Closed by a successful execve; otherwise its errno comes through.
        let (failure, report) = io::pipe()?;
        let pid = match process::fork()? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                let started = io::duplicate(out.raw(), STDOUT)
                    .and_then(|()| io::duplicate(err.raw(), STDERR))
                    .and_then(|()| process::die_with_parent())
                    .and_then(|()| process::set_sigpipe(false))
                    .and_then(|()| first());
                let errno = match started {
                    Ok(()) => execute(&files, &argv),
                    Err(errno) => errno,
                };
                let told = io::write_all(report.raw(), &errno.0.to_ne_bytes());
                process::exit(if told.is_ok() { 127 } else { 126 })
            }
        };
        drop((out, err, report));
        let mut errno = [0; 4];
        let len = io::read(failure.raw(), &mut errno)?;
        if len == errno.len() {
            process::wait(pid, true)?;
            return Err(Errno(i32::from_ne_bytes(errno)));
        }
        Ok(Self { pid, stdout: Stream::new(stdout), stderr: Stream::new(stderr), status: None })
    }

    /// What to wait for.
    pub(crate) fn pipes(&self) -> [PollFd; 2] {
        [self.stdout.poll(), self.stderr.poll()]
    }

    /// Both outputs have ended: nothing tells any more when the command itself does.
    pub(crate) fn silent(&self) -> bool {
        self.stdout.pipe.is_none() && self.stderr.pipe.is_none()
    }

    /// Reads from the pipes that are ready.
    pub(crate) fn read(&mut self, ready: [PollFd; 2]) {
        let [stdout, stderr] = ready.map(PollFd::ready);
        if stdout {
            self.stdout.read();
        }
        if stderr {
            self.stderr.read();
        }
    }

    /// What was read of its outputs since the last time: of standard output, and of standard error.
    #[cfg(feature = "freebsd")]
    pub(crate) fn take_output(&mut self) -> [Vec<u8>; 2] {
        [core::mem::take(&mut self.stdout.kept), core::mem::take(&mut self.stderr.kept)]
    }

    /// The exit status of the command if it has ended.
    pub(crate) fn status(&mut self) -> Result<Option<i32>, Errno> {
        if self.status.is_none() {
            self.status = process::wait(self.pid, false)?;
        }
        Ok(self.status)
    }

    /// Ends it and gives its status: its own if it ended in this very moment.
    pub(crate) fn kill(&self) -> Result<i32, Errno> {
        process::kill(self.pid);
        // A wait that blocks always has a status.
        process::wait(self.pid, true).map(Option::unwrap_or_default)
    }

    /// Takes what is still in the pipes. A process that the command left behind may hold them open: their
    /// end is not waited for.
    pub(crate) fn finish(mut self, status: i32) -> Ended {
        while self.stdout.kept.len() < KEPT && self.stderr.kept.len() < KEPT {
            let mut pipes = self.pipes();
            if io::poll(&mut pipes, 0).is_err() || !pipes.iter().any(|pipe| pipe.ready()) {
                break;
            }
            self.read(pipes);
        }
        Ended { status, stdout: self.stdout.kept, stderr: self.stderr.kept }
    }
}

impl Stream {
    fn new(pipe: Fd) -> Self {
        Self { pipe: Some(pipe), kept: Vec::new() }
    }

    fn poll(&self) -> PollFd {
        self.pipe.as_ref().map_or(PollFd::none(), |pipe| PollFd::readable(pipe.raw()))
    }

    fn read(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; 16 << 10];
        match io::read(pipe.raw(), &mut buffer) {
            Ok(len @ 1..) => {
                let room = KEPT - self.kept.len();
                self.kept.extend_from_slice(buffer.get(..len.min(room)).unwrap_or_default());
            }
            // The end, or an error, which a pipe does not have while both sides are whole.
            Ok(0) | Err(_) => self.pipe = None,
        }
    }
}
