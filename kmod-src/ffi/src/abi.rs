// SPDX-License-Identifier: BSD-2-Clause
//! The interface between this crate and the C shim: `kmod-src/shim/abi.h`, which explains each function.

use core::ffi::{c_char, c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU8, AtomicU32};

use iface_core::WORDS;

use iface_core::{MessageHeader, STATISTICS};

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub(crate) struct $name {
            bytes: [u8; 0],
            // Neither Send nor Sync nor Unpin: what the kernel does with it is not known here.
            marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )+};
}

opaque! {
    /// `struct ifnet`.
    IfNet,
    /// `struct nlpcb`: a netlink socket.
    NlPcb,
    /// `struct nl_writer`.
    NlWriter,
    /// `struct nlproof_call`: storage of one entry into Rust, on the stack of the C function that called.
    Call,
}

/// `struct nlproof_sockaddr`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct SockAddr {
    pub(crate) family: u8,
    pub(crate) len: u8,
    pub(crate) bytes: [u8; 32],
}

/// `struct nlproof_sockaddr_view`: what netlink sends of a socket address, where the kernel has it.
#[repr(C)]
pub(crate) struct SockAddrView {
    pub(crate) bytes: *const u8,
    pub(crate) family: u8,
    pub(crate) len: u8,
}

/// `struct nlproof_address`.
#[repr(C)]
pub(crate) struct IfAddress {
    pub(crate) local: SockAddrView,
    pub(crate) destination: SockAddrView,
    pub(crate) has_destination: u8,
    pub(crate) prefix_len: u8,
    pub(crate) has_vhid: u8,
    pub(crate) has_inet6: u8,
    pub(crate) vhid: u32,
    pub(crate) inet6_flags: u32,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
    pub(crate) loopback_mask: u32,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// `struct nlproof_request`.
#[repr(C)]
pub(crate) struct RawRequest {
    pub(crate) payload: *const u8,
    pub(crate) payload_len: u32,
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) seq: u32,
    pub(crate) pid: u32,
    pub(crate) strict: u32,
    pub(crate) osreldate: i32,
}

/// `struct nlproof_create`.
#[repr(C)]
pub(crate) struct Create {
    pub(crate) name: *const c_char,
    pub(crate) kind: *const c_char,
    pub(crate) data: *const u8,
    pub(crate) index: u32,
    pub(crate) parent: u32,
}

/// `struct nlproof_inet`.
#[repr(C)]
pub(crate) struct Inet {
    pub(crate) address: [u8; 4],
    pub(crate) mask: [u8; 4],
    pub(crate) destination: [u8; 4],
    pub(crate) has_destination: u32,
    pub(crate) vhid: u32,
}

/// `struct nlproof_inet6`.
#[repr(C)]
pub(crate) struct Inet6 {
    pub(crate) address: [u8; 16],
    pub(crate) destination: [u8; 16],
    pub(crate) has_destination: u32,
    pub(crate) prefix_len: u32,
    pub(crate) flags: u32,
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
    pub(crate) vhid: u32,
}

/// `struct nlproof_link`.
#[repr(C)]
pub(crate) struct RawLink {
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) driver_flags: u32,
    pub(crate) mtu: u32,
    pub(crate) supported: [u32; 2],
    pub(crate) enabled: [u32; 2],
    pub(crate) kind: u8,
    pub(crate) address_len: u8,
    pub(crate) has_broadcast: u8,
}

/// `struct nlproof_window`.
#[repr(C)]
pub(crate) struct Window {
    pub(crate) next: *mut u8,
    pub(crate) end: *mut u8,
    pub(crate) message: *mut u8,
}

/// `struct nlproof_media`.
#[repr(C)]
#[derive(Default)]
pub(crate) struct RawMedia {
    pub(crate) ethernet: u8,
    pub(crate) active: u8,
}

