// SPDX-License-Identifier: BSD-2-Clause
//! Images to take away: a system that stands on its own, with nothing of a run of ours in it.
//!
//! A guest of ours is thrown away, so its image leaves out what it never reads, starts six lines of shell, and is told
//! its keys and addresses by a seed disk. An exported image is the release as it is, which asks for its address, makes its
//! own host keys and grows its file system when it first boots. Like every image it depends on its inputs alone.

mod configure;
mod format;
mod keys;
mod provenance;
mod vagrant;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use configure::{Console, NotAName, host_name, user_name};
pub use format::{Format, QemuImg};
pub use keys::{AuthorizedKeys, KeysError};
pub use provenance::{Difference, ModuleRecord, Provenance, SCHEMA as PROVENANCE_SCHEMA};

use tokio_util::sync::CancellationToken;

use crate::{
    build::{Build, filesystem},
    digest::Sha256,
    disk,
    error::ImageError,
    image::Input,
    kernel::KernelInfo,
    loader_module::LoaderModule,
    options::{BuildOptions, Progress, Stage},
    own_kernel::OwnKernel,
    path::TreePath,
    release::{BASE, KERNEL, ReleaseDir},
    skip, space,
    tree::Tree,
};

/// Version of the exporter. Raise it when the same inputs give other bytes than before.
const EXPORTER: u32 = 1;
/// Free space in the file system before the first boot grows it, in MiB.
const FREE_MIB: u32 = 128;
/// Labels of the partitions: those of FreeBSD's own images.
const LABELS: [&str; 2] = ["gptboot0", configure::ROOT_LABEL];
/// A disk's size in bytes where none is asked for, if the system fits.
pub const DEFAULT_SIZE: u64 = 4 << 30;

/// The request for an exported image.
#[derive(Debug, Clone)]
pub struct ExportOptions<'a> {
    /// The release whose userland it gets, and whose kernel unless there is another.
    pub release: &'a ReleaseDir,
    /// A kernel of one's own in place of the release's.
    pub kernel: Option<&'a OwnKernel>,
    /// A module that is loaded by the loader.
    pub module: Option<LoaderModule>,
    /// Name of the machine.
    pub hostname: String,
    /// Who may log in.
    pub user: String,
    /// By which keys.
    pub keys: AuthorizedKeys,
    /// Where the machine talks and listens.
    pub console: Console,
    /// Without documentation, compilers, and whatever else the guests of test runs go without.
    pub small: bool,
    /// Size of the disk in bytes; `None`: [`DEFAULT_SIZE`], or what the system takes.
    pub size: Option<u64>,
}

/// An exported disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The raw disk, in the directory that was given.
    pub disk: PathBuf,
    /// Digest of the raw disk.
    pub disk_sha256: Sha256,
    /// Size of the disk in bytes.
    pub disk_bytes: u64,
    /// The kernel.
    pub kernel: KernelInfo,
    /// `__FreeBSD_version` of kernel or userland, where one of them tells.
    pub freebsd_version: Option<u32>,
    /// The files that went into it.
    pub inputs: Vec<Input>,
}

