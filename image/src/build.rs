// SPDX-License-Identifier: BSD-2-Clause
//! From a release to an image: the stages in their order.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use nlproof_base::counted;
use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{
    cache::Cache,
    config,
    digest::Sha256,
    disk,
    error::ImageError,
    extract::{self, Archive},
    image::{self, Image, ImageInfo, Input, SCHEMA},
    kernel::{self, KernelInfo},
    loader_module::LoaderModule,
    makefs, modules, mtree,
    options::{BuildOptions, Progress, Stage},
    path::TreePath,
    release::{BASE, KERNEL, ReleaseDir},
    skip, space, superblock,
    tree::{Tree, TreeError},
};

/// Version of the builder. Raise it when the same inputs give other bytes than before, unless only a
/// table in `config` or `skip` changed.
const BUILDER: u32 = 4;

/// How often progress of the two extractions is reported.
const TICK: Duration = Duration::from_millis(100);

/// Room that a build needs, as a multiple of the compressed archives: xz makes FreeBSD's archives
/// five to six times smaller, the guest gets half of what is in them, and it is there twice, as
/// files and as a file system.
const SPACE_FACTOR: u64 = 6;

/// The image of `release`, from the cache or built now.
///
/// `progress` is called from this thread alone. `cancel` may be raised by any thread, for instance by
/// the one that handles Ctrl-C; the build then ends within a fraction of a second.
///
/// # Errors
/// [`ImageError`]; on any error nothing of the image remains.
pub fn build(
    release: &ReleaseDir,
    options: &BuildOptions,
    cache: &Cache,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<Image, ImageError> {
    let key = key(release, options)?;
    let needed = || needed_bytes(release, options);
    cache.find_or_make(&key, cancel, progress, needed, |dir, progress| {
        let stop = &cancel.child_token();
        Build { release, options, dir, stop, progress }.run(&key)
    })
}

/// Digest of everything that goes into an image.
fn key(release: &ReleaseDir, options: &BuildOptions) -> Result<Sha256, ImageError> {
    let BuildOptions { stock_rc, modules: _, demanded: _, loader_module, free_mib, makefs: _ } = options;
    let mut hasher = sha2::Sha256::new();
    hasher.update(format!("nlproof-image {BUILDER} {SCHEMA}\n{}\n", release.name));
    for file in [BASE, KERNEL] {
        hasher.update(format!("{file} {}\n", release.entry(file)?.sha256));
    }
    hasher.update(format!("stock_rc {stock_rc} free_mib {free_mib}\n"));
    hasher.update(format!("modules {:?}\n", options.module_names()));
    if let Some(module) = loader_module {
        hasher.update(format!("loader {} {}\n{}", module.name, Sha256::of(&module.bytes), module.settings));
    }
    config::version(&mut hasher);
    skip::version(&mut hasher);
    Ok(Sha256(hasher.finalize().into()))
}

fn needed_bytes(release: &ReleaseDir, options: &BuildOptions) -> Result<u64, ImageError> {
    let archives = size(&release.path.join(BASE))? + size(&release.path.join(KERNEL))?;
    Ok(archives * SPACE_FACTOR + (u64::from(options.free_mib) << 20))
}

fn size(path: &Path) -> Result<u64, ImageError> {
    fs::metadata(path).map(|data| data.len()).map_err(|error| ImageError::io("read", path, error))
}

/// A build in progress.
pub(crate) struct Build<'a> {
    pub(crate) release: &'a ReleaseDir,
    pub(crate) options: &'a BuildOptions,
    /// Directory in which the image is made.
    pub(crate) dir: &'a Path,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) progress: &'a mut dyn FnMut(Progress),
}

