// SPDX-License-Identifier: BSD-2-Clause
//! The accelerator is chosen by running a guest, whatever /dev/kvm promises.

use std::time::Instant;

use crate::support::{TinyGuest, tools, wait};
use nlproof::vm::{Accelerator, AcceleratorKind, ConsoleEvent, Patience, Then, Vm, choose_accelerator};

#[tokio::test]
async fn the_chosen_accelerator_runs_guests_and_says_why_it_was_chosen() {
    let name = "the_chosen_accelerator_runs_guests_and_says_why_it_was_chosen";
    let Some(tools) = tools(name) else { return };
    let chosen = choose_accelerator(Accelerator::Auto, &tools).await.unwrap();
    println!("accelerator: {chosen}");
    match chosen.kind {
        AcceleratorKind::Kvm => assert_eq!(chosen.reason, "a test guest ran"),
        AcceleratorKind::Tcg => assert!(chosen.reason.starts_with("kvm: "), "{chosen}"),
    }
    let guest = TinyGuest::new("login: ", Then::Halt);
    let mut vm = Vm::start(&guest.config, chosen.kind, &tools, &Patience::default()).await.unwrap();
    vm.wait_for(&wait("the guest's text"), |event| *event == ConsoleEvent::Login).await.unwrap();

    let again = Instant::now();
    assert_eq!(choose_accelerator(Accelerator::Auto, &tools).await.unwrap(), chosen);
    assert!(again.elapsed().as_millis() < 100, "tried once per process");
}

#[tokio::test]
async fn a_qemu_that_runs_nothing_is_an_error_with_all_reasons() {
    let Some(mut tools) = tools("a_qemu_that_runs_nothing_is_an_error_with_all_reasons") else { return };
    tools.qemu = "/nonexistent/qemu".into();
    let error = choose_accelerator(Accelerator::Auto, &tools).await.unwrap_err().to_string();
    assert!(
        error.contains("kvm: ") && error.contains("tcg: ") && error.contains("/nonexistent/qemu"),
        "{error}"
    );
}
