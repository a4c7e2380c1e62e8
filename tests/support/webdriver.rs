// SPDX-License-Identifier: BSD-2-Clause
//! A real browser, driven by WebDriver: Debian's chromium by its chromedriver(1).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::ChromeCapabilities;
use thirtyfour::prelude::*;

/// A chromedriver, and the directory of its browsers' profiles. It ends with this.
pub(crate) struct Driver {
    process: Child,
    address: String,
    profiles: TempDir,
}

impl Driver {
    /// Starts it. `None`: it is not installed here, which is said with the test's name.
    pub(crate) fn start(test: &str) -> Option<Self> {
        for program in ["chromium", "chromedriver"] {
            if let Err(error) = Command::new(program).arg("--version").stderr(Stdio::null()).output() {
                crate::skip::say(&format!("skipped {test}: {program}: {error}"));
                return None;
            }
        }
        let profiles = tempfile::tempdir().unwrap();
        // Any free port, which its first lines name.
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", profiles.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| {
            line.split_once("started successfully on port ").map(|(_, port)| port.to_owned())
        });
        let port = port.expect("chromedriver names its port");
        let port = port.trim_end_matches('.');
        // What it says later is nobody's business, but it must be able to say it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, address: format!("http://127.0.0.1:{port}"), profiles })
    }

    /// Does this with a browser that has no window, and ends the browser whatever comes of it.
    pub(crate) fn with_browser(&self, body: impl AsyncFnOnce(WebDriver) -> WebDriverResult<()>) {
        let profile = tempfile::tempdir_in(self.profiles.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(async {
            let browser = WebDriver::new(&self.address, capabilities(profile.path())).await.unwrap();
            // The browser begins with a page of its own, which asks for much.
            browser.goto("about:blank").await.unwrap();
            requests(&browser).await.unwrap();
            browser.run_and_quit(|browser| body(browser)).await.unwrap();
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked to, it ends its browsers too.
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        pid.map(|pid| kill_process(pid, Signal::TERM));
        self.process.wait().ok();
    }
}

fn capabilities(profile: &Path) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    let profile = format!("--user-data-dir={}", profile.display());
    // The sandbox needs rights that containers of CI systems do not have; the page is our own.
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", &profile] {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities.set("goog:loggingPrefs", json!({ "browser": "ALL", "performance": "ALL" })).unwrap();
    capabilities
}

/// What the page's console says.
pub(crate) async fn console(browser: &WebDriver) -> WebDriverResult<Vec<String>> {
    let log = browser.get_log("browser").await?;
    Ok(log.into_iter().map(|entry| entry.message).collect())
}

/// The addresses that the browser has asked for since the last call.
pub(crate) async fn requests(browser: &WebDriver) -> WebDriverResult<Vec<String>> {
    let mut addresses = Vec::new();
    for entry in browser.get_log("performance").await? {
        let event: serde_json::Value = serde_json::from_str(&entry.message)?;
        let event = &event["message"];
        if event["method"] == "Network.requestWillBeSent" {
            addresses.push(event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(addresses)
}

/// What a script returns.
pub(crate) async fn asked(browser: &WebDriver, script: &str) -> WebDriverResult<serde_json::Value> {
    Ok(browser.execute(script, vec![]).await?.json().clone())
}

/// Waits until a script returns true: what a page does by itself takes its time.
pub(crate) async fn until(browser: &WebDriver, script: &str) -> WebDriverResult<()> {
    // Far more than it needs: a page that does nothing must not hold up the tests for ever.
    for _ in 0..1200 {
        if asked(browser, script).await? == true {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("never: {script}");
}
