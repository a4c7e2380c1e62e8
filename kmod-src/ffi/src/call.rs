// SPDX-License-Identifier: BSD-2-Clause
//! The network stack, as seen during one entry into Rust.

use core::ffi::{c_char, c_int, c_void};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{NonNull, null, null_mut};

use iface_core::{Epoch, Errno, Inet6Alias, InetAlias, Kernel, LinkRequest, Media, Probe, Report, Sleepable};

use crate::abi::{self, Call, Create, IfAddress, IfNet, Inet, Inet6, RawMedia};
use crate::errno::{number, result};
use crate::interface::IfRef;
use crate::probe::{fire, heard};
use crate::writer::{GroupStream, Stream};

/// Bytes of an interface's name that the kernel compares (`IFNAMSIZ`), and a NUL.
const NAME: usize = 17;
/// Bytes of a name that a cloner gets to see, with a NUL. No cloner accepts a tenth of it.
const CLONE_NAME: usize = 160;

/// The network stack of the thread's vnet.
///
/// # Invariants
/// The call is valid for `'c`.
pub(crate) struct Stack<'c> {
    call: NonNull<Call>,
    entry: PhantomData<&'c ()>,
}

impl Stack<'_> {
    /// # Safety
    /// The call lives for the lifetime that the caller gives to the value.
    pub(crate) const unsafe fn new(call: NonNull<Call>) -> Self {
        Self { call, entry: PhantomData }
    }

    fn call(&self) -> *mut Call {
        self.call.as_ptr()
    }
}

/// Leaves the network epoch when dropped. The tracker itself is part of the call, because it must not move.
pub(crate) struct EpochGuard<'c> {
    call: NonNull<Call>,
    entry: PhantomData<&'c ()>,
}

impl Drop for EpochGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: the call is valid while the guard lives, and the guard is what entered (`epoch_enter`).
        unsafe { abi::nlproof_epoch_exit(self.call.as_ptr()) }
    }
}

/// A string with a NUL in a buffer of `N` bytes; what does not fit is cut off.
fn terminated<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut buffer = [0; N];
    let room = N.saturating_sub(1);
    for (slot, &byte) in buffer.iter_mut().zip(text.iter().take(room)) {
        *slot = byte;
    }
    buffer
}

/// What a cloner gets to see of a request.
fn for_cloner(name: &[u8; CLONE_NAME], kind: &[u8; CLONE_NAME], request: &LinkRequest<'_>) -> Create {
    Create {
        name: name.as_ptr().cast(),
        kind: kind.as_ptr().cast(),
        // The payload is part of the request, and so is the attribute's header before it.
        data: request.driver_data.map_or(null(), |data| data.as_bytes().as_ptr()),
        index: request.index,
        parent: request.parent,
    }
}

/// Shows an interface of C's to a closure at `arg`.
///
/// # Safety
/// `arg` is a `*mut F` that nothing else uses, and `ifp` is valid during the call.
unsafe extern "C" fn each<F: FnMut(&IfRef) -> Result<(), Errno>>(ifp: *mut IfNet, arg: *mut c_void) -> c_int {
    // SAFETY: the caller's promise about `arg`.
    let show = unsafe { &mut *arg.cast::<F>() };
    // SAFETY: C holds a reference or is in the epoch during the call, and the value is never dropped.
    match unsafe { IfRef::from_raw(ifp) }.map(ManuallyDrop::new) {
        Some(ifp) => number(show(&ifp)),
        None => 0,
    }
}

/// Asks a closure at `arg` about an interface of C's.
///
/// # Safety
/// As for [`each`].
unsafe extern "C" fn matches<F: FnMut(&IfRef) -> bool>(ifp: *mut IfNet, arg: *mut c_void) -> bool {
    // SAFETY: the caller's promise about `arg`.
    let ask = unsafe { &mut *arg.cast::<F>() };
    // SAFETY: C is in the epoch during the call, and the value is never dropped.
    unsafe { IfRef::from_raw(ifp) }.map(ManuallyDrop::new).is_some_and(|ifp| ask(&ifp))
}

/// Shows an address of C's to a closure at `arg`.
///
/// # Safety
/// `arg` is a `*mut F` that nothing else uses, and `address` and the addresses in it are readable during the call.
unsafe extern "C" fn each_address<F: FnMut(&IfAddress) -> Result<(), Errno>>(
    address: *const IfAddress,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: the caller's promises.
    let (show, address) = unsafe { (&mut *arg.cast::<F>(), &*address) };
    number(show(address))
}

impl<'c> Kernel for Stack<'c> {
    type Ref = IfRef;
    type Address = IfAddress;
    type EpochTracker = EpochGuard<'c>;
    type Stream = Stream<'c>;
    type GroupWriter = GroupStream<'c>;

