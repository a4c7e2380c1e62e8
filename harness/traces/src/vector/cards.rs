// SPDX-License-Identifier: BSD-2-Clause
//! Network cards that a vector needs, and what it does with them.

use std::collections::BTreeMap;

use nlproof_agent::{Act, Card, Deed, FAULTS, Fault, MAX_CARDS, Privilege};
use serde_saphyr::Spanned;

use super::card_model::{CardModel, FIRST_SLOT, MOST_MS, RawCard, all_models};
use super::format::{RawMessage, RawStep};
use super::place::{SourceFile, place};
use crate::file::{FileError, Node, Position, Value};

/// A card that a vector needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededCard {
    /// The model.
    pub model: CardModel,
}

/// The cards that a vector names.
pub(super) fn cards(
    file: SourceFile<'_>,
    raw: &[Spanned<RawCard>],
    privilege: Privilege,
) -> Result<(Vec<NeededCard>, Vec<Card>), FileError> {
    let (mut needed, mut cards) = (Vec::new(), Vec::new());
    let mut units: BTreeMap<&str, u32> = BTreeMap::new();
    if let Some(surplus) = raw.get(MAX_CARDS) {
        return Err(file.error(place(surplus), format!("more than {MAX_CARDS} network cards")));
    }
    if let (Some(card), Privilege::Outside) = (raw.first(), privilege) {
        return Err(file.error(place(card), "a card is moved into a network stack of its own"));
    }
    let mut faulty = raw.iter().filter(|card| card.value.nic.value == FAULTS);
    if let (Some(card), false) = (faulty.next(), privilege == Privilege::Root) {
        return Err(file.error(place(card), "only root makes an interface and sets its faults"));
    }
    if let Some(second) = faulty.next() {
        return Err(file
            .error(place(second), "the faults of one card are those of its whole network stack")
            .help("have the steps make further interfaces of the kind `fault`: they share them"));
    }
    for (slot, card) in (FIRST_SLOT..).zip(raw) {
        let RawCard { nic, name, plugged } = &card.value;
        let model = all_models()
            .find(|model| model.name == nic.value)
            .ok_or_else(|| file.unknown(place(nic), "model", &nic.value, all_models().map(|it| it.name)))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.value.is_empty() || !name.value.chars().all(plain) || name.value.len() > 15 {
            return Err(file
                .error(place(name), format!("`{}` is no name for a card", name.value))
                .help("up to 15 lower case letters and digits, such as nic1"));
        }
        if cards.iter().any(|card: &Card| card.name == name.value) {
            return Err(file.error(place(name), format!("two cards are called `{}`", name.value)));
        }
        let unit = units.entry(model.interface).or_insert(model.first);
        needed.push(NeededCard { model: *model });
        cards.push(model.card(&name.value, *unit, slot, *plugged));
        *unit += 1;
    }
    Ok((needed, cards))
}

/// What a `hardware` step does.
pub(super) fn act(file: SourceFile<'_>, cards: &[Card], node: &Node) -> Result<Act, FileError> {
    let Value::Map(entries) = &node.value else {
        return Err(file.expected(node, "a card's name and what is done with it"));
    };
    let (mut done, mut limit_ms, mut unnoticed) = (None, None, false);
    for (key, value) in entries {
        let Value::Str(name) = &key.value else { return Err(file.expected(key, "a card's name")) };
        match (name.as_str(), &value.value) {
            ("within-ms", Value::Int(ms @ 1..=MOST_MS)) => limit_ms = u32::try_from(*ms).ok(),
            ("within-ms", _) => return Err(file.expected(value, &format!("1 to {MOST_MS} milliseconds"))),
            ("unnoticed", Value::Bool(word)) => unnoticed = *word,
            ("unnoticed", _) => return Err(file.expected(value, "true or false")),
            (_, Value::Str(word)) => {
                if done.is_some() {
                    return Err(file.error(key.place, "a step does something with one card"));
                }
                let number = card_of(file, cards, key.place, name)?;
                let deed = match cards.get(number as usize) {
                    Some(card) => deed_with(file, card, value.place, word)?,
                    None => return Err(file.expected(key, "a card's name")),
                };
                done = Some((number, deed));
            }
            _ => return Err(file.expected(value, "what is done with the card")),
        }
    }
    let Some((card, deed)) = done else {
        return Err(file.error(node.place, "nothing is done with any card").help("such as nic1: link-down"));
    };
    Ok(Act { card, deed, limit_ms: limit_ms.unwrap_or(deed.limit_ms()), unnoticed })
}

