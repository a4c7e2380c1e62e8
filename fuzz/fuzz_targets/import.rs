// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a file that somebody imports, driven by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nlproof_fuzz::import(data));
