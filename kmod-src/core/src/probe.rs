// SPDX-License-Identifier: BSD-2-Clause
//! Probes: points of a request's or an event's path that a tracer can hear of ([`Kernel::probe`]).
//!
//! Their names, arguments, types and units stand in `kmod-src/probes.yaml`; a test holds this file against it. A
//! probe that fires is a number and five words, whoever hears of it: the simulator, the module's ring, or DTrace.
//! What belongs to the deed itself (references, the epoch) is fired by the kernel around this crate where it does it,
//! everything else from here.

use crate::context::{Epoch, Sleepable, in_epoch};
use crate::errno::Errno;
use crate::kernel::{Interface, Kernel};
use crate::name::Name;

/// How many words a probe has for its arguments.
pub const WORDS: usize = 5;

/// A probe that has fired, as every tracer keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Number of the probe: its place in [`Probe::TABLE`].
    pub probe: u16,
    /// Arguments in order, the rest 0. A number takes one word, signed ones with their sign; a name two, its
    /// bytes from the lowest byte on and zeros behind them.
    pub args: [u64; WORDS],
}

/// Fills the words of a [`Fired`].
#[derive(Default)]
struct Words {
    words: [u64; WORDS],
    used: usize,
}

impl Words {
    fn put(&mut self, word: u64) {
        if let Some(slot) = self.words.get_mut(self.used) {
            *slot = word;
        }
        self.used = self.used.saturating_add(1);
    }
}

trait Argument {
    fn put(self, words: &mut Words);
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Argument for $number {
            fn put(self, words: &mut Words) {
                words.put(u64::from(self));
            }
        })+
    };
}

numbers!(u8, u16, u32, u64);

impl Argument for i32 {
    fn put(self, words: &mut Words) {
        words.put(i64::from(self).cast_unsigned());
    }
}

impl Argument for Name {
    fn put(self, words: &mut Words) {
        let mut bytes = [0; 16];
        for (slot, &byte) in bytes.iter_mut().zip(self.as_bytes()) {
            *slot = byte;
        }
        let both = u128::from_le_bytes(bytes);
        let [low, high] = [both, both >> 64].map(|half| half & u128::from(u64::MAX));
        words.put(u64::try_from(low).unwrap_or(0));
        words.put(u64::try_from(high).unwrap_or(0));
    }
}

