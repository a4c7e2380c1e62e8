// SPDX-License-Identifier: BSD-2-Clause
//! Which programs have the kernel's probes recorded.

use nlproof_agent::{Batch, Program, Step};

/// The longest race whose records have room in the module's buffer, in milliseconds. In two minutes a hundred thousand and
/// more are lost, and a trace with holes is none.
const LONGEST_RACE_MS: u32 = 10_000;

/// The same programs with the kernel's probes recorded, but for those that race for longer than the buffer has room for.
pub(super) fn traced(batch: &Batch) -> Batch {
    let traced = |program: &Program| Program { kernel_trace: !races_for_long(program), ..program.clone() };
    Batch { programs: batch.programs.iter().map(traced).collect() }
}

fn races_for_long(program: &Program) -> bool {
    program.steps.iter().any(|step| matches!(step, Step::Race(race) if race.for_ms > LONGEST_RACE_MS))
}

#[cfg(test)]
mod tests {
    use nlproof_agent::Race;

    use super::super::host_stack::in_host_stack;
    use super::*;

    #[test]
    fn all_but_long_races_are_traced() {
        let race = |for_ms| {
            let (before, lanes, after) = (Vec::new(), Vec::new(), Vec::new());
            let race = Race { rounds: 0, for_ms, acts: Vec::new(), before, lanes, after, limit_ms: 1000 };
            in_host_stack("race", vec![Step::Race(race)])
        };
        let batch = Batch { programs: vec![race(4_000), race(120_000), in_host_stack("none", Vec::new())] };
        let traced: Vec<bool> = traced(&batch).programs.iter().map(|program| program.kernel_trace).collect();
        assert_eq!(traced, [true, false, true]);
    }
}