impl Build<'_> {
    fn run(&mut self, key: &Sha256) -> Result<ImageInfo, ImageError> {
        let mut tree = self.extract(&skip::is_wanted)?;
        let pmbr = self.boot_code(&tree, "boot/pmbr", disk::PMBR_MIN, 512)?;
        let gptboot = self.boot_code(&tree, "boot/gptboot", 1, disk::GPTBOOT_MAX)?;
        for (file, reason) in config::NEEDED {
            if tree.file(file).is_none() {
                return Err(self.unusable(BASE, file, reason));
            }
        }
        let Some(kernel_file) = tree.file("boot/kernel/kernel") else {
            return Err(self.unusable(KERNEL, "boot/kernel/kernel", "the loader starts it"));
        };
        let (kernel, osreldate) =
            KernelInfo::of_file(&kernel_file).map_err(|error| ImageError::io("read", &kernel_file, error))?;
        // The header is userland's and may be of another release than the kernel, or absent in a slim base.
        let freebsd_version = osreldate.or_else(|| {
            let text = fs::read_to_string(tree.file("usr/include/sys/param.h")?).ok()?;
            kernel::freebsd_version(&text)
        });

        self.report(Stage::Configure, 0, 1);
        modules::demand(&tree, &self.release.name, &self.options.demanded)?;
        modules::prune(&mut tree, &self.options.modules)?;
        config::configure(&mut tree, self.options)?;
        self.report(Stage::Configure, 1, 1);

        let root = self.dir.join("root.ufs");
        filesystem(&tree, &root, self.dir, self.options, self.stop, self.progress)?;
        remove_dir(tree.root())?;
        let parts = disk::Parts {
            pmbr: &pmbr,
            gptboot: &gptboot,
            root: &root,
            labels: disk::LABELS,
            size: disk::Size::Fitting,
            seed: key,
        };
        let disk_bytes = self.assemble(&parts)?;
        fs::remove_file(&root).map_err(|error| ImageError::io("remove", &root, error))?;

        let info = ImageInfo {
            schema: SCHEMA,
            release: self.release.name.clone(),
            freebsd_version,
            kernel,
            stock_rc: self.options.stock_rc,
            modules: self.options.module_names().into_iter().map(str::to_owned).collect(),
            loader_module: self.options.loader_module.as_ref().map(LoaderModule::input),
            inputs: self.inputs()?,
            disk_sha256: Sha256::of_file(&self.dir.join(image::DISK), self.stop)?,
            disk_bytes,
            base: None,
        };
        info.write(self.dir)?;
        Ok(info)
    }

    /// Both archives at once, each into a tree of its own: what the result holds does not depend on
    /// which is faster.
    pub(crate) fn extract(
        &mut self,
        wanted: &(dyn Fn(&TreePath) -> bool + Sync),
    ) -> Result<Tree, ImageError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = u32::try_from(cores).unwrap_or(1);
        let jobs = [(Stage::Base, BASE, "root", threads), (Stage::Kernel, KERNEL, "kernel", 1)];
        let (release, dir, stop) = (self.release, self.dir, self.stop);
        let done = [AtomicU64::new(0), AtomicU64::new(0)];
        let mut totals = [0; 2];
        for (total, (_, file, ..)) in totals.iter_mut().zip(&jobs) {
            *total = size(&release.path.join(file))?;
        }

        let results = thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for (index, (_, file, name, threads)) in jobs.iter().enumerate() {
                let (sender, done) = (sender.clone(), &done[index]);
                scope.spawn(move || {
                    let extract = || {
                        let path = release.path.join(file);
                        let expected = release.entry(file)?.sha256;
                        let archive = Archive { path: &path, expected, wanted };
                        let mut tree = Tree::create(dir.join(name))?;
                        extract::extract(&archive, &mut tree, *threads, done, stop)?;
                        Ok(tree)
                    };
                    let result = extract();
                    if result.is_err() {
                        stop.cancel();
                    }
                    // The receiver waits for both; should it be gone, nobody wants the result.
                    sender.send((index, result)).ok();
                });
            }
            drop(sender);
            let mut results = Vec::new();
            loop {
                let received = receiver.recv_timeout(TICK);
                for ((stage, ..), (done, total)) in jobs.iter().zip(done.iter().zip(totals)) {
                    self.report(*stage, done.load(Ordering::Relaxed).min(total), total);
                }
                match received {
                    Ok(result) => results.push(result),
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break results,
                }
            }
        });
        let mut trees = ordered(results)?.into_iter();
        let (Some(mut tree), Some(kernel)) = (trees.next(), trees.next()) else {
            return Err(ImageError::Cancelled);
        };
        tree.absorb(kernel).map_err(|error| match error {
            TreeError::Image(error) => error,
            TreeError::Refused(reason) => self.unusable(KERNEL, "boot/kernel", &reason),
        })?;
        Ok(tree)
    }

    pub(crate) fn boot_code(
        &self,
        tree: &Tree,
        file: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Vec<u8>, ImageError> {
        let path = tree.file(file).ok_or_else(|| self.unusable(BASE, file, "the BIOS boots through it"))?;
        let length = size(&path)?;
        if !(least..=most).contains(&length) {
            let reason = format!("it has {}, expected {least} to {most}", counted(length, "byte"));
            return Err(self.unusable(BASE, file, &reason));
        }
        fs::read(&path).map_err(|error| ImageError::io("read", &path, error))
    }

    pub(crate) fn assemble(&mut self, parts: &disk::Parts<'_>) -> Result<u64, ImageError> {
        let total = size(parts.root)?;
        let data = fs::metadata(parts.root).map_err(|error| ImageError::io("read", parts.root, error))?;
        space::require(self.dir, data.blocks() * 512)?;
        let (stop, progress) = (self.stop, &mut *self.progress);
        disk::assemble(&self.dir.join(image::DISK), parts, stop, |bytes_done| {
            progress(Progress { stage: Stage::Assemble, bytes_done, bytes_total: total });
        })
    }

    pub(crate) fn inputs(&self) -> Result<Vec<Input>, ImageError> {
        let input = |file: &'static str| {
            let sha256 = self.release.entry(file)?.sha256;
            Ok(Input { file: file.to_owned(), sha256, bytes: size(&self.release.path.join(file))? })
        };
        [BASE, KERNEL].into_iter().map(input).collect()
    }

    pub(crate) fn unusable(&self, archive: &'static str, file: &'static str, reason: &str) -> ImageError {
        let release = self.release.name.clone();
        ImageError::Unusable { release, archive, file, reason: reason.to_owned() }
    }

    pub(crate) fn report(&mut self, stage: Stage, bytes_done: u64, bytes_total: u64) {
        (self.progress)(Progress { stage, bytes_done, bytes_total });
    }
}

