// SPDX-License-Identifier: BSD-2-Clause
//! The first boot of a ready VM image: root logs in with an empty password, gets our keys, modules and start-up, and
//! the guest shuts down. From then on the disk is an image like those that are built.
//!
//! Nothing of such a guest is trusted longer than that. The keys that its sshd shows were made a moment ago, on a
//! machine that only this host can reach, and are replaced.

use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nlproof_image::{
    Image, ImageError, KernelInfo, Progress, Provisioned, Provisioning, Sha256, VmImageDir, provision,
};

use super::options::{FreebsdOptions, image_options, machine};
use crate::guest::{HostKey, Ssh, SshError, SshKey, SshTarget};
use crate::vm::{
    DiskWrites, GuestFailure, HostPort, Patience, SelectedAccelerator, Tools, Vm, Wait,
    remembered_accelerator,
};

/// Limit up to an authenticated command: keys are made, the file system grows, and the whole `/etc/rc` runs.
const FIRST_BOOT_LIMIT: Duration = Duration::from_secs(180);
/// For each of our commands.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Limit from `shutdown -p` to QEMU's end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);
/// Memory of a ready image at its first boot, in MiB: as much as its makers had in mind.
const MEMORY_MIB: u32 = 1024;

/// Finds the image in the cache, or makes it.
pub(super) fn provisioned(
    source: &VmImageDir,
    options: &FreebsdOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Image, ImageError> {
    let mut boot = |provisioning: &Provisioning<'_>| {
        let failed = |reason: String| ImageError::Provision { release: source.name.clone(), reason };
        let tools = Tools::find(&options.supervisor).map_err(|error| failed(error.to_string()))?;
        let accelerator = options
            .tasks
            .drive(remembered_accelerator(options.accelerator, &tools, &options.state))
            .map_err(|error| failed(error.to_string()))?;
        let booted = options.tasks.drive(first_boot(provisioning, options, &tools, &accelerator));
        booted.map_err(|error| match error {
            Failure::Interrupted => ImageError::Cancelled,
            Failure::Other(reason) => failed(reason),
        })
    };
    let build = image_options(options.stock_rc, &options.modules);
    provision(source, &build, &options.cache, options.tasks.cancel(), progress, &mut boot)
}

/// Why the first boot failed.
enum Failure {
    Interrupted,
    Other(String),
}

impl From<GuestFailure> for Failure {
    fn from(failure: GuestFailure) -> Self {
        match failure {
            GuestFailure::Interrupted { .. } => Self::Interrupted,
            failure => Self::Other(failure.to_string()),
        }
    }
}

async fn first_boot(
    provisioning: &Provisioning<'_>,
    options: &FreebsdOptions,
    tools: &Tools,
    accelerator: &SelectedAccelerator,
) -> Result<Provisioned, Failure> {
    let patience =
        Patience::new(accelerator.kind, options.patience_factor).with_cancel(options.tasks.cancel().clone());
    let other = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    let mut config = machine(options);
    config.memory_mib(MEMORY_MIB).cpus(1).ssh(HostPort::Any).raw_disk(provisioning.disk, DiskWrites::Keep);
    let started = Vm::start(&config, accelerator.kind, tools, &patience).await;
    let mut vm = started.map_err(|error| other(&error))?;
    let port = vm.ssh_port().ok_or_else(|| Failure::Other("qemu named no port for ssh".into()))?;
    let target = SshTarget {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        user: "root".into(),
        key: SshKey::EmptyPassword,
        host_key: HostKey::any(),
    };
    let wait = Wait::new("ssh of the ready image's first boot", FIRST_BOOT_LIMIT);
    let connected = Ssh::connect(&target, &wait, &patience, &mut vm).await;
    let ssh = connected.map_err(|error| lost(error, &vm))?;
    let kernel = said(&ssh, "sysctl -n kern.bootfile", &[], &mut vm).await?;
    let sha256 = said(&ssh, &format!("sha256 -q {}", kernel.trim()), &[], &mut vm).await?;
    let sha256: Sha256 =
        sha256.trim().parse().map_err(|_| Failure::Other(format!("the digest of {kernel} is {sha256}")))?;
    let version = said(&ssh, "sysctl -n kern.version", &[], &mut vm).await?;
    let version = version.lines().next().unwrap_or_default().to_owned();
    let osreldate = said(&ssh, "sysctl -n kern.osreldate", &[], &mut vm).await?;
    let freebsd_version =
        osreldate.trim().parse().map_err(|_| Failure::Other(format!("kern.osreldate is {osreldate}")))?;
    said(&ssh, "/bin/sh -s", provisioning.prepare.as_bytes(), &mut vm).await?;
    for file in &provisioning.files {
        let wait = Wait::new(format!("{} in the ready image", file.path), COMMAND_LIMIT);
        let uploaded = ssh.upload(&file.contents, &file.path, &wait, &mut vm).await;
        uploaded.map_err(|error| lost(error, &vm))?;
    }
    said(&ssh, "/bin/sh -s", provisioning.script.as_bytes(), &mut vm).await?;
    // In the background, with an answer before the network goes.
    said(&ssh, "/bin/sh -c 'sync; (sleep 1; shutdown -p now) > /dev/null 2>&1 < /dev/null &'", &[], &mut vm)
        .await?;
    drop(ssh);
    vm.wait_exit(&Wait::new("the ready image's shutdown", SHUTDOWN_LIMIT)).await?;
    Ok(Provisioned { kernel: KernelInfo { version, sha256 }, freebsd_version })
}

/// The standard output of a command; another status than 0 is a failure.
async fn said(ssh: &Ssh, command: &str, input: &[u8], vm: &mut Vm) -> Result<String, Failure> {
    let name = command.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let wait = Wait::new(format!("`{name}` in the ready image"), COMMAND_LIMIT);
    let output = ssh.run_with(command, &mut Cursor::new(input), &wait, vm).await;
    let output = output.map_err(|error| lost(error, vm))?;
    if output.status.is_success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Failure::Other(format!("`{name}` ended with {}: {words}", output.status)))
}

fn lost(error: SshError, vm: &Vm) -> Failure {
    error.into_failure(vm).into()
}
