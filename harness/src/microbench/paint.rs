// SPDX-License-Identifier: BSD-2-Clause
//! The time until a browser shows something of a page.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The browser's name.
const BROWSER: &str = "chromium";
/// The words of the console's line.
const TOLD: &str = "nlproof first-paint ";
/// What a page is given to tell it: the browser's own measure, from the begin of the navigation.
const TELLS: &str = "<script>new PerformanceObserver((list) => list.getEntriesByName(\"first-paint\").forEach((paint) => \
                     console.log(`nlproof first-paint ${paint.startTime}`))).observe({ type: \"paint\", buffered: true \
                     })</script>";
/// The page that the browser begins with: what its own start takes is nothing of the page that it goes on to.
const FIRST: &str = "<!doctype html><title>first</title><script>addEventListener(\"load\", () => setTimeout(() => \
                     location.replace(\"page.html\"), 2000))</script>";
/// Limit for a browser to start and to show a page; what it measures is only a part of that.
const LIMIT: Duration = Duration::from_secs(60);

/// Why it is not known when a page is painted.
#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    /// The browser is not here.
    #[error("{BROWSER} cannot be started: {0}")]
    Browser(#[source] io::Error),
    /// The page cannot be written for it.
    #[error("the page cannot be written for {BROWSER}: {0}")]
    Page(#[source] io::Error),
    /// The browser ended before it painted. What it said last.
    #[error("{BROWSER} ended without painting the page: {0}")]
    Ended(String),
    /// The browser painted nothing.
    #[error("{BROWSER} painted nothing within {} s", LIMIT.as_secs())]
    Nothing,
}

/// A browser without a window, which ends with this.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        // One that has ended cannot be ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The page with a script at its end that tells when it was painted.
fn telling(page: &str) -> String {
    match page.rsplit_once("</body>") {
        Some((before, after)) => format!("{before}{TELLS}</body>{after}"),
        None => format!("{page}{TELLS}"),
    }
}

/// Milliseconds of a line such as `[7:7:1130/INFO:CONSOLE:1] "nlproof first-paint 123.5", source: …`.
fn told(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once(TOLD)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? / 1000.0).ok()
}

/// Goes to a page in a headless browser that has started, found in `path` (as PATH is), and waits for its first paint.
///
/// # Errors
/// See [`PaintError`].
pub fn first_paint(page: &str, path: Option<&OsStr>) -> Result<Duration, PaintError> {
    let directory = tempfile::Builder::new().prefix("nlproof-page-").tempdir().map_err(PaintError::Page)?;
    let first = directory.path().join("first.html");
    std::fs::write(directory.path().join("page.html"), telling(page)).map_err(PaintError::Page)?;
    std::fs::write(&first, FIRST).map_err(PaintError::Page)?;
    paint(&first, directory.path(), path)
}

fn paint(file: &Path, directory: &Path, path: Option<&OsStr>) -> Result<Duration, PaintError> {
    let mut command = Command::new(BROWSER);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    // The sandbox needs rights that containers do not have; the page is our own.
    let browser = command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", directory.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut browser = Browser(browser.map_err(PaintError::Browser)?);
    let (to, lines) = mpsc::channel();
    let stderr = browser.0.stderr.take();
    std::thread::spawn(move || {
        let lines =
            stderr.map(BufReader::new).into_iter().flat_map(|stderr| stderr.lines().map_while(Result::ok));
        // Nobody listens any more once it has painted.
        lines.for_each(|line| drop(to.send(line)));
    });
    let mut last = String::new();
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) => match told(&line) {
                Some(paint) => return Ok(paint),
                None => last = line,
            },
            Err(RecvTimeoutError::Timeout) => return Err(PaintError::Nothing),
            Err(RecvTimeoutError::Disconnected) => return Err(PaintError::Ended(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_s_line_is_read_and_others_are_not() {
        let line = "[7:7:1130/061500.1:INFO:CONSOLE:1] \"nlproof first-paint 123.5\", source: file:///x (1)";
        assert_eq!(told(line), Some(Duration::from_micros(123_500)));
        assert_eq!(
            told("[7:7:1130/061500.1:INFO:CONSOLE:1] \"nlproof first-paint \", source: file:///x (1)"),
            None
        );
        assert_eq!(told("DevTools listening"), None);
    }

    #[test]
    fn the_script_stands_at_the_end_of_the_page() {
        let page = telling("<!doctype html><body><pre>&lt;/body></pre></body></html>");
        assert!(page.ends_with("</script></body></html>") && page.matches("<script>").count() == 1, "{page}");
        assert!(telling("no page").ends_with("</script>"));
    }

    #[test]
    fn without_a_browser_that_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let error = first_paint("<!doctype html>", Some(directory.path().as_os_str())).unwrap_err();
        assert!(matches!(error, PaintError::Browser(_)), "{error}");
    }
}
