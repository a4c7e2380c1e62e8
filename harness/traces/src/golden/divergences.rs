// SPDX-License-Identifier: BSD-2-Clause
//! `tests/divergences.yaml`: where the Rust-backed module answers otherwise than the stock code on purpose.
//!
//! A row replaces one line of the stock code's golden by another. What is declared and does not occur is an
//! error, like an expected failure that passes.

use std::path::{Path, PathBuf};

use iface_core::Profile;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::store::Found;
use crate::file::{FileError, Position, load_yaml, nearest, profiles, schema_of};

/// Where the Rust-backed module answers otherwise than the stock code on purpose. A declared row that does not occur is an
/// error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawFile {
    /// The rows; there may be none.
    #[schemars(with = "Vec<RawRow>")]
    divergences: Vec<Spanned<RawRow>>,
}

/// One line of a golden that the module answers otherwise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRow {
    /// The vector, such as link/create-lo; with a `*` at its end all whose ids begin so.
    #[schemars(with = "String")]
    vector: Spanned<String>,
    /// The branches with the deviation.
    #[schemars(schema_with = "profiles")]
    profiles: Vec<Spanned<String>>,
    /// Only in messages whose first line has this text, such as `dellink`; `stock` is then a part of a line.
    #[serde(default)]
    under: Option<String>,
    /// The golden's line, without its indentation.
    stock: String,
    /// The line that the module answers.
    rust: String,
    /// Why that is right.
    why: String,
    /// The source: a commit, a bug, a standard.
    reference: String,
}

/// The schema of `divergences.yaml`.
pub fn divergences_schema() -> Schema {
    schema_of::<RawFile>("Where nlproof's kernel module deviates on purpose")
}

/// Deviations on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divergences {
    path: PathBuf,
    rows: Vec<Row>,
}

/// One deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    place: Position,
    vector: String,
    profiles: Vec<Profile>,
    under: Option<String>,
    stock: String,
    rust: String,
}

impl Divergences {
    /// Loads the file; without one there are none. `vectors` are the ids of all vectors.
    ///
    /// # Errors
    /// The file cannot be read or parsed, a row names an unknown vector or profile, says nothing, or has no
    /// reason or reference.
    pub fn load(path: &Path, vectors: &[&str]) -> Result<Divergences, FileError> {
        if !path.exists() {
            return Ok(Divergences::default());
        }
        let raw: RawFile = load_yaml(path)?;
        let rows = raw.divergences.into_iter().map(|row| validated(path, row, vectors));
        Ok(Divergences { path: path.to_owned(), rows: rows.collect::<Result<_, _>>()? })
    }

    /// The required answer of the module where the stock code answers `found`. As given if nothing is
    /// declared; otherwise the layer says so.
    ///
    /// # Errors
    /// A declared line is not in the golden: the row is about something that does not occur.
    pub fn apply(&self, profile: Profile, mut found: Found) -> Result<Found, FileError> {
        for row in &self.rows {
            if !is_about(&row.vector, &found.golden.vector) || !row.profiles.contains(&profile) {
                continue;
            }
            let (body, replaced) = row.applied(&found.golden.body);
            // A row about many vectors need not be about each.
            if replaced == 0 && row.vector.ends_with('*') {
                continue;
            }
            if replaced == 0 {
                let what = format!("{} does not answer `{}`", found.path.display(), row.stock);
                return Err(FileError::at(&self.path, row.place, what)
                    .help("a line of the golden without its indentation; or delete the row"));
            }
            found.golden.body = body;
            found.layer = format!("{}, with divergences.yaml", found.layer);
        }
        Ok(found)
    }
}

impl Row {
    /// A golden's text as the module has it, and how many lines were replaced. What is replaced keeps its indentation.
    fn applied(&self, body: &str) -> (String, usize) {
        let (mut out, mut replaced, mut under) = (String::new(), 0, self.under.is_none());
        for line in body.lines() {
            let text = line.trim_start();
            if let Some(wanted) = self.under.as_deref().filter(|_| is_first_line(text)) {
                under = text.contains(wanted);
            }
            let is_it = match &self.under {
                Some(_) => under && text.contains(&self.stock),
                None => text.trim_end() == self.stock,
            };
            if is_it {
                replaced += 1;
                out.push_str(&line[..line.len() - text.len()]);
                out.push_str(&text.trim_end().replace(&self.stock, &self.rust));
            } else {
                out.push_str(line);
            }
            out.push('\n');
        }
        (out, replaced)
    }
}

/// Whether a row's vector is that one.
fn is_about(row: &str, vector: &str) -> bool {
    row.strip_suffix('*').map_or(row == vector, |beginning| vector.starts_with(beginning))
}

/// Whether a line begins a message, a command's output, a note or a step.
fn is_first_line(text: &str) -> bool {
    ["> ", "< ", "* ", "! ", "exec ", "step "].iter().any(|mark| text.starts_with(mark))
}

