// SPDX-License-Identifier: BSD-2-Clause
//! Network cards that are plugged into a running machine, by QMP.
//!
//! Nothing of it is on QEMU's command line: backends are made with the cards, so that a machine without cards is the same
//! machine, and saved states are restored as ever. A card is at a hub that takes everything and leads nowhere.
//!
//! A card on USB is plugged into a controller of its own, which is plugged before it. The controller stays when the card is
//! pulled, as a computer's own does, and goes when everything goes. Nobody in the guest waits for its end, and FreeBSD takes
//! what comes into a slot while it lets the old device go for that one: controllers have slots in turn.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep_until;

use super::card_job::{CardJob, NewCard, backends};
use super::qmp::{Qmp, QmpError};

/// A guest that is still attaching a card does not hear that it is pulled: it is told again.
const TELL_AGAIN: Duration = Duration::from_secs(5);
/// Between two looks whether a card is gone.
const LOOK: Duration = Duration::from_millis(100);

/// The slots on the PCI bus that controllers have. Those behind them are the cards'.
const CONTROLLER_SLOTS: Range<u8> = 20..28;

/// The cards of one machine, and what is still to be done with them. Jobs are done in their order, when somebody looks at
/// the machine.
#[derive(Debug, Default)]
pub struct CardRack {
    // Never borrowed while anybody waits.
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<CardJob>,
    /// Cards and their controllers, by identifier.
    devices: BTreeMap<String, Plugged>,
    failed: Vec<String>,
    /// Whose turn it is among [`CONTROLLER_SLOTS`], from 0.
    next_slot: usize,
}

/// A card or a controller in the machine.
#[derive(Debug)]
struct Plugged {
    /// The slot on the PCI bus that it has, if it is not on USB.
    slot: Option<u8>,
    /// A card has a backend, a controller has none.
    is_card: bool,
    /// When the guest was last told to let it go.
    told: Option<Instant>,
    looked: Instant,
}

impl CardRack {
    /// Puts a job behind the others.
    pub fn push(&self, job: CardJob) {
        self.inner.borrow_mut().jobs.push_back(job);
    }

