// SPDX-License-Identifier: BSD-2-Clause
//! What the machine is asked to do with network cards, and how QMP says it.

use serde_json::{Value, json};

/// The hub of the first card; nobody else has hubs.
const FIRST_HUB: u32 = 50;

/// What the machine is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardJob {
    /// Plugs a card.
    Plug(NewCard),
    /// Pulls a card. The controller that it was plugged into stays.
    Unplug {
        /// The card's identifier.
        id: String,
    },
    /// Sets the link of a card.
    Link {
        /// The card's identifier.
        id: String,
        /// Up or down.
        up: bool,
    },
    /// Pulls whatever is plugged, controllers too.
    Clear,
}

/// A card that is plugged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    /// The card's identifier.
    pub id: String,
    /// QEMU's name of the model.
    pub model: String,
    /// The slot on the PCI bus, if it is a PCI card. The address of a card on USB has it too.
    pub slot: u8,
    /// QEMU's name of the USB controller that the card is plugged into; `None`: it is a PCI card.
    pub controller: Option<String>,
}

impl NewCard {
    /// The identifier of the card's controller.
    pub(super) fn controller_id(&self) -> String {
        format!("{}-usb", self.id)
    }

    /// What `device_add` is told of the controller, if the card has one.
    pub(super) fn controller_device(&self, slot: u8) -> Option<Value> {
        let model = self.controller.as_ref()?;
        let place = format!("{slot:#x}");
        Some(json!({ "driver": model, "id": self.controller_id(), "bus": "pci.0", "addr": place }))
    }

    /// What `netdev_add` is told: the card's port of a hub that leads nowhere, and another one that takes what the card
    /// sends. A hub without it refuses every packet (`net_hub_port_can_receive` in net/hub.c), and a driver whose packets
    /// are never taken resets its card in the end.
    pub(super) fn netdevs(&self) -> [Value; 2] {
        let hub = FIRST_HUB + u32::from(self.slot);
        backends(&self.id).map(|id| json!({ "type": "hubport", "id": id, "hubid": hub }))
    }

    /// What `device_add` is told of the card.
    pub(super) fn device(&self) -> Value {
        let Self { id, model, slot, controller } = self;
        let mac = format!("52:54:00:00:00:{slot:02x}");
        let [netdev, _] = backends(id);
        match controller {
            // The bus of a controller has its identifier.
            Some(_) => {
                let bus = format!("{}.0", self.controller_id());
                json!({ "driver": model, "id": id, "netdev": netdev, "bus": bus, "mac": mac })
            }
            None => json!({
                "driver": model, "id": id, "netdev": netdev, "bus": "pci.0", "addr": format!("{slot:#x}"), "mac": mac,
                "romfile": "",
            }),
        }
    }
}

/// The backends of the card with that identifier: its own, and the one that takes what it sends.
pub(super) fn backends(id: &str) -> [String; 2] {
    ["hub", "sink"].map(|end| format!("{id}-{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(model: &str, controller: Option<&str>) -> NewCard {
        NewCard { id: "n".into(), model: model.into(), slot: 28, controller: controller.map(str::to_owned) }
    }

    #[test]
    fn a_card_on_pci_has_the_slot() {
        let card = card("e1000", None);
        let port = |id: &str| json!({ "type": "hubport", "id": id, "hubid": 78 });
        assert_eq!(card.netdevs(), [port("n-hub"), port("n-sink")]);
        assert_eq!(
            card.device(),
            json!({
                "driver": "e1000", "id": "n", "netdev": "n-hub", "bus": "pci.0", "addr": "0x1c",
                "mac": "52:54:00:00:00:1c", "romfile": "",
            })
        );
        assert_eq!(card.controller_device(20), None);
    }

    #[test]
    fn a_card_on_usb_is_on_the_bus_of_its_controller_which_has_a_slot_of_its_own() {
        let card = card("usb-net", Some("qemu-xhci"));
        let controller = json!({ "driver": "qemu-xhci", "id": "n-usb", "bus": "pci.0", "addr": "0x14" });
        assert_eq!(card.controller_device(20), Some(controller));
        assert_eq!(
            card.device(),
            json!({
                "driver": "usb-net", "id": "n", "netdev": "n-hub", "bus": "n-usb.0",
                "mac": "52:54:00:00:00:1c",
            })
        );
    }
}
