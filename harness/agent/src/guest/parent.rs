// SPDX-License-Identifier: BSD-2-Clause
//! The parent: reads the batch, starts a child per program, passes its frames on whole, ends it in time.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use nlproof_agent::console::{self, Steps};
use nlproof_agent::frame::{FrameError, FrameReader, encode_frame, encode_hello, time_of};
use nlproof_agent::{Batch, Body, ErrorStage, NO_STEP, Phase, Privilege, Program, Record, Request, status};

use crate::console::Console;
use crate::given::Given;
use crate::isolate::Jail;
use crate::laps::Laps;
use crate::session::Left;
use crate::settings::Settings;
use crate::stacks::Stacks;
use crate::sys::Errno;
use crate::sys::clock::{self, Deadline};
use crate::sys::io::{self, Fd, PollFd, STDIN, STDOUT, Stderr};
use crate::sys::process::{self, Forked, Pid};
use crate::{listener, session};

/// How long a killed child may take to be gone, in milliseconds.
const REAP_MS: u32 = 5000;

/// Bytes of frames that are gathered at most before they are written.
const AT_ONCE: usize = 32 * 1024;
/// Bytes that are read from a child at a time.
const CHUNK: usize = 64 * 1024;

/// What ends the agent before its batch is done.
pub(crate) enum Failure {
    /// Standard input does not hold a batch.
    Batch(FrameError),
    /// Standard input could not be read.
    Read(Errno),
    /// Nobody reads standard output any more.
    Closed,
    /// The agent cannot listen: why.
    Listen(String),
    /// A system call failed that no program is to blame for.
    System(&'static str, Errno),
}

impl Failure {
    fn status(&self) -> i32 {
        match self {
            Self::Batch(FrameError::Magic { .. } | FrameError::Version { .. }) => status::VERSION,
            Self::Batch(_) => status::BAD_BATCH,
            Self::Read(_) | Self::Closed => status::LOST,
            Self::Listen(_) | Self::System(..) => status::SYSTEM,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(error) => write!(f, "standard input: {error}"),
            Self::Read(errno) => write!(f, "standard input could not be read ({errno})"),
            Self::Closed => f.write_str("standard output was closed; the running program was killed"),
            Self::Listen(text) => f.write_str(text),
            Self::System(what, errno) => write!(f, "{what} failed ({errno})"),
        }
    }
}

/// Serves standard input and output; the exit status.
pub(crate) fn serve(stacks: Stacks) -> i32 {
    match serve_request(stacks) {
        Ok(()) => status::DONE,
        Err(failure) => {
            // The status says the same to whoever does not get the line.
            writeln!(Stderr, "nlproof-agent: {failure}").ok();
            failure.status()
        }
    }
}

fn serve_request(stacks: Stacks) -> Result<(), Failure> {
    process::set_sigpipe(true).map_err(|errno| Failure::System("ignoring SIGPIPE", errno))?;
    // First of all, so that the other side learns the version whatever it sent.
    write(&encode_hello())?;
    match read_request()? {
        Request::Run(batch) => run_batch(&batch, stacks),
        Request::Listen(listen) => listener::start(&listen),
    }
}

fn run_batch(batch: &Batch, mut stacks: Stacks) -> Result<(), Failure> {
    let given =
        Given::look(batch.programs.len()).map_err(|errno| Failure::System("opening /dev/null", errno))?;
    // Used again and again: after a fork each page that is written is copied first.
    let mut buffer = vec![0; CHUNK];
    let mut console = Console::begin();
    let mut seen = Vec::with_capacity(batch.programs.len());
    for (index, program) in batch.programs.iter().enumerate() {
        let laps = Laps::begin();
        let refusal = if seen.contains(&program.id) {
            Some(format!("id {} belongs to an earlier program of the batch", program.id))
        } else {
            program.check().err().map(|refusal| refusal.to_string())
        };
        seen.push(program.id);
        match refusal {
            Some(text) => give_up(program, ErrorStage::Refused, Errno(0), text)?,
            None if program.privilege == Privilege::Outside => {
                run(program, stacks.none(), &given, &mut console, &mut buffer, laps)?
            }
            None => {
                let left = batch.programs.len() - index;
                run(program, stacks.next(left), &given, &mut console, &mut buffer, laps)?;
            }
        }
    }
    stacks.let_go();
    Ok(())
}

fn read_request() -> Result<Request, Failure> {
    let mut reader = FrameReader::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(request) = reader.next().map_err(Failure::Batch)? {
            return Ok(request);
        }
        match io::read(STDIN, &mut buffer).map_err(Failure::Read)? {
            0 => {
                reader.finish().map_err(Failure::Batch)?;
                let nothing = FrameError::Truncated { what: "a frame's length", missing: 4 };
                return Err(Failure::Batch(nothing));
            }
            len => reader.push(buffer.get(..len).unwrap_or_default()),
        }
    }
}

