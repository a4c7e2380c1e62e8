// SPDX-License-Identifier: BSD-2-Clause
//! The agent in the background: it makes network stacks, listens, and serves one connection after the other, each in
//! a process of its own.

use alloc::format;

use nlproof_agent::{GREETING_LEN, Greeting, Listen, status};

use crate::console;
use crate::parent::{self, Failure};
use crate::stacks::Stacks;
use crate::sys::io::{self, Access, Fd, STDERR, STDIN, STDOUT};
use crate::sys::process::{self, Forked};
use crate::sys::{Errno, socket};

/// Prepares the guest and leaves a serving process behind. Whoever is told that this succeeded can connect.
pub(crate) fn start(listen: &Listen) -> Result<(), Failure> {
    let stacks = Stacks::make(listen.stacks).map_err(|(_, text)| Failure::Listen(text))?;
    // What the kernel printed at its start belongs to no program, and every connection would find it there.
    console::skip();
    let place = || format!("{:?}, port {}", listen.address, listen.port);
    let listener = socket::listen(listen.address, listen.port)
        .map_err(|errno| Failure::Listen(format!("cannot listen on {} ({errno})", place())))?;
    match process::fork().map_err(|errno| Failure::System("fork", errno))? {
        Forked::Parent(_) => Ok(()),
        Forked::Child => {
            let status =
                if stand_apart().is_ok() { serve(&listener, listen, &stacks) } else { status::SYSTEM };
            process::exit(status)
        }
    }
}

/// A session of its own, no input or output, and words for people on the console.
fn stand_apart() -> Result<(), Errno> {
    process::lead_session()?;
    let null = io::open(c"/dev/null", Access::Both)?;
    io::duplicate(null.raw(), STDIN)?;
    io::duplicate(null.raw(), STDOUT)?;
    // A Linux container may have none.
    let console = io::open(c"/dev/console", Access::Both).unwrap_or(null);
    io::duplicate(console.raw(), STDERR)
}

fn serve(listener: &Fd, listen: &Listen, stacks: &Stacks) -> i32 {
    loop {
        // A connection that was given up before it was accepted is not the last one.
        let Ok(connection) = socket::accept(listener) else { continue };
        match process::fork() {
            // Out of processes: the harness sees its connection close.
            Err(_) => {}
            Ok(Forked::Child) => process::exit(answer(&connection, listen, stacks.clone())),
            Ok(Forked::Parent(pid)) => {
                drop(connection);
                // Its status is of no use: the harness sees what is missing.
                process::wait(pid, true).ok();
            }
        }
    }
}

fn answer(connection: &Fd, listen: &Listen, stacks: Stacks) -> i32 {
    let mut greeting = [0; GREETING_LEN];
    let mut filled = 0;
    while let Some(rest) = greeting.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match io::read(connection.raw(), rest) {
            Ok(len @ 1..) => filled += len,
            Ok(0) | Err(_) => return status::LOST,
        }
    }
    let Some(now_ns) = Greeting::accept(&greeting, &listen.token) else { return status::BAD_BATCH };
    set_clock(now_ns);
    let ready = io::duplicate(connection.raw(), STDIN).and_then(|()| io::duplicate(connection.raw(), STDOUT));
    if ready.is_ok() { parent::serve(stacks) } else { status::SYSTEM }
}

/// A clock that cannot be set is no reason not to serve: traces hold no time of day.
fn set_clock(now_ns: u64) {
    #[cfg(feature = "freebsd")]
    if now_ns != 0 {
        crate::sys::clock::set(now_ns).ok();
    }
    // A Linux agent runs on the harness's own machine.
    #[cfg(not(feature = "freebsd"))]
    let _: u64 = now_ns;
}
