// SPDX-License-Identifier: BSD-2-Clause
//! `report.html` as a browser shows it.

use std::fs;

use serde_json::json;
use thirtyfour::Key;
use thirtyfour::prelude::*;

use crate::kernel_report::{SOURCE, UNREACHED, as_kernel, blocks};
use crate::support::{Project, text};
use crate::webdriver::{Driver, asked, console, requests, until};

/// An interface that is called like markup.
const MARKUP: &str = "about: an interface called <script>\nsocket: {ext-ack: true}\nsteps:\n- send: {message: newlink, flags: \
                      [request, ack, create], attrs: [{ifname: <script>}, {linkinfo: [{kind: lo}]}]}\n- send: {message: \
                      getlink, flags: [request], attrs: [{ifname: <script>}]}\n";

/// The page of a small run: one vector passed, one failed, one has no golden.
fn small_page() -> (Project, String) {
    let project = Project::small(&["link/create-lo", "link/modify-mtu-71"]);
    let golden = project.path("golden/freebsd-15/link/modify-mtu-71.trace");
    let right = fs::read_to_string(&golden).unwrap();
    fs::write(golden, right.replace("error=EINVAL", "error=EPERM")).unwrap();
    project.write("vectors/link/markup.yaml", MARKUP);
    let report = project.path("report");
    let output = project
        .nlproof()
        .args(["test-matrix", "--target", "sim", "--release", "15", "--report-dir"])
        .arg(&report)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(100), "{}", text(&output));
    let address = format!("file://{}", report.join("report.html").canonicalize().unwrap().display());
    (project, address)
}

/// The vectors that are shown, and what is said of their number.
async fn shown(browser: &WebDriver) -> WebDriverResult<serde_json::Value> {
    let script = "return [[...document.querySelectorAll('.vector')].filter((one) => !one.hidden).map((one) => \
                  one.id.slice(5)), document.getElementById('count').value]";
    asked(browser, script).await
}

#[test]
fn filter_search_and_links_work_and_nobody_is_asked() {
    let Some(driver) = Driver::start("filter_search_and_links_work_and_nobody_is_asked") else { return };
    let (_project, address) = small_page();
    driver.with_browser(async |browser| {
        browser.goto(&address).await?;
        assert_eq!(browser.title().await?, "nlproof: not passed");
        assert_eq!(shown(&browser).await?, json!([["create-lo", "markup", "modify-mtu-71"], "3 of 3"]));

        let find = browser.find(By::Id("find")).await?;
        for (words, ids) in [
            ("attr:mtu is:failed", &["modify-mtu-71"][..]),
            ("msg:getlink", &["create-lo", "modify-mtu-71"]),
            ("errno:eperm", &["modify-mtu-71"]),
            ("suite:link cell:sim/15 called", &["markup"]),
            ("no-such-word", &[]),
        ] {
            find.clear().await?;
            find.send_keys(words).await?;
            assert_eq!(shown(&browser).await?, json!([ids, format!("{} of 3", ids.len())]), "{words}");
        }
        find.send_keys(Key::Escape).await?;
        assert_eq!(shown(&browser).await?[1], "3 of 3");
        // The keyboard's way into the search.
        asked(&browser, "document.activeElement.blur()").await?;
        browser.action_chain().send_keys("/link/cr").perform().await?;
        assert_eq!(shown(&browser).await?, json!([["create-lo"], "1 of 3"]));
        find.send_keys(Key::Escape).await?;
        // As the keyboard chooses: the next outcome, and so on.
        let outcome = browser.find(By::Id("outcome")).await?;
        for (steps, word, ids) in
            [(1, "passed", ["create-lo"]), (1, "failed", ["modify-mtu-71"]), (5, "no-golden", ["markup"])]
        {
            for _ in 0..steps {
                outcome.send_keys(Key::Down).await?;
            }
            assert_eq!(asked(&browser, "return document.getElementById('outcome').value").await?, word);
            assert_eq!(shown(&browser).await?, json!([ids, "1 of 3"]), "{word}");
        }
        // A square of the map asks for its suite in its cell, and for nothing else.
        browser.find(By::Css("td[data-filter]")).await?.click().await?;
        assert_eq!(shown(&browser).await?[1], "3 of 3");
        assert_eq!(asked(&browser, "return document.getElementById('cell').value").await?, "sim/15");

        // A link to a vector in a cell opens it, from anywhere.
        browser.goto("about:blank").await?;
        browser.goto(format!("{address}#link/modify-mtu-71@sim/15")).await?;
        let opened = "return [...document.querySelectorAll('details.vector')].filter((one) => one.open).map((one) => one.id)";
        assert_eq!(asked(&browser, opened).await?, json!(["link/modify-mtu-71"]));
        let marked = browser.find(By::Css("[data-marked]")).await?;
        assert_eq!(marked.attr("id").await?.as_deref(), Some("link/modify-mtu-71@sim/15"));
        assert!(marked.text().await?.contains("error=EPERM"));

        // What a kernel said is text.
        asked(&browser, "location.hash = '#link/markup'").await?;
        let markup = browser.find(By::Id("link/markup")).await?;
        assert!(markup.text().await?.contains("ifname \"<script>\""), "{}", markup.text().await?);
        assert_eq!(asked(&browser, "return document.scripts.length").await?, 1);

        assert_eq!(console(&browser).await?, Vec::<String>::new());
        let asked_for = requests(&browser).await?;
        assert!(!asked_for.is_empty());
        let ours = |one: &String| one.starts_with(&address);
        assert!(asked_for.iter().all(ours), "{asked_for:?}");
        Ok(())
    });
}

