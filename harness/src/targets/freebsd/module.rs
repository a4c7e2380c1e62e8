// SPDX-License-Identifier: BSD-2-Clause
//! The Rust-backed module for a release: built, and verified before anything is loaded.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nlproof_base::counted;
use nlproof_image::{LoaderModule, ReleaseDir};
use nlproof_kmod::{
    CTools, Checkout, HeaderSource, KmodError, Options, ToolPaths, Toolchain, build, embedded_policy, kernel,
};
use nlproof_verify::{KernelSymbols, ObjectBytes, Policy, Report, verify};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::own::OwnRelease;
use crate::file::{self, Limit};
use crate::targets::OnStage;
use crate::targets::{Explained, OpenError};

/// The name under which the kernel knows the module.
pub(super) const NAME: &str = "nlproof_iface";

/// Sources of the module, and how strictly it is verified.
#[derive(Debug, Clone)]
pub struct ModuleOptions {
    /// The directory that holds `kmod-src` and `harness`, if there is one: otherwise the module is built from the copy
    /// of them that is in this program.
    pub checkout: PathBuf,
    /// Where headers, kernels and modules are kept.
    pub cache: PathBuf,
    /// Path of the policy of nlproof-verify for the module. Where there is no such file, that of this program.
    pub policy: PathBuf,
    /// Load a module even if verification rejects it.
    pub unverified: bool,
    /// Have the loader load it, before the kernel looks for devices.
    pub by_loader: bool,
    /// Build in faults that keep the module from being unloaded, for a test of that.
    pub faults: bool,
}

/// A module that may be loaded.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Where it is in the cache.
    pub path: PathBuf,
    /// The file.
    pub bytes: Vec<u8>,
    /// The module was found in the cache.
    pub cached: bool,
    /// The symbols that it expects of the kernel.
    pub imports: usize,
    /// What verification found.
    pub report: Report,
    /// Where its sources stand: a checkout, or a directory of the cache.
    pub sources: Checkout,
}

impl Prepared {
    /// Measures of the module for reports: size of its file, imports and deepest chain of calls.
    pub fn measures(&self) -> String {
        format!(
            "{}, {}, deepest chain {}",
            counted(self.bytes.len(), "byte"),
            counted(self.imports, "import"),
            counted(self.report.stats.deepest_chain, "byte")
        )
    }

    /// The module for an image whose loader loads it.
    pub(super) fn for_loader(&self) -> LoaderModule {
        LoaderModule { name: NAME.to_owned(), bytes: self.bytes.clone(), settings: String::new() }
    }

    /// Where its sources come from, for reports.
    pub fn origin(&self) -> String {
        match self.sources.is_embedded() {
            true => "those of this program".to_owned(),
            false => self.sources.root().display().to_string(),
        }
    }

    /// Identity of the module with its verdict: SHA-256 of its bytes.
    pub fn digest(&self) -> String {
        let digest = Sha256::digest(&self.bytes);
        let hex = nlproof_base::hex(&digest);
        format!("{hex} {}", if self.report.accepted { "accepted" } else { "rejected" })
    }

    /// The verdict of verification, in one line.
    pub fn verdict(&self) -> String {
        let (errors, waived, warnings) = self.report.counts();
        if self.report.accepted {
            format!("accepted: {waived} waived, {}", counted(warnings, "warning"))
        } else {
            format!(
                "REJECTED ({}) and loaded all the same: {}",
                counted(errors, "error"),
                first_rejection(&self.report)
            )
        }
    }
}

/// Everything that a module needs and that is missing here, with the remedies; `None` if nothing is missing.
/// `cache` is that of modules.
pub fn module_unavailable_reason(
    release: &ReleaseDir,
    own: Option<&OwnRelease>,
    cache: &Path,
) -> Option<(String, String)> {
    tools(headers(release, own), cache).err()
}

/// The headers that the module for a kernel is compiled against.
pub(super) fn headers<'a>(release: &'a ReleaseDir, own: Option<&'a OwnRelease>) -> HeaderSource<'a> {
    match own.and_then(|own| own.tree.as_deref()) {
        Some(tree) => HeaderSource::Tree(tree),
        None => HeaderSource::Release(release),
    }
}

