// SPDX-License-Identifier: BSD-2-Clause
//! A page that is served, as a browser follows it.

use std::fs;

use thirtyfour::prelude::*;

use crate::serving::Serving;
use crate::support::{Project, text};
use crate::webdriver::{Driver, asked, console, until};

const VECTORS: [&str; 2] = ["link/create-lo", "link/modify-mtu-71"];

#[test]
fn a_browser_shows_another_report_by_itself() {
    let Some(driver) = Driver::start("a_browser_shows_another_report_by_itself") else { return };
    let project = Project::small(&VECTORS);
    let report = project.path("report");
    let run = || {
        let output = project
            .nlproof()
            .args(["test-matrix", "--target", "sim", "--release", "15", "--report-dir"])
            .arg(&report)
            .output()
            .unwrap();
        assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    };
    run();
    let serving = Serving::start(project.nlproof().args(["report", "serve"]).arg(&report));
    let address = format!("http://{}{}", serving.host, serving.path);
    let again = || {
        let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
        let right = fs::read_to_string(&golden).unwrap();
        fs::write(&golden, right.replace("error=EINVAL", "error=EPERM")).unwrap();
        run();
    };
    driver.with_browser(async |browser| {
        browser.goto(&address).await?;
        until(&browser, "return document.getElementById('live')?.textContent.includes('follows')").await?;
        assert_eq!(asked(&browser, "return document.querySelector('h1').textContent").await?, "Passed");
        again();
        until(&browser, "return document.querySelector('h1')?.textContent === 'Not passed'").await?;
        // Who reads a vector is asked first.
        asked(&browser, "location.hash = '#link/modify-mtu-71@sim/15'").await?;
        until(&browser, "return document.querySelector('.vector[open]') !== null").await?;
        run();
        until(&browser, "return document.getElementById('more')?.hidden === false").await?;
        browser.find(By::Id("more")).await?.click().await?;
        until(&browser, "return document.getElementById('more')?.hidden").await?;
        until(&browser, "return document.querySelector('.vector[open]')?.id === 'link/modify-mtu-71'")
            .await?;
        assert_eq!(console(&browser).await?, Vec::<String>::new());
        // An open page does not hold up Ctrl-C, and says that it is the last one.
        let output = serving.end();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        until(&browser, "return document.getElementById('live').textContent.includes('nothing serves')").await
    });
}
