// SPDX-License-Identifier: BSD-2-Clause
//! The models of network cards, and how a vector names one.

use nlproof_agent::{Card, Deed, FAULTS, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// The longest wait for a kernel to notice, in milliseconds: a program takes no longer.
pub(super) const MOST_MS: i128 = 60_000;

/// The slot on the machine's PCI bus of a vector's first card; the last ones are empty.
pub(super) const FIRST_SLOT: u8 = 28;

/// A model of network cards that QEMU has, and what FreeBSD makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardModel {
    /// The word in vectors: QEMU's name.
    pub name: &'static str,
    /// The driver as kldstat(8) names it; `None`: FreeBSD has none.
    pub driver: Option<&'static str>,
    /// The kernel module that has the driver, where GENERIC has not.
    pub module: Option<&'static str>,
    /// The USB controller that it is plugged into, by QEMU's name; `None`: it is a PCI card.
    pub controller: Option<&'static str>,
    /// The name of its interfaces without the number.
    pub interface: &'static str,
    /// The name of its devices without the number.
    pub device: &'static str,
    /// The number of the first: the guest itself has a card of one model.
    pub first: u32,
    /// How long its driver may go on saying things about one event, in milliseconds: those that look at their link now and
    /// then were seen to take up to a second.
    pub settle_ms: u32,
}

impl CardModel {
    /// A card of this model whose interface has this number.
    pub(super) fn card(&self, name: &str, unit: u32, slot: u8, plugged: bool) -> Card {
        Card {
            name: name.to_owned(),
            model: self.name.to_owned(),
            interface: format!("{}{unit}", self.interface),
            device: format!("{}{unit}", self.device),
            controller: self.controller.map(str::to_owned),
            slot,
            plugged,
            settle_ms: self.settle_ms,
        }
    }

    /// A card of this model alone, that is still to be plugged.
    pub fn alone(&self, name: &str) -> Card {
        self.card(name, self.first, FIRST_SLOT, false)
    }
}

const fn model(name: &'static str, driver: &'static str, interface: &'static str) -> CardModel {
    let (module, controller, device) = (None, None, interface);
    CardModel { name, driver: Some(driver), module, controller, interface, device, first: 0, settle_ms: 300 }
}

const fn looks(model: CardModel) -> CardModel {
    CardModel { settle_ms: 1500, ..model }
}

/// Every model that can be named.
pub const CARD_MODELS: &[CardModel] = &[
    looks(model("e1000", "pci/em", "em")),
    looks(model("e1000e", "pci/em", "em")),
    model("i82550", "pci/fxp", "fxp"),
    model("i82559c", "pci/fxp", "fxp"),
    looks(model("igb", "pci/igb", "igb")),
    CardModel { driver: None, ..model("ne2k_pci", "", "ed") },
    model("pcnet", "pci/le", "le"),
    looks(model("rtl8139", "pci/re", "re")),
    model("tulip", "pci/dc", "dc"),
    CardModel {
        module: Some("if_urndis"),
        controller: Some("qemu-xhci"),
        device: "urndis",
        ..model("usb-net", "uhub/urndis", "ue")
    },
    CardModel { first: 1, ..model("virtio-net-pci", "virtio_pci/vtnet", "vtnet") },
    model("vmxnet3", "pci/vmx", "vmx"),
];

/// Interfaces of the module `nlproof_faultnic`, which QEMU and the kernel know nothing of.
pub const FAULT_MODEL: CardModel = model(FAULTS, "nlproof_faultnic", "fault");

/// Every model, those without hardware last.
pub(super) fn all_models() -> impl Iterator<Item = &'static CardModel> + Clone {
    CARD_MODELS.iter().chain([&FAULT_MODEL])
}

/// A card, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCard {
    /// The model, by QEMU's name.
    #[schemars(schema_with = "models")]
    pub(super) nic: Spanned<String>,
    /// What the vector calls it; `$` and this name is its interface.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    pub(super) name: Spanned<String>,
    /// The card is there when the vector begins.
    #[serde(default = "yes")]
    pub(super) plugged: bool,
}

fn yes() -> bool {
    true
}

fn models(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    crate::file::one_of(all_models().map(|model| model.name))
}

/// What a step may do with a card.
pub(super) fn deeds(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let deeds = crate::file::one_of(Deed::ALL.into_iter().chain(Fault::ALL.map(Deed::Fault)).map(Deed::name));
    schemars::json_schema!({
        "type": "object",
        "description": "A card by its name, and what is done with it.",
        "properties": {
            "within-ms": { "description": "The kernel must have noticed after so many milliseconds.", "type": "integer", "minimum": 1, "maximum": MOST_MS as u64 },
            "unnoticed": { "description": "The kernel is known not to notice: so long it is looked at.", "type": "boolean" },
        },
        "additionalProperties": deeds,
        "minProperties": 1,
    })
}

/// The same, for several.
pub(super) fn deed_list(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "array", "items": deeds(generator) })
}
