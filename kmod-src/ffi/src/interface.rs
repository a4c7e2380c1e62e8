// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces: `struct ifnet` behind a counted reference.

use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use iface_core::{Capabilities, Counter, Interface, LinkAddress, LinkState, Name, STATISTICS};

use nlproof_wire::consts::IFNAMSIZ;

use crate::abi::{self, IfNet, RawLink, SockAddr};

/// A counted reference to an interface; dropping it gives it back (`if_rele`).
///
/// # Invariants
/// The pointer is valid for as long as the value lives: there is a reference that the value owns, or the value
/// is inside a `ManuallyDrop` within a call that C makes while it holds a reference or is in the network epoch.
pub(crate) struct IfRef(NonNull<IfNet>);

impl IfRef {
    /// Takes over a reference that C counted; `None` for a null pointer.
    ///
    /// # Safety
    /// `ifp` is null or an interface, and the caller owns a reference to it or keeps the value from being
    /// dropped and from outliving the pointer.
    pub(crate) unsafe fn from_raw(ifp: *mut IfNet) -> Option<Self> {
        NonNull::new(ifp).map(Self)
    }

    pub(crate) fn as_ptr(&self) -> *mut IfNet {
        self.0.as_ptr()
    }

    fn sockaddr(&self, ask: unsafe extern "C" fn(*mut IfNet, *mut SockAddr) -> bool) -> Option<LinkAddress> {
        let mut out = MaybeUninit::<SockAddr>::uninit();
        // SAFETY: the interface is valid by the type's invariant, and `out` is writable; `ask` is one of the
        // shim's functions that ask for nothing more, and write all of it if they return true.
        unsafe { ask(self.as_ptr(), out.as_mut_ptr()).then(|| out.assume_init_ref().link()) }
    }
}

impl Drop for IfRef {
    fn drop(&mut self) {
        // SAFETY: a value that is dropped owns a reference (type's invariant), which ends here.
        unsafe { abi::nlproof_if_release(self.as_ptr()) }
    }
}

/// Shows the name of a group of C's to a closure at `arg`.
///
/// # Safety
/// `arg` is a `*mut F` that nothing else uses, and IFNAMSIZ bytes are readable at `name`.
unsafe extern "C" fn show_group<F: FnMut(Name)>(name: *const c_char, arg: *mut c_void) {
    // SAFETY: the caller's promises.
    let (show, name) = unsafe { (&mut *arg.cast::<F>(), name.cast::<[u8; IFNAMSIZ]>().read()) };
    show(Name::of_array(name));
}

impl Interface for IfRef {
    fn index(&self) -> u32 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_index(self.as_ptr()) }
    }

    fn name(&self) -> Name {
        // SAFETY: the interface is valid by the type's invariant; its name is part of it. While it is renamed
        // the bytes change under us, as under the stock code. IFNAMSIZ bytes are there whatever the name is.
        Name::of_array(unsafe { abi::nlproof_if_name(self.as_ptr()).cast::<[u8; IFNAMSIZ]>().read() })
    }

    fn kind(&self) -> u8 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_type(self.as_ptr()) }
    }

    fn flags(&self) -> u32 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_flags(self.as_ptr()) }
    }

    fn driver_flags(&self) -> u32 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_driver_flags(self.as_ptr()) }
    }

    fn mtu(&self) -> u32 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_mtu(self.as_ptr()) }
    }

    fn link_address_len(&self) -> u8 {
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_address_len(self.as_ptr()) }
    }

    fn link_address(&self) -> Option<LinkAddress> {
        self.sockaddr(abi::nlproof_if_address)
    }

    fn broadcast_address(&self) -> Option<LinkAddress> {
        self.sockaddr(abi::nlproof_if_broadcast)
    }

    fn hardware_address(&self) -> Option<LinkAddress> {
        self.sockaddr(abi::nlproof_if_hardware)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        // SAFETY: the interface is valid by the type's invariant; both arrays are writable and distinct.
        unsafe {
            abi::nlproof_if_capabilities(
                self.as_ptr(),
                &raw mut capabilities.supported,
                &raw mut capabilities.enabled,
            );
        }
        capabilities
    }

    fn counter(&self, counter: Counter) -> u64 {
        let place = match counter {
            Counter::RxPackets => 0,
            Counter::TxPackets => 1,
            Counter::RxBytes => 2,
            Counter::TxBytes => 3,
            Counter::RxErrors => 4,
            Counter::TxErrors => 5,
            Counter::RxDropped => 6,
            Counter::TxDropped => 7,
            Counter::Multicast => 8,
            Counter::RxNoHandler => 9,
        };
        // SAFETY: the interface is valid by the type's invariant.
        unsafe { abi::nlproof_if_counter(self.as_ptr(), place) }
    }

    fn state(&self) -> LinkState {
        let mut raw = MaybeUninit::<RawLink>::uninit();
        // SAFETY: the interface is valid by the type's invariant, and C writes every field.
        let raw = unsafe {
            abi::nlproof_if_read(self.as_ptr(), raw.as_mut_ptr());
            raw.assume_init()
        };
        LinkState {
            index: raw.index,
            kind: raw.kind,
            link_address_len: raw.address_len,
            has_broadcast: raw.has_broadcast != 0,
            flags: raw.flags,
            driver_flags: raw.driver_flags,
            mtu: raw.mtu,
            capabilities: Capabilities { supported: raw.supported, enabled: raw.enabled },
        }
    }

    fn statistics(&self, out: &mut [u8; STATISTICS]) {
        // SAFETY: the interface is valid by the type's invariant, and `out` is writable.
        unsafe { abi::nlproof_if_statistics(self.as_ptr(), out) }
    }

    fn for_each_group(&self, each: impl FnMut(Name)) {
        fn show_of<F: FnMut(Name)>(_: &F) -> abi::EachGroup {
            show_group::<F>
        }
        let mut each = each;
        let show = show_of(&each);
        // SAFETY: the interface is valid by the type's invariant; the function gets the closure that it was made for,
        // which outlives the call.
        unsafe { abi::nlproof_if_foreach_group(self.as_ptr(), show, (&raw mut each).cast()) }
    }

    fn description<R>(&self, show: impl FnOnce(Option<&[u8]>) -> R) -> R {
        // SAFETY: the interface is valid by the type's invariant.
        let text = unsafe { abi::nlproof_if_description(self.as_ptr()) };
        if text.is_null() {
            return show(None);
        }
        // SAFETY: a description is a string with a NUL. It can be replaced and freed while it is shown: the
        // lock that would prevent it is private to net/if.c, and the stock code takes the same risk.
        show(Some(unsafe { CStr::from_ptr(text) }.to_bytes()))
    }
}
