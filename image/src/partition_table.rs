// SPDX-License-Identifier: BSD-2-Clause
//! A GPT with its protective MBR.

use std::collections::BTreeMap;

use gpt::{
    DiskDevice, GptConfig, GptError,
    disk::LogicalBlockSize,
    mbr::{MBRError, ProtectiveMBR},
    partition::Partition,
};
use uuid::Uuid;

use crate::digest::Sha256;

/// Why a partition table could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The protective MBR.
    #[error(transparent)]
    Mbr(#[from] MBRError),
    /// The GPT.
    #[error(transparent)]
    Gpt(#[from] GptError),
}

/// Writes the table of a disk of this many sectors of 512 bytes, with these partitions from number 1 on, and gives the disk
/// back.
pub(crate) fn write<D: DiskDevice>(
    mut disk: D,
    sectors: u64,
    guid: Uuid,
    partitions: impl IntoIterator<Item = Partition>,
) -> Result<D, TableError> {
    let protective = ProtectiveMBR::with_lb_size(u32::try_from(sectors - 1).unwrap_or(u32::MAX));
    protective.overwrite_lba0(&mut disk)?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(disk, Some(guid))?;
    table.update_partitions((1..).zip(partitions).collect::<BTreeMap<_, _>>())?;
    Ok(table.write()?)
}

/// The GUID of a part of what this seed stands for.
pub(crate) fn guid(seed: &Sha256, what: &str) -> Uuid {
    let digest = Sha256::of(format!("{seed} {what}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
