//! Random numbers whose seed is known, so that a failure can be met again.

use std::hash::{BuildHasher as _, RandomState};

/// Set this to a seed that a failed test named, to draw the same numbers.
const SEED_VARIABLE: &str = "ROLECALL_TEST_SEED";

/// A generator (SplitMix64) that says its seed when the test panics.
pub(crate) struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    pub(crate) fn new() -> Self {
        let seed = match std::env::var(SEED_VARIABLE) {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => RandomState::new().hash_one(0),
        };
        Self { seed, state: seed }
    }

    /// Numbers that are the same every time, unless the environment names a seed.
    pub(crate) fn from_seed(seed: u64) -> Self {
        match std::env::var_os(SEED_VARIABLE) {
            Some(_) => Self::new(),
            None => Self { seed, state: seed },
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            let other = self.below(end as u64 + 1) as usize;
            list.swap(end, other);
        }
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to draw the same numbers: {SEED_VARIABLE}={}", self.seed);
        }
    }
}
