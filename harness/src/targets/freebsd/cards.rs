// SPDX-License-Identifier: BSD-2-Clause
//! Network cards of vectors: what the agent asks the machine for.

use std::time::Duration;

use nlproof_agent::{Batch, Body, Card, Deed, ErrorStage, Program, Record, Step};
use tokio::time::{Instant, timeout_at};

use super::connection::Link;
use crate::guest::SshError;
use crate::vm::{CardJob, CardRack, NewCard, Vm, Wait, Watch as _, WithCards};

/// For the cards of a batch to be gone after it.
const GONE_LIMIT: Duration = Duration::from_secs(10);

/// Whether any of the programs has cards that are plugged in.
pub(super) fn has_cards(batch: &Batch) -> bool {
    batch.programs.iter().flat_map(|program| &program.cards).any(Card::is_hardware)
}

/// How long the programs may wait for their cards, beside what programs may take anyway.
pub(super) fn patience(batch: &Batch) -> Duration {
    let of = |program: &Program| -> u64 {
        let acts = program.steps.iter().map(|step| match step {
            Step::Hardware(act) => u64::from(act.limit_ms),
            Step::Watch(watch) => u64::from(watch.limit_ms),
            Step::Race(race) => {
                u64::from(race.for_ms) + race.acts.iter().map(|act| u64::from(act.limit_ms)).sum::<u64>()
            }
            _ => 0,
        });
        let ends = [Deed::Plug, Deed::Unplug].map(|deed| u64::from(deed.limit_ms())).iter().sum::<u64>();
        acts.sum::<u64>() + ends * program.cards.len() as u64
    };
    Duration::from_millis(batch.programs.iter().map(of).sum())
}

/// What the machine does for a record, if anything.
fn job(batch: &Batch, record: &Record) -> Option<CardJob> {
    let program = batch.programs.iter().find(|program| program.id == record.program)?;
    match &record.body {
        Body::Hardware { card, deed, .. } => {
            let card = program.cards.get(*card as usize).filter(|card| card.is_hardware())?;
            let id = card.id();
            match deed {
                Deed::LinkDown | Deed::LinkUp => Some(CardJob::Link { id, up: *deed == Deed::LinkUp }),
                Deed::Plug => {
                    let (model, controller) = (card.model.clone(), card.controller.clone());
                    Some(CardJob::Plug(NewCard { id, model, slot: card.slot, controller }))
                }
                Deed::Unplug => Some(CardJob::Unplug { id }),
                Deed::Detach | Deed::Attach | Deed::Reset | Deed::Rest | Deed::Fault(_) => None,
            }
        }
        // Whatever became of it: the next program begins without cards.
        Body::End { .. } if !program.cards.is_empty() => Some(CardJob::Clear),
        _ => None,
    }
}

/// Runs a batch in which network cards come and go.
pub(super) async fn run_with_cards(
    link: &mut Link,
    (vm, rack): (&mut Vm, &CardRack),
    batch: &Batch,
    wait: &Wait,
    on_record: &mut dyn FnMut(Record),
) -> Result<(), SshError> {
    let mut hear = |record: Record| {
        let (program, step, t_ns) = (record.program, record.step, record.t_ns);
        for text in rack.take_failed() {
            let body = Body::Error { stage: ErrorStage::Isolate, errno: 0, text };
            on_record(Record { program, step, t_ns, body });
        }
        if let Some(job) = job(batch, &record) {
            rack.push(job);
        }
        on_record(record);
    };
    let mut machine = WithCards { vm, rack };
    link.run_with_cards(batch, wait, &mut machine, &mut hear).await?;
    let until = Instant::now() + GONE_LIMIT;
    while !rack.is_empty() {
        machine.check().await.map_err(SshError::Guest)?;
        if timeout_at(until, machine.changed()).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{Act, NO_STEP};

    use super::super::host_stack::in_host_stack;
    use super::*;

    fn batch() -> Batch {
        let [name, model, interface, device] = ["nic1", "e1000", "em0", "em0"].map(String::from);
        let controller = None;
        let card =
            Card { name, model, interface, device, controller, slot: 28, plugged: true, settle_ms: 100 };
        let cards = vec![card];
        let act = Act { card: 0, deed: Deed::LinkDown, limit_ms: 500, unnoticed: false };
        let with = Program { cards, ..in_host_stack("a", vec![Step::Hardware(act)]) };
        Batch { programs: vec![with, Program { id: 1, ..in_host_stack("b", vec![]) }] }
    }

    fn outside(program: u32, body: Body) -> Record {
        Record { program, step: NO_STEP, t_ns: 0, body }
    }

    fn hardware(deed: Deed) -> Body {
        Body::Hardware { card: 0, name: "nic1".into(), deed, told: true }
    }

    #[test]
    fn the_machine_does_what_is_its_own_and_clears_up() {
        let batch = batch();
        let asked = |deed| job(&batch, &outside(0, hardware(deed)));
        let id = || "nlproof-nic1".to_owned();
        assert_eq!(asked(Deed::LinkDown), Some(CardJob::Link { id: id(), up: false }));
        let new = NewCard { id: id(), model: "e1000".into(), slot: 28, controller: None };
        assert_eq!(asked(Deed::Plug), Some(CardJob::Plug(new)));
        assert_eq!(asked(Deed::Detach), None);
        assert_eq!(job(&batch, &outside(0, Body::End { died: Some(9) })), Some(CardJob::Clear));
        assert_eq!(job(&batch, &outside(1, Body::End { died: None })), None);
        assert_eq!(job(&batch, &outside(1, hardware(Deed::Plug))), None);
    }

    #[test]
    fn a_card_on_usb_comes_with_its_controller() {
        let mut batch = batch();
        batch.programs[0].cards[0].controller = Some("qemu-xhci".into());
        match job(&batch, &outside(0, hardware(Deed::Plug))) {
            Some(CardJob::Plug(card)) => assert_eq!(card.controller.as_deref(), Some("qemu-xhci")),
            job => panic!("{job:?}"),
        }
    }

    #[test]
    fn only_what_waits_for_cards_is_waited_for_longer() {
        let batch = batch();
        assert!(has_cards(&batch));
        assert_eq!(patience(&batch), Duration::from_millis(500 + 120_000));
        let without = Batch { programs: batch.programs[1..].to_vec() };
        assert!(!has_cards(&without) && patience(&without).is_zero());
    }
}
