// SPDX-License-Identifier: BSD-2-Clause
//! Reports of the jobs of one run, joined: jobs that each took some cells, some a slice of the vectors, or both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::matrix::{CellResult, CellStatus, RunResult, Slice, VectorsOfRun, settle};
use crate::targets::Fact;

/// One job's report.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file's path, for messages.
    pub path: PathBuf,
    /// What it says.
    pub run: RunResult,
}

/// Reports that are not of one run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The reports are of different vectors.
    #[error("{} and {} are of different vectors: the jobs had different --suite or --filter, or checkouts", .0.display(), .1.display())]
    Vectors(PathBuf, PathBuf),
    /// The same part of a cell twice.
    #[error("{} and {} both have {what}", .first.display(), .second.display())]
    Twice {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The cell, with its slice.
        what: String,
    },
    /// The jobs cut the vectors of a cell into different numbers of slices.
    #[error("{}: slice {slice} of {cell}, but {} has slice {other}", .path.display(), .other_path.display())]
    Slices {
        /// The report.
        path: PathBuf,
        /// The name of the cell.
        cell: String,
        /// Slice of the first report, or `all`.
        slice: String,
        /// The other report.
        other_path: PathBuf,
        /// Slice of the other report.
        other: String,
    },
    /// The slices of a cell ran on different kernels.
    #[error("{}: {cell} ran on kernel {kernel}, but in {} on {other}", .path.display(), .other_path.display())]
    Kernels {
        /// The report.
        path: PathBuf,
        /// The name of the cell.
        cell: String,
        /// Digest of the first report's kernel.
        kernel: String,
        /// The other report.
        other_path: PathBuf,
        /// Digest of the other report's kernel.
        other: String,
    },
}

/// Joins the reports of the jobs of one run. `expected` are the names of all cells, in order, where they are known:
/// one that no report has is missing. Missing slices are seen without.
///
/// # Errors
/// The reports are not of one run.
pub fn merge(parts: &[Part], expected: Option<&[String]>) -> Result<RunResult, MergeError> {
    if let Some((first, second)) = parts
        .iter()
        .zip(parts.iter().skip(1))
        .find(|(one, other)| one.run.vectors.selection != other.run.vectors.selection)
    {
        return Err(MergeError::Vectors(first.path.clone(), second.path.clone()));
    }
    let mut names: Vec<String> = expected.unwrap_or_default().to_vec();
    let mut cells: BTreeMap<String, Vec<(&Part, &CellResult)>> = BTreeMap::new();
    for part in parts {
        for result in &part.run.cells {
            let name = result.cell.name();
            if !names.contains(&name) {
                names.push(name.clone());
            }
            cells.entry(name).or_default().push((part, result));
        }
    }
    let mut run = RunResult {
        cells: Vec::new(),
        interrupted: parts.iter().any(|part| part.run.interrupted),
        vectors: VectorsOfRun {
            selection: parts.first().map(|part| part.run.vectors.selection.clone()).unwrap_or_default(),
            slice: None,
        },
        missing: parts.iter().flat_map(|part| part.run.missing.iter().cloned()).collect(),
        atf: parts.iter().flat_map(|part| part.run.atf.iter().cloned()).collect(),
    };
    for name in names {
        match cells.get_mut(&name) {
            None => run.missing.push(name),
            Some(found) => {
                found.sort_by_key(|(part, _)| part.run.vectors.slice);
                run.missing.extend(absent(&name, found)?);
                run.cells.extend(found.split_first().map(|(first, rest)| join(first, rest)));
            }
        }
    }
    settle(&mut run.cells);
    Ok(run)
}

/// The slices of a cell that are missing.
fn absent(name: &str, found: &[(&Part, &CellResult)]) -> Result<Vec<String>, MergeError> {
    let slice_of = |part: &Part| part.run.vectors.slice;
    let shown = |slice: Option<Slice>| slice.map_or("all".to_owned(), |slice| slice.to_string());
    for ((one, first), (other, second)) in found.iter().zip(found.iter().skip(1)) {
        if slice_of(one) == slice_of(other) {
            return Err(MergeError::Twice {
                first: one.path.clone(),
                second: other.path.clone(),
                what: match slice_of(one) {
                    Some(slice) => format!("slice {slice} of {name}"),
                    None => name.to_owned(),
                },
            });
        }
        if slice_of(one).map(|slice| slice.of) != slice_of(other).map(|slice| slice.of) {
            return Err(MergeError::Slices {
                path: one.path.clone(),
                cell: name.to_owned(),
                slice: shown(slice_of(one)),
                other_path: other.path.clone(),
                other: shown(slice_of(other)),
            });
        }
        if let (Some(own), Some(theirs)) =
            (Fact::kernel_sha256(&first.facts), Fact::kernel_sha256(&second.facts))
            && own != theirs
        {
            return Err(MergeError::Kernels {
                path: one.path.clone(),
                cell: name.to_owned(),
                kernel: own.to_owned(),
                other_path: other.path.clone(),
                other: theirs.to_owned(),
            });
        }
    }
    let Some(of) = found.first().and_then(|(part, _)| slice_of(part)).map(|slice| slice.of) else {
        return Ok(Vec::new());
    };
    let there =
        |index: &u32| found.iter().any(|(part, _)| slice_of(part) == Some(Slice { index: *index, of }));
    Ok((1..=of).filter(|index| !there(index)).map(|index| format!("slice {index}/{of} of {name}")).collect())
}

