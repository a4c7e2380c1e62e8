// SPDX-License-Identifier: BSD-2-Clause
//! The `makefs` program: from a directory and an mtree specification to a UFS image.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::error::ImageError;

/// Block and fragment size of the file system in bytes: newfs(8)'s own, and what keeps the boot
/// loader's reads through the BIOS few.
pub(crate) const BLOCK: u64 = 32768;
pub(crate) const FRAGMENT: u64 = 4096;

/// Free space per free inode in the guest, in bytes.
const BYTES_PER_FREE_INODE: u64 = 16384;

/// Least space per inode that `makefs` is asked for, in bytes.
const DENSITY_MIN: u64 = 512;

/// Interval at which a running `makefs` is checked.
const POLL: Duration = Duration::from_millis(50);

/// A file system to be made.
pub(crate) struct Job<'a> {
    /// The program; `None` looks for it.
    pub(crate) program: Option<&'a Path>,
    /// The directory to take the files from.
    pub(crate) root: &'a Path,
    /// The mtree(5) specification of the same tree.
    pub(crate) spec: &'a Path,
    /// The image to make.
    pub(crate) image: &'a Path,
    /// Where the program's messages go.
    pub(crate) log: &'a Path,
    /// Number of files, directories and links in the tree.
    pub(crate) nodes: u64,
    /// Bytes that they take.
    pub(crate) bytes: u64,
    /// Free space, in bytes.
    pub(crate) free: u64,
    /// No time stamp in the image is later than this, in seconds since the epoch: the same inputs
    /// give the same bytes.
    pub(crate) latest: u64,
}

/// Runs `makefs`; `progress` is told how many bytes the image has so far.
pub(crate) fn run(
    job: &Job<'_>,
    stop: &CancellationToken,
    mut progress: impl FnMut(u64),
) -> Result<(), ImageError> {
    let mut child = spawn(job)?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if stop.is_cancelled() => {
                end(child)?;
                return Err(ImageError::Cancelled);
            }
            Ok(None) => {}
            Err(error) => {
                end(child)?;
                return Err(ImageError::io("wait for", Path::new("makefs"), error));
            }
        }
        if let Ok(data) = fs::metadata(job.image) {
            progress(data.len());
        }
        thread::sleep(POLL);
    };
    check(job, status)
}

/// The programs that are tried, in order.
pub(crate) fn candidates(program: Option<&Path>) -> Vec<PathBuf> {
    match program {
        Some(program) => vec![program.to_owned()],
        // Debian keeps it in /usr/sbin, which an ordinary user's PATH may not have.
        None => ["makefs", "/usr/sbin/makefs", "/usr/local/sbin/makefs"].map(PathBuf::from).to_vec(),
    }
}

fn spawn(job: &Job<'_>) -> Result<Child, ImageError> {
    let log_error = |error| ImageError::io("create", job.log, error);
    let log = File::create(job.log).map_err(log_error)?;
    let tried = candidates(job.program);
    let free_inodes = job.free / BYTES_PER_FREE_INODE;
    // makefs refuses to make an image with too few inodes rather than to make more of them. A tenth
    // more than needed, because every cylinder group has the same number.
    let inodes = (job.nodes + free_inodes) * 11 / 10;
    let density = ((job.bytes + job.free) / inodes.max(1)).max(DENSITY_MIN);
    for program in &tried {
        let spawned = Command::new(program)
            .args(["-t", "ffs", "-B", "little"])
            // UFS1: the UFS2 superblock of Debian's makefs 20190105 is not accepted by FreeBSD.
            .args(["-o", &format!("version=1,bsize={BLOCK},fsize={FRAGMENT},density={density}")])
            .args(["-b", &job.free.to_string(), "-f", &free_inodes.to_string()])
            .args(["-T", &job.latest.to_string()])
            .arg("-F")
            .args([job.spec, job.image, job.root])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(log_error)?)
            .stderr(log.try_clone().map_err(log_error)?)
            .spawn();
        match spawned {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ImageError::io("run", program, error)),
        }
    }
    Err(ImageError::MakefsMissing { tried })
}

fn end(mut child: Child) -> Result<(), ImageError> {
    let ended = child.kill().and_then(|()| child.wait());
    ended.map(|_| ()).map_err(|error| ImageError::io("end", Path::new("makefs"), error))
}

fn check(job: &Job<'_>, status: ExitStatus) -> Result<(), ImageError> {
    if status.success() {
        return Ok(());
    }
    let log = match fs::read(job.log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().replace('\n', "; "),
        Err(error) => format!("(its messages cannot be read: {error})"),
    };
    Err(ImageError::Makefs { status: status.to_string(), log })
}

#[cfg(test)]
mod tests {

    use super::*;

    fn run_program(program: &str, cancel: bool) -> ImageError {
        let dir = tempfile::tempdir().unwrap();
        let (log, image) = (dir.path().join("log"), dir.path().join("image"));
        let job = Job {
            program: Some(Path::new(program)),
            root: dir.path(),
            spec: dir.path(),
            image: &image,
            log: &log,
            nodes: 0,
            bytes: 0,
            free: 0,
            latest: 0,
        };
        let stop = &CancellationToken::new();
        if cancel {
            stop.cancel();
        }
        run(&job, stop, |_| {}).unwrap_err()
    }

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        let message = run_program("/nonexistent/makefs", false).to_string();
        assert!(message.contains("/nonexistent/makefs"), "{message}");
        assert!(message.contains("apt-get install makefs"), "{message}");
    }

    #[test]
    fn a_failure_carries_status_and_messages() {
        // `cat` does not know makefs' options.
        let message = run_program("cat", false).to_string();
        assert!(message.contains("exit status: 1") && message.contains("option"), "{message}");
    }

    #[test]
    fn cancelling_ends_the_program() {
        // `yes` knows no such option on its own, so let a shell stand in that ignores them and stays.
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("makefs");
        fs::write(&script, "#!/bin/sh\nexec tail -f /dev/null\n").unwrap();
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(&script, mode).unwrap();
        assert!(matches!(run_program(script.to_str().unwrap(), true), ImageError::Cancelled));
    }
}
