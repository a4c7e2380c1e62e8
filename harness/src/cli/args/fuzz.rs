// SPDX-License-Identifier: BSD-2-Clause
//! `fuzz`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::cells::CellArgs;
use super::guest::GuestArgs;

/// What is known in the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum CorpusArg {
    /// The project's vectors.
    Vectors,
    /// Nothing: everything comes from the schema.
    Empty,
    /// What is in this directory.
    Directory(PathBuf),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FuzzArgs {
    /// End after so long: seconds, or with s, m or h behind it (`90`, `20m`, `2h`). Without a limit: until Ctrl-C.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(in crate::cli) time: Option<Duration>,
    /// End after so many rounds of 64 requests, those of earlier runs included; what a seed does in them is the same on
    /// every machine.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) rounds: Option<u64>,
    /// Have so many guests at work at a time; with more than there are cells, each cell has several [default: one a
    /// processor].
    #[arg(long, short, value_name = "N")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    /// What chance begins with.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// What is changed in the beginning: `vectors` of the project, `empty`, or the files below a directory: vectors (`.yaml`), and
    /// inputs of the libFuzzer target (fuzz/corpus/netlink).
    #[arg(long, value_name = "vectors|empty|DIR", default_value = "vectors", value_parser = corpus)]
    pub(in crate::cli) corpus: CorpusArg,
    /// Keep the campaign in this directory: a vector with its story for each finding, and where it was.
    #[arg(long, value_name = "DIR", required_unless_present = "replay")]
    pub(in crate::cli) findings: Option<PathBuf>,
    /// Go on with the campaign in the directory. Cells and seed have to be the same.
    #[arg(long, requires = "findings")]
    pub(in crate::cli) resume: bool,
    /// Look for nothing: run the findings of a campaign again. Exit code 100: one of them is still there.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["findings", "resume", "time", "rounds"])]
    pub(in crate::cli) replay: Option<PathBuf>,
    /// The kernel's debug information, so that the blocks of whole source files count: of several the one of the same build
    /// [default: kernel.debug or kernel-dbg.txz in the release directory]. May be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) debug: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

/// Where a campaign begins.
fn corpus(text: &str) -> Result<CorpusArg, String> {
    match text {
        "vectors" => Ok(CorpusArg::Vectors),
        "empty" => Ok(CorpusArg::Empty),
        path if Path::new(path).is_dir() => Ok(CorpusArg::Directory(path.into())),
        _ => Err("`vectors`, `empty`, or a directory that is there".into()),
    }
}

/// A time with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (digits, factor) = unit.unwrap_or((text, 1));
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "a number above 0, of seconds or with s, m or h behind it, as in 90, 20m or 2h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_unit() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("20m", 1200), ("2h", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "m", "1d", "-1", "1.5h", "99999999999999999999h", "9999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