/// What `relay` ended with.
struct Relayed {
    /// Frames that are not yet passed on.
    rest: Vec<u8>,
    /// When its steps began.
    steps: Steps,
    /// The child closed its pipe: it is gone or just going.
    ended: bool,
    /// The child was killed because its time was over.
    killed: bool,
    /// Since when nothing more came from it, in nanoseconds of CLOCK_MONOTONIC.
    silent_since: u64,
}

impl Relayed {
    /// With the frames that the child had gathered and written to nobody.
    fn with_the_rest(mut self, gathered: &[u8]) -> Result<Self, Failure> {
        let mut reader = FrameReader::without_hello();
        reader.push(gathered);
        while let Some(frame) = reader.next_frame().map_err(Failure::Batch)? {
            self.steps.hear(frame).map_err(Failure::Batch)?;
            self.silent_since = time_of(frame).map_err(Failure::Batch)?.max(self.silent_since);
            self.rest.extend_from_slice(frame);
        }
        Ok(self)
    }
}

/// Runs one program in a child.
fn run(
    program: &Program,
    jail: Jail,
    given: &Given,
    console: &mut Console,
    buffer: &mut [u8],
    mut laps: Laps,
) -> Result<(), Failure> {
    // Until the child and its network stack are gone.
    let _settings = match Settings::make(&program.settings) {
        Ok(settings) => settings,
        Err((errno, text)) => return give_up(program, ErrorStage::Isolate, errno, text),
    };
    laps.lap(Phase::Stack);
    // Copied with the rest of this process; what the parent does until then is the child's making too.
    let child_laps = Laps::begin();
    let started = io::pipe().and_then(|(read, write)| Ok((read, write, process::fork()?)));
    let (read, pid) = match started {
        Ok((read, write, Forked::Parent(pid))) => {
            drop(write);
            (read, pid)
        }
        Ok((read, write, Forked::Child)) => {
            drop(read);
            let left = session::run(program, &jail, &write, given, child_laps);
            process::exit(match left {
                Left::Nothing if !program.has_commands() => status::STACK_MAY_STAY,
                Left::Devices => status::STACK_HAS_DEVICES,
                _ => status::DONE,
            })
        }
        Err(errno) => {
            return give_up(program, ErrorStage::Isolate, errno, format!("no child process ({errno})"));
        }
    };
    // The child does the same: whoever comes first, the group exists before it is killed. An error says
    // that the child was first and is on its way.
    process::lead_group(pid).ok();
    let prompt = given.prompt(program);
    let relayed = relay(&read, program.limit_ms, prompt, pid, buffer)
        .and_then(|relayed| relayed.with_the_rest(given.gathered.borrow_mut().take()));
    let Relayed { mut rest, steps, ended, killed, silent_since } = match relayed {
        Ok(relayed) => relayed,
        Err(failure) => {
            reap(pid, &jail, given, true);
            return Err(failure);
        }
    };
    laps.skip_to(silent_since);
    if killed {
        let text = format!("the program did not end within {} ms and was killed", program.limit_ms);
        rest.extend(record(program, Body::Error { stage: ErrorStage::Limit, errno: 0, text })?);
    }
    if prompt && (killed || program.has_commands()) {
        // To take a network stack apart is a lot of work for the kernel, and it may die of it.
        write(&rest)?;
        rest.clear();
    }
    let died = match reap(pid, &jail, given, ended) {
        Some(status::DONE | status::STACK_MAY_STAY | status::STACK_HAS_DEVICES) => None,
        Some(status) => Some(status),
        // It cannot be had out of a system call: it is killed and will go, but this batch does not wait.
        None => Some(128 + 9),
    };
    laps.lap(Phase::End);
    rest.extend(kernels_lines(program, &steps, console, laps)?);
    rest.extend(record(program, Body::End { died })?);
    write(&rest)
}

/// The parent's time, and what the kernel printed while a program ran and its network stack was taken apart.
fn kernels_lines(
    program: &Program,
    steps: &Steps,
    console: &mut Console,
    mut laps: Laps,
) -> Result<Vec<u8>, Failure> {
    let look = console.look();
    laps.lap(Phase::Reading);
    let mut frames = record(program, laps.told())?;
    let look = match look {
        Ok(look) => look,
        Err((Errno(errno), text)) => {
            frames.extend(record(program, Body::NoConsole { errno, text })?);
            return Ok(frames);
        }
    };
    let records = console::records(program.id, steps, look, clock::now());
    for record in &records {
        frames.extend(encode_frame(record).map_err(Failure::Batch)?);
    }
    Ok(frames)
}

