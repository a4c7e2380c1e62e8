// SPDX-License-Identifier: BSD-2-Clause
//! The image that a guest starts from: built of a release, or of a ready image, with a kernel of somebody's own beside it.

use nlproof_image::{
    BuildOptions, Found, Image, ImageError, LoaderModule, Over, Progress, ReleaseDir, VmImageDir, build,
    kernel_disk,
};

use super::options::{FreebsdOptions, image_options};
use super::own::OwnRelease;
use super::provision::provisioned;
use crate::file::nearest;
use crate::targets::{BytesProgress, OnStage, OpenError};

/// Where a release is: that below a kernel of somebody's own, if it is one.
pub(super) fn release_dir(release: &str, options: &FreebsdOptions) -> Result<Found, OpenError> {
    let release = options.own_release(release).map_or(release, |own| own.base.as_str());
    options.dists.find_any(release).map_err(|error| match error {
        ImageError::NoSuchRelease { .. } => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows where releases are looked for".into(),
        },
        error => OpenError::Build(error.into()),
    })
}

/// A ready image has no kernel headers in it.
pub(super) fn no_sources(image: &VmImageDir) -> OpenError {
    OpenError::Unavailable {
        reason: format!("the module is built from src.txz, and {} holds a ready image", image.path.display()),
        remedy: format!("nlproof image fetch --release {}", image.name),
    }
}

/// Builds the image of a guest, or finds it in the cache.
pub(super) fn image(
    directory: &Found,
    own: Option<&OwnRelease>,
    options: &FreebsdOptions,
    loader_module: Option<LoaderModule>,
    on_stage: &mut OnStage<'_>,
) -> Result<Image, OpenError> {
    let mut progress = |progress: Progress| {
        let bytes = BytesProgress { done: progress.bytes_done, total: progress.bytes_total };
        let bytes = (bytes.total > 0).then_some(bytes);
        on_stage(&progress.stage.to_string(), bytes);
    };
    match (directory, own) {
        (Found::Sets(sets), Some(own)) => over(sets, own, options, &mut progress),
        (Found::Image(image), Some(_)) => return Err(no_userland(image)),
        (Found::Sets(sets), None) => {
            let wanted = BuildOptions {
                demanded: options.demanded.clone(),
                free_mib: options.free_mib,
                loader_module,
                ..image_options(options.stock_rc, &options.modules)
            };
            build(sets, &wanted, &options.cache, options.tasks.cancel(), &mut progress)
        }
        (Found::Image(image), None) => provisioned(image, options, &mut progress),
    }
    .map_err(|error| match error {
        ImageError::Cancelled => OpenError::Interrupted,
        error @ (ImageError::MakefsMissing { .. } | ImageError::QemuImgMissing) => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "nlproof doctor shows what is missing and how to install it".into(),
        },
        error @ ImageError::NoModule { .. } => no_module(&error),
        error @ ImageError::OwnKernel { .. } => OpenError::Unavailable {
            reason: error.to_string(),
            remedy: "name another kernel with --kernel".into(),
        },
        error => OpenError::Build(error.into()),
    })
}

/// The image of the release, the same that its own cells use, and a disk with the kernel beside it.
fn over(
    sets: &ReleaseDir,
    own: &OwnRelease,
    options: &FreebsdOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Image, ImageError> {
    let is_further = |name: &&String| options.demanded.contains(name);
    let modules: Vec<_> = options.modules.iter().filter(|name| !is_further(name)).cloned().collect();
    let base = BuildOptions { free_mib: options.free_mib, ..image_options(options.stock_rc, &modules) };
    let base = build(sets, &base, &options.cache, options.tasks.cancel(), progress)?;
    let wanted = BuildOptions {
        demanded: options.demanded.clone(),
        ..image_options(options.stock_rc, &options.modules)
    };
    let over = Over { name: own.name.as_str(), kernel: &own.kernel, release: sets, base: &base };
    kernel_disk(&over, &wanted, &options.cache, options.tasks.cancel(), progress)
}

/// Rejects a ready image: how it names its root file system is unknown.
fn no_userland(image: &VmImageDir) -> OpenError {
    OpenError::Unavailable {
        reason: format!(
            "{} holds a ready image, and another kernel needs base.txz below it",
            image.path.display()
        ),
        remedy: format!("nlproof image fetch --release {}, or another --release", image.name),
    }
}

/// Reports a release that lacks a requested module: nothing can be run in it.
fn no_module(error: &ImageError) -> OpenError {
    let near = match error {
        ImageError::NoModule { module, known, .. } => nearest(module, known.iter().map(String::as_str)),
        _ => None,
    };
    let remedy = match near {
        Some(name) => format!("did you mean {name}?"),
        None => "kernel.txz of the release has its modules in boot/kernel".into(),
    };
    OpenError::Unavailable { reason: error.to_string(), remedy }
}
