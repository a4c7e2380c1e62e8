// SPDX-License-Identifier: BSD-2-Clause
//! The accelerator that was found last time.
//!
//! Where KVM opens but runs no guest, finding that out costs the whole limit of the trial, in every run. The
//! outcome is kept in a file of the cache and holds for one boot of this machine, one QEMU and one state of
//! `/dev/kvm`: whoever loads a module, changes a permission or installs another QEMU has it tried again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nlproof_base::{Limit, hex};
use nlproof_files::write_whole;
use sha2::{Digest, Sha256};

use super::accel::{AccelError, Accelerator, SelectedAccelerator, choose_accelerator};
use super::accelerator_kind::AcceleratorKind;
use super::tools::Tools;

const FILE: &str = "accelerator.json";
/// Version of the file format; part of the digest that an outcome is kept under.
const FORMAT: &str = "nlproof accelerator 1";

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CachedChoice {
    /// Digest of the conditions that the outcome holds for.
    holds_for: String,
    kvm: bool,
    reason: String,
}

/// Chooses as [`choose_accelerator`] does, but does not try again what `directory` keeps and still holds.
/// A directory that cannot be written to only costs the time.
///
/// # Errors
/// None runs a guest.
pub async fn remembered_accelerator(
    wanted: Accelerator,
    tools: &Tools,
    directory: &Path,
) -> Result<SelectedAccelerator, AccelError> {
    if wanted != Accelerator::Auto {
        return choose_accelerator(wanted, tools).await;
    }
    let holds_for = circumstances(tools);
    let path = directory.join(FILE);
    if let Some(selected) = recall(&path, &holds_for) {
        return Ok(selected);
    }
    let selected = choose_accelerator(wanted, tools).await?;
    keep(&path, holds_for, &selected);
    Ok(selected)
}

fn recall(path: &Path, holds_for: &str) -> Option<SelectedAccelerator> {
    let kept: CachedChoice = serde_json::from_slice(&nlproof_base::read(path, Limit::REPORT).ok()?).ok()?;
    (kept.holds_for == holds_for).then(|| SelectedAccelerator {
        kind: if kept.kvm { AcceleratorKind::Kvm } else { AcceleratorKind::Tcg },
        reason: format!("{}, tried earlier", kept.reason.trim_end_matches(", tried earlier")),
    })
}

fn keep(path: &Path, holds_for: String, selected: &SelectedAccelerator) {
    let kept = CachedChoice {
        holds_for,
        kvm: selected.kind == AcceleratorKind::Kvm,
        reason: selected.reason.lines().next().unwrap_or_default().to_owned(),
    };
    let Some(directory) = path.parent() else { return };
    // Whole or not at all: another run may read it in this moment.
    let written = fs::create_dir_all(directory).and_then(|()| write_whole(path, &serde_json::to_vec(&kept)?));
    drop(written);
}

/// A digest over what the outcome of a trial depends on.
fn circumstances(tools: &Tools) -> String {
    let of_file = |path: &Path| {
        fs::metadata(path).map_or_else(
            |error| error.kind().to_string(),
            |meta| format!("{} {} {} {:o}", meta.len(), meta.mtime(), meta.rdev(), meta.mode()),
        )
    };
    let kvm = Path::new("/dev/kvm");
    let usable = fs::OpenOptions::new().read(true).write(true).open(kvm).map(drop).map_err(|e| e.kind());
    // Linux's name for one boot; elsewhere there is no KVM to change its mind.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [
        FORMAT.to_owned(),
        tools.qemu.display().to_string(),
        of_file(&tools.qemu),
        of_file(kvm),
        format!("{usable:?}"),
        boot,
    ] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcg() -> SelectedAccelerator {
        SelectedAccelerator { kind: AcceleratorKind::Tcg, reason: "kvm: guest did not run\nmore".into() }
    }

    #[test]
    fn an_outcome_is_recalled_with_its_reason_while_it_holds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache").join(FILE);
        assert_eq!(recall(&path, "a"), None);
        keep(&path, "a".into(), &tcg());
        let recalled = recall(&path, "a").unwrap();
        assert_eq!(recalled.to_string(), "tcg (kvm: guest did not run, tried earlier)");
        keep(&path, "a".into(), &recalled);
        assert_eq!(recall(&path, "a"), Some(recalled));
        assert_eq!(recall(&path, "b"), None);
        fs::write(&path, "{").unwrap();
        assert_eq!(recall(&path, "a"), None);
    }

    #[test]
    fn another_qemu_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let tools =
            |name: &str| Tools { qemu: directory.path().join(name), supervisor: "/nonexistent".into() };
        let absent = circumstances(&tools("qemu"));
        fs::write(directory.path().join("qemu"), "").unwrap();
        assert_ne!(circumstances(&tools("qemu")), absent);
        assert_eq!(circumstances(&tools("qemu")), circumstances(&tools("qemu")));
        assert_ne!(circumstances(&tools("qemu")), circumstances(&tools("other")));
    }

    #[tokio::test]
    async fn a_kept_outcome_spares_the_trial() {
        let directory = tempfile::tempdir().unwrap();
        // A QEMU that would fail if it were tried.
        let tools = Tools { qemu: "/nonexistent/qemu".into(), supervisor: "/nonexistent".into() };
        keep(&directory.path().join(FILE), circumstances(&tools), &tcg());
        let selected = remembered_accelerator(Accelerator::Auto, &tools, directory.path()).await.unwrap();
        assert_eq!(selected.kind, AcceleratorKind::Tcg);
        let forced = Accelerator::Forced(AcceleratorKind::Kvm);
        assert_eq!(
            remembered_accelerator(forced, &tools, directory.path()).await.unwrap().to_string(),
            "kvm (as requested)"
        );
    }
}
