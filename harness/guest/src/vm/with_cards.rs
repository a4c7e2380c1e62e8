// SPDX-License-Identifier: BSD-2-Clause
//! A machine that is watched while its network cards come and go.

use super::cards::CardRack;
use super::machine::Vm;
use super::outcome::{GuestFailure, Watch};
use super::stated_hang::StatedHang;

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

    async fn why_silent(&mut self, stated: Option<&StatedHang>) -> Option<GuestFailure> {
        self.vm.why_silent(stated).await
    }
}
