// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a kernel module, driven by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nlproof_fuzz::verify(data));
