// SPDX-License-Identifier: BSD-2-Clause
//! Builds the image of a release and prints what each stage took: `build RELEASE [stock-rc]`.
//!
//! Release and cache are looked for where `nlproof` itself looks.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "prints for the developer who runs it")]

use std::{collections::BTreeMap, env, process::ExitCode, time::Instant};

use nlproof_image::{BuildOptions, Cache, CacheRoot, Dists, Stage, build};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args().skip(1);
    let name = args.next().ok_or("usage: build RELEASE [stock-rc]")?;
    let stock_rc = args.any(|arg| arg == "stock-rc");
    let release = Dists::from_env().find(&name)?;
    let cache = Cache::new(CacheRoot::from_env().ok_or("HOME is not set")?.path());

    let start = Instant::now();
    let mut ended: BTreeMap<Stage, f64> = BTreeMap::new();
    let options = BuildOptions { stock_rc, ..BuildOptions::default() };
    let image = build(&release, &options, &cache, &CancellationToken::new(), &mut |progress| {
        if progress.bytes_done == progress.bytes_total {
            ended.entry(progress.stage).or_insert_with(|| start.elapsed().as_secs_f64());
        }
    })?;
    for (stage, seconds) in ended {
        println!("{stage:<28} done at {seconds:6.2} s");
    }
    println!("{} in {:.2} s", if image.cached { "found" } else { "built" }, start.elapsed().as_secs_f64());
    println!("{}", image.disk().display());
    println!("{:#?}", image.info);
    Ok(())
}
