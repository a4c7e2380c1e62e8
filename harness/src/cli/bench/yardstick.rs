// SPDX-License-Identifier: BSD-2-Clause
//! How fast this machine is now. On a shared machine that changes by the minute.

use std::time::Instant;

/// Steps of [`interpret`].
const STEPS: u32 = 50_000_000;
/// Words of the yardstick's program and memory: together more than the nearest cache holds, as with an emulator.
const WORDS: usize = 1 << 14;

/// How long a fixed piece of work takes, in seconds.
///
/// It reads, decides and jumps by what it has read, as an emulator of a processor does. Work of another kind (hashing) took
/// the same time in minutes in which guests were half as fast.
pub(super) fn yardstick() -> f64 {
    let started = Instant::now();
    std::hint::black_box(interpret(STEPS));
    started.elapsed().as_secs_f64()
}

/// Interprets a fixed program and returns its registers at the end.
fn interpret(steps: u32) -> u32 {
    let mut seed = 1_u32;
    let program: Vec<u32> = std::iter::repeat_with(|| next(&mut seed)).take(WORDS).collect();
    let mut memory = program.clone();
    let mut registers = [1_u32; 4];
    let mut place = 0;
    for _ in 0..steps {
        let word = program[place % WORDS];
        let (to, from) = ((word >> 3) as usize % 4, (word >> 5) as usize % 4);
        let value = registers[from];
        match word % 8 {
            0 => registers[to] = registers[to].wrapping_add(value),
            1 => registers[to] ^= value.rotate_left(7),
            2 | 3 => registers[to] = memory[value as usize % WORDS],
            4 => memory[value as usize % WORDS] = registers[to],
            5 => registers[to] = registers[to].wrapping_mul(value | 1),
            6 if value % 2 == 0 => place = place.wrapping_add(value as usize % 64),
            _ => registers[to] = registers[to].wrapping_add(word),
        }
        place = place.wrapping_add(1);
    }
    registers.into_iter().fold(0, |sum, register| sum.rotate_left(1) ^ register)
}

/// Marsaglia's xorshift (Journal of Statistical Software 8, 14).
fn next(seed: &mut u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_always_the_same_and_all_of_it_is_done() {
        assert_eq!(interpret(10_000), interpret(10_000));
        // A single step may be a jump, which changes no register.
        assert_ne!(interpret(10_000), interpret(10_100));
    }
}
