// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a datagram, driven by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nlproof_fuzz::wire(data));
