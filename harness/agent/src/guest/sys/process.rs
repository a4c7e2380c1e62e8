// SPDX-License-Identifier: BSD-2-Clause
//! Processes: fork, exec, wait, kill, credentials.
#![expect(unsafe_code, reason = "system calls on processes")]

use alloc::vec::Vec;
use core::ffi::CStr;

use super::Errno;
use super::abi::{SigAction, errno, number};
use super::raw::syscall;

/// A process id; negative in [`kill`]: a process group.
pub(crate) type Pid = i32;

/// signal.h, the same on both systems.
const SIGKILL: usize = 9;
const SIGPIPE: usize = 13;
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
/// wait.h, the same on both systems.
const WNOHANG: usize = 1;

/// Ends this process.
pub(crate) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: the call takes no pointer and does not return.
        if unsafe { syscall(number::EXIT, [status as usize, 0, 0, 0, 0, 0]) }.is_ok() {
            core::hint::spin_loop();
        }
    }
}

/// Process id of the caller.
pub(crate) fn id() -> Pid {
    // SAFETY: no pointers. It cannot fail.
    unsafe { syscall(number::GETPID, [0; 6]) }.map_or(0, |pid| pid as Pid)
}

/// Makes a directory the one that relative paths begin in.
#[cfg(feature = "freebsd")]
pub(crate) fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path ends with NUL.
    unsafe { syscall(number::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]).map(drop) }
}

/// The two sides of a fork.
pub(crate) enum Forked {
    /// The caller is the new process.
    Child,
    /// The caller is the old process.
    Parent(Pid),
}

/// A copy of this process.
pub(crate) fn fork() -> Result<Forked, Errno> {
    // SAFETY: there is one thread, so the copy's memory is whole: no lock is held by a thread that is not
    // there. Descriptors that both own are closed by each for itself.
    match unsafe { syscall(number::FORK, [0; 6])? } {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid as Pid)),
    }
}

/// Becomes another program. Returns only if that fails.
pub(crate) fn execute(path: &CStr, argv: &[&CStr], environment: &[&CStr]) -> Errno {
    let pointers = |strings: &[&CStr]| -> Vec<usize> {
        strings.iter().map(|string| string.as_ptr() as usize).chain([0]).collect()
    };
    let (argv, environment) = (pointers(argv), pointers(environment));
    let arguments = [path.as_ptr() as usize, argv.as_ptr() as usize, environment.as_ptr() as usize, 0, 0, 0];
    // SAFETY: both arrays hold pointers to strings that end with NUL and end with a null pointer; all
    // outlive the call.
    match unsafe { syscall(number::EXECVE, arguments) } {
        Err(error) => error,
        // It does not return on success.
        Ok(_) => Errno(0),
    }
}

/// The exit status of a child, 128 + signal if it was killed; `None`: it still runs (only with `block`
/// false).
pub(crate) fn wait(pid: Pid, block: bool) -> Result<Option<i32>, Errno> {
    wait_with(pid, if block { 0 } else { WNOHANG })
}

/// Waits like [`wait`], but the child stays to be waited for.
#[cfg(feature = "freebsd")]
pub(crate) fn peek(pid: Pid, block: bool) -> Result<Option<i32>, Errno> {
    /// sys/sys/wait.h.
    const WNOWAIT: usize = 8;
    wait_with(pid, if block { WNOWAIT } else { WNOWAIT | WNOHANG })
}

fn wait_with(pid: Pid, options: usize) -> Result<Option<i32>, Errno> {
    let mut status = 0i32;
    loop {
        // SAFETY: the kernel writes one int.
        let result =
            unsafe { syscall(number::WAIT4, [pid as usize, &raw mut status as usize, options, 0, 0, 0]) };
        match result {
            Ok(0) => return Ok(None),
            // wait.h: the low seven bits are the signal, the next byte is the exit status.
            Ok(_) => {
                return Ok(Some(if status & 0x7f == 0 {
                    (status >> 8) & 0xff
                } else {
                    128 + (status & 0x7f)
                }));
            }
            Err(errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lets others run that are ready to.
pub(crate) fn give_way() {
    // SAFETY: no pointers. It cannot fail.
    unsafe { syscall(number::SCHED_YIELD, [0; 6]) }.ok();
}

/// SIGKILL to a process or, negative, a process group; whether there was one.
pub(crate) fn kill(pid: Pid) -> bool {
    // SAFETY: no pointers; only processes of this agent are named.
    unsafe { syscall(number::KILL, [pid as usize, SIGKILL, 0, 0, 0, 0]) }.is_ok()
}

/// Makes a process the leader of a group of its own; 0 is this process.
pub(crate) fn lead_group(pid: Pid) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { syscall(number::SETPGID, [pid as usize, pid as usize, 0, 0, 0, 0]).map(drop) }
}

/// Makes this process the leader of a session of its own: it outlives the one that it was started in.
pub(crate) fn lead_session() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { syscall(number::SETSID, [0; 6]).map(drop) }
}

/// Has the kernel kill the caller when its parent ends, however that ends. Lost with a change of user ids on
/// Linux, so it is asked for again after that.
pub(crate) fn die_with_parent() -> Result<(), Errno> {
    #[cfg(feature = "freebsd")]
    {
        // sys/sys/procctl.h PROC_PDEATHSIG_CTL, sys/sys/wait.h P_PID; id 0 is the caller.
        const PROC_PDEATHSIG_CTL: usize = 11;
        const P_PID: usize = 0;
        let signal = SIGKILL as i32;
        // SAFETY: the kernel reads one int.
        unsafe {
            syscall(number::PROCCTL, [P_PID, 0, PROC_PDEATHSIG_CTL, &raw const signal as usize, 0, 0])
                .map(drop)
        }
    }
    #[cfg(not(feature = "freebsd"))]
    {
        // linux/prctl.h.
        const PR_SET_PDEATHSIG: usize = 1;
        // SAFETY: no pointers.
        unsafe { syscall(number::PRCTL, [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0]).map(drop) }
    }
}

/// Whether writing into a pipe without reader kills this process.
pub(crate) fn set_sigpipe(ignored: bool) -> Result<(), Errno> {
    let action = SigAction::new(if ignored { SIG_IGN } else { SIG_DFL });
    // SAFETY: the kernel reads one sigaction; no handler is installed. The fourth argument is the size of
    // the mask in bytes (Linux rt_sigaction(2); FreeBSD ignores it).
    unsafe { syscall(number::SIGACTION, [SIGPIPE, &raw const action as usize, 0, 8, 0, 0]).map(drop) }
}

/// No supplementary groups, then group id, then user id.
pub(crate) fn become_user(uid: u32, gid: u32) -> Result<(), Errno> {
    // SAFETY: no groups are read, the pointer is null; the others take no pointers.
    unsafe {
        syscall(number::SETGROUPS, [0; 6])?;
        syscall(number::SETGID, [gid as usize, 0, 0, 0, 0, 0])?;
        syscall(number::SETUID, [uid as usize, 0, 0, 0, 0, 0]).map(drop)
    }
}
