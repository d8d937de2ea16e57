//! The whole of dead-lettering in virtual time, from a seed: producers, gateways, brokers, the decision log and its
//! projector, with crashes, processes that stand still, cut networks, late bytes, lost answers, leaders that move, and
//! policies that differ between gateways for a while.
//!
//! The gateways drive [`super::decisions`] and nothing else. What a broker, a coordinator and a client do is modelled on
//! Kafka's source; each model's header names the classes.
//!
//! `PORTCULLIS_SEEDS` says how many seeds are run, `PORTCULLIS_SEED` repeats one and prints what happens in it.

mod broker;
mod check;
#[path = "../../../tests/choices/mod.rs"]
mod choices;
mod client;
mod decision_log;
mod gateway;
mod transaction;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use world::World;

const SEEDS: u64 = 2_000;
/// A mutation is looked for as long as this: a stored shift shows only where a client numbers its batches anew.
const MUTATION_SEEDS: u64 = 20_000;

/// A step of the algorithm that is left out, or done wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// A gateway judges a batch anew, whatever was decided on it.
    NoStickyDecision,
    /// It acts on its decision as soon as that is written, not on the first one in the log.
    NoReadBack,
    /// It takes what it has read of the log for all there is.
    NoCatchUp,
    /// A refused batch's decision stays.
    NoRevocation,
    /// A decision's batch is always shifted as at the first time.
    StoredShift,
    /// The client is answered before the confirmation is in the log.
    LateConfirmation,
    /// Dead letters are projected when they are decided on.
    EarlyProjection,
}

/// Which records clients produce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// Good and bad ones, and some that only one of two policies calls bad.
    Mixed,
    /// Good and bad ones.
    Undisputed,
    /// Good ones: what a broker alone does.
    Good,
}

/// What went wrong in the run of a seed.
fn simulate(seed: u64, load: Load, mutation: Option<Mutation>, trace: bool) -> Option<String> {
    let mut world = World::new(seed, load, mutation);
    world.trace = trace;
    world.run();
    if world.broken.is_none() {
        world.check();
    }
    world.broken
}

fn load_of(seed: u64) -> Load {
    if seed.is_multiple_of(2) {
        Load::Mixed
    } else {
        Load::Undisputed
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One of the first `seeds` seeds that fails, and why: the lowest of those that were under way on all cores.
fn first_failure(
    seeds: u64,
    load: impl Fn(u64) -> Load + Sync,
    mutation: Option<Mutation>,
) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let found = AtomicBool::new(false);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures = thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds || found.load(Ordering::Relaxed) {
                    return failures;
                }
                if let Some(why) = simulate(seed, load(seed), mutation, false) {
                    found.store(true, Ordering::Relaxed);
                    failures.push((seed, why));
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().flat_map(|worker| worker.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    failures.into_iter().min()
}

#[test]
fn whatever_happens_every_acknowledged_record_is_once_where_it_belongs() {
    if let Some(seed) = number("PORTCULLIS_SEED") {
        assert_eq!(
            simulate(seed, load_of(seed), None, true),
            None,
            "PORTCULLIS_SEED={seed}"
        );
        return;
    }
    let seeds = number("PORTCULLIS_SEEDS").unwrap_or(SEEDS);
    if let Some((seed, why)) = first_failure(seeds, load_of, None) {
        panic!("PORTCULLIS_SEED={seed}: {why}");
    }
    println!("{seeds} seeds");
}

/// What fails here is not the algorithm's fault.
#[test]
fn without_bad_records_the_models_of_clients_and_brokers_break_nothing() {
    if let Some((seed, why)) = first_failure(SEEDS, |_| Load::Good, None) {
        panic!("seed {seed}: {why}");
    }
}

#[test]
fn without_any_one_of_its_steps_the_algorithm_fails() {
    for mutation in [
        Mutation::NoStickyDecision,
        Mutation::NoReadBack,
        Mutation::NoCatchUp,
        Mutation::NoRevocation,
        Mutation::StoredShift,
        Mutation::LateConfirmation,
        Mutation::EarlyProjection,
    ] {
        let failure = first_failure(MUTATION_SEEDS, load_of, Some(mutation));
        let (seed, why) = failure.unwrap_or_else(|| panic!("{mutation:?} goes unnoticed"));
        println!("{mutation:?}: seed {seed}: {why}");
    }
}