/// What the word says is done with this card.
fn deed_with(file: SourceFile<'_>, card: &Card, at: Position, word: &str) -> Result<Deed, FileError> {
    let suits = |deed: &Deed| deed.suits(card);
    let all = || Deed::ALL.into_iter().chain(Fault::ALL.map(Deed::Fault));
    match Deed::by_name(word) {
        Some(deed) if deed.suits(card) => Ok(deed),
        Some(_) => {
            let Card { name, model, .. } = card;
            let possible: Vec<_> = all().filter(suits).map(Deed::name).collect();
            // devctl(8) finds a device without a driver by its place on PCI alone.
            let on = if card.is_usb() { " on USB" } else { "" };
            let error = file.error(
                at,
                format!("`{word}` is nothing for {name}, which is a card of the model {model}{on}"),
            );
            Err(error.help(format!("one of: {}", possible.join(", "))))
        }
        None => Err(file.unknown(at, "deed", word, all().filter(suits).map(Deed::name))),
    }
}

fn card_of(file: SourceFile<'_>, cards: &[Card], at: Position, name: &str) -> Result<u32, FileError> {
    if let Some(card) = cards.iter().position(|card| card.name == name) {
        return Ok(card as u32);
    }
    if name == "vtnet0" {
        let why = "vtnet0 is the card that the guest itself is reached by";
        return Err(file.error(at, why).help("name a card of the vector's own under needs.hardware"));
    }
    let known = cards.iter().map(|card| card.name.as_str());
    let error = file.unknown(at, "card", name, known);
    Err(if cards.is_empty() { error.help("name it under needs.hardware first") } else { error })
}

