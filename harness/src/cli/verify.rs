// SPDX-License-Identifier: BSD-2-Clause
//! `verify`: a kernel module against its policy, before anything is loaded.

use std::path::Path;
use std::time::Instant;

use nlproof_verify::{Check, KernelSymbols, ObjectBytes, Policy, explain, verify};

use super::args::{FormatArg, VerifyArgs};
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text};
use crate::file::nearest;

pub(super) fn main(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    if let Some(name) = &args.explain {
        return explain_check(name);
    }
    let Some(module) = &args.module else {
        return Err(CliError::Usage("no module\n  help: nlproof verify MODULE.ko [--kernel KERNEL]".into()));
    };
    let policy = match &args.policy {
        Some(path) => {
            let text = String::from_utf8(read(path)?)
                .map_err(|_| CliError::Usage(format!("{}: not UTF-8", path.display())))?;
            Policy::parse(path, &text).map_err(|error| CliError::Usage(error.to_string()))?
        }
        None => Policy::default(),
    };
    let kernel = match &args.kernel {
        Some(path) => Some(
            KernelSymbols::from_elf(&read(path)?)
                .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?,
        ),
        None => None,
    };
    let bytes = read(module)?;
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let started = Instant::now();
    let report = verify(&ObjectBytes { name: &name, bytes: &bytes }, &policy, kernel.as_ref());
    match args.format {
        FormatArg::Text => {
            say_text!(report);
            say!("in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
            if kernel.is_none() {
                say!("not checked: whether the kernel has what the module imports (give --kernel)");
            }
        }
        FormatArg::Json => say!("{}", report.to_json()),
    }
    Ok(if report.accepted { ExitCode::OK } else { ExitCode::REFUSED })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path)
        .map_err(|error| CliError::Usage(format!("{}: cannot be read: {error}", path.display())))
}

fn explain_check(name: &str) -> Result<ExitCode, CliError> {
    let check = Check::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the checks are: {}", names.join(", ")),
        };
        CliError::Usage(format!("no check `{name}`\n  help: {help}"))
    })?;
    say!("{}: {}", check.name(), explain(check));
    Ok(ExitCode::OK)
}
