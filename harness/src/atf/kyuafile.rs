// SPDX-License-Identifier: BSD-2-Clause
//! Kyuafiles: which test programs a directory has, and what they need (kyuafile(5)). They are Lua; what `bsd.test.mk`
//! writes is calls with literals, and nothing else is read.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Most directories deep that one Kyuafile includes another.
const DEPTH: usize = 16;

/// How a test program talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// A program that lists its cases and runs one at a time (atf-test-program(1)).
    Atf,
    /// A program that is one case; its exit status tells the outcome.
    Plain,
    /// A program that prints lines of the Test Anything Protocol.
    Tap,
}

/// A test program of a Kyuafile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestProgram {
    /// Path below `/usr/tests`, such as `sys/net/if_clone_test`.
    pub path: String,
    /// How it talks.
    pub interface: Interface,
    /// What the Kyuafile says of it: `required_programs`, `timeout`, `execenv`, ...
    pub metadata: BTreeMap<String, String>,
}

/// Something in a Kyuafile that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct KyuafileError {
    /// Path of the Kyuafile in the archive.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What a directory's Kyuafile and those that it includes say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// The test programs, in the order of the files.
    pub found: Vec<TestProgram>,
    /// Directories whose Kyuafile is included and is not there: what they have cannot be known.
    pub absent: Vec<AbsentDirectory>,
}

/// A directory whose Kyuafile is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentDirectory {
    /// Path below `/usr/tests`.
    pub path: String,
    /// The Kyuafile that includes it.
    pub by: String,
    /// Line of the include, from 1.
    pub line: usize,
}

impl AbsentDirectory {
    /// Why its tests are not run.
    pub fn reason(&self) -> String {
        format!("{}:{} includes it, and tests.txz has no Kyuafile of it", self.by, self.line)
    }
}

/// The test programs of a directory and of those that its Kyuafile includes; `read` gives a Kyuafile by its path below
/// `/usr/tests`, or nothing if there is none.
///
/// # Errors
/// The directory's own Kyuafile is not there, or a Kyuafile has something else in it than calls with literals.
pub fn programs<'f>(
    directory: &str,
    read: &impl Fn(&str) -> Option<&'f str>,
) -> Result<Programs, KyuafileError> {
    let file = join(directory, "Kyuafile");
    let Some(text) = read(&file) else {
        return Err(KyuafileError { file, line: 1, what: "there is no such Kyuafile".to_owned() });
    };
    let mut programs = Programs::default();
    programs.add(directory, text, read, DEPTH)?;
    Ok(programs)
}

impl Programs {
    /// Adds what the Kyuafile of a directory says.
    fn add<'f>(
        &mut self,
        directory: &str,
        text: &str,
        read: &impl Fn(&str) -> Option<&'f str>,
        depth: usize,
    ) -> Result<(), KyuafileError> {
        let file = join(directory, "Kyuafile");
        let wrong = |line, what: &str| KyuafileError { file: file.clone(), line, what: what.to_owned() };
        for (line, call) in calls(text).map_err(|(line, what)| wrong(line, &what))? {
            match call {
                Call::Include(path) => {
                    let inside = path.strip_suffix("/Kyuafile").filter(|inside| is_inside(inside));
                    let inside =
                        inside.ok_or_else(|| wrong(line, "include names no Kyuafile below this one"))?;
                    let deeper = depth.checked_sub(1).ok_or_else(|| wrong(line, "includes are too deep"))?;
                    let path = join(directory, inside);
                    match read(&join(&path, "Kyuafile")) {
                        Some(text) => self.add(&path, text, read, deeper)?,
                        None => self.absent.push(AbsentDirectory { path, by: file.clone(), line }),
                    }
                }
                Call::Program(interface, mut metadata) => {
                    let name = metadata.remove("name").filter(|name| is_inside(name));
                    let name = name.ok_or_else(|| wrong(line, "a test program has no name"))?;
                    self.found.push(TestProgram { path: join(directory, &name), interface, metadata });
                }
            }
        }
        Ok(())
    }
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Whether a path stays below where it begins.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A call that tells of programs.
enum Call {
    Include(String),
    Program(Interface, BTreeMap<String, String>),
}

type Wrong = (usize, String);

