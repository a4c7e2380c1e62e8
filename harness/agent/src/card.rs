// SPDX-License-Identifier: BSD-2-Clause
//! Network cards of a program: hardware that comes, goes and loses its link while the program runs.
//!
//! The agent moves a card's interface into the program's network stack. What only the machine can do (plugging, the
//! link) the agent asks the harness for by a [`Body::Hardware`](crate::Body::Hardware) record, and waits until the kernel
//! has noticed; what devctl(8) does it does itself. A card of the model [`FAULTS`] is no hardware: its driver is a kernel
//! module for tests, and everything is done in the program's network stack.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::Fault;

/// The most cards of one program.
pub const MAX_CARDS: usize = 4;

/// The model of cards that are interfaces of the module `nlproof_faultnic`.
pub const FAULTS: &str = "fault";

/// A card of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What the vector calls it.
    pub name: String,
    /// The machine's name of the model.
    pub model: String,
    /// The interface.
    pub interface: String,
    /// The device, as the kernel calls it: most interfaces have its name, those on USB have not.
    pub device: String,
    /// The machine's name of the USB controller that it is plugged into, if it is; that one is in the slot then.
    pub controller: Option<String>,
    /// The slot on the machine's PCI bus.
    pub slot: u8,
    /// The card is there when the program begins.
    pub plugged: bool,
    /// How long the driver may go on saying things about one event, in milliseconds.
    pub settle_ms: u32,
}

impl Card {
    /// The card's device for devctl(8): by its place, which does not change when its driver goes.
    #[must_use]
    pub fn selector(&self) -> String {
        format!("pci0:0:{}:0", self.slot)
    }

    /// Whether the machine has it. Otherwise it is an interface of a driver without hardware.
    #[must_use]
    pub fn is_hardware(&self) -> bool {
        self.model != FAULTS
    }

    /// Whether it is on USB.
    #[must_use]
    pub const fn is_usb(&self) -> bool {
        self.controller.is_some()
    }

    /// The machine's identifier of the card.
    #[must_use]
    pub fn id(&self) -> String {
        format!("nlproof-{}", self.name)
    }
}

/// What is done with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// The link is taken down, as by pulling the cable.
    LinkDown,
    /// The link comes back.
    LinkUp,
    /// The card is plugged in.
    Plug,
    /// The card is pulled.
    Unplug,
    /// The driver lets the device go (devctl(8) `detach`).
    Detach,
    /// The driver takes the device (devctl(8) `attach`).
    Attach,
    /// The device is reset (devctl(8) `reset -d`): its driver lets it go and takes it again.
    Reset,
    /// Nothing is done: the kernel is waited for until it has the link for up.
    Rest,
    /// The driver without hardware gets a fault.
    Fault(Fault),
}

impl Deed {
    /// Everything that is done with hardware.
    pub const ALL: [Self; 8] = [
        Self::LinkDown,
        Self::LinkUp,
        Self::Plug,
        Self::Unplug,
        Self::Detach,
        Self::Attach,
        Self::Reset,
        Self::Rest,
    ];

    /// The word in vectors and traces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkDown => "link-down",
            Self::LinkUp => "link-up",
            Self::Plug => "plug",
            Self::Unplug => "unplug",
            Self::Detach => "detach",
            Self::Attach => "attach",
            Self::Reset => "reset",
            Self::Rest => "rest",
            Self::Fault(fault) => fault.name(),
        }
    }

    /// The deed of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let faults = Fault::ALL.into_iter().map(Self::Fault);
        Self::ALL.into_iter().chain(faults).find(|deed| deed.name() == name)
    }

    /// Whether it can be done with this card.
    #[must_use]
    pub fn suits(self, card: &Card) -> bool {
        match self {
            Self::Plug | Self::Unplug => true,
            Self::Fault(_) => !card.is_hardware(),
            Self::Detach | Self::Attach | Self::Reset => card.is_hardware() && !card.is_usb(),
            _ => card.is_hardware(),
        }
    }

    /// How long the kernel may take to notice, in milliseconds, where nothing else is said. Measured under emulation were
    /// 0.5 s for a link and 5 s for a card, and more than 30 s for a card on a machine with ten times the work that it can do.
    #[must_use]
    pub const fn limit_ms(self) -> u32 {
        match self {
            Self::LinkDown | Self::LinkUp | Self::Rest => 10_000,
            _ => 60_000,
        }
    }

    /// What the wait for the kernel to notice is called.
    #[must_use]
    pub fn wait(self, card: &Card) -> String {
        let what = match self {
            Self::LinkDown => "loss of link",
            Self::LinkUp | Self::Rest => "link",
            Self::Plug => "arrival",
            Self::Unplug => "removal",
            Self::Detach => "detachment",
            Self::Attach => "attachment",
            Self::Reset => "return from reset",
            Self::Fault(fault) => fault.name(),
        };
        format!("the {what} of {} ({})", card.name, card.interface)
    }
}

/// One thing that is done with one card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Index into [`Program::cards`](crate::Program::cards).
    pub card: u32,
    /// What is done.
    pub deed: Deed,
    /// The kernel must have noticed after this many milliseconds.
    pub limit_ms: u32,
    /// The kernel is known not to notice: the time is spent, and that it does not is said.
    pub unnoticed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_have_names_and_cards_have_places() {
        for deed in Deed::ALL.into_iter().chain(Fault::ALL.map(Deed::Fault)) {
            assert_eq!(Deed::by_name(deed.name()), Some(deed));
        }
        assert_eq!(Deed::by_name("pull"), None);
        let [name, model, interface, device] = ["nic1", "e1000", "em0", "em0"].map(String::from);
        let card = Card {
            name,
            model,
            interface,
            device,
            controller: None,
            slot: 28,
            plugged: true,
            settle_ms: 100,
        };
        assert_eq!(card.selector(), "pci0:0:28:0");
        assert_eq!(Deed::LinkDown.wait(&card), "the loss of link of nic1 (em0)");
        let fault = Deed::Fault(Fault::MediaEnxio);
        assert!(card.is_hardware() && Deed::Rest.suits(&card) && !fault.suits(&card));
        assert!(!card.is_usb() && Deed::Detach.suits(&card));
        let usb = Card { controller: Some("qemu-xhci".into()), ..card.clone() };
        assert!(Deed::Unplug.suits(&usb) && Deed::LinkUp.suits(&usb));
        assert!(![Deed::Detach, Deed::Attach, Deed::Reset].iter().any(|deed| deed.suits(&usb)));
        let faulty = Card { model: FAULTS.into(), ..card };
        assert!(fault.suits(&faulty) && Deed::Plug.suits(&faulty) && !Deed::LinkUp.suits(&faulty));
    }
}