/// The tools, if everything that a module with Rust in it needs is here. They are asked for their versions once, which
/// takes six processes.
fn tools(headers: HeaderSource<'_>, cache: &Path) -> Result<Toolchain, (String, String)> {
    static FOUND: OnceLock<Toolchain> = OnceLock::new();
    with_source(headers, found(&FOUND, cache, Toolchain::find))
}

/// The tools, if everything that a module in C needs is here.
pub(super) fn c_tools(headers: HeaderSource<'_>, cache: &Path) -> Result<CTools, (String, String)> {
    static FOUND: OnceLock<CTools> = OnceLock::new();
    with_source(headers, found(&FOUND, cache, CTools::find))
}

/// Tools as they were found first. What is missing is looked for again.
fn found<T: Clone>(
    first: &OnceLock<T>,
    cache: &Path,
    find: impl FnOnce(&ToolPaths) -> Result<T, Vec<KmodError>>,
) -> Result<T, Vec<KmodError>> {
    match first.get() {
        Some(found) => Ok(found.clone()),
        None => {
            find(&ToolPaths::from_env().remembering(cache)).inspect(|found| drop(first.set(found.clone())))
        }
    }
}

/// The tools, if the headers are here too; otherwise everything that is missing, with the remedies.
fn with_source<T>(
    headers: HeaderSource<'_>,
    tools: Result<T, Vec<KmodError>>,
) -> Result<T, (String, String)> {
    let mut missing = Vec::new();
    if let HeaderSource::Release(release) = headers
        && !release.path.join("src.txz").is_file()
    {
        missing.push(KmodError::NoSource { path: release.path.clone() });
    }
    match tools {
        Ok(tools) if missing.is_empty() => return Ok(tools),
        Ok(_) => {}
        Err(errors) => missing.extend(errors),
    }
    let (reasons, remedies): (Vec<_>, Vec<_>) = missing.iter().filter_map(not_here).unzip();
    Err((reasons.join("; "), remedies.join("; ")))
}

/// Builds the module for a release, or finds it in the cache, and verifies it against the policy and the
/// release's kernel.
///
/// # Errors
/// [`OpenError::Unavailable`] for a missing tool or file, [`OpenError::Refused`] for a module that must not be
/// loaded, [`OpenError::Build`] for one that could not be built.
pub fn prepare_module(
    release: &ReleaseDir,
    own: Option<&OwnRelease>,
    options: &ModuleOptions,
    cancel: &CancellationToken,
    on_stage: &mut OnStage<'_>,
) -> Result<Prepared, OpenError> {
    let headers = headers(release, own);
    let ModuleOptions { cache, faults, .. } = options;
    let tools =
        tools(headers, cache).map_err(|(reason, remedy)| OpenError::Unavailable { reason, remedy })?;
    let sources = Checkout::find(&options.checkout, cache).map_err(failure)?;
    let policy_path = match options.policy.is_file() {
        true => options.policy.clone(),
        false => embedded_policy(cache).map_err(failure)?,
    };
    let checkout = sources.root();
    let module =
        build(&tools, &Options { headers, checkout, cache, faults: *faults, cancel }, &mut |stage| {
            on_stage(&format!("module: {stage}"), None);
        })
        .map_err(failure)?;
    on_stage("module: verify", None);
    let kernel = match own {
        Some(own) => {
            demand_headers_of(own, release, module.freebsd_version)?;
            own.kernel.file.clone()
        }
        None => kernel(release, cache).map_err(failure)?,
    };
    let policy = policy(&policy_path)?;
    let unreadable = |error| OpenError::Build(Explained::before(kernel.display(), error));
    let kernel_bytes = read(&kernel)?;
    let mut symbols = KernelSymbols::from_elf(&kernel_bytes).map_err(unreadable)?;
    symbols.add_layouts(&kernel_bytes, &policy).map_err(unreadable)?;
    let bytes = read(&module.path)?;
    let report = verify(&ObjectBytes { name: "nlproof_iface.ko", bytes: &bytes }, &policy, Some(&symbols));
    if !report.accepted && !options.unverified {
        return Err(OpenError::Refused(format!(
            "verification rejects the module: {}\n  help: nlproof verify {} --policy {} --kernel {} shows everything",
            first_rejection(&report),
            module.path.display(),
            policy_path.display(),
            kernel.display()
        ).into()));
    }
    let imports = module.imports.len();
    Ok(Prepared { path: module.path, bytes, cached: module.cached, imports, report, sources })
}

