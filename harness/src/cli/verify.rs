// SPDX-License-Identifier: BSD-2-Clause
//! `verify`: a kernel module against its policy, before anything is loaded; `verify vectors`: the vectors, before
//! anything is sent.

use std::path::Path;
use std::time::Instant;

use nlproof_files::write_whole;
use nlproof_verify::{
    Baseline, Check, KernelSymbols, ObjectBytes, Policy, Rule as _, TextStyle, explain, verify,
};

use super::args::{FormatArg, ProjectArgs, VerifyArgs, VerifyCommand};
use super::exit::{CliError, ExitCode};
use super::out::{say, say_text, tell};
use super::project::Project;
use crate::file::{FileError, Limit, nearest, read_any};
use crate::vector::{Beside, VectorCheck, judge_vectors, list};

pub(super) fn main(project: &ProjectArgs, args: &VerifyArgs) -> Result<ExitCode, CliError> {
    if let Some(VerifyCommand::Vectors { directory, format }) = &args.command {
        return vectors(project, directory.as_deref(), *format);
    }
    if let Some(name) = &args.explain {
        return explain_check(name);
    }
    let Some(module) = &args.module else {
        return Err(CliError::Usage("no module\n  help: nlproof verify MODULE.ko [--kernel KERNEL]".into()));
    };
    let policy = match &args.policy {
        Some(path) => {
            let text = text(path, Limit::YAML)?;
            Policy::parse(path, &text)?
        }
        None => Policy::default(),
    };
    let kernel = match &args.kernel {
        Some(path) => {
            let bytes = read_any(path, Limit::OBJECT)?;
            let wrong = |error| CliError::Usage(format!("{}: {error}", path.display()));
            let mut symbols = KernelSymbols::from_elf(&bytes).map_err(wrong)?;
            symbols.add_layouts(&bytes, &policy).map_err(wrong)?;
            Some(symbols)
        }
        None => None,
    };
    let bytes = read_any(module, Limit::OBJECT)?;
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let baseline = match &args.baseline {
        Some(path) => Some((path, read_baseline(path)?)),
        None => None,
    };
    let started = Instant::now();
    let mut report = verify(&ObjectBytes { name: &name, bytes: &bytes }, &policy, kernel.as_ref());
    report.elapsed_micros = u64::try_from(started.elapsed().as_micros()).ok();
    if let Some((path, baseline)) = &baseline {
        report.compare(baseline).map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    }
    match args.format {
        FormatArg::Text => {
            say_text!(report.text(TextStyle { verbose: args.verbose, raw_names: args.raw_names }));
            if kernel.is_none() {
                say!("not checked: whether the kernel has what the module imports (give --kernel)");
            }
        }
        FormatArg::Json => say!("{}", report.to_json()),
        FormatArg::Sarif => say!("{}", report.to_sarif()),
    }
    if let Some(path) = &args.write_baseline {
        if report.accepted {
            write_whole(path, Baseline::of(&report).to_json().as_bytes())
                .map_err(CliError::unwritten(path))?;
        } else {
            tell!("{}: not written, because the module is rejected", path.display());
        }
    }
    Ok(if report.accepted { ExitCode::OK } else { ExitCode::REFUSED })
}

fn vectors(project: &ProjectArgs, directory: Option<&Path>, format: FormatArg) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    let (root, beside) = match directory {
        Some(directory) => (directory.to_owned(), None),
        None => {
            let project = Project::find(project)?;
            (
                project.relative_root().join("vectors"),
                Some(Beside { strays: project.strays()?, modules: project.modules()? }),
            )
        }
    };
    let listing = list(&root).map_err(CliError::Files)?;
    let mut report = judge_vectors(&root, &listing, beside.as_ref());
    report.elapsed_micros = u64::try_from(started.elapsed().as_micros()).ok();
    match format {
        FormatArg::Text => say_text!(report),
        FormatArg::Json => say!("{}", report.to_json()),
        FormatArg::Sarif => say!("{}", report.to_sarif()),
    }
    Ok(if report.accepted { ExitCode::OK } else { ExitCode::REFUSED })
}

fn text(path: &Path, limit: Limit) -> Result<String, CliError> {
    let text = String::from_utf8(read_any(path, limit)?);
    text.map_err(|_| FileError::whole(path, "is not UTF-8").into())
}

fn read_baseline(path: &Path) -> Result<Baseline, CliError> {
    Baseline::parse(&text(path, Limit::REPORT)?)
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
}

fn explain_check(name: &str) -> Result<ExitCode, CliError> {
    let text = Check::from_name(name)
        .map(explain)
        .or_else(|| VectorCheck::from_name(name).map(nlproof_verify::Rule::explain));
    let text = text.ok_or_else(|| {
        let modules: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
        let vectors: Vec<_> = VectorCheck::ALL.iter().map(|check| check.name()).collect();
        let help = match nearest(name, modules.iter().chain(&vectors).copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the checks of modules are: {}; of vectors: {}",
                modules.join(", "),
                vectors.join(", ")
            ),
        };
        CliError::Usage(format!("no check `{name}`\n  help: {help}"))
    })?;
    say!("{name}: {text}");
    Ok(ExitCode::OK)
}
