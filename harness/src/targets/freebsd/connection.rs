// SPDX-License-Identifier: BSD-2-Clause
//! The ways into a guest: the agent that listens in it, and ssh, which connects only when needed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::keys::Keys;
use crate::guest::{Direct, Ssh, SshError, SshTarget, run_agent};
use crate::targets::OpenError;
use crate::targets::RunningKernel;
use crate::vm::{GuestFailure, Patience, StatedHang, Vm, Wait, WithCards};
use nlproof_agent::{Batch, Record, TOKEN_LEN};

/// Limit from the first attempt to an authenticated command, in a guest that was booted before.
const SSH_LIMIT: Duration = Duration::from_secs(30);
/// Limit for a command that asks the guest about itself.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// The ways into one guest.
pub(super) struct Link {
    login: SshTarget,
    patience: Patience,
    ssh: Option<Ssh>,
    /// The agent's path in the guest.
    agent: String,
    direct: Option<Direct>,
}

impl Link {
    /// A link to a running guest, not connected yet.
    pub(super) fn new(vm: &Vm, keys: &Keys, agent: String, patience: &Patience) -> Result<Self, OpenError> {
        let port = vm.ssh_port().ok_or_else(|| OpenError::Guest("qemu named no port for ssh".into()))?;
        let host_key = keys.host().map_err(|error| OpenError::Build(error.into()))?;
        let login = SshTarget {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            user: "root".into(),
            key: keys.client(),
            host_key,
        };
        Ok(Self { login, patience: patience.clone(), ssh: None, agent, direct: None })
    }

    /// Sends further batches to the agent that listens in the guest.
    pub(super) fn use_direct(&mut self, vm: &Vm, token: [u8; TOKEN_LEN]) -> Result<(), OpenError> {
        let port =
            vm.agent_port().ok_or_else(|| OpenError::Guest("qemu named no port for the agent".into()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.direct = Some(Direct::new(address, token, self.patience.clone()));
        Ok(())
    }

    /// Waits until the guest answers over ssh.
    pub(super) async fn connect(&mut self, vm: &mut Vm, limit: Duration) -> Result<&Ssh, SshError> {
        let wait = Wait::new("ssh in the guest", limit);
        let ssh = Ssh::connect(&self.login, &wait, &self.patience, vm).await?;
        Ok(self.ssh.insert(ssh))
    }

    /// Ends the ssh connection, if there is one.
    pub(super) fn disconnect(&mut self) {
        self.ssh = None;
    }

    /// The ssh connection, made if there is none.
    pub(super) async fn ssh(&mut self, vm: &mut Vm) -> Result<&Ssh, SshError> {
        match self.ssh.take() {
            Some(ssh) => Ok(self.ssh.insert(ssh)),
            None => self.connect(vm, SSH_LIMIT).await,
        }
    }

    /// Announces that the next batch hangs the guest in these calls.
    pub(super) fn expect_hang(&mut self, hang: StatedHang) {
        if let Some(direct) = &mut self.direct {
            direct.expect_hang(hang);
        }
    }

    /// Gives up a guest whose agent says nothing for so long.
    pub(super) fn bound_silence(&mut self, limit: Duration) {
        if let Some(direct) = &mut self.direct {
            direct.bound_silence(limit);
        }
    }

    /// Runs a batch.
    pub(super) async fn run(
        &mut self,
        batch: &Batch,
        wait: &Wait,
        vm: &mut Vm,
        on_record: &mut dyn FnMut(Record),
    ) -> Result<(), SshError> {
        if let Some(direct) = &mut self.direct {
            return direct.run(batch, wait, vm, on_record).await.map(drop);
        }
        let path = self.agent.clone();
        run_agent(self.ssh(vm).await?, &path, batch, wait, vm, on_record).await.map(drop)
    }

    /// Runs a batch in which network cards come and go.
    pub(super) async fn run_with_cards(
        &mut self,
        batch: &Batch,
        wait: &Wait,
        machine: &mut WithCards<'_>,
        on_record: &mut dyn FnMut(Record),
    ) -> Result<(), SshError> {
        if let Some(direct) = &mut self.direct {
            return direct.run(batch, wait, machine, on_record).await.map(drop);
        }
        let path = self.agent.clone();
        let ssh = self.ssh(machine.vm).await?;
        run_agent(ssh, &path, batch, wait, machine, on_record).await.map(drop)
    }

    /// Asks the running kernel who it is: what the image says of itself would be no observation.
    pub(super) async fn ask(&mut self, vm: &mut Vm) -> Result<RunningKernel, OpenError> {
        let ssh = self.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
        let mut ask = async |command: &str| -> Result<String, OpenError> {
            let wait = Wait::new(format!("the answer to `{command}`"), ASK_LIMIT);
            let output = ssh.run(command, &wait, vm).await.map_err(|error| open_failure(error, vm))?;
            if !output.status.is_success() {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(OpenError::Guest(
                    format!("`{command}` failed in the guest: {}", stderr.trim_end()).into(),
                ));
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        };
        let osreldate = ask("sysctl -n kern.osreldate").await?;
        let osreldate: u32 = osreldate.parse().map_err(|_| {
            OpenError::Guest(format!("kern.osreldate is {osreldate:?}, which is no number").into())
        })?;
        let version = ask("sysctl -n kern.version").await?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        let modules = modules(&ask("kldstat -v").await?);
        // A kernel without netlink has no such node, which is no failure.
        let settings = ask("sysctl -Nq net.netlink || true").await?;
        let settings = settings.lines().map(str::to_owned).collect();
        Ok(RunningKernel { osreldate, version, modules, settings })
    }
}

/// The error for a failed conversation with a guest that is being opened.
pub(super) fn open_failure(error: SshError, vm: &Vm) -> OpenError {
    guest_failure(error.into_failure(vm))
}

/// The error for a guest that fails while it is being opened.
pub(super) fn guest_failure(failure: GuestFailure) -> OpenError {
    match failure {
        GuestFailure::Interrupted { .. } => OpenError::Interrupted,
        failure => OpenError::Guest(failure.into()),
    }
}

/// Names in `kldstat -v`: files without `.ko`, and the modules in them.
fn modules(kldstat: &str) -> Vec<String> {
    kldstat
        .lines()
        .filter_map(|line| {
            let name = line.split_whitespace().find(|word| {
                !word.starts_with('(') && word.contains(char::is_alphabetic) && !word.starts_with("0x")
            })?;
            Some(name.trim_end_matches(".ko").to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_files_and_in_the_kernel() {
        let kldstat = "Id Refs Address                Size Name\n \
             1   12 0xffffffff80200000  1d4e0b8 kernel (/boot/kernel/kernel)\n\tContains modules:\n\t\t Id Name\n\
             \t\t481 if_vlan\n 2    1 0xffffffff81f4f000     6230 if_epair.ko (/boot/kernel/if_epair.ko)\n\
             \tContains modules:\n\t\t Id Name\n\t\t500 if_epair\n";
        let modules = modules(kldstat);
        assert!(modules.contains(&"if_vlan".to_owned()), "{modules:?}");
        assert!(modules.contains(&"if_epair".to_owned()), "{modules:?}");
        assert!(!modules.contains(&"if_bridge".to_owned()), "{modules:?}");
    }
}