/// Rejects a kernel that would not load the module: it must be of the headers' major, and not older than they are.
/// Otherwise only the boot would tell.
fn demand_headers_of(own: &OwnRelease, release: &ReleaseDir, headers: u32) -> Result<(), OpenError> {
    let kernel = own.kernel.osreldate;
    if headers <= kernel && headers / 100_000 == kernel / 100_000 {
        return Ok(());
    }
    Err(OpenError::Unavailable {
        reason: format!(
            "the module would be compiled against the headers of {} ({headers}), and a kernel of osreldate {kernel} does not \
             load it",
            release.name
        ),
        remedy: "--src TREE builds kernel and module from one tree; or --release RELEASE, one with the kernel's src.txz".into(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    file::read(path, Limit::OBJECT).map_err(|error| OpenError::Build(error.into()))
}

/// The error for a missing policy: without one no module may be loaded.
fn policy(path: &Path) -> Result<Policy, OpenError> {
    let text = file::read_text(path, Limit::YAML).map_err(|error| OpenError::Unavailable {
        reason: format!("the module's policy: {error}"),
        remedy: "make the file readable".into(),
    })?;
    Policy::parse(path, &text).map_err(|error| OpenError::Build(error.into()))
}

fn first_rejection(report: &Report) -> String {
    report.findings.iter().find(|finding| finding.rejects()).map_or_else(String::new, |finding| {
        format!("{}: {} {}", finding.check.name(), finding.subject, finding.what)
    })
}

pub(super) fn failure(error: KmodError) -> OpenError {
    if let Some((reason, remedy)) = not_here(&error) {
        return OpenError::Unavailable { reason, remedy };
    }
    match error {
        KmodError::Refused(refusal) => OpenError::Refused(refusal.into()),
        KmodError::Interrupted => OpenError::Interrupted,
        error => OpenError::Build(error.into()),
    }
}

/// Turns an error about something that is missing here into one that is no failed build.
fn not_here(error: &KmodError) -> Option<(String, String)> {
    match error {
        KmodError::NoTool { tool, tried } => {
            Some((format!("no {tool} for the module: tried {}", tried.join(", ")), tool.remedy().into()))
        }
        KmodError::NoSource { path } => Some((
            "the release directory has no src.txz, whose headers the module is compiled against".into(),
            format!("put src.txz of the release into {}", path.display()),
        )),
        KmodError::NoCheckout { path } => Some((
            format!("{} is missing", path.display()),
            "remove what is left of the checkout there".into(),
        )),
        KmodError::Untried { .. } => Some((error.to_string(), "use --module stock".into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nlproof_kmod::Tool;

    use super::*;

    #[test]
    fn what_is_missing_is_not_run_and_what_is_wrong_is() {
        let missing = KmodError::NoTool { tool: Tool::Clang, tried: vec!["/usr/bin/clang".into()] };
        let OpenError::Unavailable { reason, remedy } = failure(missing) else { panic!("a missing tool") };
        assert_eq!(reason, "no clang for the module: tried /usr/bin/clang");
        assert!(remedy.starts_with("install clang"), "{remedy}");
        let wrong = KmodError::NotFreebsd { path: "param.h".into() };
        assert!(matches!(failure(wrong), OpenError::Build(_)));
        assert!(matches!(failure(KmodError::Interrupted), OpenError::Interrupted));
    }

    #[test]
    fn without_a_policy_nothing_is_prepared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        assert!(matches!(policy(&path), Err(OpenError::Unavailable { .. })));
        std::fs::write(&path, "import: []\n").unwrap();
        assert!(matches!(policy(&path), Err(OpenError::Build(_))));
        std::fs::write(&path, "imports: [if_up]\n").unwrap();
        assert_eq!(policy(&path).unwrap().imports.map(|imports| imports.len()), Some(1));
    }

    #[test]
    fn bytes_that_are_no_module_are_rejected_by_name() {
        let report = verify(&ObjectBytes { name: "x.ko", bytes: b"no" }, &Policy::default(), None);
        assert!(first_rejection(&report).starts_with("elf: x.ko cannot be analysed"), "{report}");
    }
}