    /// What has failed since the last call, in QEMU's words.
    pub fn take_failed(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.borrow_mut().failed)
    }

    /// Whether nothing is plugged and nothing is to be done.
    pub fn is_empty(&self) -> bool {
        let inner = self.inner.borrow();
        inner.jobs.is_empty() && inner.devices.is_empty()
    }

    /// Does what can be done without waiting for the guest. A job whose future is dropped is half done.
    pub async fn work(&self, qmp: &mut Qmp) {
        self.forget_gone(qmp).await;
        while let Some(job) = self.next() {
            let done = self.run(&job, qmp).await;
            self.keep_failure(done);
        }
    }

    /// Waits until there is something to do.
    pub(super) async fn due(&self) {
        let next_look = {
            let inner = self.inner.borrow();
            if inner.jobs.front().is_some_and(|job| !inner.is_blocked(job)) {
                return;
            }
            let going = inner.devices.values().filter(|device| device.told.is_some());
            going.map(|device| device.looked + LOOK).min()
        };
        match next_look {
            Some(at) => sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    /// The next job, if it can be done now.
    fn next(&self) -> Option<CardJob> {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        inner.jobs.front().filter(|job| !inner.is_blocked(job))?;
        inner.jobs.pop_front()
    }

    fn keep_failure<T>(&self, done: Result<T, QmpError>) {
        if let Err(error) = done {
            self.inner.borrow_mut().failed.push(error.to_string());
        }
    }

    async fn run(&self, job: &CardJob, qmp: &mut Qmp) -> Result<(), QmpError> {
        match job {
            CardJob::Plug(card) => self.plug(card, qmp).await,
            CardJob::Unplug { id } => self.unplug(id, qmp).await,
            CardJob::Link { id, up } => {
                qmp.execute("set_link", json!({ "name": id, "up": up })).await.map(drop)
            }
            CardJob::Clear => {
                let ids = self.inner.borrow().in_turn();
                for id in ids {
                    self.unplug(&id, qmp).await?;
                }
                Ok(())
            }
        }
    }

    async fn plug(&self, card: &NewCard, qmp: &mut Qmp) -> Result<(), QmpError> {
        let controller_id = card.controller_id();
        let has_controller = self.inner.borrow().devices.contains_key(&controller_id);
        if card.controller.is_some() && !has_controller {
            let slot = self.inner.borrow_mut().next_controller_slot();
            if let Some(device) = card.controller_device(slot) {
                qmp.execute("device_add", device).await?;
                self.inner.borrow_mut().devices.insert(controller_id, Plugged::new(Some(slot), false));
            }
        }
        for netdev in card.netdevs() {
            qmp.execute("netdev_add", netdev).await?;
        }
        if let Err(error) = qmp.execute("device_add", card.device()).await {
            remove_backends(&card.id, qmp).await?;
            return Err(error);
        }
        let slot = card.controller.is_none().then_some(card.slot);
        self.inner.borrow_mut().devices.insert(card.id.clone(), Plugged::new(slot, true));
        Ok(())
    }

    async fn unplug(&self, id: &str, qmp: &mut Qmp) -> Result<(), QmpError> {
        // One that was never plugged, or is gone, is no error: the guest asks for its end whatever became of it.
        if !self.inner.borrow_mut().tell(id) {
            return Ok(());
        }
        qmp.execute("device_del", json!({ "id": id })).await.map(drop)
    }

    /// Looks which of the devices that were told to go have gone, and tells the others again.
    async fn forget_gone(&self, qmp: &mut Qmp) {
        let due = |device: &Plugged| device.told.is_some() && device.looked.elapsed() >= LOOK;
        if !self.inner.borrow().devices.values().any(due) {
            return;
        }
        let Ok(there) = peripherals(qmp).await else { return };
        let (gone, deaf) = self.inner.borrow_mut().sort(&there);
        for id in deaf {
            // QEMU refuses while it still waits for the guest, and that it does is all that is wanted.
            drop(qmp.execute("device_del", json!({ "id": id })).await);
        }
        for id in gone {
            let device = self.inner.borrow_mut().devices.remove(&id);
            if device.is_some_and(|device| device.is_card) {
                self.keep_failure(remove_backends(&id, qmp).await);
            }
        }
    }
}

impl Plugged {
    fn new(slot: Option<u8>, is_card: bool) -> Self {
        Self { slot, is_card, told: None, looked: Instant::now() }
    }
}

impl Inner {
    /// Whether another device of the same name, in the same slot, or its own controller, is still going.
    fn is_blocked(&self, job: &CardJob) -> bool {
        let CardJob::Plug(card) = job else { return false };
        let is_in_its_slot = |device: &Plugged| card.controller.is_none() && device.slot == Some(card.slot);
        let controller = card.controller_id();
        let mut going = self.devices.iter().filter(|(_, device)| device.told.is_some());
        going.any(|(id, device)| *id == card.id || *id == controller || is_in_its_slot(device))
    }

    /// The slot of the next controller: of those that are empty the one that was used longest ago. If none is, QEMU says so.
    fn next_controller_slot(&mut self) -> u8 {
        let is_empty = |slot: &u8| !self.devices.values().any(|device| device.slot == Some(*slot));
        let mut turn = CONTROLLER_SLOTS.cycle().skip(self.next_slot).take(CONTROLLER_SLOTS.len());
        let slot = turn.find(is_empty).unwrap_or(CONTROLLER_SLOTS.start);
        self.next_slot = usize::from(slot + 1 - CONTROLLER_SLOTS.start);
        slot
    }

    /// Everything that is plugged, cards before the controllers that they are plugged into.
    fn in_turn(&self) -> Vec<String> {
        let (mut cards, controllers): (Vec<_>, Vec<_>) = self.devices.iter().partition(|(_, it)| it.is_card);
        cards.extend(controllers);
        cards.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Notes that a device is told to go; false: there is none, or it was told.
    fn tell(&mut self, id: &str) -> bool {
        match self.devices.get_mut(id) {
            Some(device) if device.told.is_none() => {
                device.told = Some(Instant::now());
                true
            }
            _ => false,
        }
    }

    /// Of the devices that were told to go: those that are not among these, and those that are told again.
    fn sort(&mut self, there: &[String]) -> (Vec<String>, Vec<String>) {
        let (mut gone, mut deaf) = (Vec::new(), Vec::new());
        for (id, device) in &mut self.devices {
            device.looked = Instant::now();
            let Some(told) = device.told else { continue };
            if !there.contains(id) {
                gone.push(id.clone());
            } else if told.elapsed() >= TELL_AGAIN {
                device.told = Some(Instant::now());
                deaf.push(id.clone());
            }
        }
        (gone, deaf)
    }
}

/// Removes the backends of a card that is not there.
async fn remove_backends(id: &str, qmp: &mut Qmp) -> Result<(), QmpError> {
    for backend in backends(id) {
        qmp.execute("netdev_del", json!({ "id": backend })).await?;
    }
    Ok(())
}

/// The identifiers of devices that have one.
async fn peripherals(qmp: &mut Qmp) -> Result<Vec<String>, QmpError> {
    let list = qmp.execute("qom-list", json!({ "path": "/machine/peripheral" })).await?;
    Ok(names(&list))
}

/// The models, among these, that this QEMU has. Each is asked for alone: for a list of all, QEMU loads every module that
/// it has, which takes a tenth of a second and more.
///
/// # Errors
/// See [`QmpError`], but for the refusal of a model.
pub async fn device_models(qmp: &mut Qmp, models: &[&str]) -> Result<Vec<String>, QmpError> {
    let mut there = Vec::new();
    for model in models {
        match qmp.execute("device-list-properties", json!({ "typename": model })).await {
            Ok(_) => there.push((*model).to_owned()),
            Err(QmpError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

/// The names in a list of QEMU's objects.
fn names(list: &Value) -> Vec<String> {
    let name = |entry: &Value| Some(entry.get("name")?.as_str()?.to_owned());
    list.as_array().into_iter().flatten().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::thread::JoinHandle;

    use super::*;

    /// A QEMU that has these devices with an identifier and every model but `none`, and the commands that it got in the end.
    async fn qemu(dir: &Path, there: &'static str) -> (Qmp, JoinHandle<Vec<String>>) {
        let listener = UnixListener::bind(dir.join("s")).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            let mut commands = Vec::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let command: Value = serde_json::from_str(&line.unwrap()).unwrap();
                let id = &command["id"];
                let name = command["execute"].as_str().unwrap().to_owned();
                let answer = match name.as_str() {
                    "qom-list" => json!({ "return": [{ "name": there }], "id": id }),
                    "device_add" if command["arguments"]["driver"] == "none" => {
                        json!({ "error": { "desc": "'none' is not a valid device model name" }, "id": id })
                    }
                    "device-list-properties" if command["arguments"]["typename"] == "none" => {
                        json!({ "error": { "desc": "'none' is not a valid device model name" }, "id": id })
                    }
                    _ => json!({ "return": {}, "id": id }),
                };
                commands.push(name);
                stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
            }
            commands
        });
        let stream = tokio::net::UnixStream::connect(dir.join("s")).await.unwrap();
        (Qmp::negotiate(stream).await.unwrap(), server)
    }

    /// Does the jobs against a QEMU that has these devices with an identifier, and refuses models that it does not have: the
    /// commands that it got, and what failed.
    async fn played(jobs: Vec<CardJob>, there: &'static str) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let (mut qmp, server) = qemu(dir.path(), there).await;
        let rack = CardRack::default();
        for job in jobs {
            rack.push(job);
            rack.work(&mut qmp).await;
            tokio::time::sleep(LOOK).await;
        }
        rack.work(&mut qmp).await;
        let failed = rack.take_failed();
        drop(qmp);
        (server.join().unwrap().split_off(1), failed)
    }

    fn plug(model: &str) -> CardJob {
        CardJob::Plug(NewCard { id: "n".into(), model: model.into(), slot: 28, controller: None })
    }

    fn plug_usb(id: &str) -> CardJob {
        let (model, controller) = ("usb-net".to_owned(), Some("qemu-xhci".to_owned()));
        CardJob::Plug(NewCard { id: id.into(), model, slot: 28, controller })
    }

    #[tokio::test]
    async fn a_card_comes_and_goes_with_its_backend() {
        let jobs = vec![plug("e1000"), CardJob::Link { id: "n".into(), up: false }, CardJob::Clear];
        let (commands, failed) = played(jobs, "other").await;
        assert_eq!(
            commands,
            [
                "netdev_add",
                "netdev_add",
                "device_add",
                "set_link",
                "device_del",
                "qom-list",
                "netdev_del",
                "netdev_del"
            ]
        );
        assert_eq!(failed, [""; 0]);
    }

    #[tokio::test]
    async fn a_card_that_is_going_is_waited_for_before_its_name_is_used_again() {
        let (commands, _) =
            played(vec![plug("e1000"), CardJob::Unplug { id: "n".into() }, plug("e1000")], "n").await;
        assert_eq!(commands.iter().filter(|name| *name == "device_add").count(), 1, "{commands:?}");
    }

    #[tokio::test]
    async fn a_controller_comes_before_its_card_stays_without_it_and_goes_in_the_end() {
        let unplug = CardJob::Unplug { id: "n".into() };
        let jobs = vec![plug_usb("n"), unplug, plug_usb("n"), CardJob::Clear];
        let (commands, failed) = played(jobs, "n-usb").await;
        let told: Vec<_> = commands.iter().map(String::as_str).filter(|name| *name != "qom-list").collect();
        let card = ["netdev_add", "netdev_add", "device_add"];
        let pulled = ["device_del", "netdev_del", "netdev_del"];
        let expected = [&["device_add"][..], &card, &pulled, &card, &["device_del"], &pulled].concat();
        assert_eq!(told, expected);
        assert_eq!(failed, [""; 0]);
    }

    #[tokio::test]
    async fn a_slot_is_not_used_again_while_a_card_is_going_from_it() {
        let card = |id: &str| {
            CardJob::Plug(NewCard { id: id.into(), model: "e1000".into(), slot: 28, controller: None })
        };
        let (commands, _) = played(vec![card("n"), CardJob::Clear, card("m")], "n").await;
        assert_eq!(commands.iter().filter(|name| *name == "device_add").count(), 1, "{commands:?}");
    }

    #[tokio::test]
    async fn a_card_waits_for_the_end_of_the_controller_that_has_the_name_of_its_own() {
        let (commands, _) = played(vec![plug_usb("n"), CardJob::Clear, plug_usb("n")], "n-usb").await;
        assert_eq!(commands.iter().filter(|name| *name == "device_add").count(), 2, "{commands:?}");
    }

    #[test]
    fn controllers_have_slots_in_turn_and_none_has_one_that_is_used() {
        let mut inner = Inner::default();
        let first: Vec<u8> = (0..9).map(|_| inner.next_controller_slot()).collect();
        assert_eq!(first, [20, 21, 22, 23, 24, 25, 26, 27, 20]);
        inner.devices.insert("a-usb".into(), Plugged::new(Some(21), false));
        assert_eq!((inner.next_controller_slot(), inner.next_controller_slot()), (22, 23));
    }

    #[tokio::test]
    async fn models_are_asked_for_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let (mut qmp, server) = qemu(dir.path(), "other").await;
        let there = device_models(&mut qmp, &["e1000", "none", "tulip"]).await.unwrap();
        assert_eq!(there, ["e1000", "tulip"]);
        drop(qmp);
        assert_eq!(server.join().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_model_that_is_not_there_fails_in_qemus_words_and_leaves_nothing() {
        let (commands, failed) =
            played(vec![plug("none"), CardJob::Unplug { id: "n".into() }], "other").await;
        assert_eq!(commands, ["netdev_add", "netdev_add", "device_add", "netdev_del", "netdev_del"]);
        assert_eq!(failed, ["qemu refused qmp command device_add: 'none' is not a valid device model name"]);
    }
}
