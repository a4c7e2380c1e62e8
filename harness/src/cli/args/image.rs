// SPDX-License-Identifier: BSD-2-Clause
//! `image`.

use clap::{Args, Subcommand};

use super::export_image::{CheckImageArgs, ImageExportArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct ImageArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ImageCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ImageCommand {
    /// Download releases from the mirrors that tests/releases.yaml names.
    ///
    /// Interrupted downloads resume. A file that does not match its MANIFEST or CHECKSUM file, or
    /// tests/releases.lock, is rejected and removed. Exit code 101: a release could not be fetched.
    Fetch(FetchArgs),
    /// Build the guest image of a release, or find it in the cache.
    ///
    /// A release is a directory with MANIFEST, base.txz and kernel.txz below $NLPROOF_DISTS or
    /// $XDG_CACHE_HOME/nlproof/dists; `image fetch` makes one.
    Build {
        /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
        release: String,
        /// With the release's own /etc/rc.
        #[arg(long)]
        stock_rc: bool,
        /// Also load these kernel modules at the start, with their dependencies.
        #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = super::guest::kernel_module)]
        kmod: Vec<String>,
    },
    /// Make an image to take away: it stands on its own, with the module inside from the first instant where that is asked
    /// for.
    ///
    /// It asks for its address by DHCP, makes its host keys and grows its file system at the first boot, and holds no
    /// key, agent or address of nlproof's. Nothing is booted to make it, and no root rights are needed. Exit code 102:
    /// verification rejected the module.
    Export(Box<ImageExportArgs>),
    /// Hold an exported image against what was written down when it was made. Exit code 100: it is another.
    Check(CheckImageArgs),
    /// List the releases that are here, and the images in the cache: sizes, and what each was built from.
    List,
    /// Remove images from the cache.
    Rm {
        /// A release, or the beginning of a key as `image list` shows it.
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Remove the images whose release directory is gone or holds other archives now, those made for --kmod and for
    /// kernels of one's own that nobody has used for a week, saved guests that no run will ask for, downloads that were
    /// interrupted a week ago or earlier; and whatever exceeds $NLPROOF_CACHE_LIMIT (10G if it is not set), saved
    /// guests that were not used for the longest time first.
    Gc {
        /// Also remove recent images for --kmod and for kernels of one's own, and recent interrupted downloads, which
        /// `image fetch` would resume.
        #[arg(long)]
        all: bool,
        /// Show what would be removed, and remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FetchArgs {
    /// A name in tests/releases.yaml, or a branch (`14`) for its newest release.
    #[arg(long, required = true, value_name = "RELEASE")]
    pub(in crate::cli) release: Vec<String>,
    /// Which distribution sets [default: base.txz,kernel.txz,src.txz].
    #[arg(long, value_name = "FILE", value_delimiter = ',', conflicts_with = "image")]
    pub(in crate::cli) sets: Vec<String>,
    /// Fetch the ready VM image (BASIC-CI) instead of distribution sets.
    #[arg(long)]
    pub(in crate::cli) image: bool,
    /// Ask this mirror first: the address of a directory with one directory for each release.
    #[arg(long, value_name = "URL", value_parser = mirror_address)]
    pub(in crate::cli) mirror: Vec<String>,
    /// Ask for the MANIFEST even if the release is there, because snapshots change.
    #[arg(long)]
    pub(in crate::cli) refresh: bool,
    /// Pin the files: write their digests and sizes to tests/releases.lock, whatever stood there.
    #[arg(long)]
    pub(in crate::cli) lock: bool,
}

/// An address of http or https.
fn mirror_address(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.to_owned()),
        _ => Err("a mirror begins with https:// or http:// and a host".into()),
    }
}
