// SPDX-License-Identifier: BSD-2-Clause
//! From a ready VM image to an image of ours: unpacked, then booted once by the caller, who copies our files to it over
//! ssh.

use std::{fs, path::Path};

use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{
    cache::Cache,
    config::{self, GuestFile},
    digest::Sha256,
    error::ImageError,
    image::{self, Image, ImageInfo, Input, SCHEMA},
    kernel::KernelInfo,
    options::{BuildOptions, Progress, Stage},
    vmimage::VmImageDir,
};

/// Version of the provisioning. Raise it when the same image and options give another guest than before, unless
/// only a table in `config` changed.
const PROVISIONER: u32 = 3;
/// Room that is needed, as a multiple of the packed image: half of what is in it is zeros, the rest packs to a third.
const SPACE_FACTOR: u64 = 5;

/// The work on a disk: boot it, log in as root with an empty password, run `prepare` with sh(1), write `files`,
/// run `script`, and let it shut down.
#[derive(Debug)]
pub struct Provisioning<'a> {
    /// The raw disk, to be written to.
    pub disk: &'a Path,
    /// Makes the directories that the files are put into.
    pub prepare: String,
    /// Our files.
    pub files: Vec<GuestFile>,
    /// Script that gives them their modes and does the rest once they are there.
    pub script: String,
}

/// The guest's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// Kernel of the image.
    pub kernel: KernelInfo,
    /// `kern.osreldate`.
    pub freebsd_version: u32,
}

/// The image made of a ready VM image, from the cache or made now. `boot` does what a [`Provisioning`] says; whatever
/// it did not finish leaves nothing behind.
///
/// # Errors
/// [`ImageError`]; what `boot` gives is passed on.
pub fn provision(
    source: &VmImageDir,
    options: &BuildOptions,
    cache: &Cache,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
    boot: &mut dyn FnMut(&Provisioning<'_>) -> Result<Provisioned, ImageError>,
) -> Result<Image, ImageError> {
    let key = key(source, options)?;
    let bytes = source.bytes()?;
    let needed = || Ok(bytes * SPACE_FACTOR);
    cache.find_or_make(&key, cancel, progress, needed, |dir, progress| {
        let stop = &cancel.child_token();
        progress(Progress { stage: Stage::VerifyImage, bytes_done: 0, bytes_total: bytes });
        let digests = source.verify(stop)?;
        let disk = dir.join(image::DISK);
        source.unpack(&disk, stop, &mut |bytes_done| {
            progress(Progress {
                stage: Stage::Unpack,
                bytes_done: bytes_done.min(bytes),
                bytes_total: bytes,
            });
        })?;
        progress(Progress { stage: Stage::Provision, bytes_done: 0, bytes_total: 0 });
        let files = config::files(options);
        let provisioning = Provisioning {
            disk: &disk,
            prepare: config::prepare(&files),
            script: config::script(&files, options),
            files,
        };
        let Provisioned { kernel, freebsd_version } = boot(&provisioning)?;
        let info = ImageInfo {
            schema: SCHEMA,
            release: source.name.clone(),
            freebsd_version: Some(freebsd_version),
            kernel,
            stock_rc: options.stock_rc,
            modules: options.module_names().into_iter().map(str::to_owned).collect(),
            loader_module: None,
            inputs: vec![Input { file: source.file.clone(), sha256: digests.sha256, bytes: digests.bytes }],
            disk_sha256: Sha256::of_file(&disk, stop)?,
            disk_bytes: fs::metadata(&disk).map_err(|error| ImageError::io("read", &disk, error))?.len(),
            base: None,
        };
        info.write(dir)?;
        Ok(info)
    })
}

/// Digest of everything that goes into an image.
fn key(source: &VmImageDir, options: &BuildOptions) -> Result<Sha256, ImageError> {
    let BuildOptions { stock_rc, modules: _, demanded: _, loader_module: _, free_mib: _, makefs: _ } =
        options;
    let mut hasher = sha2::Sha256::new();
    hasher.update(format!("nlproof-image from a vm image {PROVISIONER} {SCHEMA}\n{}\n", source.name));
    hasher.update(format!("{} {}\nstock_rc {stock_rc}\n", source.file, source.digest));
    hasher.update(format!("modules {:?}\n", options.module_names()));
    config::version(&mut hasher);
    Ok(Sha256(hasher.finalize().into()))
}
