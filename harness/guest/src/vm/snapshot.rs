// SPDX-License-Identifier: BSD-2-Clause
//! The state of a running machine in a file, and machines that go on from it.
//!
//! The state is QEMU's migration stream, without memory and disk. The memory is a file: the machine that is saved
//! shares it, one that is restored maps it privately. So nothing is copied, only what the guest touches is read, and
//! machines that run at once have those pages in common. The disk is an overlay over an image that nobody writes
//! to; its copy of the moment in which the machine stood still belongs to the state. Each machine that is restored
//! writes to a copy of that copy, which is small, so any number of them can start from one state at once. `savevm` would
//! need a writable disk for each: `-loadvm` does not go together with `snapshot=on`.
//!
//! A state is saved through QEMU's `exec:` because it works in every version (`file:` came with 8.2). Its status can be
//! `completed` before the program at the other end of the pipe has written everything; the file therefore gets its name
//! last. It is loaded through a socket, which needs no shell.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nlproof_base::Limit;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::sleep;

use super::accelerator_kind::AcceleratorKind;
use super::arguments::CommandLine;
use super::config::VmConfig;
use super::error::VmError;
use super::machine::Vm;
use super::qmp::{Qmp, QmpError};
use super::rundir::RunDir;
use super::tools::Tools;
use super::wait::{Deadline, Patience, Wait, WaitError};

/// Limit for writing 512 MiB at the speed of a slow disk.
const STATE_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at a file that is about to get its name: no event tells of it.
const LOOK: Duration = Duration::from_millis(3);
/// Bytes per second: the default is for networks (128 MiB/s).
const BANDWIDTH: u64 = 1 << 40;

/// Why a state was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// No `qemu-img`.
    #[error("no qemu-img beside qemu or in $PATH; install it (Debian: `apt-get install qemu-utils`)")]
    NoQemuImg,
    /// A program that was needed failed.
    #[error("{program}: {reason}")]
    Program {
        /// Path of the program.
        program: PathBuf,
        /// Reason in the words of the program.
        reason: String,
    },
    /// A shell could not be told the file's name.
    #[error("{}: a name that is not UTF-8 cannot be given to qemu", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// QEMU could not write the state.
    #[error("qemu did not save the machine's state: {reason}")]
    Failed {
        /// Reason in the words of QEMU.
        reason: String,
    },
    /// The disk of the saved moment was not copied.
    #[error("cannot copy the machine's disk: {0}")]
    Disk(#[source] io::Error),
    /// The control socket failed.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// Saving or restoring took too long.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

/// Creates an empty overlay over a raw image.
///
/// # Errors There is no `qemu-img`, or it fails.
pub fn create_overlay(tools: &Tools, image: &Path, overlay: &Path) -> Result<(), SnapshotError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = find_qemu_img(&tools.qemu, &path).ok_or(SnapshotError::NoQemuImg)?;
    let args: [&OsStr; 8] = [
        "create".as_ref(),
        "-q".as_ref(),
        "-f".as_ref(),
        "qcow2".as_ref(),
        "-F".as_ref(),
        "raw".as_ref(),
        "-b".as_ref(),
        image.as_ref(),
    ];
    let failed = |reason: String| SnapshotError::Program { program: program.clone(), reason };
    let output = duct::cmd(&program, args.into_iter().chain([overlay.as_os_str()]))
        .stdin_null()
        .stdout_null()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
}

fn find_qemu_img(qemu: &Path, path: &OsStr) -> Option<PathBuf> {
    let beside = qemu.parent().map(Path::to_owned);
    let mut dirs = beside.into_iter().chain(std::env::split_paths(path));
    dirs.find_map(|dir| Some(dir.join("qemu-img")).filter(|program| program.is_file()))
}

/// Everything, apart from the disk's contents, that decides whether a state can be loaded: the QEMU, the machine with
/// its devices, and under hardware virtualisation the processor. QEMU is known by its program file, which another
/// version replaces: starting it to ask for its version would take a tenth of a restore's time.
///
/// # Errors
/// There is no QEMU any more.
pub fn machine_identity(config: &VmConfig, kind: AcceleratorKind, tools: &Tools) -> io::Result<Vec<String>> {
    let program = fs::canonicalize(&tools.qemu)?;
    let meta = fs::metadata(&program)?;
    let qemu = format!("{} {} {}.{}", program.display(), meta.len(), meta.mtime(), meta.mtime_nsec());
    let line = CommandLine { accelerator: kind, qmp_socket: None, serial_log: Path::new("/serial") };
    let arguments = config.arguments(line).join(OsStr::new(" "));
    let mut identity = vec![qemu, arguments.to_string_lossy().into_owned()];
    if kind == AcceleratorKind::Kvm {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let of_first = |name: &str| cpuinfo.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        identity.extend(["model name", "stepping", "microcode", "flags"].into_iter().filter_map(of_first));
    }
    Ok(identity)
}

