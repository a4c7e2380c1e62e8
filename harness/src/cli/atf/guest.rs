// SPDX-License-Identifier: BSD-2-Clause
//! A guest that has the tests.

use std::time::Duration;

use super::script;
use super::tests::Tests;
use crate::atf::{Interface, ListedCase, Needs, Outcome, TestProgram};
use crate::guest::{CopyIn, quoted};
use crate::targets::{FreebsdTarget, TargetError};

/// Where the archive is put.
const PLACE: &str = "/root/";
/// Limit for unpacking, on top of the time that its bytes take.
const UNPACK_LIMIT: Duration = Duration::from_secs(60);
/// Bytes that a guest with hardware virtualisation unpacks in a second, at the very least.
const BYTES_PER_SECOND: u64 = 1 << 20;
/// Limit for a program to list its cases.
const LIST_LIMIT: Duration = Duration::from_secs(30);
/// Limit for what a script does beside the case.
const BESIDES: Duration = Duration::from_secs(30);

/// Puts the tests where they belong.
pub(super) fn install(target: &mut FreebsdTarget, tests: &Tests, copy: &CopyIn) -> Result<(), TargetError> {
    let path = target.put(copy)?;
    let limit = UNPACK_LIMIT + Duration::from_secs(tests.bytes / BYTES_PER_SECOND);
    let path = quoted(&path);
    let output = target.shell(&format!("tar -xpf {path} -C / && rm {path}"), limit)?;
    if output.status.is_success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(TargetError::Copy(format!("tests.txz was not unpacked in the guest: {said}")))
}

/// The copy of an archive.
pub(super) fn copy_of(tests: &Tests) -> Result<CopyIn, TargetError> {
    CopyIn::parse(&format!("{}:{PLACE}", tests.archive.display()))
        .map_err(|error| TargetError::Copy(error.to_string()))
}

/// Asks a program for its cases.
pub(super) fn list(
    target: &mut FreebsdTarget,
    program: &TestProgram,
    needs: &Needs,
) -> Result<script::Listed, TargetError> {
    match program.interface {
        Interface::Atf => {
            let output = target.shell(&script::list(program, needs), LIST_LIMIT)?;
            Ok(script::read_list(&output.stdout, &output.stderr))
        }
        // It is its only case.
        Interface::Plain => Ok(script::Listed::Cases(vec![ListedCase {
            ident: "main".into(),
            metadata: std::collections::BTreeMap::new(),
        }])),
        Interface::Tap => Ok(script::Listed::Unknown(Outcome::NotRun(
            "speaks the Test Anything Protocol, which nlproof does not read".into(),
        ))),
    }
}

/// Runs a case.
pub(super) fn run(
    target: &mut FreebsdTarget,
    program: &TestProgram,
    case: &str,
    needs: &Needs,
    factor: f64,
) -> Result<(Outcome, String), TargetError> {
    let limit = needs.timeout.mul_f64(factor);
    let phases = if needs.cleanup { 2 } else { 1 };
    let output = target.shell(&script::run(program, case, needs, limit), limit * phases + BESIDES)?;
    Ok(script::read_run(&output.stdout, program.interface))
}