fn validated(path: &Path, row: Spanned<RawRow>, vectors: &[&str]) -> Result<Row, FileError> {
    let at = |place: serde_saphyr::Location, what: String| FileError::at(path, Position::from(place), what);
    let place = row.referenced;
    let RawRow { vector, profiles: named, under, stock, rust, why, reference } = row.value;
    if !vectors.iter().any(|id| is_about(&vector.value, id)) {
        let error = at(vector.referenced, format!("unknown vector `{}`", vector.value));
        return Err(match nearest(&vector.value, vectors.iter().copied()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    let mut profiles = Vec::new();
    for profile in &named {
        profiles.push(profile.value.parse::<Profile>().map_err(|_| {
            let known = Profile::ALL.map(|profile| profile.to_string());
            at(profile.referenced, format!("unknown profile `{}`", profile.value))
                .help(format!("known: {}", known.join(", ")))
        })?);
    }
    if profiles.is_empty() {
        return Err(at(place, "no profiles: the row is about nothing".into()));
    }
    for (key, text) in [("stock", &stock), ("rust", &rust), ("why", &why), ("reference", &reference)] {
        if text.trim().is_empty() {
            return Err(at(place, format!("`{key}` is empty")));
        }
    }
    if stock.trim() == rust.trim() {
        return Err(at(place, "`stock` and `rust` are the same: nothing deviates".into()));
    }
    let place = Position::from(place);
    let [stock, rust] = [stock, rust].map(|line| line.trim().to_owned());
    Ok(Row { place, vector: vector.value, profiles, under, stock, rust })
}

#[cfg(test)]
mod tests {
    use super::super::file::Golden;
    use super::super::origin::Origin;
    use super::*;

    fn load(row: &str) -> Result<Divergences, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("divergences.yaml");
        std::fs::write(&path, format!("divergences:\n- {row}\n")).unwrap();
        Divergences::load(&path, &["link/a"]).map_err(|error| error.to_string())
    }

    fn found(body: &str) -> Found {
        let origin = Origin::predicted("15");
        Found { layer: "common".into(), path: "a.trace".into(), golden: Golden::new("link/a", origin, body) }
    }

    const ROW: &str = "{vector: link/a, profiles: ['15'], stock: < error=EPERM, rust: < error=EINVAL, why: a bug, reference: PR 1}";

    #[test]
    fn the_declared_line_is_replaced_in_its_profile_and_nowhere_else() {
        let divergences = load(ROW).unwrap();
        let body = "step 0\n  < error=EPERM\n  < error=EPERM2\n";
        let applied = divergences.apply(Profile::R15, found(body)).unwrap();
        assert_eq!(applied.golden.body, "step 0\n  < error=EINVAL\n  < error=EPERM2\n");
        assert_eq!(applied.layer, "common, with divergences.yaml");
        assert_eq!(divergences.apply(Profile::R14_0, found(body)).unwrap(), found(body));
    }

    #[test]
    fn a_row_can_be_about_some_messages_of_many_vectors() {
        let row = "{vector: link/*, under: dying, profiles: ['15'], stock: carrier 1, rust: carrier 0, why: x, reference: y}";
        let apply = |body| load(row).unwrap().apply(Profile::R15, found(body)).unwrap().golden.body;
        let body = "step 0\n  * link: dellink flags=dying\n      carrier 1\n  * link: newlink flags=up\n      carrier 1\n";
        assert_eq!(apply(body), body.replacen("carrier 1", "carrier 0", 1));
        let dying = "step 0\n  * link: dellink flags=dying|carrier 1|up\n";
        assert_eq!(apply(dying), dying.replace("carrier 1", "carrier 0"), "a part of a line");
        assert_eq!(apply("step 0\n      carrier 1\n"), "step 0\n      carrier 1\n", "about no message");
        let error = load(&row.replace("link/*", "addr/*")).unwrap_err();
        assert!(error.contains("unknown vector `addr/*`"), "{error}");
    }

    #[test]
    fn a_row_about_a_line_that_the_stock_code_does_not_answer_is_refused() {
        let error = load(ROW).unwrap().apply(Profile::R15, found("step 0\n")).unwrap_err();
        assert_eq!(error.place, Some(Position { line: 2, column: 3 }));
        assert!(error.what.contains("a.trace does not answer `< error=EPERM`"), "{error}");
    }

    #[test]
    fn without_a_file_nothing_deviates() {
        let none = Divergences::load(Path::new("/nonexistent/divergences.yaml"), &[]).unwrap();
        assert_eq!(none.apply(Profile::R15, found("x\n")).unwrap(), found("x\n"));
    }

    #[test]
    fn rows_that_say_nothing_are_refused_with_their_place() {
        for (from, to, expected) in [
            ("link/a", "link/b", ":2:12: unknown vector `link/b`"),
            ("'15'", "'99'", "unknown profile `99`"),
            ("['15']", "[]", "no profiles"),
            ("a bug", "''", "`why` is empty"),
            ("error=EINVAL", "error=EPERM", "nothing deviates"),
            ("why", "reason", "unknown key `reason`"),
        ] {
            let error = load(&ROW.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