/// Makes the raw disk in the directory `dir`, which should be empty and on the file system that it stays on.
///
/// # Errors
/// [`ImageError`]; what is in `dir` then is of no use.
pub fn export(
    options: &ExportOptions<'_>,
    dir: &Path,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<Exported, ImageError> {
    let needed = options.needed_bytes()?;
    space::require(dir, needed)?;
    export_into(options, dir, cancel, progress).map_err(|error| space::explain(error, dir, needed))
}

fn export_into(
    options: &ExportOptions<'_>,
    dir: &Path,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<Exported, ImageError> {
    let build_options = BuildOptions { free_mib: FREE_MIB, ..BuildOptions::default() };
    let mut build = Build { release: options.release, options: &build_options, dir, stop: cancel, progress };
    let whole: fn(&TreePath) -> bool = if options.small { skip::is_wanted } else { |_| true };
    let mut tree = build.extract(&whole)?;
    let pmbr = build.boot_code(&tree, "boot/pmbr", disk::PMBR_MIN, 512)?;
    let gptboot = build.boot_code(&tree, "boot/gptboot", 1, disk::GPTBOOT_MAX)?;
    for (file, reason) in configure::NEEDED {
        if tree.file(file).is_none() {
            return Err(build.unusable(BASE, file, reason));
        }
    }
    let inputs = build.inputs()?.into_iter().chain(options.own_inputs()?).collect::<Vec<_>>();
    if let Some(kernel) = options.kernel {
        replace_kernel(&mut tree, kernel)?;
    }
    let kernel_file = tree.file("boot/kernel/kernel");
    let kernel_file =
        kernel_file.ok_or_else(|| build.unusable(KERNEL, "boot/kernel/kernel", "the loader starts it"))?;
    let (kernel, freebsd_version) =
        KernelInfo::of_file(&kernel_file).map_err(|error| ImageError::io("read", &kernel_file, error))?;
    build.report(Stage::Configure, 0, 1);
    configure::configure(&mut tree, options)?;
    build.report(Stage::Configure, 1, 1);

    let root = dir.join("root.ufs");
    filesystem(&tree, &root, dir, &build_options, cancel, build.progress)?;
    fs::remove_dir_all(tree.root()).map_err(|error| ImageError::io("remove", tree.root(), error))?;
    let seed = options.seed(&inputs);
    let parts = disk::Parts {
        pmbr: &pmbr,
        gptboot: &gptboot,
        root: &root,
        labels: LABELS,
        seed: &seed,
        size: options.size.map_or(disk::Size::AtLeast(DEFAULT_SIZE), disk::Size::Exactly),
    };
    let disk_bytes = build.assemble(&parts)?;
    fs::remove_file(&root).map_err(|error| ImageError::io("remove", &root, error))?;
    let disk = dir.join(crate::image::DISK);
    let disk_sha256 = Sha256::of_file(&disk, cancel)?;
    Ok(Exported { disk, disk_sha256, disk_bytes, kernel, freebsd_version, inputs })
}

impl ExportOptions<'_> {
    /// Room for tree and file system: xz makes FreeBSD's archives five to six times smaller.
    fn needed_bytes(&self) -> Result<u64, ImageError> {
        let mut archives = 0;
        for file in [BASE, KERNEL] {
            let path = self.release.path.join(file);
            archives += fs::metadata(&path).map_err(|error| ImageError::io("read", &path, error))?.len();
        }
        Ok(archives * if self.small { 6 } else { 12 })
    }

    /// The files beside the release's archives.
    fn own_inputs(&self) -> Result<Vec<Input>, ImageError> {
        let mut inputs = Vec::new();
        if let Some(kernel) = self.kernel {
            let read = |error| ImageError::io("read", &kernel.file, error);
            let bytes = fs::metadata(&kernel.file).map_err(read)?.len();
            inputs.push(Input { file: "kernel".to_owned(), sha256: kernel.info.sha256, bytes });
        }
        if let Some(module) = &self.module {
            inputs.push(module.input());
        }
        Ok(inputs)
    }

    /// A digest over what goes into the image, for the GUIDs of disk and partitions.
    fn seed(&self, inputs: &[Input]) -> Sha256 {
        let Self { hostname, user, keys, console, small, .. } = self;
        let mut text = format!("nlproof-export {EXPORTER}\n{}\n{hostname}\n{user}\n", self.release.name);
        text += &format!("{keys:?}\n{console:?} {small}\n");
        for Input { file, sha256, .. } in inputs {
            text += &format!("{file} {sha256}\n");
        }
        Sha256::of(text.as_bytes())
    }
}

/// Puts a kernel of one's own and all its modules in place of the release's.
fn replace_kernel(tree: &mut Tree, kernel: &OwnKernel) -> Result<(), ImageError> {
    let theirs: Vec<TreePath> = tree
        .nodes()
        .filter(|(path, kind, _)| path.is_under("boot/kernel") && !matches!(kind, crate::tree::Kind::Dir))
        .map(|(path, ..)| path.clone())
        .collect();
    theirs.iter().try_for_each(|path| tree.remove_file(path))?;
    let mut put = |name: &str, bytes: &[u8]| tree.put(&format!("boot/kernel/{name}"), 0o555, bytes);
    put("kernel", &kernel.bytes()?)?;
    for (name, path) in &kernel.modules {
        let bytes = nlproof_base::read(path, nlproof_base::Limit::OBJECT)
            .map_err(|error| ImageError::read(path, error))?;
        put(&format!("{name}.ko"), &bytes)?;
    }
    Ok(())
}
