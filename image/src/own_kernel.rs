// SPDX-License-Identifier: BSD-2-Clause
//! A kernel of one's own: the result of `make installkernel`, a `kernel.txz`, or one kernel file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::BufReader,
    path::{Component, Path, PathBuf},
};

use liblzma::read::XzDecoder;
use nlproof_base::{Limit, counted, read};
use object::{Architecture, BinaryFormat, Object as _};

use crate::{
    digest::Sha256,
    error::ImageError,
    kernel::{self, KernelInfo},
    modules,
    tree::make_dir,
    unpack::{UnpackError, UnpackLimits, each_entry},
};

/// Where the kernel and its modules stand in a `kernel.txz`, and below the directory that one was unpacked into.
const INSTALLED: &str = "boot/kernel";
/// The kernel's file among its modules.
const KERNEL: &str = "kernel";
const MODULE: &str = ".ko";

/// A kernel that somebody has built, with the modules beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKernel {
    /// What the user named.
    pub path: PathBuf,
    /// The kernel file.
    pub file: PathBuf,
    /// The modules beside it, by name.
    pub modules: BTreeMap<String, PathBuf>,
    /// Version string and digest.
    pub info: KernelInfo,
    /// `kern.osreldate` of it.
    pub osreldate: u32,
    /// `kern.osrelease` of it, such as `14.0-STABLE`.
    pub osrelease: String,
    /// The name of its configuration, such as `GENERIC`.
    pub ident: String,
    /// The git revision that its version string names, with `-dirty` behind it where the tree was changed.
    pub revision: Option<String>,
}

/// A module that a guest gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnModule {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl OwnKernel {
    /// Looks at a directory with `kernel` and `*.ko` (or with `boot/kernel`, as `kernel.txz` unpacks), at a `kernel.txz`,
    /// which is unpacked into `cache`, or at a kernel file.
    ///
    /// # Errors
    /// [`ImageError::OwnKernel`] with the remedy, [`ImageError::Read`] for what cannot be read.
    pub fn open(path: &Path, cache: &Path) -> Result<Self, ImageError> {
        let data = fs::metadata(path).map_err(|error| {
            refused(
                path,
                format!("cannot be read: {error}"),
                "name a directory with `kernel` in it, a kernel.txz, or a kernel file",
            )
        })?;
        let (file, modules) = if data.is_dir() {
            in_directory(path)?
        } else if is_archive(path)? {
            in_directory(&unpacked(path, cache)?)?
        } else {
            (path.to_owned(), BTreeMap::new())
        };
        let bytes = read(&file, Limit::OBJECT).map_err(|error| ImageError::read(&file, error))?;
        let facts = Facts::of(&file, &bytes)?;
        let info = KernelInfo { version: facts.version, sha256: Sha256::of(&bytes) };
        Ok(Self {
            path: path.to_owned(),
            file,
            modules,
            revision: kernel::revision(&info.version),
            info,
            osreldate: facts.osreldate,
            osrelease: facts.osrelease,
            ident: facts.ident,
        })
    }

    /// The modules that a guest gets of it: those wanted that are there, what they depend on, and what makes it a guest.
    ///
    /// # Errors
    /// [`ImageError::OwnKernel`] for one that this kernel would not load, [`ImageError::NoModule`] for one of `demanded`
    /// that is neither there nor in the kernel.
    pub(crate) fn modules_for(
        &self,
        wanted: &BTreeSet<&str>,
        demanded: &[String],
    ) -> Result<Vec<OwnModule>, ImageError> {
        let mut missing = demanded.iter().filter(|name| !self.modules.contains_key(*name)).peekable();
        if missing.peek().is_some() {
            let built_in = modules::built_in(&self.bytes()?);
            if let Some(module) = missing.find(|name| !built_in.contains(*name)) {
                return Err(ImageError::NoModule {
                    release: self.path.display().to_string(),
                    module: module.clone(),
                    known: self.modules.keys().cloned().collect(),
                });
            }
        }
        let mut open: Vec<String> = wanted
            .iter()
            .map(|name| (*name).to_owned())
            .chain(modules::always().map(str::to_owned))
            .collect();
        let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        while let Some(name) = open.pop() {
            let Some(path) = self.modules.get(&name).filter(|_| !found.contains_key(&name)) else { continue };
            let bytes = read(path, Limit::OBJECT).map_err(|error| ImageError::read(path, error))?;
            self.demand_loadable(path, &bytes)?;
            open.extend(modules::dependencies(&bytes));
            found.insert(name, bytes);
        }
        Ok(found.into_iter().map(|(name, bytes)| OwnModule { name, bytes }).collect())
    }

    /// The kernel file's bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, ImageError> {
        read(&self.file, Limit::OBJECT).map_err(|error| ImageError::read(&self.file, error))
    }

    /// The objection that kldload(8) would raise, before anything is booted.
    fn demand_loadable(&self, path: &Path, module: &[u8]) -> Result<(), ImageError> {
        match modules::kernels(module) {
            Some((least, most)) if !(least..=most).contains(&self.osreldate) => Err(refused(
                path,
                format!(
                    "is a module for kernels of osreldate {least} to {most}; the kernel beside it is {} ({}), which would not load it",
                    self.osreldate, self.osrelease
                ),
                "install kernel and modules of one build into the directory: make installkernel DESTDIR=...",
            )),
            _ => Ok(()),
        }
    }
}

