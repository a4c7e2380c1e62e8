// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD releases to bootable disk images, without root rights and without booting.
//!
//! [`Dists`] finds a [`ReleaseDir`], [`build`] makes an [`Image`] of it in a [`Cache`]:
//! archives are verified while they are unpacked, the root tree is configured for a guest that can be
//! reached by ssh on QEMU's user network, `makefs` makes a UFS file system of it, and boot code,
//! partition table and file system become one raw disk.

mod build;
mod cache;
mod cache_root;
mod config;
mod digest;
mod disk;
mod error;
mod export;
mod extract;
mod fetch;
mod file_digest;
mod holes;
mod image;
mod kernel;
mod kernel_disk;
mod keys;
mod loader_module;
mod lock;
mod makefs;
mod manifest;
mod modules;
mod mtree;
mod options;
mod own_kernel;
mod partition_table;
mod path;
mod provision;
mod release;
mod seed;
mod set;
mod skip;
mod space;
mod sparse;
mod stream;
mod superblock;
mod tree;
mod unpack;
mod vmimage;

pub use build::build;
pub use cache::{Cache, CacheEntry};
pub use cache_root::CacheRoot;
pub use config::GuestFile;
pub use digest::{NotADigest, Sha256};
pub use error::ImageError;
pub use export::{
    AuthorizedKeys, Console, DEFAULT_SIZE, Difference, ExportOptions, Exported, Format, KeysError,
    ModuleRecord, NotAName, PROVENANCE_SCHEMA, Provenance, QemuImg, export, host_name, user_name,
};
pub use fetch::{
    AnyDigest, BASIC_CI, Broken, ChecksumError, Checksums, FetchError, FetchEvent, Fetched, FetchedFile,
    Fetcher, How, Interrupted, Limits, Pins, Sets, VmImages,
};
pub use holes::punch_zeros;
pub use image::{Image, ImageInfo, Input, SCHEMA};
pub use kernel::KernelInfo;
pub use kernel_disk::{KERNEL_LABEL, Over, kernel_disk};
pub use keys::GuestKeys;
pub use loader_module::LoaderModule;
pub use manifest::{Manifest, ManifestEntry, ManifestError};
pub use modules::INTERFACE_MODULES;
pub use options::{BuildOptions, Progress, Stage};
pub use own_kernel::OwnKernel;
pub use partition_table::TableError;
pub use provision::{Provisioned, Provisioning, provision};
pub use release::{Dists, Found, ReleaseDir};
pub use seed::SeedCard;
pub use set::SetFiles;
pub use unpack::{Bounded, TooMuch, UnpackError, UnpackLimits, each_entry};
pub use vmimage::VmImageDir;
