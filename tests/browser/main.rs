// SPDX-License-Identifier: BSD-2-Clause
//! What a person looks at, in a real browser. Skipped by name where chromium and chromedriver are not installed.

#[path = "../support/kernel_report.rs"]
mod kernel_report;
mod page;
mod served;
#[allow(dead_code, reason = "not every test program needs all of it")]
#[path = "../support/serving.rs"]
mod serving;
#[path = "../support/skip.rs"]
mod skip;
#[allow(dead_code, reason = "not every test program needs all of it")]
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/webdriver.rs"]
mod webdriver;