fn refused(path: &Path, reason: String, remedy: &'static str) -> ImageError {
    ImageError::OwnKernel { path: path.to_owned(), reason, remedy }
}

/// A kernel file's description of itself.
struct Facts {
    version: String,
    osreldate: u32,
    osrelease: String,
    ident: String,
}

impl Facts {
    fn of(path: &Path, bytes: &[u8]) -> Result<Self, ImageError> {
        let file = object::File::parse(bytes).ok().filter(|file| file.format() == BinaryFormat::Elf);
        let Some(file) = file else {
            let size = counted(bytes.len(), "byte");
            return Err(refused(
                path,
                format!("is no kernel: not an ELF file ({size})"),
                "name the directory that make installkernel wrote, a kernel.txz, or the file `kernel` itself",
            ));
        };
        if file.architecture() != Architecture::X86_64 {
            return Err(refused(
                path,
                format!("is for another machine ({:?})", file.architecture()),
                "guests are amd64: build with TARGET=amd64 TARGET_ARCH=amd64",
            ));
        }
        let version = kernel::version(bytes);
        let (Some(version), Some(osreldate)) = (version, kernel::osreldate(bytes)) else {
            return Err(refused(
                path,
                "is no FreeBSD kernel: it has no version string and variable osreldate".to_owned(),
                "name a kernel that is not stripped; modules (*.ko) and programs are none",
            ));
        };
        // Both stand in the same file as osreldate (sys/conf/newvers.sh).
        let osrelease = kernel::text_of(bytes, "osrelease")
            .or_else(|| version.strip_prefix("FreeBSD ")?.split_whitespace().next().map(str::to_owned));
        let osrelease = osrelease.unwrap_or_else(|| "FreeBSD".to_owned());
        let ident = kernel::text_of(bytes, "kern_ident").unwrap_or_else(|| "unnamed".to_owned());
        Ok(Self { version, osreldate, osrelease, ident })
    }
}

fn in_directory(path: &Path) -> Result<(PathBuf, BTreeMap<String, PathBuf>), ImageError> {
    let Some(directory) =
        [path.to_owned(), path.join(INSTALLED)].into_iter().find(|dir| dir.join(KERNEL).is_file())
    else {
        return Err(refused(
            path,
            "has no `kernel` in it, nor boot/kernel/kernel".to_owned(),
            "name what make installkernel wrote (DESTDIR/boot/kernel), or a directory that kernel.txz was unpacked into",
        ));
    };
    let entries = fs::read_dir(&directory).map_err(|error| ImageError::io("read", &directory, error))?;
    let mut modules = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| ImageError::io("read", &directory, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(MODULE));
        if let Some(name) = name.filter(|name| modules::is_name(name) && path.is_file()) {
            modules.insert(name.to_owned(), path.clone());
        }
    }
    Ok((directory.join(KERNEL), modules))
}

