// SPDX-License-Identifier: BSD-2-Clause
//! Network cards that are plugged into a running machine, by QMP.
//!
//! Nothing of it is on QEMU's command line: backends are made with the cards, so that a machine without cards is the same
//! machine, and saved states are restored as ever. A card's backend is a port of a hub that leads nowhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep_until;

use super::machine::Vm;
use super::outcome::{GuestFailure, Watch};
use super::qmp::{Qmp, QmpError};

/// A guest that is still attaching a card does not hear that it is pulled: it is told again.
const TELL_AGAIN: Duration = Duration::from_secs(5);
/// Between two looks whether a card is gone.
const LOOK: Duration = Duration::from_millis(100);
/// The hub of the first card; nobody else has hubs.
const FIRST_HUB: u32 = 50;

/// What the machine is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardJob {
    /// Plugs a card.
    Plug {
        /// The card's identifier.
        id: String,
        /// QEMU's name of the model.
        model: String,
        /// The slot on the PCI bus.
        slot: u8,
    },
    /// Pulls a card.
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
    /// Pulls whatever is plugged.
    Clear,
}

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
    cards: BTreeMap<String, Plugged>,
    failed: Vec<String>,
}

/// A card in the machine.
#[derive(Debug)]
struct Plugged {
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
        inner.jobs.is_empty() && inner.cards.is_empty()
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
    async fn due(&self) {
        let next_look = {
            let inner = self.inner.borrow();
            if inner.jobs.front().is_some_and(|job| !inner.is_blocked(job)) {
                return;
            }
            let going = inner.cards.values().filter(|card| card.told.is_some());
            going.map(|card| card.looked + LOOK).min()
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
            CardJob::Plug { id, model, slot } => {
                let backend = backend(id);
                let hub = FIRST_HUB + u32::from(*slot);
                let hubport = json!({ "type": "hubport", "id": backend, "hubid": hub });
                qmp.execute("netdev_add", hubport).await?;
                let device = json!({
                    "driver": model, "id": id, "netdev": backend, "bus": "pci.0", "addr": format!("{slot:#x}"),
                    "mac": format!("52:54:00:00:00:{slot:02x}"), "romfile": "",
                });
                if let Err(error) = qmp.execute("device_add", device).await {
                    qmp.execute("netdev_del", json!({ "id": backend })).await?;
                    return Err(error);
                }
                let card = Plugged { told: None, looked: Instant::now() };
                self.inner.borrow_mut().cards.insert(id.clone(), card);
                Ok(())
            }
            CardJob::Unplug { id } => self.unplug(id, qmp).await,
            CardJob::Link { id, up } => {
                qmp.execute("set_link", json!({ "name": id, "up": up })).await.map(drop)
            }
            CardJob::Clear => {
                let ids: Vec<_> = self.inner.borrow().cards.keys().cloned().collect();
                for id in ids {
                    self.unplug(&id, qmp).await?;
                }
                Ok(())
            }
        }
    }

    async fn unplug(&self, id: &str, qmp: &mut Qmp) -> Result<(), QmpError> {
        // One that was never plugged, or is gone, is no error: the guest asks for its end whatever became of it.
        if !self.inner.borrow_mut().tell(id) {
            return Ok(());
        }
        qmp.execute("device_del", json!({ "id": id })).await.map(drop)
    }

    /// Looks which of the cards that were told to go have gone, and tells the others again.
    async fn forget_gone(&self, qmp: &mut Qmp) {
        let due = |card: &Plugged| card.told.is_some() && card.looked.elapsed() >= LOOK;
        if !self.inner.borrow().cards.values().any(due) {
            return;
        }
        let Ok(there) = peripherals(qmp).await else { return };
        let (gone, deaf) = self.inner.borrow_mut().sort(&there);
        for id in deaf {
            // QEMU refuses while it still waits for the guest, and that it does is all that is wanted.
            drop(qmp.execute("device_del", json!({ "id": id })).await);
        }
        for id in gone {
            self.inner.borrow_mut().cards.remove(&id);
            self.keep_failure(qmp.execute("netdev_del", json!({ "id": backend(&id) })).await);
        }
    }
}

impl Inner {
    /// Whether another card of the same name is still going.
    fn is_blocked(&self, job: &CardJob) -> bool {
        let CardJob::Plug { id, .. } = job else { return false };
        self.cards.get(id).is_some_and(|card| card.told.is_some())
    }

    /// Notes that a card is told to go; false: there is none, or it was told.
    fn tell(&mut self, id: &str) -> bool {
        match self.cards.get_mut(id) {
            Some(card) if card.told.is_none() => {
                card.told = Some(Instant::now());
                true
            }
            _ => false,
        }
    }

    /// Of the cards that were told to go: those that are not among these devices, and those that are told again.
    fn sort(&mut self, there: &[String]) -> (Vec<String>, Vec<String>) {
        let (mut gone, mut deaf) = (Vec::new(), Vec::new());
        for (id, card) in &mut self.cards {
            card.looked = Instant::now();
            let Some(told) = card.told else { continue };
            if !there.contains(id) {
                gone.push(id.clone());
            } else if told.elapsed() >= TELL_AGAIN {
                card.told = Some(Instant::now());
                deaf.push(id.clone());
            }
        }
        (gone, deaf)
    }
}

fn backend(id: &str) -> String {
    format!("{id}-hub")
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

/// A machine that somebody watches, with cards that are plugged meanwhile.
pub struct WithCards<'a> {
    /// The machine.
    pub vm: &'a mut Vm,
    /// Cards of the machine.
    pub rack: &'a CardRack,
}

impl Watch for WithCards<'_> {
    async fn check(&mut self) -> Result<(), GuestFailure> {
        self.rack.work(self.vm.qmp()).await;
        self.vm.check().await
    }

    async fn changed(&mut self) {
        tokio::select! {
            () = self.vm.changed() => {}
            () = self.rack.due() => {}
        }
    }

    async fn cause_of_death(&mut self) -> Option<GuestFailure> {
        self.vm.cause_of_death().await
    }

    fn console_tail(&self) -> Vec<String> {
        self.vm.console_tail()
    }

    fn full_disk(&self, what: &str) -> Option<GuestFailure> {
        self.vm.full_disk(what)
    }

    async fn why_silent(&mut self, foreknown: bool) -> Option<GuestFailure> {
        self.vm.why_silent(foreknown).await
    }
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
        CardJob::Plug { id: "n".into(), model: model.into(), slot: 28 }
    }

    #[tokio::test]
    async fn a_card_comes_and_goes_with_its_backend() {
        let jobs = vec![plug("e1000"), CardJob::Link { id: "n".into(), up: false }, CardJob::Clear];
        let (commands, failed) = played(jobs, "other").await;
        assert_eq!(
            commands,
            ["netdev_add", "device_add", "set_link", "device_del", "qom-list", "netdev_del"]
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
        assert_eq!(commands, ["netdev_add", "device_add", "netdev_del"]);
        assert_eq!(failed, ["qemu refused qmp command device_add: 'none' is not a valid device model name"]);
    }
}
