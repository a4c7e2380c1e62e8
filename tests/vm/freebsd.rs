// SPDX-License-Identifier: BSD-2-Clause
//! Real FreeBSD guests, and how they end. Needs release directories in `$NLPROOF_DISTS` or
//! `$XDG_CACHE_HOME/nlproof/dists`; a release that is not there is skipped by name.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nlproof::guest::{HostKey, Ssh, SshKey, SshTarget};
use nlproof::vm::{
    Accelerator, ConsoleEvent, DiskWrites, GuestFailure, HostPort, Patience, QemuExit, Seed, Vm, VmConfig,
    Wait, Watch, choose_accelerator,
};
use nlproof_image::{BuildOptions, Cache, CacheRoot, Dists, GuestKeys, ImageError, build};
use tokio_util::sync::CancellationToken;

use crate::support::{assert_gone, say, tools};

/// A booted guest.
struct Guest {
    vm: Vm,
    ssh: Ssh,
}

async fn boot(test: &str, release: &str) -> Option<Guest> {
    let skip = |reason: String| say(&format!("skipped: {test}: {reason}"));
    let tools = tools(test)?;
    let dists = Dists::from_env();
    let release = match dists.find(release) {
        Ok(release) => release,
        Err(ImageError::NoSuchRelease { .. }) => {
            skip(format!("no release directory {release}"));
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let cache = Cache::new(CacheRoot::from_env().unwrap().path());
    let never = CancellationToken::new();
    let image = build(&release, &BuildOptions::default(), &cache, &never, &mut |_| ()).unwrap();

    let accelerator = choose_accelerator(Accelerator::Auto, &tools).await.unwrap();
    let patience = Patience::new(accelerator.kind, 1.0);
    let mut config = VmConfig::default();
    let keys = GuestKeys::generate().unwrap();
    config.raw_disk(image.disk(), DiskWrites::Discard).ssh(HostPort::Any);
    config.seed(Seed::Bytes(keys.seed_disk(nlproof_image::SeedCard::Virtio).unwrap()));
    let mut vm = Vm::start(&config, accelerator.kind, &tools, &patience).await.unwrap();
    let target = SshTarget {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, vm.ssh_port().unwrap())),
        user: "root".into(),
        key: SshKey::Memory(keys.client_private().unwrap()),
        host_key: HostKey::parse(&keys.host_public().unwrap()).unwrap(),
    };
    let wait = Wait::new("ssh in the guest", Duration::from_secs(60));
    let ssh = match Ssh::connect(&target, &wait, &patience, &mut vm).await {
        Ok(ssh) => ssh,
        Err(error) => panic!("{}", error.into_failure(&vm)),
    };
    Some(Guest { vm, ssh })
}

fn wait(name: &'static str) -> Wait {
    Wait::new(name, Duration::from_secs(30))
}

#[tokio::test]
async fn a_guest_that_switches_itself_off_is_told_from_one_that_died() {
    let name = "a_guest_that_switches_itself_off_is_told_from_one_that_died";
    let Some(mut guest) = boot(name, "14.0-STABLE").await else { return };
    let output = guest.ssh.run("uname -s", &wait("uname"), &mut guest.vm).await.unwrap();
    assert_eq!(output.stdout, b"FreeBSD\n");
    let script = b"#!/bin/sh\necho uploaded\n";
    guest.ssh.upload(script, "/root/script", &wait("the upload"), &mut guest.vm).await.unwrap();
    let output = guest.ssh.run("/root/script", &wait("the script"), &mut guest.vm).await.unwrap();
    assert_eq!(output.stdout, b"uploaded\n");
    assert!(guest.vm.console_events().unwrap().contains(&ConsoleEvent::Kernel));

    let run_dir = guest.vm.run_dir();
    // Whether the connection outlives the command is the guest's business.
    guest.ssh.run("shutdown -p now", &wait("shutdown"), &mut guest.vm).await.map(drop).unwrap_or_default();
    assert_eq!(guest.vm.wait_exit(&wait("the power to go off")).await.unwrap(), QemuExit::Code(0));
    assert_eq!(guest.vm.check().await.unwrap_err().kind(), "powered-off");
    drop(guest.vm);
    assert_gone(&run_dir);
}

#[tokio::test]
async fn a_panic_is_told_with_message_and_backtrace() {
    let Some(guest) = boot("a_panic_is_told_with_message_and_backtrace", "14.0-STABLE").await else { return };
    panics(guest).await;
}

/// A kernel with DDB prints another backtrace and waits at the debugger's prompt.
#[tokio::test]
async fn a_panic_of_a_debug_kernel_is_told_with_message_and_backtrace() {
    let name = "a_panic_of_a_debug_kernel_is_told_with_message_and_backtrace";
    let Some(guest) = boot(name, "14.0-STABLE-DEBUG").await else { return };
    panics(guest).await;
}

#[allow(clippy::print_stdout, reason = "libtest shows it where the test fails")]
async fn panics(mut guest: Guest) {
    let error =
        guest.ssh.run("sysctl debug.kdb.panic=1", &wait("the panic"), &mut guest.vm).await.unwrap_err();
    let failure = error.into_failure(&guest.vm);
    let GuestFailure::Panicked(panic) = &failure else { panic!("{failure}") };
    println!("{failure}");
    assert_eq!(panic.message, "kdb_sysctl_panic");
    assert!(panic.fingerprint().starts_with("kdb_sysctl_panic | kdb_sysctl_panic < "), "{failure}");
}
