// SPDX-License-Identifier: BSD-2-Clause
//! The seed disk: what one run of a guest has for itself, beside an image that everybody has in common.
//!
//! ```text
//! LBA 0      protective MBR
//! LBA 1      GPT header and entries
//! LBA 40     one partition, `nlproof-seed`: a tar(1) archive, unpacked into the root directory
//! the end    backup GPT
//! ```
//!
//! The guest's start script unpacks the archive before it starts anything that needs a key or an address. So no image,
//! and no cache of images, holds a private key.

use std::io::Cursor;

use gpt::{partition::Partition, partition_types};
use sha2::Digest as _;

use crate::{
    digest::Sha256,
    error::ImageError,
    keys::GuestKeys,
    partition_table::{self, TableError, guid},
};

/// GPT label of the partition; the guest's start script names it.
pub(crate) const SEED_LABEL: &str = "nlproof-seed";

/// Bytes in a sector.
const SECTOR: u64 = 512;
/// First sector of the partition.
const FIRST_LBA: u64 = 40;
/// Sectors of the backup table.
const BACKUP_SECTORS: u64 = 33;
/// The disk's size is a multiple of this, in bytes.
const ALIGNMENT: u64 = 1 << 16;

/// Bytes of entropy that the stock `/etc/rc.d/random` keeps in `/boot/entropy`.
const ENTROPY_BYTES: usize = 4096;

/// The card with which a guest is on QEMU's user network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeedCard {
    /// QEMU's `virtio-net-pci`.
    #[default]
    Virtio,
    /// QEMU's `e1000`, which gets the other one's name in the guest.
    E1000,
}

impl SeedCard {
    /// What a guest's start script reads.
    fn network(self) -> &'static str {
        match self {
            Self::Virtio => include_str!("../guest/network"),
            Self::E1000 => concat!(include_str!("../guest/network"), include_str!("../guest/network.e1000")),
        }
    }
}

/// Contents of a file on the seed disk.
enum Body {
    Network,
    HostKey,
    HostPublicKey,
    AuthorizedKeys,
    Entropy,
}

/// Files of the archive: path, mode, contents, reason.
const FILES: &[(&str, u32, Body, &str)] = &[
    (
        "etc/rc.conf.d/network",
        0o644,
        Body::Network,
        "the addresses that QEMU's user network has for a guest; netif and routing of the stock rc read it too",
    ),
    ("etc/ssh/ssh_host_ed25519_key", 0o600, Body::HostKey, "the harness knows whom it talks to"),
    ("etc/ssh/ssh_host_ed25519_key.pub", 0o644, Body::HostPublicKey, "for the stock /etc/rc.d/sshd"),
    ("root/.ssh/authorized_keys", 0o600, Body::AuthorizedKeys, "the only way in"),
    ("boot/entropy", 0o600, Body::Entropy, "sshd does not wait for entropy to gather"),
];

/// Directories of the archive, with their modes, where they are not the system's own.
const DIRECTORIES: &[(&str, u32)] = &[("etc/rc.conf.d/", 0o755), ("root/.ssh/", 0o700)];

impl GuestKeys {
    /// The bytes of a seed disk with these keys on it. They hold the guest's private key.
    ///
    /// # Errors
    /// [`ImageError::Keys`] when a key cannot be written down.
    pub fn seed_disk(&self, card: SeedCard) -> Result<Vec<u8>, ImageError> {
        let archive = self.archive(card)?;
        with_table(&archive).map_err(ImageError::keys)
    }

    fn archive(&self, card: SeedCard) -> Result<Vec<u8>, ImageError> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut append = |path: &str, kind, mode, contents: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_size(contents.len() as u64);
            archive.append_data(&mut header, path, contents)
        };
        let failed = |error: std::io::Error| ImageError::keys(error);
        for (path, mode) in DIRECTORIES {
            append(path, tar::EntryType::Directory, *mode, &[]).map_err(failed)?;
        }
        for (path, mode, body, _) in FILES {
            let contents = match body {
                Body::Network => card.network().as_bytes().to_vec(),
                Body::HostKey => self.host_private()?.into_bytes(),
                Body::HostPublicKey => line(self.host_public()?),
                Body::AuthorizedKeys => line(self.client_public()?),
                Body::Entropy => entropy(self.host_private()?.as_bytes()),
            };
            append(path, tar::EntryType::Regular, *mode, &contents).map_err(failed)?;
        }
        archive.into_inner().map_err(failed)
    }
}

