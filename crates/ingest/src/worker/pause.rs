//! How long to wait before trying again. Pauses grow, and are spread at random, so that a thousand messages
//! that failed together do not come back together.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A pause before attempt number `attempt` (from 1) is repeated: from half of `base` to `base` doubled with
/// every attempt, at most `cap`. Never zero: what fails at once would be tried in a hot loop.
pub(super) fn growing(base: Duration, cap: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(20);
    let longest = base.saturating_mul(1 << doublings).min(cap.max(base));
    between(base / 2, longest, random())
}

fn between(shortest: Duration, longest: Duration, part: f64) -> Duration {
    shortest + longest.saturating_sub(shortest).mul_f64(part)
}

/// From 0 to 1. Every `RandomState` has keys of its own.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_are_never_zero() {
        let (base, cap) = (Duration::from_secs(2), Duration::from_secs(60));
        for (attempt, longest) in [(1, 2), (2, 4), (5, 32), (6, 60), (4_000_000_000, 60)] {
            let mut seen = Vec::new();
            for _ in 0..200 {
                let pause = growing(base, cap, attempt);
                assert!(pause >= base / 2, "{attempt}: {pause:?}");
                assert!(pause <= Duration::from_secs(longest), "{attempt}: {pause:?}");
                seen.push(pause);
            }
            seen.sort();
            assert!(seen[150] > seen[50], "pauses are spread");
        }
    }
}
