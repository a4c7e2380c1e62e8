// SPDX-License-Identifier: BSD-2-Clause
//! The instruction at which a kernel died, as a replay finds it.
//!
//! A kernel that dies enters one of a few functions. Where that is the end of an exception, the instruction of interest is
//! the one that caused it: until the function is entered, thousands follow.

use serde::{Deserialize, Serialize};

use crate::targets::freebsd::symbols::{Functions, addresses};
use crate::vm::{Death, Handler, Replay, ReplayError};

/// The end of an exception that the kernel does not survive. A compiler may have put it into its callers.
const TRAP_FATAL: &str = "trap_fatal";
/// The code that calls the kernel's function for an exception: who returns there came from one.
const CALLTRAP: &str = "calltrap";
/// Bytes of that code up to the address behind its call: 14.0-STABLE and 15.0-RELEASE have 8.
const CALLTRAP_LEN: u64 = 16;
/// The functions from which a kernel does not come back.
const ENDS: [&str; 3] = [TRAP_FATAL, "vpanic", "kdb_enter"];
/// Code for exceptions that a kernel may die of, and whether the processor puts an error code on the stack for them.
const HANDLERS: [(&str, bool); 6] =
    [("Xpage", true), ("Xprot", true), ("Xstk", true), ("Xmissing", true), ("Xdiv", false), ("Xill", false)];

/// Where a kernel died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Died {
    /// How many instructions had been run: the next one is that of interest.
    pub instruction: u64,
    /// The instruction's address, in hex.
    pub address: String,
    /// The same by the kernel's symbols: `rtnl_handle_newlink+0x1e5`.
    pub place: Option<String>,
    /// The function that the kernel entered.
    pub function: String,
    /// How many instructions had been run when it did.
    pub entered: u64,
}

impl Died {
    /// Of what a replay saw.
    fn of(death: &Death, kernel: &[u8], ends: &[(&str, u64)], calltrap: Option<u64>) -> Self {
        let function = ends.iter().find(|(_, address)| *address == death.function);
        let function = function.map_or("?", |(name, _)| name);
        let handles = |address: &u64| {
            calltrap.is_some_and(|calltrap| (calltrap..=calltrap + CALLTRAP_LEN).contains(address))
        };
        let in_exception = function == TRAP_FATAL || death.stack.iter().any(handles);
        let exception = death.exception.filter(|_| in_exception);
        let (instruction, address) = match exception {
            Some(exception) => (exception.instruction, exception.address),
            None => (death.instruction, death.function),
        };
        Self {
            instruction,
            address: format!("{address:#x}"),
            place: place(kernel, address),
            function: function.to_owned(),
            entered: death.instruction,
        }
    }
}

/// An address by the kernel's symbols.
pub(super) fn place(kernel: &[u8], address: u64) -> Option<String> {
    Functions::around(kernel, [address]).place(address)
}

/// Lets a machine that stands before the vector run on until its kernel dies. `None`: it does not, or the kernel's file has no
/// symbols.
///
/// # Errors
/// See [`ReplayError`].
pub async fn find_death(
    replay: &mut Replay,
    kernel: &[u8],
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Died>, ReplayError> {
    let ends: Vec<(&str, u64)> = addresses(kernel, &ENDS).into_iter().collect();
    let known = addresses(kernel, &HANDLERS.map(|(name, _)| name));
    let handlers: Vec<Handler> = HANDLERS
        .iter()
        .filter_map(|(name, error_code)| {
            Some(Handler { address: *known.get(name)?, error_code: *error_code })
        })
        .collect();
    if ends.is_empty() {
        return Ok(None);
    }
    let functions: Vec<u64> = ends.iter().map(|(_, address)| *address).collect();
    let death = replay.death(&functions, &handlers, progress).await?;
    let calltrap = addresses(kernel, &[CALLTRAP]).into_values().next();
    Ok(death.map(|death| Died::of(&death, kernel, &ends, calltrap)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::{Exception, Registers};

    #[test]
    fn an_exception_that_kills_is_where_the_kernel_died_and_an_earlier_one_is_not() {
        let ends = [("trap_fatal", 0x100), ("vpanic", 0x200)];
        let death = |function| Death {
            instruction: 5000,
            function,
            registers: Registers { bytes: Vec::new() },
            stack: vec![0xa00, 0xb00],
            exception: Some(Exception { instruction: 4000, address: 0xffff_ffff_80d7_eeb5 }),
        };
        let trap = Died::of(&death(0x100), b"", &ends, None);
        assert_eq!((trap.instruction, trap.entered, trap.function.as_str()), (4000, 5000, "trap_fatal"));
        assert_eq!(trap.address, "0xffffffff80d7eeb5");
        let assertion = Died::of(&death(0x200), b"", &ends, Some(0xc00));
        assert_eq!((assertion.instruction, assertion.address.as_str()), (5000, "0x200"));
        // The same function, called because of an exception.
        let inlined = Died::of(&death(0x200), b"", &ends, Some(0xb00 - 8));
        assert_eq!((inlined.instruction, inlined.entered, inlined.function.as_str()), (4000, 5000, "vpanic"));
    }
}