    #[inline(always)]
    fn probe(&self, probe: Probe) {
        if heard() {
            fire(&probe);
        }
    }

    fn epoch_enter(&self) -> EpochGuard<'c> {
        // SAFETY: the call is valid by the type's invariant, and stays where it is.
        unsafe { abi::nlproof_epoch_enter(self.call()) }
        EpochGuard { call: self.call, entry: PhantomData }
    }

    fn by_index(&self, _epoch: &Epoch<'_>, index: u32) -> Option<IfRef> {
        // SAFETY: in the epoch, as the kernel asks; what comes back is null or a counted reference.
        unsafe { IfRef::from_raw(abi::nlproof_if_by_index(index)) }
    }

    fn by_name(&self, name: &[u8]) -> Option<IfRef> {
        let name = terminated::<NAME>(name);
        // SAFETY: `name` has a NUL; what comes back is null or a counted reference.
        unsafe { IfRef::from_raw(abi::nlproof_if_by_name(name.as_ptr().cast::<c_char>())) }
    }

    fn for_each_interface(
        &self,
        thread: &mut Sleepable,
        matching: impl FnMut(&IfRef) -> bool,
        mut show: impl FnMut(&mut Sleepable, &IfRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        fn ask_of<F: FnMut(&IfRef) -> bool>(_: &F) -> abi::Match {
            matches::<F>
        }
        fn show_of<F: FnMut(&IfRef) -> Result<(), Errno>>(_: &F) -> abi::Each {
            each::<F>
        }
        let mut matching = matching;
        let mut show = |ifp: &IfRef| show(thread, ifp);
        let (ask_fn, show_fn) = (ask_of(&matching), show_of(&show));
        // SAFETY: each function gets the closure that it was made for, and both outlive the call. C asks
        // inside the epoch and shows outside of it, with a reference.
        result(unsafe {
            abi::nlproof_if_foreach_sleep(ask_fn, (&raw mut matching).cast(), show_fn, (&raw mut show).cast())
        })
    }

    fn for_each_interface_in(
        &self,
        _epoch: &Epoch<'_>,
        show: impl FnMut(&IfRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        fn show_of<F: FnMut(&IfRef) -> Result<(), Errno>>(_: &F) -> abi::Each {
            each::<F>
        }
        let mut show = show;
        let show_fn = show_of(&show);
        // SAFETY: the function gets the closure that it was made for, which outlives the call; in the epoch.
        result(unsafe { abi::nlproof_if_foreach(show_fn, (&raw mut show).cast()) })
    }

    fn for_each_address(
        &self,
        _epoch: &Epoch<'_>,
        ifp: &IfRef,
        show: impl FnMut(&IfAddress) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        fn show_of<F: FnMut(&IfAddress) -> Result<(), Errno>>(_: &F) -> abi::EachAddress {
            each_address::<F>
        }
        let mut show = show;
        let show_fn = show_of(&show);
        // SAFETY: the function gets the closure that it was made for, which outlives the call; in the epoch,
        // with a valid interface.
        result(unsafe { abi::nlproof_ifa_foreach(ifp.as_ptr(), show_fn, (&raw mut show).cast()) })
    }

    fn media(&self, _thread: &mut Sleepable, ifp: &IfRef) -> Result<Media, Errno> {
        let mut media = RawMedia::default();
        // SAFETY: the interface is valid and `media` writable.
        result(unsafe { abi::nlproof_if_media(ifp.as_ptr(), &raw mut media) })?;
        Ok(Media { ethernet: media.ethernet != 0, active: media.active != 0 })
    }

    fn describe(&self, ifp: &IfRef, stream: &mut Stream<'c>) {
        stream.let_write(|nw, used, window| {
            // SAFETY: the interface is valid; the stream hands its writer, what it has used, and its window.
            unsafe { abi::nlproof_clone_describe(ifp.as_ptr(), nw, used, window) }
        });
    }

    fn create(
        &self,
        _thread: &mut Sleepable,
        name: &[u8],
        request: &LinkRequest<'_>,
    ) -> Result<IfRef, Errno> {
        let name = terminated::<CLONE_NAME>(name);
        let kind = terminated::<CLONE_NAME>(request.driver.unwrap_or(&[]));
        let create = for_cloner(&name, &kind, request);
        let mut ifp = null_mut();
        // SAFETY: the call is valid and that of a request (nothing is created in an event); `create` and its
        // strings live during the call, and `ifp` is writable.
        result(unsafe { abi::nlproof_clone_create(self.call(), &raw const create, &raw mut ifp) })?;
        // SAFETY: on success C has counted a reference for us.
        unsafe { IfRef::from_raw(ifp) }.ok_or(Errno::ENXIO)
    }

    fn configure(
        &self,
        _thread: &mut Sleepable,
        ifp: &IfRef,
        request: &LinkRequest<'_>,
        _report: &mut Report,
    ) -> Result<(), Errno> {
        let name = terminated::<CLONE_NAME>(request.name.unwrap_or(&[]));
        let kind = terminated::<CLONE_NAME>(request.driver.unwrap_or(&[]));
        let modify = for_cloner(&name, &kind, request);
        // SAFETY: the call is valid and that of a request, and so is the interface; `modify` and its strings
        // live during the call. What the driver has to say goes to the kernel's parser state by itself.
        result(unsafe { abi::nlproof_clone_configure(self.call(), ifp.as_ptr(), &raw const modify) })
    }

    fn destroy(&self, _thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        // SAFETY: the interface is valid.
        result(unsafe { abi::nlproof_clone_destroy(ifp.as_ptr()) })
    }

    fn set_description(&self, _thread: &mut Sleepable, ifp: &IfRef, description: &[u8]) {
        // SAFETY: the interface is valid, and the bytes are readable.
        unsafe { abi::nlproof_if_set_description(ifp.as_ptr(), description.as_ptr(), description.len()) }
    }

    fn up(&self, _thread: &mut Sleepable, ifp: &IfRef) {
        // SAFETY: the interface is valid.
        unsafe { abi::nlproof_if_up(ifp.as_ptr()) }
    }

    fn down(&self, _thread: &mut Sleepable, ifp: &IfRef) {
        // SAFETY: the interface is valid.
        unsafe { abi::nlproof_if_down(ifp.as_ptr()) }
    }

    fn set_mtu(&self, _thread: &mut Sleepable, ifp: &IfRef, mtu: u32) -> Result<(), Errno> {
        // SAFETY: the interface is valid.
        result(unsafe { abi::nlproof_if_set_mtu(ifp.as_ptr(), mtu) })
    }

    fn count_promiscuous(&self, _thread: &mut Sleepable, ifp: &IfRef, on: bool) -> Result<(), Errno> {
        // SAFETY: the interface is valid.
        result(unsafe { abi::nlproof_if_count_promiscuous(ifp.as_ptr(), on) })
    }

    fn set_promiscuous(&self, _thread: &mut Sleepable, ifp: &IfRef, on: bool) {
        // SAFETY: the interface is valid.
        unsafe { abi::nlproof_if_set_promiscuous(ifp.as_ptr(), on) }
    }

    fn set_link_address(&self, _thread: &mut Sleepable, ifp: &IfRef, address: &[u8]) -> Result<(), Errno> {
        // SAFETY: the interface is valid, and the bytes are readable.
        result(unsafe { abi::nlproof_if_set_address(ifp.as_ptr(), address.as_ptr(), address.len()) })
    }

    fn add_inet(&self, _thread: &mut Sleepable, ifp: &IfRef, alias: &InetAlias) -> Result<(), Errno> {
        let inet = Inet {
            address: alias.address,
            mask: alias.mask,
            destination: alias.destination.unwrap_or_default(),
            has_destination: u32::from(alias.destination.is_some()),
            vhid: alias.vhid,
        };
        // SAFETY: the call is that of a request, the interface valid, and `inet` readable.
        result(unsafe { abi::nlproof_inet_add(self.call(), ifp.as_ptr(), &raw const inet) })
    }

    fn delete_inet(&self, _thread: &mut Sleepable, ifp: &IfRef, address: [u8; 4]) -> Result<(), Errno> {
        // SAFETY: the call is that of a request, the interface valid, and `address` readable.
        result(unsafe { abi::nlproof_inet_delete(self.call(), ifp.as_ptr(), &raw const address) })
    }

    fn add_inet6(&self, _thread: &mut Sleepable, ifp: &IfRef, alias: &Inet6Alias) -> Result<(), Errno> {
        let inet6 = Inet6 {
            address: alias.address,
            destination: alias.destination.unwrap_or_default(),
            has_destination: u32::from(alias.destination.is_some()),
            prefix_len: u32::from(alias.prefix_len),
            flags: alias.flags,
            preferred: alias.preferred,
            valid: alias.valid,
            vhid: alias.vhid,
        };
        // SAFETY: the call is that of a request, the interface valid, and `inet6` readable.
        result(unsafe { abi::nlproof_inet6_add(self.call(), ifp.as_ptr(), &raw const inet6) })
    }

    fn delete_inet6(&self, _thread: &mut Sleepable, ifp: &IfRef, address: [u8; 16]) -> Result<(), Errno> {
        // SAFETY: the call is that of a request, the interface valid, and `address` readable.
        result(unsafe { abi::nlproof_inet6_delete(self.call(), ifp.as_ptr(), &raw const address) })
    }

    fn group_writer(&self, group: u32) -> Option<GroupStream<'c>> {
        // SAFETY: the call is valid for 'c by the type's invariant.
        unsafe { GroupStream::open(self.call, group) }
    }
}
