// SPDX-License-Identifier: BSD-2-Clause
//! Network interfaces with faults in a guest: the module `nlproof_faultnic` (kmod-src/faultnic), for vectors that name it
//! under `needs.modules`.

use nlproof_base::hex;
use nlproof_image::ReleaseDir;
use nlproof_kmod::{Checkout, FAULTNIC, build_faultnic};
use sha2::{Digest as _, Sha256};

use super::connection::open_failure;
use super::loaded_module::{LIMIT, run, words};
use super::module::{c_tools, failure, headers};
use super::options::FreebsdOptions;
use super::own::OwnRelease;
use crate::file::{self, Limit};
use crate::guest::Ssh;
use crate::targets::OpenError;
use crate::vm::{Vm, Wait};

/// The module, ready to be loaded.
pub(super) struct FaultyCards {
    bytes: Vec<u8>,
}

/// Whether guests are to have the module.
pub(super) fn are_wanted(options: &FreebsdOptions) -> bool {
    options.modules.iter().any(|name| name == FAULTNIC)
}

impl FaultyCards {
    /// Builds the module for a release's headers, or finds it in the cache; otherwise why it cannot be had: the vectors that
    /// need it do not run then, and all others do.
    pub(super) fn prepare(
        release: &ReleaseDir,
        own: Option<&OwnRelease>,
        options: &FreebsdOptions,
    ) -> Result<Self, OpenError> {
        let headers = headers(release, own);
        let cache = options.state.join("kmod");
        let tools =
            c_tools(headers, &cache).map_err(|(reason, remedy)| OpenError::Unavailable { reason, remedy })?;
        let sources = Checkout::find(&options.checkout, &cache).map_err(failure)?;
        let module = build_faultnic(&tools, headers, sources.root(), &cache, options.tasks.cancel())
            .map_err(failure)?;
        let bytes =
            file::read(&module.path, Limit::OBJECT).map_err(|error| OpenError::Build(error.into()))?;
        Ok(Self { bytes })
    }

    /// Identity of the module: SHA-256 of its bytes.
    pub(super) fn digest(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }

    /// Uploads the module and loads it; `Some`: why the kernel does not take it.
    pub(super) async fn load(&self, ssh: &Ssh, vm: &mut Vm) -> Result<Option<String>, OpenError> {
        let place = format!("/tmp/{FAULTNIC}.ko");
        let wait = Wait::new("the upload of the faulty cards' module", LIMIT);
        ssh.upload(&self.bytes, &place, &wait, vm).await.map_err(|error| open_failure(error, vm))?;
        let command = format!("kldload {place}");
        let load = run(ssh, vm, &command).await.map_err(|error| open_failure(error, vm))?;
        let why = || format!("kldload ended with {}: {}", load.status, words(&load.stderr));
        Ok((!load.status.is_success()).then(why))
    }
}