macro_rules! chosen {
    ($($(#[$doc:meta])* $name:ident { $($(#[$choice_doc:meta])* $choice:ident $text:literal,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[repr(u8)]
            pub enum $name { $($(#[$choice_doc])* $choice),+ }

            impl $name {
                /// The names in `probes.yaml`, by number.
                pub const NAMES: &'static [&'static str] = &[$($text),+];
            }

            impl Argument for $name {
                fn put(self, words: &mut Words) {
                    words.put(u64::from(self as u8));
                }
            }
        )+
    };
}

chosen! {
    /// What a cloner is asked.
    CloneOp {
        /// `create_f` of `struct if_clone_addreq_v2`.
        Create "create",
        /// `modify_nl_f`.
        Modify "modify",
        /// `destroy_f`.
        Destroy "destroy",
    }
    /// What is changed about an interface.
    Change {
        /// `if_setdescr`.
        Description "description",
        /// `if_up`.
        Up "up",
        /// `if_down`.
        Down "down",
        /// SIOCSIFMTU.
        Mtu "mtu",
        /// `ifpromisc`.
        CountPromiscuous "count-promiscuous",
        /// `if_setppromisc`.
        Promiscuous "promiscuous",
        /// `if_setlladdr`.
        LinkAddress "link-address",
        /// SIOCAIFADDR.
        AddInet "add-inet",
        /// SIOCDIFADDR.
        DeleteInet "delete-inet",
        /// SIOCAIFADDR_IN6.
        AddInet6 "add-inet6",
        /// SIOCDIFADDR_IN6.
        DeleteInet6 "delete-inet6",
    }
    /// What has happened.
    Happening {
        /// `ifnet_arrival_event`.
        Arrived "arrived",
        /// `ifnet_departure_event`.
        Departed "departed",
        /// `ifnet_link_event`.
        LinkState "link-state",
        /// `rt_ifmsg`.
        Changed "changed",
        /// `ifnet_rename_event`.
        Renamed "renamed",
        /// `rt_addrmsg` with RTM_ADD.
        AddressAdded "address-added",
        /// `rt_addrmsg` with RTM_DELETE.
        AddressDeleted "address-deleted",
    }
}

macro_rules! probes {
    ($($(#[$doc:meta])* $probe:ident $name:literal { $($field:ident: $kind:ty),* })+) => {
        /// A point that was passed, with its arguments. `probes.yaml` says what each means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the arguments are described in probes.yaml, once")]
        pub enum Probe { $($(#[$doc])* $probe { $($field: $kind),* }),+ }

        #[repr(u16)]
        enum Number { $($probe),+ }

        impl Probe {
            /// Every probe by its number: its name, and of each argument name and Rust type.
            pub const TABLE: &'static [(&'static str, &'static [(&'static str, &'static str)])] =
                &[$(($name, &[$((stringify!($field), stringify!($kind))),*])),+];

            /// The probe as tracers keep it.
            #[must_use]
            pub fn fired(&self) -> Fired {
                let mut words = Words::default();
                let number = match *self {
                    $(Self::$probe { $($field),* } => {
                        $($field.put(&mut words);)*
                        Number::$probe
                    })+
                };
                Fired { probe: number as u16, args: words.words }
            }
        }
    };
}

probes! {
    /// A request has come to its handler.
    RequestIn "request-in" { message: u16, flags: u16, seq: u32, pid: u32, len: u32 }
    /// Header and attributes of a request were read without an error.
    RequestParsed "request-parsed" { message: u16, index: u32, name: Name }
    /// An interface was looked for by index, or by name if the index is 0.
    InterfaceLookedUp "interface-looked-up" { index: u32, name: Name, found: u32 }
    /// A dump begins.
    DumpBegin "dump-begin" { message: u16, seq: u32 }
    /// A message was finished: one of a dump, a reply, or an event.
    MessageWritten "message-written" { message: u16, flags: u16, seq: u32, index: u32 }
    /// NLMSG_DONE was written.
    DumpEnd "dump-end" { message: u16, seq: u32, errno: i32 }
    /// A request is refused: its acknowledgement will carry this error.
    Error "error" { message: u16, seq: u32, errno: i32 }
    /// The request's handler returns.
    RequestOut "request-out" { message: u16, seq: u32, errno: i32 }
    /// The kernel tells that something has happened to an interface or address.
    EventBegin "event-begin" { what: Happening, index: u32, change: u32, name: Name }
    /// A message about it goes out to a group.
    EventOut "event-out" { message: u16, group: u32, index: u32 }
    /// All that there is to say about it was said.
    EventEnd "event-end" { what: Happening, index: u32 }
    /// A cloner is asked.
    ClonerIn "cloner-in" { op: CloneOp, index: u32, name: Name }
    /// The cloner has answered.
    ClonerOut "cloner-out" { op: CloneOp, index: u32, errno: i32 }
    /// Something about an interface is to be changed.
    ChangeIn "change-in" { change: Change, index: u32, value: u32 }
    /// The change was made, or was not.
    ChangeOut "change-out" { change: Change, index: u32, errno: i32 }
    /// A reference to an interface is counted (fired where that is done).
    ReferenceTaken "reference-taken" { index: u32, interface: u64 }
    /// A reference is given back (fired where that is done).
    ReferenceReleased "reference-released" { index: u32, interface: u64 }
    /// The network epoch is entered (fired where that is done).
    EpochEnter "epoch-enter" { depth: u32 }
    /// The epoch is left (fired where that is done).
    EpochExit "epoch-exit" { depth: u32 }
    /// The module has taken over.
    TakeOver "take-over" { osreldate: i32, errno: i32 }
    /// The module has given everything back.
    HandBack "hand-back" { errno: i32 }
}

/// 0, or the error's number.
pub(crate) fn number<T>(result: &Result<T, Errno>) -> i32 {
    result.as_ref().map_or_else(|error| error.number(), |_| 0)
}

/// `ifnet_byindex_ref` within the epoch.
pub(crate) fn by_index<K: Kernel>(kernel: &K, thread: &mut Sleepable, index: u32) -> Option<K::Ref> {
    in_epoch(kernel, thread, |epoch| by_index_in(kernel, epoch, index))
}

/// `ifnet_byindex_ref` of a caller that is in the epoch.
pub(crate) fn by_index_in<K: Kernel>(kernel: &K, epoch: &Epoch<'_>, index: u32) -> Option<K::Ref> {
    let found = kernel.by_index(epoch, index);
    looked_up(kernel, index, &[], found.as_ref());
    found
}

/// `ifunit_ref`.
pub(crate) fn by_name<K: Kernel>(kernel: &K, name: &[u8]) -> Option<K::Ref> {
    let found = kernel.by_name(name);
    looked_up(kernel, 0, name, found.as_ref());
    found
}

fn looked_up<K: Kernel>(kernel: &K, index: u32, name: &[u8], found: Option<&K::Ref>) {
    kernel.probe(Probe::InterfaceLookedUp {
        index,
        name: Name::truncated(name),
        found: found.map_or(0, Interface::index),
    });
}

/// Asks a cloner, between the two probes that say so. `index` is that of the interface, 0 if it is to be made.
pub(crate) fn cloner<K: Kernel, T>(
    kernel: &K,
    op: CloneOp,
    index: u32,
    name: Name,
    ask: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    kernel.probe(Probe::ClonerIn { op, index, name });
    let answer = ask();
    kernel.probe(Probe::ClonerOut { op, index, errno: number(&answer) });
    answer
}

/// Changes an interface, between the two probes that say so. `value` is what it becomes, where that is a number.
pub(crate) fn change<K: Kernel>(
    kernel: &K,
    what: Change,
    ifp: &K::Ref,
    value: u32,
    make: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Errno> {
    let index = ifp.index();
    kernel.probe(Probe::ChangeIn { change: what, index, value });
    let made = make();
    kernel.probe(Probe::ChangeOut { change: what, index, errno: number(&made) });
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_words() {
        let probe = Probe::InterfaceLookedUp { index: 7, name: Name::truncated(b"epair10a.b"), found: 9 };
        let Fired { probe, args } = probe.fired();
        assert_eq!(Probe::TABLE[usize::from(probe)].0, "interface-looked-up");
        assert_eq!(args, [7, u64::from_le_bytes(*b"epair10a"), u64::from_le_bytes(*b".b\0\0\0\0\0\0"), 9, 0]);
        let error = Probe::Error { message: 16, seq: 2, errno: -1 }.fired();
        assert_eq!(error.args, [16, 2, u64::MAX, 0, 0]);
        let change = Probe::ChangeIn { change: Change::DeleteInet6, index: 1, value: 0 }.fired();
        assert_eq!(Change::NAMES[usize::try_from(change.args[0]).unwrap()], "delete-inet6");
    }

    #[test]
    fn every_probe_fits_its_words() {
        for (name, args) in Probe::TABLE {
            let words: usize = args.iter().map(|(_, kind)| if *kind == "Name" { 2 } else { 1 }).sum();
            assert!(words <= WORDS, "{name} needs {words} words");
        }
    }
}
