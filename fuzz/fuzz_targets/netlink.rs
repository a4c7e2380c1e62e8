// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a conversation with the simulated kernels, driven by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nlproof_fuzz::netlink(data));
