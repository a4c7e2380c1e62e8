// SPDX-License-Identifier: BSD-2-Clause
//! `review`: recordings that await acceptance, summed up, then as differences from the goldens that hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nlproof_base::counted;

use super::args::{ProjectArgs, ReviewArgs};
use super::exit::{CliError, ExitCode};
use super::kinds::{kind_line, many};
use super::pager::page;
use super::project::Project;
use crate::golden::{
    Compared, Differences, Found, Golden, Pending, Store, changes, layers, layers_behind, unified,
};
use crate::matrix::Cell;
use crate::trace::with_names;

pub(super) fn main(project: &ProjectArgs, args: &ReviewArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let cells = project.matrix()?.cells;
    let mut changed = Vec::new();
    for store in project.goldens().both() {
        for pending in store.pending()? {
            changed.push(Changed::of(&store, pending, &cells)?);
        }
    }
    let strays = project.strays()?;
    let mut shown: String = strays.iter().map(|stray| format!("{stray}\n")).collect();
    match changed.len() {
        0 => shown.push_str("nothing awaits review\n"),
        _ => shown.push_str(&text(&changed, args.all)),
    }
    page(&shown, args.no_pager);
    let waits = !changed.is_empty() || !strays.is_empty();
    Ok(if args.check && waits { ExitCode::COMPARISON } else { ExitCode::OK })
}

/// A golden that awaits review.
struct Changed {
    pending: Pending,
    compared: Compared,
    /// Suffix with which an id of this kind is shown.
    kind: &'static str,
    /// The golden in its place.
    old: Option<Golden>,
    /// The golden that held so far, from a more general layer; only if its own layer has none.
    behind: Option<Found>,
    new: Golden,
}

impl Changed {
    fn of(store: &Store, pending: Pending, cells: &[Cell]) -> Result<Changed, CliError> {
        let Pending { layer, vector } = &pending;
        let missing = || CliError::Usage(format!("{layer}/{vector}: it is no longer there"));
        let new = store.read_new(layer, vector)?.ok_or_else(missing)?;
        let old = store.read(layer, vector)?;
        let behind = match old {
            Some(_) => None,
            None => {
                // A release's own layer stands before all of its profile's.
                let own = cells.iter().find(|cell| cell.layer.as_ref() == Some(layer));
                let behind = own.map_or_else(|| layers_behind(layer), |cell| layers(cell.profile).to_vec());
                store.find(&behind, vector)?
            }
        };
        Ok(Changed { compared: store.compared(), kind: store.kind(), old, behind, new, pending })
    }

    /// The golden that holds until this one is accepted.
    fn holds(&self) -> Option<&Golden> {
        self.old.as_ref().or(self.behind.as_ref().map(|found| &found.golden))
    }

    /// Whether only the origins differ.
    fn same_trace(&self) -> bool {
        self.old.as_ref().is_some_and(|old| old.body == self.new.body)
    }

    fn name(&self) -> String {
        format!("{}/{}{}", self.pending.layer, self.pending.vector, self.kind)
    }

    fn text(&self) -> String {
        let about = match (&self.old, &self.behind) {
            (Some(_), _) => String::new(),
            (None, Some(behind)) => format!(" (new; until now the golden of {} held)", behind.layer),
            (None, None) => " (new)".into(),
        };
        let old = self.holds().map(Golden::to_text).unwrap_or_default();
        let new = self.new.to_text();
        format!("{}{about}\n{}\n", self.name(), with_names(&unified(&old, &new, 3)))
    }
}

fn text(changed: &[Changed], all: bool) -> String {
    let mut text = summary(changed);
    for one in changed.iter().filter(|one| all || !one.same_trace()) {
        // Writing to a String cannot fail.
        write!(text, "\n{}", one.text()).unwrap_or_default();
    }
    let hidden: Vec<_> = changed.iter().filter(|one| !all && one.same_trace()).map(Changed::name).collect();
    if !hidden.is_empty() {
        writeln!(
            text,
            "\nthe same trace as before, from another kernel or profile (--all shows them):\n  {}",
            hidden.join(", ")
        )
        .unwrap_or_default();
    }
    writeln!(
        text,
        "\n{} review; accept with: nlproof accept LAYER/VECTOR, or --all",
        counted(changed.len(), "golden").verb("awaits", "await")
    )
    .unwrap_or_default();
    text
}

/// The counts by layer, and the differences by kind.
fn summary(changed: &[Changed]) -> String {
    let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Differences::default();
    let (mut new, mut other, mut same) = (0, 0, 0);
    for one in changed {
        *layers.entry(&one.pending.layer).or_default() += 1;
        match one.holds() {
            None => new += 1,
            Some(_) if one.same_trace() => same += 1,
            Some(holds) => {
                other += 1;
                if one.compared == Compared::Wire {
                    differences.add(&one.pending.vector, changes(&holds.body, &one.new.body));
                }
            }
        }
    }
    let parts = [
        (other, "with another trace than the golden that holds"),
        (new, "where no golden held"),
        (same, "with the same trace from another kernel or profile"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let layers: Vec<_> = layers.iter().map(|(layer, count)| format!("{layer} ({count})")).collect();
    let mut text = format!(
        "{} recorded: {}\nin {}\n",
        many(changed.len(), "golden"),
        parts.join(", "),
        layers.join(", ")
    );
    let kinds = differences.kinds();
    if !kinds.is_empty() {
        text.push_str("\nvectors  ways  where (- holds, + recorded)\n");
    }
    for kind in &kinds {
        writeln!(text, "{}", kind_line(kind)).unwrap_or_default();
    }
    text
}