/// Stops the machine, writes its state to `state`, and has `copy_disk` called. The machine stays stopped: if it
/// went on, its memory's file would not be what the state belongs to. Only where that failed it goes on.
///
/// # Errors
/// See [`SnapshotError`]; there may be a file `state` all the same.
pub async fn save(
    vm: &mut Vm,
    state: &Path,
    copy_disk: impl FnOnce() -> io::Result<()>,
) -> Result<(), SnapshotError> {
    let deadline = Wait::new("the machine's state to be saved", STATE_LIMIT).begin(vm.patience());
    let (part, whole) = (shell_word(&state.with_extension("part"))?, shell_word(state)?);
    let uri = format!("exec:cat > {part} && mv {part} {whole}");
    let qmp = vm.qmp();
    prepare_migration(qmp, true).await?;
    qmp.stop().await?;
    let mut saved = write_state(qmp, &uri, state, &deadline).await;
    if saved.is_ok() {
        saved = copy_disk().map_err(SnapshotError::Disk);
    } else {
        // Fails when there is nothing to be ended.
        drop(qmp.execute("migrate_cancel", json!({})).await);
    }
    if saved.is_err() {
        qmp.cont().await?;
    }
    saved
}

/// Has QEMU tell how far a state is. What is in a file that both machines map (`shared`) is not in the stream (QEMU's name
/// is a little off: the machine that loads maps the file privately).
async fn prepare_migration(qmp: &mut Qmp, shared: bool) -> Result<(), QmpError> {
    let capability = |name: &str, on: bool| json!({ "capability": name, "state": on });
    let capabilities = [capability("events", true), capability("x-ignore-shared", shared)];
    qmp.execute("migrate-set-capabilities", json!({ "capabilities": capabilities })).await.map(drop)
}

async fn write_state(
    qmp: &mut Qmp,
    uri: &str,
    state: &Path,
    deadline: &Deadline,
) -> Result<(), SnapshotError> {
    qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": BANDWIDTH })).await?;
    qmp.execute("migrate", json!({ "uri": uri })).await?;
    deadline.bound(migrated(qmp)).await??.map_err(|reason| SnapshotError::Failed { reason })?;
    while !state.is_file() {
        deadline.bound(sleep(LOOK)).await?;
    }
    Ok(())
}

/// Starts a machine that goes on from a state. `config` is that of the machine that was saved, but for the
/// disk: the copy of its overlay, with [`DiskWrites::Discard`](super::DiskWrites::Discard).
///
/// # Errors
/// See [`VmError`]; nothing is left behind.
pub async fn restore(
    config: &VmConfig,
    accelerator: AcceleratorKind,
    tools: &Tools,
    patience: &Patience,
    state: &Path,
) -> Result<Vm, VmError> {
    let bytes = nlproof_base::read(state, Limit::OBJECT)
        .map_err(|error| VmError::State { reason: format!("{}: {error}", state.display()) })?;
    let deadline = Wait::new("the machine's state to be loaded", STATE_LIMIT).begin(patience);
    let load = async |qmp: &mut Qmp, run_dir: &RunDir| {
        prepare_migration(qmp, config.kept_memory().is_some()).await?;
        let socket = run_dir.state_socket();
        qmp.execute("migrate-incoming", json!({ "uri": format!("unix:{}", socket.display()) })).await?;
        deadline.bound(pour(&bytes, &socket)).await?;
        deadline.bound(migrated(qmp)).await??.map_err(|reason| VmError::State { reason })
    };
    Vm::launch(config, accelerator, tools, patience, &["-incoming", "defer"], load).await
}

/// Sends a state to the QEMU that listens here. What goes wrong at this end QEMU finds out, and tells better.
async fn pour(state: &[u8], socket: &Path) {
    if let Ok(mut stream) = UnixStream::connect(socket).await {
        drop(stream.write_all(state).await);
    }
}

/// Waits until a state is saved or loaded; the inner error says why it never will be.
async fn migrated(qmp: &mut Qmp) -> Result<Result<(), String>, QmpError> {
    loop {
        match qmp.migration_event().await?.as_str() {
            "completed" => return Ok(Ok(())),
            "failed" | "cancelled" | "cancelling" => {
                let answer = qmp.execute("query-migrate", json!({})).await?;
                let why = answer.get("error-desc").and_then(serde_json::Value::as_str);
                return Ok(Err(why.unwrap_or("no reason given").to_owned()));
            }
            _ => {}
        }
    }
}

/// For the shell that runs `exec:`.
fn shell_word(path: &Path) -> Result<String, SnapshotError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match OsString::from(path).into_string() {
        Ok(text) => Ok(format!("'{}'", text.replace('\'', "'\\''"))),
        Err(name) => Err(SnapshotError::Name { path: name.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_for_the_shell() {
        assert_eq!(shell_word(Path::new("/a b/$(c)'d")).unwrap(), r"'/a b/$(c)'\''d'");
        let name: OsString = std::os::unix::ffi::OsStringExt::from_vec(vec![b'/', 0xff]);
        let name = PathBuf::from(name);
        assert!(matches!(shell_word(&name), Err(SnapshotError::Name { .. })));
    }

    #[test]
    fn qemu_img_beside_qemu_comes_first_and_its_absence_is_told() {
        let (beside, in_path) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let qemu = beside.path().join("qemu");
        assert_eq!(find_qemu_img(&qemu, in_path.path().as_os_str()), None);
        let program = in_path.path().join("qemu-img");
        fs::write(&program, "").unwrap();
        assert_eq!(find_qemu_img(&qemu, in_path.path().as_os_str()), Some(program));
        let program = beside.path().join("qemu-img");
        fs::write(&program, "").unwrap();
        assert_eq!(find_qemu_img(&qemu, in_path.path().as_os_str()), Some(program));
        assert!(SnapshotError::NoQemuImg.to_string().contains("apt-get install qemu-utils"));
    }
}
