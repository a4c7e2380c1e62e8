// SPDX-License-Identifier: BSD-2-Clause
//! What all programs of a batch find as it is: asked for once.

use core::cell::RefCell;

use nlproof_agent::Program;

use crate::quiet::Quiet;
use crate::sys::Errno;
use crate::sys::io::{self, Access, Fd};
use crate::sys::memory::SharedBytes;

/// Bytes of frames that can be gathered.
const ROOM: usize = 64 * 1024;

/// The machine, as a batch's parent sees it and its children inherit it.
pub(crate) struct Given {
    /// What tells that no event is on its way.
    pub(crate) quiet: Quiet,
    /// `/dev/null`, as input and output of the children.
    pub(crate) null: Fd,
    /// There is one program.
    alone: bool,
    /// Frames that a child has gathered. What one leaves there at its end the parent finds.
    pub(crate) gathered: RefCell<SharedBytes>,
    /// Pages of memory.
    #[cfg(feature = "freebsd")]
    pages: u64,
}

impl Given {
    /// Looks, for so many programs.
    ///
    /// # Errors
    /// The kernel's number: there is no `/dev/null`, or no memory.
    pub(crate) fn look(programs: usize) -> Result<Self, Errno> {
        Ok(Self {
            alone: programs == 1,
            gathered: RefCell::new(SharedBytes::new(ROOM)?),
            quiet: Quiet::here(),
            null: io::open(c"/dev/null", Access::Both)?,
            #[cfg(feature = "freebsd")]
            pages: crate::sys::sysctl::number("vm.stats.vm.v_page_count").unwrap_or_default(),
        })
    }

    /// Whether the records of a program are passed on before the kernel is asked for anything that the program is about.
    /// Whoever asks for one program may want to see how far it came, and of one with network cards the harness has to hear
    /// what is to be done with them. Of all others only those are of use that came to their end.
    pub(crate) fn prompt(&self, program: &Program) -> bool {
        self.alone || !program.cards.is_empty()
    }

    /// Whether an eighth of the guest's memory is free. A kernel that does not tell has little.
    #[cfg(feature = "freebsd")]
    pub(crate) fn enough_memory(&self) -> bool {
        let free = crate::sys::sysctl::number("vm.stats.vm.v_free_count").unwrap_or_default();
        self.pages > 0 && free >= self.pages / 8
    }
}
