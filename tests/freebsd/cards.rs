// SPDX-License-Identifier: BSD-2-Clause
//! Network cards in guests.

use crate::WITH_MODULE;
use crate::cell::{nlproof, runs_here, text};

/// The stock code asks the driver, which is still attaching, for its media, and dies of it (tests/bugs.md).
#[test]
fn a_vmxnet3_is_plugged_in_with_the_module_loaded_and_the_kernel_lives() {
    let test = "a_vmxnet3_is_plugged_in_with_the_module_loaded_and_the_kernel_lives";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let output = nlproof(&[&["run", "hardware/plug-vmxnet3"], &WITH_MODULE[..]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for seen in ["  ! nic1 plug\n", "index=$vmx0 ", "      operstate up\n"] {
        assert!(said.contains(seen), "{seen}: {said}");
    }
}

#[test]
fn doctor_tells_which_cards_a_kernel_sees() {
    let test = "doctor_tells_which_cards_a_kernel_sees";
    if !runs_here(test, "14.0-STABLE", "rust") {
        return;
    }
    let output = nlproof(&[&["doctor", "--nics"], &WITH_MODULE[..]].concat());
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let of = |model: &str| {
        let line = said.lines().find(|line| line.starts_with(model)).unwrap_or_default();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("virtio-net-pci"), "virtio-net-pci virtio_pci/vtnet vtnet1 yes yes active yes");
    assert_eq!(of("vmxnet3"), "vmxnet3 pci/vmx vmx0 yes yes active no");
    assert!(of("ne2k_pci").contains("FreeBSD has no driver"), "{said}");
}
