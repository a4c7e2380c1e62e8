// SPDX-License-Identifier: BSD-2-Clause
//! The functions that the shim calls.

use core::ffi::{CStr, c_char, c_int};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use iface_core::{
    AddressEvent, LinkEvent, Message, MessageHeader, Name, Report, Request, Sleepable, address_event, handle,
    link_event, link_renamed,
};

use crate::abi::{self, Call, IfAddress, IfNet, NlPcb, NlWriter, RawRequest};
use crate::call::Stack;
use crate::errno::number;
use crate::interface::IfRef;
use crate::profile::behaviours;
use crate::requester::Socket;
use crate::writer::Stream;

/// One error text of the stock code shows where an attribute stands in the kernel's memory. This one shows an
/// address of the same form, the beginning of the direct map, which tells nobody anything.
const SOMEWHERE: u64 = 0xffff_f800_0000_0000;

/// Whether messages of that type are answered here.
#[unsafe(no_mangle)]
pub extern "C" fn nlproof_core_handles(kind: u16) -> c_int {
    c_int::from(Message::is_handled(kind))
}

/// Answers a request and returns its error number.
///
/// # Safety
/// All pointers are valid during the call, `writer` is used by nobody else, and `payload` of `request` is readable
/// for its length and not written to. The thread is not in the network epoch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nlproof_core_request(
    call: NonNull<Call>,
    socket: NonNull<NlPcb>,
    writer: NonNull<NlWriter>,
    request: &RawRequest,
) -> c_int {
    let RawRequest { kind, flags, seq, pid, payload_len, .. } = *request;
    // SAFETY: the caller promises a payload of that length. It is at most a datagram's, so it fits.
    let payload = unsafe { core::slice::from_raw_parts(request.payload, payload_len as usize) };
    // SAFETY: call, socket and writer are valid until this function returns, and so do the values live.
    let (stack, socket, mut stream) = unsafe { (Stack::new(call), Socket::new(socket), Stream::new(writer)) };
    let request_of_core = Request {
        header: MessageHeader { kind, flags, seq, pid },
        payload,
        strict: request.strict != 0,
        base: SOMEWHERE,
    };
    let mut report = Report::default();
    let result = handle(
        &stack,
        behaviours(request.osreldate),
        &mut Sleepable::at_entry(),
        &socket,
        &request_of_core,
        &mut stream,
        &mut report,
    );
    tell(call, &report);
    number(result)
}

/// Hands text, offset and cookie to the kernel's parser state, from which it makes the acknowledgement.
fn tell(call: NonNull<Call>, report: &Report) {
    if let Some(text) = report.text() {
        // SAFETY: the call is valid, its parser state is the request's, and the text is readable.
        unsafe { abi::nlproof_report_text(call.as_ptr(), text.as_ptr(), text.len()) }
    }
    if let Some(offset) = report.offset() {
        // SAFETY: the call is valid and its parser state is the request's.
        unsafe { abi::nlproof_report_offset(call.as_ptr(), offset) }
    }
    if let Some(cookie) = report.cookie() {
        let bytes = cookie.as_bytes();
        // SAFETY: the call is valid, its parser state is the request's, and the bytes are readable.
        unsafe { abi::nlproof_report_cookie(call.as_ptr(), bytes.as_ptr(), bytes.len()) }
    }
}

/// Announces what happened to an interface: NLPROOF_LINK_* of abi.h.
///
/// # Safety
/// Both pointers are valid during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nlproof_core_link_event(
    call: NonNull<Call>,
    ifp: *mut IfNet,
    osreldate: i32,
    event: u32,
    change: u32,
) {
    let event = match event {
        0 => LinkEvent::Arrived,
        1 => LinkEvent::Departed,
        2 => LinkEvent::LinkState,
        _ => LinkEvent::Changed(change),
    };
    // SAFETY: the call is valid until this function returns.
    let stack = unsafe { Stack::new(call) };
    // SAFETY: the interface is valid during the call and the reference to it is never dropped.
    if let Some(ifp) = unsafe { IfRef::from_raw(ifp) }.map(ManuallyDrop::new) {
        link_event(&stack, behaviours(osreldate), &mut Sleepable::at_entry(), &ifp, event);
    }
}

/// Announces that an interface, once `old`, has another name now.
///
/// # Safety
/// All pointers are valid during the call, and `old` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nlproof_core_link_renamed(
    call: NonNull<Call>,
    ifp: *mut IfNet,
    osreldate: i32,
    old: *const c_char,
) {
    // SAFETY: the caller's promise.
    let old = Name::truncated(unsafe { CStr::from_ptr(old) }.to_bytes());
    // SAFETY: the call is valid until this function returns.
    let stack = unsafe { Stack::new(call) };
    // SAFETY: the interface is valid during the call and the reference to it is never dropped.
    if let Some(ifp) = unsafe { IfRef::from_raw(ifp) }.map(ManuallyDrop::new) {
        link_renamed(&stack, behaviours(osreldate), &mut Sleepable::at_entry(), &ifp, old);
    }
}

/// Announces what happened to an address.
///
/// # Safety
/// All pointers are valid during the call, those in `address` too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nlproof_core_address_event(
    call: NonNull<Call>,
    ifp: *mut IfNet,
    osreldate: i32,
    address: &IfAddress,
    deleted: u32,
) {
    let event = if deleted == 0 { AddressEvent::Added } else { AddressEvent::Deleted };
    // SAFETY: the call is valid until this function returns.
    let stack = unsafe { Stack::new(call) };
    // SAFETY: the interface is valid during the call and the reference to it is never dropped.
    if let Some(ifp) = unsafe { IfRef::from_raw(ifp) }.map(ManuallyDrop::new) {
        address_event(&stack, behaviours(osreldate), &ifp, address, event);
    }
}
