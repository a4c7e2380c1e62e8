// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a file that somebody imports.

use std::path::Path;

use nlproof_traces::import::{read, replica};
use nlproof_traces::vector::lint;
use nlproof_wire::Os;

/// Reads a file, and makes a vector of what it holds, with the names of both systems.
///
/// # Panics
/// A datagram that was read cannot be sent by a vector as it is, or the vector is not what it says it is.
pub fn import(data: &[u8]) {
    let Ok(reading) = read(Path::new("file"), data) else { return };
    for os in Os::ALL {
        let replica = replica("suite/name", "file", os, &reading);
        if replica.steps.is_empty() {
            continue;
        }
        // The replica holds the vector's bytes against those that were read.
        match replica.vector(Path::new("suite/name.yaml")) {
            Ok((vector, _)) => assert_eq!(lint(&vector), [], "{}", vector.to_yaml()),
            Err(error) => panic!("{error}"),
        }
    }
}
