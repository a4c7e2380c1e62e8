// SPDX-License-Identifier: BSD-2-Clause
//! An OpenSSH server for one test: its own configuration, keys and port, gone when the test ends.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nlproof::guest::{HostKey, Ssh, SshError, SshKey, SshTarget};
use nlproof::vm::{NoWatch, Patience, Wait};

/// Enough for a busy machine; no test waits for it to pass.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running sshd.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    child: Child,
    pub(crate) target: SshTarget,
}

impl Server {
    /// Starts one; `None`, and said so, where OpenSSH is not installed.
    pub(crate) fn start(test: &str) -> Option<Server> {
        let (Some(sshd), Some(keygen)) = (program("sshd"), program("ssh-keygen")) else {
            skip(test, "no sshd or ssh-keygen; on Debian: apt-get install openssh-server");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for key in ["host", "client"] {
            let made = Command::new(&keygen)
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(key))
                .stdin(Stdio::null())
                .status()
                .unwrap();
            assert!(made.success());
        }
        fs::copy(path("client.pub"), path("authorized_keys")).unwrap();
        // The port is free now; should somebody take it before sshd does, sshd ends and the test says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nUseDNS no\n",
            path("host").display(),
            path("authorized_keys").display(),
        );
        fs::write(path("sshd_config"), config).unwrap();
        // Where sshd as root wants a directory for its unprivileged part, Debian's package makes it at boot.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(path("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::from(fs::File::create(path("log")).unwrap()))
            .spawn()
            .unwrap();
        let target = SshTarget {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            user: user(),
            key: SshKey::File(path("client")),
            host_key: HostKey::parse(&fs::read_to_string(path("host.pub")).unwrap()).unwrap(),
        };
        Some(Server { directory, child, target })
    }

    /// A directory that is gone with the server.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A connection.
    pub(crate) async fn connect(&self) -> Ssh {
        connect(&self.target).await.unwrap_or_else(|error| {
            let log = fs::read_to_string(self.path().join("log")).unwrap_or_default();
            panic!("{error}\nsshd says:\n{log}");
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Connects within the limit.
pub(crate) async fn connect(target: &SshTarget) -> Result<Ssh, SshError> {
    Ssh::connect(target, &Wait::new("ssh", LIMIT), &Patience::default(), &mut NoWatch).await
}

/// A key that no server knows.
pub(crate) fn strange_key(directory: &Path) -> PathBuf {
    let path = directory.join("strange");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Says past libtest's capture that a test did not run.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
pub(crate) fn skip(test: &str, reason: &str) {
    writeln!(std::io::stderr().lock(), "skipped: {test}: {reason}").unwrap();
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
