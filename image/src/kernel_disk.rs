// SPDX-License-Identifier: BSD-2-Clause
//! The small disk that boots a kernel of one's own over the image of a release.
//!
//! The BIOS boots from it; its /boot is that of the release, with the other kernel and the modules beside that. The root
//! file system is the release's image, which stays as it is: another kernel costs only this disk. In the guest it is
//! mounted on /boot, for modules that are loaded later, and for dtrace(1). There the root of its file system is seen, which
//! therefore has a symbolic link to everything in its own /boot.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
};

use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{
    build::filesystem,
    cache::Cache,
    config,
    digest::Sha256,
    disk,
    error::ImageError,
    extract::{self, Archive},
    image::{self, Image, ImageInfo, Input, SCHEMA},
    modules,
    options::{BuildOptions, Progress, Stage},
    own_kernel::{OwnKernel, OwnModule},
    path::TreePath,
    release::{BASE, ReleaseDir},
    skip,
    tree::{Kind, Meta, Tree, TreeError},
};

/// Version of the builder. Raise it when the same inputs give other bytes than before.
const BUILDER: u32 = 3;

/// Free space in the kernel's file system, in MiB: makefs(8) gives a small one too little for its own tables.
const FREE_MIB: u32 = 1;

/// GPT label of the partition with the kernel.
pub const KERNEL_LABEL: &str = "nlproof-kernel";
const LABELS: [&str; 2] = ["nlproof-kernel-boot", KERNEL_LABEL];

/// The kernel and the image that it is to run over.
#[derive(Debug, Clone, Copy)]
pub struct Over<'a> {
    /// Name of the result: that of a cell's release.
    pub name: &'a str,
    /// The kernel.
    pub kernel: &'a OwnKernel,
    /// The release whose userland it gets.
    pub release: &'a ReleaseDir,
    /// Image of that release.
    pub base: &'a Image,
}

/// The disk with the kernel, from the cache or made now.
///
/// # Errors
/// [`ImageError`]; on any error nothing of the disk remains.
pub fn kernel_disk(
    over: &Over<'_>,
    options: &BuildOptions,
    cache: &Cache,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<Image, ImageError> {
    let modules = over.kernel.modules_for(&options.module_names(), &options.demanded)?;
    let base = over.base.key();
    let key = key(over, &base, &modules, options);
    // makefs and the copy into the disk: three times at most.
    let bytes: u64 = modules.iter().map(|module| module.bytes.len() as u64).sum();
    let needed = || Ok(4 * (fs::metadata(&over.kernel.file).map_or(0, |data| data.len()) + bytes));
    cache.find_or_make(&key, cancel, progress, needed, |dir, progress| {
        let stop = &cancel.child_token();
        let boot = boot_files(over.release, cache, stop, progress)?;
        progress(Progress { stage: Stage::OwnKernel, bytes_done: 0, bytes_total: 0 });
        let tree = tree(over, &modules, &boot, options, dir)?;
        assemble(over, tree, &key, options, dir, stop)?;
        let info = info(over, base, &modules, options, dir, stop)?;
        info.write(dir)?;
        Ok(info)
    })
}

fn key(over: &Over<'_>, base: &str, modules: &[OwnModule], options: &BuildOptions) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    let Over { name, kernel, .. } = over;
    hasher.update(format!("nlproof-kernel {BUILDER} {SCHEMA}\n{name}\n{base}\n"));
    hasher.update(format!("kernel {}\n", kernel.info.sha256));
    for module in modules {
        hasher.update(format!("{} {}\n", module.name, Sha256::of(&module.bytes)));
    }
    hasher.update(format!("modules {:?}\n", options.module_names()));
    config::version(&mut hasher);
    skip::version(&mut hasher);
    Sha256(hasher.finalize().into())
}

/// The files in /boot of the release beside its kernel, unpacked once, because base.txz has to be read to its end for
/// them.
fn boot_files(
    release: &ReleaseDir,
    cache: &Cache,
    stop: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, ImageError> {
    let expected = release.entry(BASE)?.sha256;
    let directory = cache.boot_files();
    let place = directory.join(expected.to_string());
    if place.is_dir() {
        return Ok(place);
    }
    progress(Progress { stage: Stage::Base, bytes_done: 0, bytes_total: 0 });
    fs::create_dir_all(&directory).map_err(|error| ImageError::io("create", &directory, error))?;
    let work = directory.join(format!("{expected}.{}.partial", std::process::id()));
    fs::remove_dir_all(&work).ok();
    let path = release.path.join(BASE);
    let wanted =
        |path: &TreePath| path.is_under("boot") && !path.is_under("boot/kernel") && skip::is_wanted(path);
    let archive = Archive { path: &path, expected, wanted: &wanted };
    let threads =
        std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let unpacked = Tree::create(work.clone())
        .and_then(|mut tree| extract::extract(&archive, &mut tree, threads, &AtomicU64::new(0), stop))
        .and_then(|()| {
            let moved = fs::rename(&work, &place);
            // Who comes second finds it there.
            moved
                .or_else(|error| if place.is_dir() { Ok(()) } else { Err(error) })
                .map_err(|error| ImageError::io("create", &place, error))
        });
    fs::remove_dir_all(&work).ok();
    unpacked.map(|()| place)
}

fn tree(
    over: &Over<'_>,
    modules: &[OwnModule],
    boot: &Path,
    options: &BuildOptions,
    dir: &Path,
) -> Result<Tree, ImageError> {
    let mut tree = Tree::create(dir.join("root"))?;
    copy(boot, "", &mut tree)?;
    let mut write = |path: &str, mode: u32, bytes: &[u8]| put(&mut tree, path, mode, bytes);
    write("boot/kernel/kernel", 0o555, &over.kernel.bytes()?)?;
    for module in modules {
        write(&format!("boot/kernel/{}.ko", module.name), 0o555, &module.bytes)?;
    }
    let to_load = modules::to_load(&tree, options.module_names())?;
    for (path, mode, contents) in config::boot_files(&to_load) {
        put(&mut tree, path, mode, &contents)?;
    }
    // A file /boot/boot, which is boot code, has to go without one.
    for name in children(&tree, "boot").into_iter().filter(|name| name != "boot") {
        let path = place(&name)?;
        tree.symlink(path, Meta::ours(0o777), format!("boot/{name}").as_bytes()).map_err(refused)?;
    }
    Ok(tree)
}

/// The names directly in a directory of the tree.
fn children(tree: &Tree, directory: &'static str) -> Vec<String> {
    let directory = TreePath::known(directory);
    let paths = tree.nodes().map(|(path, ..)| path).filter(|path| path.parent().as_ref() == Some(&directory));
    paths.filter_map(|path| String::from_utf8(path.name().to_vec()).ok()).collect()
}

fn put(tree: &mut Tree, path: &str, mode: u32, bytes: &[u8]) -> Result<(), ImageError> {
    tree.write(place(path)?, Meta::ours(mode), bytes).map_err(refused)
}

fn place(path: &str) -> Result<TreePath, ImageError> {
    TreePath::from_archive(path.as_bytes()).map_err(|reason| refused(TreeError::Refused(reason.to_owned())))
}

fn refused(error: TreeError) -> ImageError {
    match error {
        TreeError::Image(error) => error,
        TreeError::Refused(reason) => ImageError::Unusable {
            release: "the release".to_owned(),
            archive: BASE,
            file: "boot",
            reason: format!("the kernel's disk cannot have it: {reason}"),
        },
    }
}

/// Copies files and directories of the host into the tree.
fn copy(from: &Path, to: &str, tree: &mut Tree) -> Result<(), ImageError> {
    let read = |error| ImageError::io("read", from, error);
    let entries: Result<Vec<_>, _> = fs::read_dir(from).map_err(read)?.collect();
    let mut entries = entries.map_err(read)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, inside) = (entry.path(), if to.is_empty() { name } else { format!("{to}/{name}") });
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() {
            tree.dir(place(&inside)?, Meta::ours(0o755)).map_err(refused)?;
            copy(&path, &inside, tree)?;
        } else if kind.is_file() {
            let bytes = fs::read(&path).map_err(|error| ImageError::io("read", &path, error))?;
            put(tree, &inside, 0o555, &bytes)?;
        }
    }
    Ok(())
}

