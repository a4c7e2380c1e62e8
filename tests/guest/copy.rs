// SPDX-License-Identifier: BSD-2-Clause
//! Files into a guest and out of it, and a command with input that comes late.

use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nlproof::guest::{
    CopyError, CopyIn, CopyOut, ExecStatus, LiveInput, Output, SshError, for_login_shell, script,
};
use nlproof::vm::{GuestFailure, NoWatch, Wait};

use crate::death::Dying;
use crate::server::{LIMIT, Server};

/// A directory with an executable, a link and an empty directory in it.
fn tree(server: &Server) -> std::path::PathBuf {
    let tree = server.path().join("my tree");
    fs::create_dir_all(tree.join("empty")).unwrap();
    fs::write(tree.join("tool!"), "#!/bin/sh\necho \"hello from $1\"\n").unwrap();
    fs::set_permissions(tree.join("tool!"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("tool!", tree.join("link")).unwrap();
    tree
}

#[tokio::test]
async fn a_tree_goes_into_a_guest_and_comes_out_again() {
    let Some(server) = Server::start("a_tree_goes_into_a_guest_and_comes_out_again") else { return };
    let (tree, ssh) = (tree(&server), server.connect().await);
    let guest = server.path().join("the guest's");
    let place = |name: &str| format!("{}:{}/{name}", tree.display(), guest.display());
    let put = async |text: &str| ssh.put(&CopyIn::parse(text).unwrap(), &mut NoWatch).await.unwrap();
    // A directory that is made for it, one that is there, and a name of its own.
    assert_eq!(put(&place("new/")).await, format!("{}/new/my tree", guest.display()));
    assert_eq!(put(&place("new")).await, format!("{}/new/my tree", guest.display()));
    assert_eq!(put(&place("other")).await, format!("{}/other", guest.display()));
    let command = [format!("{}/other/link", guest.display()), "a guest".to_owned()];
    let wait = Wait::new("the tool", LIMIT);
    let said = ssh.run(&for_login_shell(&script(&command)), &wait, &mut NoWatch).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "hello from a guest\n");
    assert!(guest.join("other/empty").is_dir());

    let here = server.path().join("here");
    fs::create_dir(&here).unwrap();
    let out = CopyOut::parse(&format!("{}/other:{}", guest.display(), here.display())).unwrap();
    let got = ssh.get(&out, &mut NoWatch).await.unwrap();
    assert_eq!((got.path, got.entries, got.left_out), (here.join("other"), 4, 0));
    assert_eq!(fs::read_link(here.join("other/link")).unwrap().to_str(), Some("tool!"));
    let mode = fs::metadata(here.join("other/tool!")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    // A file by a link of the guest, over one that is here.
    let file = here.join("result");
    fs::write(&file, "old").unwrap();
    let out = CopyOut::parse(&format!("{}/other/link:{}", guest.display(), file.display())).unwrap();
    ssh.get(&out, &mut NoWatch).await.unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("hello from"));
}

#[tokio::test]
async fn what_cannot_be_copied_is_told_in_the_guests_words_and_changes_nothing() {
    let test = "what_cannot_be_copied_is_told_in_the_guests_words_and_changes_nothing";
    let Some(server) = Server::start(test) else { return };
    let ssh = server.connect().await;
    let here = server.path().join("here");
    fs::write(&here, "as it was").unwrap();
    let out = CopyOut::parse(&format!("/no/such/thing:{}", here.display())).unwrap();
    let error = ssh.get(&out, &mut NoWatch).await.unwrap_err().to_string();
    assert_eq!(error, "/no/such/thing in the guest: no such file or directory");
    assert_eq!(fs::read_to_string(&here).unwrap(), "as it was");
    // It has no data, but who is to take it has to have room for all of it.
    let huge = server.path().join("huge");
    fs::File::create(&huge).unwrap().set_len(8 << 40).unwrap();
    let into = CopyIn::parse(&format!("{}:/tmp/nlproof-huge", huge.display())).unwrap();
    let error = ssh.put(&into, &mut NoWatch).await.unwrap_err().to_string();
    assert!(error.contains("it takes 8589934592 KiB, and "), "{error}");
    let into = CopyIn::parse(&format!("{}:/dev/null/x", here.display())).unwrap();
    let error = ssh.put(&into, &mut NoWatch).await.unwrap_err();
    assert!(matches!(&error, CopyError::Guest { path, .. } if path == "/dev/null/x"), "{error:?}");
    let left = fs::read_dir(server.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".nlproof")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_guest_that_dies_during_a_copy_is_a_lost_guest() {
    let Some(server) = Server::start("a_guest_that_dies_during_a_copy_is_a_lost_guest") else { return };
    let ssh = server.connect().await;
    let out = CopyOut::parse(&format!("{}:{}/x", server.path().display(), server.path().display())).unwrap();
    let error = ssh.get(&out, &mut Dying { looks: 1 }).await.unwrap_err();
    assert!(matches!(error, CopyError::Ssh(SshError::Guest(GuestFailure::Panicked(_)))), "{error:?}");
}

#[tokio::test]
async fn input_that_comes_late_reaches_the_command() {
    let Some(server) = Server::start("input_that_comes_late_reaches_the_command") else { return };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut said = Vec::new();
    let status = server
        .connect()
        .await
        .exec(
            &for_login_shell("echo ready; read x; echo got $x; read y || exit 9"),
            &mut LiveInput::of(reader),
            &Wait::new("the command", LIMIT),
            &mut NoWatch,
            &mut |output| {
                let Output::Stdout(bytes) = output else { return ControlFlow::Break(()) };
                said.extend_from_slice(bytes);
                if said == b"ready\n" {
                    writer.write_all(b"it\n").unwrap();
                }
                if said.ends_with(b"got it\n") {
                    // Its end, once it has what it wants.
                    writer = std::io::pipe().unwrap().1;
                }
                ControlFlow::Continue(())
            },
        )
        .await
        .unwrap();
    assert_eq!((status, said.as_slice()), (ExecStatus::Code(9), &b"ready\ngot it\n"[..]));
}