/// Whether a file is compressed with xz, as `kernel.txz` is.
fn is_archive(path: &Path) -> Result<bool, ImageError> {
    const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
    use std::io::Read as _;
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| ImageError::io("read", path, error))?;
    file.take(MAGIC.len() as u64)
        .read_to_end(&mut head)
        .map_err(|error| ImageError::io("read", path, error))?;
    Ok(head == MAGIC)
}

/// The directory that the archive is unpacked into: once, under its digest.
fn unpacked(archive: &Path, cache: &Path) -> Result<PathBuf, ImageError> {
    let bytes = read(archive, Limit::OBJECT).map_err(|error| ImageError::read(archive, error))?;
    let digest = Sha256::of(&bytes);
    let place = cache.join(format!("kernel-{digest}"));
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(cache).map_err(|error| ImageError::io("create", cache, error))?;
    let work = cache.join(format!("kernel-{digest}.{}.partial", std::process::id()));
    fs::remove_dir_all(&work).ok();
    make_dir(&work)?;
    let result = unpack(archive, &work).and_then(|()| {
        // Who comes second finds it there.
        fs::rename(&work, &place)
            .or_else(|error| if place.is_dir() { Ok(()) } else { Err(error) })
            .map_err(|error| ImageError::io("create", &place, error))
    });
    fs::remove_dir_all(&work).ok();
    result.map(|()| place)
}

fn unpack(archive: &Path, directory: &Path) -> Result<(), ImageError> {
    let file = File::open(archive).map_err(|error| ImageError::io("read", archive, error))?;
    let unpacked = each_entry(XzDecoder::new(BufReader::new(file)), UnpackLimits::RELEASE, |entry| {
        let path = entry.path()?.into_owned();
        let path = path.strip_prefix(".").unwrap_or(&path);
        let Ok(inside) = path.strip_prefix(INSTALLED) else { return Ok(()) };
        let mut parts = inside.components();
        let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else { return Ok(()) };
        let wanted = name == KERNEL || name.to_str().is_some_and(|name| name.ends_with(MODULE));
        if wanted && entry.header().entry_type().is_file() {
            std::io::copy(entry, &mut File::create(directory.join(name))?)?;
        }
        Ok::<_, std::io::Error>(())
    });
    unpacked.map_err(|error| {
        let reason = match error {
            UnpackError::Read(error) | UnpackError::Entry { error, .. } => error.to_string(),
            UnpackError::TooMuch { name, cause } => format!("{}: {cause}", name.escape_ascii()),
        };
        refused(archive, format!("cannot be unpacked: {reason}"), "fetch or pack the archive again")
    })
}