#[test]
fn a_block_leads_to_the_vector_that_reached_it() {
    let Some(driver) = Driver::start("a_block_leads_to_the_vector_that_reached_it") else { return };
    let project = Project::small(&["link/create-lo"]);
    let report = project.path("report");
    let run = |arguments: &[&str]| {
        let output = project.nlproof().args(arguments).arg(&report).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    };
    run(&["test-matrix", "--target", "sim", "--release", "14.0", "--report-dir"]);
    as_kernel(&report);
    fs::create_dir_all(project.path("unreached")).unwrap();
    project.write("unreached/14.0-STABLE.yaml", UNREACHED);
    fs::create_dir_all(project.path("src/sys/netlink/route")).unwrap();
    project.write("src/sys/netlink/route/iface.c", SOURCE);
    project.write("report/blocks.json", &blocks());
    run(&["report", "html", "--source", project.path("src").to_str().unwrap()]);
    let address = format!("file://{}", report.join("report.html").canonicalize().unwrap().display());
    driver.with_browser(async |browser| {
        browser.goto(&address).await?;
        let function = browser.find(By::Css("details.function")).await?;
        function.find(By::Tag("summary")).await?.click().await?;
        let said = function.text().await?;
        assert!(
            said.contains("if (x <b>y</b> 0)") && said.contains("not reached: no memory <here>"),
            "{said}"
        );
        function.find(By::LinkText("link/create-lo")).await?.click().await?;
        let opened = "return document.getElementById('link/create-lo').open";
        until(&browser, opened).await?;
        assert_eq!(console(&browser).await?, Vec::<String>::new());
        Ok(())
    });
}

/// How long it takes is nothing that a test could judge.
#[test]
fn bench_report_measures_the_first_paint() {
    let Some(driver) = Driver::start("bench_report_measures_the_first_paint") else { return };
    drop(driver);
    let (project, _) = small_page();
    let mut command = project.nlproof();
    let output =
        command.args(["bench", "report", "--turns", "1"]).arg(project.path("report")).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 100)), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("first paint ") && said.contains("the middle one of 1; the longest "), "{said}");
}

#[test]
fn the_page_is_dark_where_the_reader_has_it_so_and_when_asked() {
    let test = "the_page_is_dark_where_the_reader_has_it_so_and_when_asked";
    let Some(driver) = Driver::start(test) else { return };
    let (_project, address) = small_page();
    driver.with_browser(async |browser| {
        browser.goto(&address).await?;
        let ground = "return getComputedStyle(document.body).backgroundColor";
        let (dark, light) = ("rgb(13, 17, 23)", "rgb(255, 255, 255)");
        for (scheme, color) in [("dark", dark), ("light", light)] {
            let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.cdp().send_raw("Emulation.setEmulatedMedia", features).await?;
            assert_eq!(asked(&browser, ground).await?, color, "{scheme}");
        }
        let button = browser.find(By::Id("theme")).await?;
        for color in [dark, light] {
            button.click().await?;
            assert_eq!(asked(&browser, ground).await?, color);
        }
        Ok(())
    });
}

#[test]
fn a_page_that_asks_somebody_or_complains_is_found() {
    let Some(driver) = Driver::start("a_page_that_asks_somebody_or_complains_is_found") else { return };
    let project = Project::small(&[]);
    let page = "<!doctype html><img src='http://127.0.0.1:9/x'><script>console.error('ouch')</script>";
    project.write("bad.html", page);
    let address = format!("file://{}", project.path("bad.html").display());
    driver.with_browser(async |browser| {
        browser.goto(&address).await?;
        let asked_for = requests(&browser).await?;
        assert!(asked_for.iter().any(|one| one == "http://127.0.0.1:9/x"), "{asked_for:?}");
        let said = console(&browser).await?;
        assert!(said.iter().any(|line| line.contains("ouch")), "{said:?}");
        Ok(())
    });
}
