// SPDX-License-Identifier: BSD-2-Clause
//! ssh when the other side misbehaves: dies, falls silent, talks without end, or is not who was expected.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use nlproof::guest::{ExecStatus, HostKey, Output, Ssh, SshError, SshKey};
use nlproof::vm::{GuestFailure, NoWatch, Panic, Patience, Wait, WaitError, Watch};

use crate::server::{LIMIT, Server, connect};

/// What counts as "at once" on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn wait(name: &'static str) -> Wait {
    Wait::new(name, LIMIT)
}

/// A guest that dies after some looks at it.
pub(crate) struct Dying {
    pub(crate) looks: u32,
}

impl Dying {
    fn failure() -> GuestFailure {
        GuestFailure::Panicked(Box::new(Panic { message: "on purpose".into(), ..Panic::default() }))
    }
}

impl Watch for Dying {
    async fn check(&mut self) -> Result<(), GuestFailure> {
        self.looks = self.looks.saturating_sub(1);
        if self.looks == 0 { Err(Self::failure()) } else { Ok(()) }
    }

    /// There is something new all the time.
    async fn changed(&mut self) {
        tokio::task::yield_now().await;
    }

    async fn cause_of_death(&mut self) -> Option<GuestFailure> {
        Some(Self::failure())
    }

    fn console_tail(&self) -> Vec<String> {
        vec!["panic: on purpose".into()]
    }
}

#[tokio::test]
async fn a_guest_that_dies_ends_every_wait() {
    let Some(server) = Server::start("a_guest_that_dies_ends_every_wait") else { return };
    let error =
        server.connect().await.run("sleep 60", &wait("sleep"), &mut Dying { looks: 3 }).await.unwrap_err();
    assert!(matches!(error, SshError::Guest(GuestFailure::Panicked(_))), "{error:?}");

    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut target = server.target.clone();
    target.address = silent.local_addr().unwrap();
    let started = Instant::now();
    let error =
        Ssh::connect(&target, &wait("ssh"), &Patience::default(), &mut Dying { looks: 3 }).await.unwrap_err();
    assert!(matches!(error, SshError::Guest(GuestFailure::Panicked(_))), "{error:?}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_lost_connection_is_no_exit_status() {
    let Some(server) = Server::start("a_lost_connection_is_no_exit_status") else { return };
    // The shell's parent is the server's process for this connection.
    let suicide = "kill -KILL $PPID";
    let error = server.connect().await.run(suicide, &wait("suicide"), &mut NoWatch).await.unwrap_err();
    let SshError::Lost { doing, .. } = &error else { panic!("{error:?}") };
    assert!(doing.contains(suicide), "{doing}");
    assert_eq!(error.into_failure(&NoWatch).kind(), "lost-ssh");
    // The console knows more: then that is the reason.
    let error = server
        .connect()
        .await
        .run(suicide, &wait("suicide"), &mut Dying { looks: 10_000 })
        .await
        .unwrap_err();
    assert!(matches!(error, SshError::Guest(GuestFailure::Panicked(_))), "{error:?}");
}

#[tokio::test]
async fn a_command_that_talks_without_end_ends_in_its_wait() {
    let Some(server) = Server::start("a_command_that_talks_without_end_ends_in_its_wait") else { return };
    let started = Instant::now();
    let error = server
        .connect()
        .await
        .exec(
            "yes",
            &mut std::io::empty(),
            &Wait::new("the end of yes", Duration::from_millis(300)),
            &mut NoWatch,
            &mut |_| ControlFlow::Continue(()),
        )
        .await
        .unwrap_err();
    let SshError::Wait { error: WaitError::Expired(expired), .. } = &error else { panic!("{error:?}") };
    assert_eq!(expired.name, "the end of yes");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn output_comes_while_the_command_runs_and_can_end_it() {
    let Some(server) = Server::start("output_comes_while_the_command_runs_and_can_end_it") else { return };
    let mut seen = Vec::new();
    let stopped = server
        .connect()
        .await
        .exec("echo first; sleep 60", &mut std::io::empty(), &wait("echo"), &mut NoWatch, &mut |output| {
            if let Output::Stdout(bytes) = output {
                seen.extend_from_slice(bytes);
            }
            ControlFlow::Break(())
        })
        .await;
    assert!(matches!(stopped, Err(SshError::Stopped { .. })), "{stopped:?}");
    assert_eq!(seen, b"first\n");
}

#[tokio::test]
async fn a_command_that_does_not_read_its_input_still_ends() {
    let Some(server) = Server::start("a_command_that_does_not_read_its_input_still_ends") else { return };
    let mut endless = std::io::repeat(b'x').take(64 << 20);
    let status = server
        .connect()
        .await
        .exec("exit 3", &mut endless, &wait("exit"), &mut NoWatch, &mut |_| ControlFlow::Continue(()))
        .await
        .unwrap();
    assert_eq!(status, ExecStatus::Code(3));
}

#[tokio::test]
async fn a_host_key_of_a_type_that_the_server_has_not_is_told_at_once() {
    let Some(server) = Server::start("a_host_key_of_a_type_that_the_server_has_not_is_told_at_once") else {
        return;
    };
    server.connect().await;
    let mut target = server.target.clone();
    target.host_key = HostKey::parse("ecdsa-sha2-nistp256 AAAAE2VjZHNh").unwrap();
    let error = connect(&target).await.unwrap_err();
    let SshError::Negotiation { key_type, .. } = &error else { panic!("{error:?}") };
    assert_eq!(key_type, "ecdsa-sha2-nistp256");
}

#[tokio::test]
async fn a_key_works_from_memory_and_an_absent_file_is_named() {
    let Some(server) = Server::start("a_key_works_from_memory_and_an_absent_file_is_named") else { return };
    server.connect().await;
    let mut target = server.target.clone();
    target.key = SshKey::Memory(std::fs::read_to_string(server.path().join("client")).unwrap());
    assert!(!format!("{target:?}").contains("BEGIN"), "a key must not be printed");
    let output = connect(&target).await.unwrap().run("echo in", &wait("echo"), &mut NoWatch).await.unwrap();
    assert_eq!(output.stdout, b"in\n");
    target.key = SshKey::File(server.path().join("absent"));
    let error = connect(&target).await.unwrap_err().to_string();
    assert!(error.contains("/absent: "), "{error}");
}

#[tokio::test]
async fn nobody_listening_ends_in_the_named_wait_with_the_reason() {
    let Some(server) = Server::start("nobody_listening_ends_in_the_named_wait_with_the_reason") else {
        return;
    };
    let mut target = server.target.clone();
    target.address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let short = Wait::new("ssh in the absent guest", Duration::from_millis(600));
    let error = Ssh::connect(&target, &short, &Patience::default(), &mut NoWatch).await.unwrap_err();
    let SshError::Wait { error: WaitError::Expired(expired), .. } = &error else { panic!("{error:?}") };
    assert_eq!(expired.name, "ssh in the absent guest");
    assert!(error.to_string().contains("refused"), "{error}");
}