/// The slices of one cell as one cell.
fn join((_, first): &(&Part, &CellResult), rest: &[(&Part, &CellResult)]) -> CellResult {
    let mut joined = (*first).clone();
    for part in rest.iter().map(|(_, result)| (*result).clone()) {
        for fact in part.facts {
            Fact::join(&mut joined.facts, fact);
        }
        joined.vectors.extend(part.vectors);
        // A slice may have been the only one to see that its kernel was recorded.
        joined.cell.soft = joined.cell.soft.and(part.cell.soft);
        joined.recorded.extend(part.recorded);
        joined.recorded.sort();
        joined.recorded.dedup();
        joined.fallbacks += part.fallbacks;
        joined.losses.extend(part.losses);
        joined.complaints.extend(part.complaints);
        joined.duration += part.duration;
        joined.guest_time += part.guest_time;
        joined.status = worse(joined.status, part.status);
    }
    joined.vectors.sort_by(|one, other| one.id.cmp(&other.id));
    joined
}

/// The status of a cell from the statuses of two slices. A slice that did not run leaves the cell not run, unless
/// something failed.
fn worse(one: CellStatus, other: CellStatus) -> CellStatus {
    let rank = |status: &CellStatus| match status {
        CellStatus::Passed => 0,
        CellStatus::NotRun { .. } => 1,
        CellStatus::Failed => 2,
        CellStatus::ModuleFailed(_) => 3,
        CellStatus::GuestFailed(_) => 4,
        CellStatus::LoadFailed(_) => 5,
        CellStatus::Refused(_) => 6,
        CellStatus::BuildFailed(_) => 7,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Soft;
    use crate::report::summary::tests::sample_run;

    fn part(number: usize, slice: Option<(u32, u32)>) -> Part {
        let mut run = sample_run();
        run.vectors.slice = slice.map(|(index, of)| Slice { index, of });
        for vector in &mut run.cells[0].vectors {
            vector.id = format!("{}-{number}", vector.id);
        }
        Part { path: format!("job{number}").into(), run }
    }

    const CELL: &str = "freebsd/14.0-STABLE/stock";

    #[test]
    fn slices_are_one_cell_and_their_order_does_not_matter() {
        let (first, second) = (part(1, Some((1, 2))), part(2, Some((2, 2))));
        let run = merge(&[second.clone(), first.clone()], None).unwrap();
        assert_eq!(run.missing, [""; 0]);
        assert_eq!(run.cells.len(), 1);
        assert_eq!(run.cells[0].vectors.len(), 14);
        assert_eq!(run.cells[0].vectors[0].id, "link/a-1");
        assert_eq!(run.cells[0].duration, first.run.cells[0].duration * 2);
        assert_eq!(run.vectors.slice, None);
    }

    #[test]
    fn a_missing_slice_and_a_missing_cell_are_named() {
        let run = merge(&[part(1, Some((1, 3))), part(3, Some((3, 3)))], None).unwrap();
        assert_eq!(run.missing, [format!("slice 2/3 of {CELL}")]);
        let expected = ["sim/15".to_owned(), CELL.to_owned()];
        let run = merge(&[part(1, None)], Some(&expected)).unwrap();
        assert_eq!(run.missing, ["sim/15"]);
        assert_eq!(merge(&[], Some(&expected)).unwrap().missing, expected);
    }

    #[test]
    fn reports_of_different_runs_are_not_joined() {
        let other = |change: &dyn Fn(&mut RunResult)| {
            let mut part = part(2, Some((2, 2)));
            change(&mut part.run);
            part
        };
        let one = part(1, Some((1, 2)));
        let failure =
            |other: Part| merge(&[one.clone(), other], None).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(failure(other(&|_| {})), Ok(()));
        for (changed, what) in [
            (other(&|run| run.vectors.selection = "00".into()), "different vectors"),
            (other(&|run| run.vectors.slice = one.run.vectors.slice), "both have slice 1/2 of freebsd"),
            (other(&|run| run.vectors.slice = Some(Slice { index: 2, of: 3 })), "has slice 2/3"),
            (other(&|run| run.vectors.slice = None), "slice all of freebsd"),
        ] {
            let error = failure(changed).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        let on = |kernel: &str, mut part: Part| {
            part.run.cells[0].facts.push(Fact::KernelSha256(kernel.into()));
            part
        };
        let slices = [on("aa", one.clone()), on("bb", part(2, Some((2, 2))))];
        assert!(matches!(merge(&slices, None), Err(MergeError::Kernels { .. })));
    }

    #[test]
    fn kernels_that_goldens_come_from_are_joined_and_one_hard_slice_is_enough() {
        let (mut first, second) = (part(1, Some((1, 2))), part(2, Some((2, 2))));
        first.run.cells[0].cell.soft = Some(Soft::NeverObserved);
        let run = merge(&[first.clone(), second.clone()], None).unwrap();
        assert_eq!(run.cells[0].cell.soft, None);
        assert_eq!(run.cells[0].recorded, first.run.cells[0].recorded, "each once");
    }

    #[test]
    fn the_worse_slice_decides_and_different_facts_stay() {
        let (mut first, mut second) = (part(1, Some((1, 2))), part(2, Some((2, 2))));
        first.run.cells[0].status = CellStatus::Passed;
        second.run.cells[0].status = CellStatus::GuestFailed("hung".into());
        first.run.cells[0].facts.push(Fact::line("boot time", "5 s"));
        second.run.cells[0].facts.push(Fact::line("boot time", "6 s"));
        let run = merge(&[first, second], None).unwrap();
        assert_eq!(run.cells[0].status, CellStatus::GuestFailed("hung".into()));
        let facts = [Fact::Kernel("GENERIC".into()), Fact::line("boot time", "5 s | 6 s")];
        assert_eq!(run.cells[0].facts, facts);
    }
}
