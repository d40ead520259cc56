//! The worker against a plain map: deliver, duplicate, expire, kill before or after a commit, stop, in any
//! order. In the end the lake holds what was delivered, each record once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall_lake::step::Step;
use tokio_util::sync::CancellationToken;

use super::support::{World, in_time, key, millis, notice};
use crate::queue::MemoryQueueOptions;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % u64::from(bound)) as u32
    }
}

/// Delivers some new files, alone or several in a message, and some that were delivered before.
fn deliver(world: &World, chance: &mut Chance, next: &mut u32) {
    for _ in 0..=chance.below(4) {
        let first = *next;
        *next += 1 + chance.below(3);
        let keys: Vec<String> = (first..*next).map(|number| world.put(number)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        world.queue.push(notice(&keys));
    }
    if chance.below(2) == 0 {
        world.queue.push(notice(&[&key(chance.below(*next))]));
    }
}

/// Kills the worker at a step of a commit, some time in this run.
fn kill_at_a_step(world: &World, chance: &mut Chance) {
    let (fatal_step, met) = (1 + chance.below(40), AtomicU32::new(0));
    world.on_step(Some(Arc::new(move |_: Step| {
        assert!(met.fetch_add(1, Ordering::SeqCst) + 1 != fatal_step, "killed here, as meant");
    })));
}

async fn run(seed: u64) {
    let mut chance = Chance(seed);
    let mut world =
        World::with(MemoryQueueOptions { max_receive_count: None, shuffle: Some(seed) });
    world.settings.max_messages = 2 + chance.below(12) as usize;
    world.settings.batch_age = millis(u64::from(5 + chance.below(40)));
    world.settings.stop_within = millis(1_000);
    let mut next = 0;
    for _ in 0..7 {
        deliver(&world, &mut chance, &mut next);
        match chance.below(4) {
            0 => world.queue.duplicate_all(),
            1 => world.queue.expire_all(),
            _ => {}
        }
        let how_it_ends = chance.below(4);
        if how_it_ends < 2 {
            kill_at_a_step(&world, &mut chance);
        }
        let stop = CancellationToken::new();
        let worker = world.start(&stop).await;
        tokio::time::sleep(millis(u64::from(chance.below(120)))).await;
        if chance.below(3) == 0 {
            world.queue.expire_all();
        }
        tokio::time::sleep(millis(u64::from(chance.below(120)))).await;
        if how_it_ends == 2 {
            stop.cancel();
            in_time(worker).await.unwrap().unwrap();
        } else {
            // Gone in the middle of whatever it does, like a kill.
            worker.abort();
            let _ = in_time(worker).await;
        }
        world.on_step(None);
    }
    world.queue.expire_all();
    world.drain().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_of_events_gives_the_same_lake() {
    for seed in 1..=4 {
        run(seed).await;
    }
}