/// The calls of a Kyuafile with their lines; those that say nothing of programs are passed over.
fn calls(text: &str) -> Result<Vec<(usize, Call)>, Wrong> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut found = Vec::new();
    while let Some(name) = reader.word()? {
        let line = reader.line;
        let interface = match name.as_str() {
            "atf_test_program" => Some(Interface::Atf),
            "plain_test_program" => Some(Interface::Plain),
            "tap_test_program" => Some(Interface::Tap),
            "include" | "syntax" | "test_suite" => None,
            other => return Err((line, format!("`{other}` is not understood"))),
        };
        match interface {
            Some(interface) => found.push((line, Call::Program(interface, reader.table()?))),
            None => {
                let argument = reader.argument()?;
                if name == "include" {
                    found.push((line, Call::Include(argument)));
                }
            }
        }
    }
    Ok(found)
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    /// Passes over white space and comments.
    fn space(&mut self) -> Result<(), Wrong> {
        while let Some(&c) = self.rest.peek() {
            if c.is_whitespace() || c == ';' {
                self.next();
            } else if c == '-' {
                self.next();
                self.expect('-')?;
                while self.rest.peek().is_some_and(|&c| c != '\n') {
                    self.next();
                }
            } else {
                break;
            }
        }
        Ok(())
    }

    fn expect(&mut self, wanted: char) -> Result<(), Wrong> {
        let line = self.line;
        match self.next() {
            Some(c) if c == wanted => Ok(()),
            Some(c) => Err((line, format!("`{}` stands where `{wanted}` is expected", c.escape_default()))),
            None => Err((line, format!("the file ends where `{wanted}` is expected"))),
        }
    }

    fn is_next(&mut self, wanted: char) -> Result<bool, Wrong> {
        self.space()?;
        Ok(self.rest.peek() == Some(&wanted))
    }

    /// A name; nothing at the end of the file.
    fn word(&mut self) -> Result<Option<String>, Wrong> {
        self.space()?;
        let mut word = String::new();
        while let Some(&c) = self.rest.peek().filter(|c| c.is_ascii_alphanumeric() || **c == '_') {
            word.push(c);
            self.next();
        }
        match (word.is_empty(), self.rest.peek()) {
            (false, _) => Ok(Some(word)),
            (true, None) => Ok(None),
            (true, Some(c)) => Err((self.line, format!("`{}` begins no call", c.escape_default()))),
        }
    }

    /// A text in quotes, a number, or a word.
    fn literal(&mut self) -> Result<String, Wrong> {
        self.space()?;
        let Some(&quote) = self.rest.peek().filter(|c| matches!(c, '"' | '\'')) else {
            let word = self.word()?;
            return word.ok_or_else(|| (self.line, "the file ends where a value is expected".to_owned()));
        };
        let line = self.line;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.extend(self.next()),
                Some(c) if c != '\n' => text.push(c),
                _ => return Err((line, "a text has no end".to_owned())),
            }
        }
    }

    /// `("TEXT")`, `(2)` or `"TEXT"`.
    fn argument(&mut self) -> Result<String, Wrong> {
        let parenthesis = self.is_next('(')?;
        if parenthesis {
            self.next();
        }
        let text = self.literal()?;
        if parenthesis {
            self.space()?;
            self.expect(')')?;
        }
        Ok(text)
    }

    /// `{name="x", timeout=30}`.
    fn table(&mut self) -> Result<BTreeMap<String, String>, Wrong> {
        let mut found = BTreeMap::new();
        self.space()?;
        self.expect('{')?;
        while !self.is_next('}')? {
            let key = self.word()?.ok_or_else(|| (self.line, "a table has no end".to_owned()))?;
            self.space()?;
            self.expect('=')?;
            found.insert(key, self.literal()?);
            if self.is_next(',')? {
                self.next();
            }
        }
        self.expect('}')?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NET: &str = "-- Automatically generated by bsd.test.mk.\n\nsyntax(2)\n\ntest_suite(\"FreeBSD\")\n\n\
        atf_test_program{name=\"if_bridge_test\", is_exclusive=\"true\", required_programs=\"python\"}\n\
        plain_test_program{name='one', timeout=30}\ntap_test_program{ name=\"two\" , }\n\
        include(\"routing/Kyuafile\")\n";

    fn read(text: &'static str) -> impl Fn(&str) -> Option<&'static str> {
        move |path| match path {
            "sys/net/Kyuafile" => Some(text),
            "sys/net/routing/Kyuafile" => Some("syntax(2)\natf_test_program{name=\"test_rtsock_l3\"}"),
            _ => None,
        }
    }

    #[test]
    fn what_bsd_test_mk_writes_is_read() {
        let found = programs("sys/net", &read(NET)).unwrap().found;
        let paths: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.interface)).collect();
        assert_eq!(
            paths,
            [
                ("sys/net/if_bridge_test", Interface::Atf),
                ("sys/net/one", Interface::Plain),
                ("sys/net/two", Interface::Tap),
                ("sys/net/routing/test_rtsock_l3", Interface::Atf),
            ]
        );
        assert_eq!(found[0].metadata["required_programs"], "python");
        assert_eq!(found[1].metadata["timeout"], "30");
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let error = |text| programs("sys/net", &read(text)).unwrap_err().to_string();
        for (text, expected) in [
            ("syntax(2)\nif fs.exists(\"x\") then", "sys/net/Kyuafile:2: `if` is not understood"),
            ("atf_test_program{name=\"a\"", "sys/net/Kyuafile:1: a table has no end"),
            ("atf_test_program{name=\"a", "sys/net/Kyuafile:1: a text has no end"),
            ("\natf_test_program{}", "sys/net/Kyuafile:2: a test program has no name"),
            ("atf_test_program{name=\"../x\"}", "sys/net/Kyuafile:1: a test program has no name"),
            ("include(\"/etc/passwd\")", "sys/net/Kyuafile:1: include names no Kyuafile below this one"),
            ("- x", "sys/net/Kyuafile:1: ` ` stands where `-` is expected"),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    #[test]
    fn a_directory_without_its_kyuafile_is_told_and_the_others_are_read() {
        let text = "include(\"gone/Kyuafile\")\ninclude(\"routing/Kyuafile\")";
        let read_programs = programs("sys/net", &read(text)).unwrap();
        assert_eq!(read_programs.found[0].path, "sys/net/routing/test_rtsock_l3");
        let gone = AbsentDirectory { path: "sys/net/gone".into(), by: "sys/net/Kyuafile".into(), line: 1 };
        assert_eq!(read_programs.absent, [gone]);
        let own = programs("sys/none", &read(text)).unwrap_err().to_string();
        assert_eq!(own, "sys/none/Kyuafile:1: there is no such Kyuafile");
    }

    #[test]
    fn a_kyuafile_that_includes_itself_ends() {
        let read = |_: &str| Some("include(\"a/Kyuafile\")");
        assert!(programs("", &read).unwrap_err().what.contains("too deep"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_rejected(text in "[a-z_(){}\"',= \n\\\\-]{0,80}") {
            let read = |path: &str| (path == "Kyuafile").then_some(text.as_str());
            if let Err(error) = programs("", &read) {
                prop_assert!(error.line <= text.lines().count().max(1) + 1);
            }
        }
    }
}