fn assemble(
    over: &Over<'_>,
    tree: Tree,
    key: &Sha256,
    options: &BuildOptions,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<(), ImageError> {
    let code = |file: &'static str| {
        let reason = || ImageError::Unusable {
            release: over.release.name.clone(),
            archive: BASE,
            file,
            reason: "the BIOS boots through it".to_owned(),
        };
        let path = tree.file(file).ok_or_else(reason)?;
        fs::read(&path).map_err(|error| ImageError::io("read", &path, error))
    };
    let (pmbr, gptboot) = (code("boot/pmbr")?, code("boot/gptboot")?);
    debug_assert!(matches!(tree.kind(&TreePath::known("boot/kernel")), Some(Kind::Dir)));
    let root = dir.join("root.ufs");
    filesystem(
        &tree,
        &root,
        dir,
        &BuildOptions { free_mib: FREE_MIB, ..options.clone() },
        stop,
        &mut |_| (),
    )?;
    let parts = disk::Parts {
        pmbr: &pmbr,
        gptboot: &gptboot,
        root: &root,
        labels: LABELS,
        size: disk::Size::Fitting,
        seed: key,
    };
    disk::assemble(&dir.join(image::DISK), &parts, stop, |_| ())?;
    fs::remove_file(&root).map_err(|error| ImageError::io("remove", &root, error))?;
    fs::remove_dir_all(tree.root()).map_err(|error| ImageError::io("remove", tree.root(), error))
}

fn info(
    over: &Over<'_>,
    base: String,
    modules: &[OwnModule],
    options: &BuildOptions,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<ImageInfo, ImageError> {
    let size = |path: &Path| {
        fs::metadata(path).map(|data| data.len()).map_err(|error| ImageError::io("read", path, error))
    };
    let kernel = &over.kernel;
    let file = Input { file: "kernel".to_owned(), sha256: kernel.info.sha256, bytes: size(&kernel.file)? };
    let others = modules.iter().map(|module| Input {
        file: format!("{}.ko", module.name),
        sha256: Sha256::of(&module.bytes),
        bytes: module.bytes.len() as u64,
    });
    Ok(ImageInfo {
        schema: SCHEMA,
        release: over.name.to_owned(),
        freebsd_version: Some(kernel.osreldate),
        kernel: kernel.info.clone(),
        stock_rc: options.stock_rc,
        modules: options.module_names().into_iter().map(str::to_owned).collect(),
        loader_module: None,
        inputs: std::iter::once(file).chain(others).collect(),
        disk_sha256: Sha256::of_file(&dir.join(image::DISK), stop)?,
        disk_bytes: size(&dir.join(image::DISK))?,
        base: Some(base),
    })
}