const _: () = {
    assert!(size_of::<SockAddr>() == 34);
    assert!(size_of::<SockAddrView>() == 16 && offset_of!(SockAddrView, family) == 8);
    assert!(size_of::<IfAddress>() == 72 && offset_of!(IfAddress, loopback_mask) == 52);
    assert!(offset_of!(IfAddress, has_destination) == 32 && offset_of!(IfAddress, created) == 56);
    assert!(size_of::<RawRequest>() == 32 && offset_of!(RawRequest, strict) == 24);
    assert!(size_of::<Create>() == 32);
    assert!(size_of::<Inet>() == 20);
    assert!(size_of::<Inet6>() == 56);
    assert!(size_of::<RawMedia>() == 2);
    assert!(size_of::<RawLink>() == 36 && offset_of!(RawLink, kind) == 32);
    assert!(size_of::<MessageHeader>() == 12 && offset_of!(MessageHeader, flags) == 2);
    assert!(offset_of!(MessageHeader, seq) == 4 && offset_of!(MessageHeader, pid) == 8);
    assert!(size_of::<Window>() == 24 && offset_of!(Window, message) == 16);
};

/// `nlproof_match_f`.
pub(crate) type Match = unsafe extern "C" fn(*mut IfNet, *mut c_void) -> bool;
/// `nlproof_each_f`.
pub(crate) type Each = unsafe extern "C" fn(*mut IfNet, *mut c_void) -> c_int;
/// `nlproof_each_group_f`.
pub(crate) type EachGroup = unsafe extern "C" fn(*const c_char, *mut c_void);
/// `nlproof_each_address_f`.
pub(crate) type EachAddress = unsafe extern "C" fn(*const IfAddress, *mut c_void) -> c_int;