/// Passes whole frames on until the child has closed its pipe; kills it when its time is over. As many as are there are
/// written at once, for each write is a segment on the way to the harness; if nobody waits for them, more are waited for.
fn relay(pipe: &Fd, limit_ms: u32, prompt: bool, child: Pid, buffer: &mut [u8]) -> Result<Relayed, Failure> {
    let mut reader = FrameReader::without_hello();
    let (mut rest, mut steps) = (Vec::new(), Steps::default());
    let mut deadline = Deadline::after_ms(limit_ms);
    let mut killed = false;
    let mut silent_since = clock::now();
    loop {
        if deadline.passed() {
            if killed {
                return Ok(Relayed { rest, steps, ended: false, killed, silent_since });
            }
            kill_group(child);
            killed = true;
            deadline = Deadline::after_ms(REAP_MS);
        }
        let mut fds = [PollFd::readable(pipe.raw()), PollFd::closed(STDOUT)];
        io::poll(&mut fds, deadline.poll_ms()).map_err(|errno| Failure::System("poll", errno))?;
        let [readable, closed] = fds.map(PollFd::ready);
        if closed {
            return Err(Failure::Closed);
        }
        if !readable {
            continue;
        }
        let len = io::read(pipe.raw(), buffer).map_err(|errno| Failure::System("reading a pipe", errno))?;
        if len == 0 {
            // What is left is less than a frame: the child died while it wrote.
            return Ok(Relayed { rest, steps, ended: true, killed, silent_since });
        }
        reader.push(buffer.get(..len).unwrap_or_default());
        while let Some(frame) = reader.next_frame().map_err(Failure::Batch)? {
            steps.hear(frame).map_err(Failure::Batch)?;
            rest.extend_from_slice(frame);
        }
        if rest.len() >= AT_ONCE || prompt && !is_ready(pipe)? {
            write(&rest)?;
            rest.clear();
        }
        silent_since = clock::now();
    }
}

/// Whether more can be read.
fn is_ready(pipe: &Fd) -> Result<bool, Failure> {
    let mut more = [PollFd::readable(pipe.raw())];
    io::poll(&mut more, 0).map_err(|errno| Failure::System("poll", errno))?;
    Ok(more.iter().any(|pipe| pipe.ready()))
}

/// Ends what is left of a child and gives its exit status; `None` if it is not gone and `block` is false.
fn reap(child: Pid, jail: &Jail, given: &Given, block: bool) -> Option<i32> {
    kill_group(child);
    #[cfg(feature = "freebsd")]
    return reap_with_jail(child, jail, given, block);
    #[cfg(not(feature = "freebsd"))]
    {
        let _: (&core::ffi::CStr, &Given) = (jail.name(), given);
        process::wait(child, block).ok().flatten()
    }
}

/// A jail that waited and in which nothing can run any more stays as it is: nobody enters it again, and it goes with
/// the guest. Taking it apart costs a quarter of a second of the processor that the next program needs, and much more
/// where a thousand interfaces are left. Memory alone bounds how many stay. One whose interfaces have files in `/dev` is
/// gone when this returns: until then the next program gets EEXIST for their names.
#[cfg(feature = "freebsd")]
fn reap_with_jail(child: Pid, jail: &Jail, given: &Given, block: bool) -> Option<i32> {
    use crate::sys::jail::{Jid, get, let_go, remove, stay};

    let ended = process::peek(child, block).ok().flatten();
    let waits = matches!(jail, Jail::Waiting(..));
    if waits && ended == Some(status::STACK_MAY_STAY) && given.enough_memory() {
        return process::wait(child, block).ok().flatten();
    }
    let jid = match jail {
        Jail::Waiting(_, jid) => Some(*jid),
        // It is there until its last process is waited for, unless that process could not enter it.
        Jail::Fresh(name) => get(name).ok().map(|jid| jid as Jid),
    };
    let Some(jid) = jid else { return process::wait(child, block).ok().flatten() };
    // Whoever lets it go after its last process was waited for takes it apart; otherwise a thread of the kernel does.
    let at_once = ended == Some(status::STACK_HAS_DEVICES);
    if at_once && !waits {
        stay(jid).ok();
    } else if !at_once && waits {
        let_go(jid).ok();
    }
    let status = process::wait(child, block).ok().flatten();
    if at_once {
        let_go(jid).ok();
    }
    // A command may have left the process group; it cannot leave the jail. Mostly there is none any more, which is what
    // the error says.
    remove(jid).ok();
    status
}

/// Kills a child and all that it started; itself alone while it does not lead its group yet.
fn kill_group(child: Pid) {
    if !process::kill(-child) {
        process::kill(child);
    }
}

/// A program that is not run.
fn give_up(program: &Program, stage: ErrorStage, errno: Errno, text: String) -> Result<(), Failure> {
    write_record(program, Body::Error { stage, errno: errno.0, text })?;
    write_record(program, Body::End { died: None })
}

fn write_record(program: &Program, body: Body) -> Result<(), Failure> {
    write(&record(program, body)?)
}

fn record(program: &Program, body: Body) -> Result<Vec<u8>, Failure> {
    let record = Record { program: program.id, step: NO_STEP, t_ns: clock::now(), body };
    encode_frame(&record).map_err(Failure::Batch)
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    io::write_all(STDOUT, bytes).map_err(|_| Failure::Closed)
}