#[cfg(test)]
#[path = "../../tests/support/kernel.rs"]
mod kernel_file;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::tests::module_for;

    fn synthetic(osreldate: u32, osrelease: &str, revision: &str) -> Vec<u8> {
        kernel_file::kernel(Architecture::X86_64, osreldate, osrelease, revision)
    }

    fn message(path: &Path, cache: &Path) -> String {
        OwnKernel::open(path, cache).unwrap_err().to_string()
    }

    #[test]
    fn a_directory_an_unpacked_archive_and_a_file_are_kernels() {
        let dir = tempfile::tempdir().unwrap();
        let (bytes, installed) = (
            synthetic(1_400_507, "14.0-STABLE", "stable/14-n1-77205dbc1397-dirty"),
            dir.path().join("a/boot/kernel"),
        );
        fs::create_dir_all(&installed).unwrap();
        fs::write(installed.join("kernel"), &bytes).unwrap();
        fs::write(installed.join("if_epair.ko"), module_for(&["kernel"], (1_400_500, 1_499_999))).unwrap();
        fs::write(installed.join("linker.hints"), "").unwrap();
        for (path, modules) in
            [(dir.path().join("a"), 1), (installed.clone(), 1), (installed.join("kernel"), 0)]
        {
            let kernel = OwnKernel::open(&path, dir.path()).unwrap();
            assert_eq!((kernel.osreldate, kernel.osrelease.as_str()), (1_400_507, "14.0-STABLE"));
            assert_eq!((kernel.ident.as_str(), kernel.modules.len()), ("GENERIC", modules));
            assert_eq!(kernel.revision.as_deref(), Some("77205dbc1397-dirty"));
            assert_eq!(kernel.info.sha256, Sha256::of(&bytes));
        }
    }

    #[test]
    fn an_archive_is_unpacked_once() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("kernel.txz");
        let mut tar = tar::Builder::new(liblzma::write::XzEncoder::new(File::create(&archive).unwrap(), 0));
        let kernel = synthetic(1_500_068, "15.0-RELEASE", "x");
        for (name, bytes) in
            [("./boot/kernel/kernel", &kernel[..]), ("./boot/kernel/if_x.ko", b"m"), ("./etc/x", b"")]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o555);
            tar.append_data(&mut header, name, bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        let cache = dir.path().join("cache");
        let first = OwnKernel::open(&archive, &cache).unwrap();
        assert_eq!((first.osreldate, first.modules.len()), (1_500_068, 1));
        assert_eq!(OwnKernel::open(&archive, &cache).unwrap(), first);
        let names: Vec<_> = fs::read_dir(&cache).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn what_is_no_kernel_is_refused_with_cause_and_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        let message = |name: &str| message(&at(name), dir.path());
        for part in ["empty: has no `kernel` in it, nor boot/kernel/kernel", "make installkernel"] {
            assert!(message("empty").contains(part), "{}", message("empty"));
        }
        assert!(message("absent").contains("cannot be read"), "{}", message("absent"));
        fs::write(at("text"), "kernel").unwrap();
        assert!(message("text").contains("not an ELF file (6 bytes)"), "{}", message("text"));
        let module = module_for(&["kernel"], (1, 2));
        fs::write(at("program"), &module).unwrap();
        assert!(message("program").contains("is no FreeBSD kernel"), "{}", message("program"));
        fs::write(at("arm"), kernel_file::kernel(Architecture::Aarch64, 1_400_507, "14.0-STABLE", "x"))
            .unwrap();
        for part in ["is for another machine (Aarch64)", "TARGET=amd64"] {
            assert!(message("arm").contains(part), "{}", message("arm"));
        }
        fs::write(at("broken.txz"), b"\xfd7zXZ\0 and no more").unwrap();
        assert!(message("broken.txz").contains("cannot be unpacked"), "{}", message("broken.txz"));
    }

    #[test]
    fn modules_of_another_version_are_refused_before_the_boot_and_unused_ones_do_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kernel"), synthetic(1_400_507, "14.0-STABLE", "x")).unwrap();
        fs::write(dir.path().join("if_epair.ko"), module_for(&["kernel", "other"], (1_500_000, 1_599_999)))
            .unwrap();
        fs::write(dir.path().join("if_vlan.ko"), module_for(&["kernel"], (1_400_500, 1_499_999))).unwrap();
        let kernel = OwnKernel::open(dir.path(), dir.path()).unwrap();
        let names = |wanted: &[&str]| {
            let wanted = wanted.iter().copied().collect();
            let found = kernel.modules_for(&wanted, &[]);
            found.map(|found| found.into_iter().map(|module| module.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["if_vlan", "if_absent"]).unwrap(), ["if_vlan"]);
        let error = names(&["if_epair"]).unwrap_err().to_string();
        for part in
            ["if_epair.ko: is a module for kernels of osreldate 1500000 to 1599999", "1400507", "one build"]
        {
            assert!(error.contains(part), "{error}");
        }
        let demanded = kernel.modules_for(&BTreeSet::new(), &["if_absent".to_owned()]).unwrap_err();
        assert!(matches!(demanded, ImageError::NoModule { .. }), "{demanded}");
    }
}