unsafe extern "C" {
    /// The ring is on (ring.c).
    pub(crate) static nlproof_ring_on: AtomicU32;
    /// DTrace has enabled some probe (sys/kern/kern_sdt.c); a C `bool`.
    pub(crate) static sdt_probes_enabled: AtomicU8;
    pub(crate) fn nlproof_probe(probe: u32, args: *const [u64; WORDS]);

    pub(crate) fn nlproof_epoch_enter(call: *mut Call);
    pub(crate) fn nlproof_epoch_exit(call: *mut Call);

    pub(crate) fn nlproof_if_by_index(index: u32) -> *mut IfNet;
    pub(crate) fn nlproof_if_by_name(name: *const c_char) -> *mut IfNet;
    pub(crate) fn nlproof_if_release(ifp: *mut IfNet);
    pub(crate) fn nlproof_if_foreach_sleep(
        matches: Match,
        match_arg: *mut c_void,
        each: Each,
        each_arg: *mut c_void,
    ) -> c_int;
    pub(crate) fn nlproof_if_foreach(each: Each, arg: *mut c_void) -> c_int;
    pub(crate) fn nlproof_if_foreach_group(ifp: *mut IfNet, each: EachGroup, arg: *mut c_void);
    pub(crate) fn nlproof_if_index(ifp: *mut IfNet) -> u32;
    pub(crate) fn nlproof_if_name(ifp: *mut IfNet) -> *const c_char;
    pub(crate) fn nlproof_if_description(ifp: *mut IfNet) -> *const c_char;
    pub(crate) fn nlproof_if_read(ifp: *mut IfNet, out: *mut RawLink);
    pub(crate) fn nlproof_if_type(ifp: *mut IfNet) -> u8;
    pub(crate) fn nlproof_if_flags(ifp: *mut IfNet) -> u32;
    pub(crate) fn nlproof_if_driver_flags(ifp: *mut IfNet) -> u32;
    pub(crate) fn nlproof_if_mtu(ifp: *mut IfNet) -> u32;
    pub(crate) fn nlproof_if_address_len(ifp: *mut IfNet) -> u8;
    pub(crate) fn nlproof_if_address(ifp: *mut IfNet, out: *mut SockAddr) -> bool;
    pub(crate) fn nlproof_if_broadcast(ifp: *mut IfNet, out: *mut SockAddr) -> bool;
    pub(crate) fn nlproof_if_hardware(ifp: *mut IfNet, out: *mut SockAddr) -> bool;
    pub(crate) fn nlproof_if_capabilities(ifp: *mut IfNet, supported: *mut [u32; 2], enabled: *mut [u32; 2]);
    pub(crate) fn nlproof_if_statistics(ifp: *mut IfNet, out: *mut [u8; STATISTICS]);
    pub(crate) fn nlproof_if_counter(ifp: *mut IfNet, counter: u32) -> u64;
    pub(crate) fn nlproof_if_media(ifp: *mut IfNet, out: *mut RawMedia) -> c_int;

    pub(crate) fn nlproof_if_set_description(ifp: *mut IfNet, text: *const u8, len: usize);
    pub(crate) fn nlproof_if_up(ifp: *mut IfNet);
    pub(crate) fn nlproof_if_down(ifp: *mut IfNet);
    pub(crate) fn nlproof_if_set_mtu(ifp: *mut IfNet, mtu: u32) -> c_int;
    pub(crate) fn nlproof_if_count_promiscuous(ifp: *mut IfNet, on: bool) -> c_int;
    pub(crate) fn nlproof_if_set_promiscuous(ifp: *mut IfNet, on: bool);
    pub(crate) fn nlproof_if_set_address(ifp: *mut IfNet, address: *const u8, len: usize) -> c_int;

    pub(crate) fn nlproof_clone_describe(ifp: *mut IfNet, nw: *mut NlWriter, used: u32, window: *mut Window);
    pub(crate) fn nlproof_clone_create(
        call: *mut Call,
        create: *const Create,
        ifpp: *mut *mut IfNet,
    ) -> c_int;
    pub(crate) fn nlproof_clone_configure(call: *mut Call, ifp: *mut IfNet, modify: *const Create) -> c_int;
    pub(crate) fn nlproof_clone_destroy(ifp: *mut IfNet) -> c_int;

    pub(crate) fn nlproof_ifa_foreach(ifp: *mut IfNet, each: EachAddress, arg: *mut c_void) -> c_int;
    pub(crate) fn nlproof_inet_add(call: *mut Call, ifp: *mut IfNet, inet: *const Inet) -> c_int;
    pub(crate) fn nlproof_inet_delete(call: *mut Call, ifp: *mut IfNet, address: *const [u8; 4]) -> c_int;
    pub(crate) fn nlproof_inet6_add(call: *mut Call, ifp: *mut IfNet, inet6: *const Inet6) -> c_int;
    pub(crate) fn nlproof_inet6_delete(call: *mut Call, ifp: *mut IfNet, address: *const [u8; 16]) -> c_int;

    pub(crate) fn nlproof_requester_may(nlp: *mut NlPcb, privilege: u32) -> bool;
    pub(crate) fn nlproof_requester_owns_stack(nlp: *mut NlPcb) -> bool;
    pub(crate) fn nlproof_requester_may_see(nlp: *mut NlPcb, address: *const SockAddr) -> bool;
    pub(crate) fn nlproof_report_text(call: *mut Call, text: *const u8, len: usize);
    pub(crate) fn nlproof_report_offset(call: *mut Call, offset: u32);
    pub(crate) fn nlproof_report_cookie(call: *mut Call, nested: *const u8, len: usize);

    pub(crate) fn nlproof_writer_to_group(call: *mut Call, group: u32) -> *mut NlWriter;
    pub(crate) fn nlproof_writer_flush(call: *mut Call, nw: *mut NlWriter);
    pub(crate) fn nlproof_writer_begin(
        nw: *mut NlWriter,
        header: *const MessageHeader,
        len: u32,
        window: *mut Window,
    ) -> bool;
    pub(crate) fn nlproof_writer_find_room(nw: *mut NlWriter, used: u32, len: u32, window: *mut Window);
    pub(crate) fn nlproof_writer_end(nw: *mut NlWriter, used: u32) -> bool;
    pub(crate) fn nlproof_writer_abort(nw: *mut NlWriter);
    pub(crate) fn nlproof_writer_end_dump(
        nw: *mut NlWriter,
        error: c_int,
        header: *const MessageHeader,
    ) -> bool;
}