/// Makes the tree a file system, `image`; `dir` is where the image comes to be.
pub(crate) fn filesystem(
    tree: &Tree,
    image: &Path,
    dir: &Path,
    options: &BuildOptions,
    stop: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ImageError> {
    let spec = dir.join("root.mtree");
    fs::write(&spec, mtree::specification(tree)).map_err(|error| ImageError::io("write", &spec, error))?;
    let free = u64::from(options.free_mib) << 20;
    let bytes = tree.bytes(makefs::FRAGMENT)?;
    let total = bytes + free;
    space::require(dir, total)?;
    let log = dir.join("makefs.log");
    let job = makefs::Job {
        program: options.makefs.as_deref(),
        root: tree.root(),
        spec: &spec,
        image,
        log: &log,
        nodes: tree.nodes().count() as u64,
        bytes,
        free,
        latest: tree.nodes().map(|(_, _, meta)| meta.mtime).max().unwrap_or(0),
    };
    progress(Progress { stage: Stage::Filesystem, bytes_done: 0, bytes_total: total });
    makefs::run(&job, stop, |bytes_done| {
        let bytes_done = bytes_done.min(total);
        progress(Progress { stage: Stage::Filesystem, bytes_done, bytes_total: total });
    })?;
    let opened = fs::OpenOptions::new().read(true).write(true).open(image);
    opened
        .and_then(|file| superblock::clear_pointers(&file))
        .map_err(|error| ImageError::io("finish", image, error))?;
    for file in [spec, log] {
        fs::remove_file(&file).map_err(|error| ImageError::io("remove", &file, error))?;
    }
    progress(Progress { stage: Stage::Filesystem, bytes_done: total, bytes_total: total });
    Ok(())
}

/// The results in the order of the archives. Of several errors, the one that made the others give up.
fn ordered(mut results: Vec<(usize, Result<Tree, ImageError>)>) -> Result<Vec<Tree>, ImageError> {
    results.sort_by_key(|(index, _)| *index);
    let cause = results
        .iter()
        .position(|(_, result)| result.as_ref().is_err_and(|error| !matches!(error, ImageError::Cancelled)));
    if let Some(cause) = cause {
        results.swap(0, cause);
    }
    results.into_iter().map(|(_, result)| result).collect()
}

fn remove_dir(path: &Path) -> Result<(), ImageError> {
    fs::remove_dir_all(path).map_err(|error| ImageError::io("remove", path, error))
}
