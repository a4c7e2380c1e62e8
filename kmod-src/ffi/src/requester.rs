// SPDX-License-Identifier: BSD-2-Clause
//! The socket that a request came from.

use core::marker::PhantomData;
use core::ptr::NonNull;

use iface_core::{Privilege, Requester, SocketAddress};

use crate::abi::{self, NlPcb, SockAddr};

/// A netlink socket for as long as its request is handled.
///
/// # Invariants
/// The pointer is valid for `'r`.
pub(crate) struct Socket<'r> {
    nlp: NonNull<NlPcb>,
    request: PhantomData<&'r ()>,
}

impl Socket<'_> {
    /// # Safety
    /// The socket lives for the lifetime that the caller gives to the value.
    pub(crate) const unsafe fn new(nlp: NonNull<NlPcb>) -> Self {
        Self { nlp, request: PhantomData }
    }
}

impl Requester for Socket<'_> {
    fn has_privilege(&self, privilege: Privilege) -> bool {
        let place = match privilege {
            Privilege::IfCreate => 0,
            Privilege::IfDestroy => 1,
            Privilege::AddIfAddr => 2,
            Privilege::DelIfAddr => 3,
            Privilege::SetIfDescr => 4,
            Privilege::SetIfMtu => 5,
            Privilege::SetIfMac => 6,
        };
        // SAFETY: the socket is valid by the type's invariant.
        unsafe { abi::nlproof_requester_may(self.nlp.as_ptr(), place) }
    }

    fn owns_network_stack(&self) -> bool {
        // SAFETY: the socket is valid by the type's invariant.
        unsafe { abi::nlproof_requester_owns_stack(self.nlp.as_ptr()) }
    }

    fn may_see(&self, address: &SocketAddress) -> bool {
        let address = SockAddr::of(address);
        // SAFETY: the socket is valid by the type's invariant, and `address` is readable during the call.
        unsafe { abi::nlproof_requester_may_see(self.nlp.as_ptr(), &raw const address) }
    }
}