fn with_table(archive: &[u8]) -> Result<Vec<u8>, TableError> {
    let sectors = (archive.len() as u64).div_ceil(SECTOR);
    let size = ((FIRST_LBA + sectors + BACKUP_SECTORS) * SECTOR).next_multiple_of(ALIGNMENT);
    let mut bytes = vec![0; size as usize];
    let begin = (FIRST_LBA * SECTOR) as usize;
    bytes[begin..begin + archive.len()].copy_from_slice(archive);
    // The keys are different in every run, and so are the names of disk and partition.
    let seed = Sha256::of(archive);
    let partition = Partition {
        part_type_guid: partition_types::FREEBSD_DATA,
        part_guid: guid(&seed, SEED_LABEL),
        first_lba: FIRST_LBA,
        last_lba: FIRST_LBA + sectors - 1,
        flags: 0,
        name: SEED_LABEL.to_owned(),
    };
    let disk = partition_table::write(Cursor::new(bytes), size / SECTOR, guid(&seed, "disk"), [partition])?;
    Ok(disk.into_inner())
}

/// Bytes that nobody can guess who does not have the host key: SHA-256 of it and a counter.
fn entropy(secret: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTROPY_BYTES);
    for counter in 0_u32.. {
        if bytes.len() >= ENTROPY_BYTES {
            break;
        }
        let block = sha2::Sha256::new_with_prefix(secret).chain_update(counter.to_be_bytes()).finalize();
        bytes.extend_from_slice(&block);
    }
    bytes
}

fn line(mut text: String) -> Vec<u8> {
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read as _};

    use gpt::GptConfig;

    use super::*;

    #[test]
    fn the_disk_has_one_partition_with_the_runs_files_in_it() {
        let keys = GuestKeys::generate().unwrap();
        let disk = keys.seed_disk(SeedCard::Virtio).unwrap();
        assert_eq!(disk.len() as u64 % ALIGNMENT, 0);
        assert_eq!(disk, keys.seed_disk(SeedCard::Virtio).unwrap(), "the same keys give the same disk");
        assert_ne!(disk, keys.seed_disk(SeedCard::E1000).unwrap(), "another card has another name");
        let table =
            GptConfig::new().only_valid_headers(true).open_from_device(Cursor::new(disk.clone())).unwrap();
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        let partition = &table.partitions()[&1];
        assert_eq!((table.partitions().len(), partition.name.as_str()), (1, SEED_LABEL));
        let begin = usize::try_from(partition.first_lba * SECTOR).unwrap();
        let end = usize::try_from((partition.last_lba + 1) * SECTOR).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&disk[begin..end]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            files.insert(path, (entry.header().mode().unwrap(), contents));
        }
        let public = format!("{}\n", keys.client_public().unwrap()).into_bytes();
        assert_eq!(files["root/.ssh/authorized_keys"], (0o600, public));
        assert_eq!(files["root/.ssh/"].0, 0o700);
        let (mode, host) = &files["etc/ssh/ssh_host_ed25519_key"];
        assert_eq!((*mode, host.as_slice()), (0o600, keys.host_private().unwrap().as_bytes()));
        assert_eq!(files["boot/entropy"].1.len(), ENTROPY_BYTES);
        assert!(files["etc/rc.conf.d/network"].1.starts_with(b"#"));
    }

    #[test]
    fn what_the_guest_looks_for_is_what_is_made() {
        let rc = include_str!("../guest/rc");
        assert!(rc.contains(&format!("/dev/gpt/{SEED_LABEL}")), "{rc}");
        assert!(include_str!("../guest/rc.seed").contains(&format!("/dev/gpt/{SEED_LABEL}")));
        for (path, ..) in FILES.iter().filter(|(path, ..)| *path != "boot/entropy") {
            assert!(!rc.contains("ssh_host") || path.starts_with("etc"), "{path}");
        }
    }
}