/// Whether the steps make sense one after the other: nothing is done with a card that is not there.
pub(super) fn check_order(
    file: SourceFile<'_>,
    cards: &[Card],
    steps: &[(Position, Vec<Act>)],
) -> Result<(), FileError> {
    let mut there: Vec<bool> = cards.iter().map(|card| card.plugged).collect();
    let mut taken: Vec<bool> = there.clone();
    for (at, acts) in steps {
        for act in acts {
            let at_card = act.card as usize;
            let (Some(card), Some(there), Some(taken)) =
                (cards.get(at_card), there.get_mut(at_card), taken.get_mut(at_card))
            else {
                continue;
            };
            // Steps make and destroy it too.
            if !card.is_hardware() {
                continue;
            }
            let wrong = match act.deed {
                Deed::Plug if *there => Some("is plugged already"),
                Deed::Plug => None,
                _ if !*there => Some("is not plugged"),
                Deed::Attach if *taken => Some("is attached already"),
                Deed::Detach | Deed::Reset if !*taken => Some("is not attached"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                let (name, deed) = (&card.name, act.deed.name());
                return Err(file.error(*at, format!("{deed}: {name} {wrong}")));
            }
            match act.deed {
                Deed::Plug => (*there, *taken) = (true, true),
                Deed::Unplug => (*there, *taken) = (false, false),
                Deed::Detach => *taken = false,
                Deed::Attach => *taken = true,
                Deed::LinkDown | Deed::LinkUp | Deed::Reset | Deed::Rest | Deed::Fault(_) => {}
            }
        }
    }
    Ok(())
}

/// The step with the interfaces in the place of cards: `$nic1` is `$em0` where an index stands, and `em0` elsewhere.
pub(super) fn with_interfaces(cards: &[Card], step: &RawStep) -> RawStep {
    let mut step = step.clone();
    if cards.is_empty() {
        return step;
    }
    if let Some(exec) = &mut step.exec {
        for word in &mut exec.argv.value {
            for card in cards {
                *word = word.replace(&format!("${}", card.name), &card.interface);
            }
        }
    }
    let race = step.race.iter_mut();
    let racing = race.flat_map(|race| {
        let lanes = race.sockets.iter_mut().flatten();
        race.before.iter_mut().chain(lanes).chain(&mut race.after)
    });
    let messages: Vec<&mut RawMessage> =
        step.send.iter_mut().chain(step.datagram.iter_mut().flatten()).chain(racing).collect();
    for message in messages {
        for node in message.header.iter_mut().chain(message.attrs.iter_mut()) {
            rename(cards, node, None);
        }
    }
    step
}

/// Attributes that hold the name of an interface.
const NAMES: [&str; 3] = ["ifname", "label", "alt_ifname"];

fn rename(cards: &[Card], node: &mut Node, key: Option<&str>) {
    match &mut node.value {
        Value::Str(text) => {
            let card = cards.iter().find(|card| text.strip_prefix('$') == Some(card.name.as_str()));
            if let Some(card) = card {
                let mark = if key.is_some_and(|key| NAMES.contains(&key)) { "" } else { "$" };
                *text = format!("{mark}{}", card.interface);
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| rename(cards, item, key)),
        Value::Map(entries) => {
            for (name, value) in entries {
                let own = match &name.value {
                    // The long form of a value.
                    Value::Str(name) if name != "value" => Some(name.as_str()),
                    _ => key,
                };
                rename(cards, value, own);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nlproof_agent::{Program, Step};
    use nlproof_wire::Os;

    use super::super::{compile, load_vector};
    use super::*;

    fn program(cards: &str, steps: &str) -> Result<Program, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        let text = format!("about: x\nneeds: {{os: [freebsd], hardware: {cards}}}\nsteps:\n{steps}");
        std::fs::write(&path, text).unwrap();
        let vector = load_vector(Path::new("/"), &path).map_err(|error| error.to_string())?;
        compile(&vector, Os::FreeBsd, 0).map_err(|error| error.to_string())
    }

    const ONE: &str = "[{nic: e1000, as: nic1}]";
    const USB: &str = "[{nic: usb-net, as: nic1}]";
    const FAULTY: &str = "[{nic: fault, as: fault1, plugged: false}]";

    #[test]
    fn a_card_without_hardware_has_faults_in_any_order() {
        let steps = "- hardware: {fault1: address-none}\n- hardware: {fault1: plug}\n- hardware: {fault1: media-enxio}\n";
        let program = program(FAULTY, steps).unwrap();
        let deeds: Vec<_> = program
            .steps
            .iter()
            .map(|step| match step {
                Step::Hardware(act) => act.deed,
                step => panic!("{step:?}"),
            })
            .collect();
        assert_eq!(deeds, [Deed::Fault(Fault::AddressNone), Deed::Plug, Deed::Fault(Fault::MediaEnxio)]);
        assert_eq!(program.cards[0].interface, "fault0");
    }

    #[test]
    fn faults_are_for_root() {
        let text = "about: x\nneeds: {os: [freebsd], privilege: unprivileged, hardware: [{nic: fault, as: a}]}\n\
                    steps:\n- hardware: {a: media-none}\n";
        let error = super::super::parse_vector("a/b", Path::new("v.yaml"), text).unwrap_err();
        assert!(error.to_string().contains("only root makes an interface"), "{error}");
    }

    #[test]
    fn cards_have_interfaces_and_slots_of_their_own() {
        let two = "[{nic: e1000e, as: a}, {nic: e1000, as: b, plugged: false}, {nic: virtio-net-pci, as: c}]";
        let cards = program(two, "- hardware: {a: link-down}\n").unwrap().cards;
        let seen: Vec<_> =
            cards.iter().map(|card| (card.interface.as_str(), card.slot, card.plugged)).collect();
        assert_eq!(seen, [("em0", 28, true), ("em1", 29, false), ("vtnet1", 30, true)]);
        assert!(cards.iter().all(|card| card.device == card.interface && !card.is_usb()));
    }

    #[test]
    fn a_card_on_usb_has_a_controller_and_a_device_of_another_name() {
        let two = "[{nic: usb-net, as: a}, {nic: usb-net, as: b}]";
        let cards = program(two, "- hardware: {b: unplug}\n").unwrap().cards;
        let seen: Vec<_> =
            cards.iter().map(|card| (card.interface.as_str(), card.device.as_str(), card.slot)).collect();
        assert_eq!(seen, [("ue0", "urndis0", 28), ("ue1", "urndis1", 29)]);
        assert!(cards.iter().all(|card| card.controller.as_deref() == Some("qemu-xhci")));
        for deed in ["link-down", "link-up", "rest", "unplug"] {
            program(USB, &format!("- hardware: {{nic1: {deed}}}\n")).unwrap();
        }
    }

    #[test]
    fn a_card_is_its_interface_in_headers_attributes_and_commands() {
        let steps = "- send: {message: getlink, flags: [request], header: {index: $nic1}, attrs: [ifname: $nic1]}\n\
                     - exec: {argv: [ifconfig, $nic1, up]}\n";
        let program = program(ONE, steps).unwrap();
        let Step::Send(send) = &program.steps[0] else { panic!("{program:?}") };
        assert_eq!(send.patches[0].ifname, "em0");
        assert!(send.data.ends_with(b"em0\0"), "{:?}", send.data);
        let Step::Exec { argv, .. } = &program.steps[1] else { panic!("{program:?}") };
        assert_eq!(argv, &["ifconfig", "em0", "up"]);
    }

    #[test]
    fn deeds_have_limits() {
        let act = |text: &str| {
            program(ONE, &format!("- hardware: {text}\n")).map(|program| program.steps[0].clone())
        };
        let is =
            |deed: Deed, limit_ms, unnoticed| Ok(Step::Hardware(Act { card: 0, deed, limit_ms, unnoticed }));
        assert_eq!(act("{nic1: link-down}"), is(Deed::LinkDown, 10_000, false));
        assert_eq!(act("{nic1: unplug, within-ms: 7}"), is(Deed::Unplug, 7, false));
        assert_eq!(act("{nic1: link-up, unnoticed: true}"), is(Deed::LinkUp, 10_000, true));
    }

    #[test]
    fn what_makes_no_sense_is_rejected() {
        for (cards, steps, what) in [
            (
                "[{nic: e1001, as: nic1}]",
                "- hardware: {nic1: plug}",
                "unknown model `e1001`\n  help: did you mean `e1000`?",
            ),
            ("[{nic: e1000, as: Nic}]", "- hardware: {nic1: plug}", "no name for a card"),
            (
                "[{nic: e1000, as: a}, {nic: e1000, as: a}]",
                "- hardware: {a: plug}",
                "two cards are called `a`",
            ),
            (ONE, "- hardware: {nic1: pull}", "unknown deed `pull`"),
            (
                ONE,
                "- hardware: {nic1: media-none}",
                "`media-none` is nothing for nic1, which is a card of the model e1000",
            ),
            (
                USB,
                "- hardware: {nic1: detach}",
                "`detach` is nothing for nic1, which is a card of the model usb-net on USB\n  \
                 help: one of: link-down, link-up, plug, unplug, rest",
            ),
            (USB, "- hardware: {nic1: reset}", "`reset` is nothing for nic1"),
            (FAULTY, "- hardware: {fault1: link-up}", "one of: plug, unplug, media-active, "),
            (
                FAULTY,
                "- hardware: {fault1: media-enxo}",
                "unknown deed `media-enxo`\n  help: did you mean `media-enxio`?",
            ),
            (
                "[{nic: fault, as: a}, {nic: fault, as: b}]",
                "- hardware: {a: media-none}",
                "the faults of one card are those of its whole network stack",
            ),
            (ONE, "- hardware: {nic2: unplug}", "unknown card `nic2`\n  help: did you mean `nic1`?"),
            (ONE, "- hardware: {vtnet0: unplug}", "vtnet0 is the card that the guest itself is reached by"),
            ("[]", "- hardware: {nic1: unplug}", "name it under needs.hardware first"),
            (ONE, "- hardware: {within-ms: 5}", "nothing is done with any card"),
            (ONE, "- hardware: {nic1: unplug, within-ms: 0}", "1 to 60000 milliseconds is expected"),
            (ONE, "- hardware: {nic1: plug}", "plug: nic1 is plugged already"),
            (
                ONE,
                "- hardware: {nic1: unplug}\n- hardware: {nic1: link-down}",
                "link-down: nic1 is not plugged",
            ),
            (ONE, "- hardware: {nic1: attach}", "attach: nic1 is attached already"),
            (ONE, "- hardware: {nic1: detach}\n- hardware: {nic1: reset}", "reset: nic1 is not attached"),
        ] {
            let error = program(cards, &format!("{steps}\n")).map(|_| ()).unwrap_err();
            assert!(error.contains(what), "{steps}: {error}");
        }
    }
}
