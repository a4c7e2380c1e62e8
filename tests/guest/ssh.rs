// SPDX-License-Identifier: BSD-2-Clause
//! ssh against a real server, and against some that are none.

use std::io::{Cursor, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::time::Duration;

use nlproof::guest::{ExecStatus, HostKey, Output, Ssh, SshError, SshKey};
use nlproof::vm::{NoWatch, Patience, Wait, WaitError};

use crate::server::{LIMIT, Server, connect, strange_key};

fn wait(name: &'static str) -> Wait {
    Wait::new(name, LIMIT)
}

#[tokio::test]
async fn a_command_has_output_errors_and_a_status() {
    let Some(server) = Server::start("a_command_has_output_errors_and_a_status") else { return };
    let ssh = server.connect().await;
    let output = ssh.run("echo out; echo err >&2; exit 7", &wait("echo"), &mut NoWatch).await.unwrap();
    assert_eq!(output.status, ExecStatus::Code(7));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    let output = ssh.run("kill -TERM $$", &wait("kill"), &mut NoWatch).await.unwrap();
    assert_eq!(output.status, ExecStatus::Signal("TERM".into()));
}

#[tokio::test]
async fn a_megabyte_goes_both_ways_at_once() {
    let Some(server) = Server::start("a_megabyte_goes_both_ways_at_once") else { return };
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut received = Vec::new();
    let status = server
        .connect()
        .await
        .exec("cat", &mut Cursor::new(&sent), &wait("cat"), &mut NoWatch, &mut |output| {
            if let Output::Stdout(bytes) = output {
                received.extend_from_slice(bytes);
            }
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert!(status.is_success());
    assert!(sent == received, "{} bytes sent, {} received", sent.len(), received.len());
}

#[tokio::test]
async fn a_command_that_does_not_end_ends_in_its_named_wait() {
    let Some(server) = Server::start("a_command_that_does_not_end_ends_in_its_named_wait") else { return };
    let short = Wait::new("a command that sleeps", Duration::from_millis(200));
    let error = server.connect().await.run("sleep 60", &short, &mut NoWatch).await.unwrap_err();
    assert!(matches!(error, SshError::Wait { error: WaitError::Expired(_), .. }), "{error:?}");
    assert!(error.to_string().contains("a command that sleeps"), "{error}");
}

#[tokio::test]
async fn a_file_is_uploaded_whole_and_executable_or_not_at_all() {
    let Some(server) = Server::start("a_file_is_uploaded_whole_and_executable_or_not_at_all") else { return };
    let ssh = server.connect().await;
    let path = server.path().join("tool");
    let name = path.to_str().unwrap();
    ssh.upload(b"#!/bin/sh\necho hello\n", name, &wait("upload"), &mut NoWatch).await.unwrap();
    assert_eq!(ssh.run(name, &wait("tool"), &mut NoWatch).await.unwrap().stdout, b"hello\n");
    let nowhere = server.path().join("no/such/tool");
    let error = ssh.upload(b"x", nowhere.to_str().unwrap(), &wait("upload"), &mut NoWatch).await.unwrap_err();
    assert!(matches!(error, SshError::Upload { .. }), "{error:?}");
    let left: Vec<_> = std::fs::read_dir(server.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".part."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn another_host_key_is_refused_at_once() {
    let Some(server) = Server::start("another_host_key_is_refused_at_once") else { return };
    server.connect().await;
    let mut target = server.target.clone();
    strange_key(server.path());
    let strange = std::fs::read_to_string(server.path().join("strange.pub")).unwrap();
    target.host_key = HostKey::parse(&strange).unwrap();
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::HostKey { .. }), "{error:?}");
}

#[tokio::test]
async fn a_key_that_the_server_does_not_know_is_refused_at_once() {
    let Some(server) = Server::start("a_key_that_the_server_does_not_know_is_refused_at_once") else {
        return;
    };
    server.connect().await;
    let mut target = server.target.clone();
    target.key = SshKey::File(strange_key(server.path()));
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::Auth { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_never_speaks_ends_in_the_named_wait() {
    let Some(server) = Server::start("a_server_that_accepts_and_never_speaks_ends_in_the_named_wait") else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut target = server.target.clone();
    target.address = listener.local_addr().unwrap();
    let short = Wait::new("ssh in the silent guest", Duration::from_millis(600));
    let error = Ssh::connect(&target, &short, &Patience::default(), &mut NoWatch).await.unwrap_err();
    assert!(matches!(error, SshError::Wait { error: WaitError::Expired(_), .. }), "{error:?}");
    assert!(error.to_string().contains("ssh in the silent guest"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_first_is_tried_again() {
    let Some(server) = Server::start("a_server_that_hangs_up_first_is_tried_again") else { return };
    // QEMU's user network accepts before the guest listens: here a listener that hangs up twice and then
    // passes on to the real server.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut target = server.target.clone();
    let real = target.address;
    target.address = listener.local_addr().unwrap();
    let proxy = std::thread::spawn(move || {
        for _ in 0..2 {
            drop(listener.accept().unwrap());
        }
        let (mut client, _) = listener.accept().unwrap();
        let mut upstream = loop {
            match std::net::TcpStream::connect(real) {
                Ok(stream) => break stream,
                // sshd may not listen yet.
                Err(_) => std::thread::yield_now(),
            }
        };
        let (mut from_client, mut to_upstream) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        let up = std::thread::spawn(move || {
            std::io::copy(&mut from_client, &mut to_upstream).map(drop).unwrap_or_default();
            to_upstream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
        });
        std::io::copy(&mut upstream, &mut client).map(drop).unwrap_or_default();
        client.shutdown(std::net::Shutdown::Both).unwrap_or_default();
        up.join().unwrap();
    });
    let ssh = connect(&target).await.unwrap();
    let mut stdout = Vec::new();
    Cursor::new(ssh.run("echo there", &wait("echo"), &mut NoWatch).await.unwrap().stdout)
        .read_to_end(&mut stdout)
        .unwrap();
    assert_eq!(stdout, b"there\n");
    drop(ssh);
    proxy.join().unwrap();
}
