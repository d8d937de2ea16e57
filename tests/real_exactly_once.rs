//! Producers of four kinds send numbered records, one in twenty of them bad, through two gateways that are killed at
//! random instants and started again at once, while brokers are killed and restarted now and then. Both topics are then
//! read from the brokers: each acknowledged record is exactly where it belongs, once and in order.
//!
//! `PORTCULLIS_KILLS`: how many gateways are killed (default 6; `bash tests/run --nightly` kills 200).
//! `PORTCULLIS_SEED`: of the instants and of which records are bad (default: from the clock, and printed).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "threads, with no runtime to block")]

mod choices;
mod support;

use choices::Choices;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::clients::administer;
use support::gateway::{Portcullis, Setup};
use support::kafka::{Extras, Kafka};
use support::numbered::{Copying, Producers, Sender, Stream, Tally, Transacting, TransactionTally};
use support::payloads::Language;
use support::places::{project, scratch};

/// Between two kills.
const PAUSE_MS_MAX: usize = 1500;
/// Between a broker's return and the next one's end.
const BROKER_PAUSE: Duration = Duration::from_secs(6);
const PARTITIONS: i32 = 3;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Three brokers and two gateways before them; tests take turns.
struct Ground {
    kafka: Kafka,
    gateways: Vec<Portcullis>,
}

static GROUND: LazyLock<Mutex<Ground>> = LazyLock::new(|| {
    let extras = Extras {
        properties: "min.insync.replicas=2\n",
        ..Extras::default()
    };
    let kafka = Kafka::start_with(3, extras);
    let policies = "- { topics: [\"*\"], action: dead_letter }";
    let gateways = (0..2)
        .map(|_| Setup::new(&kafka.bootstrap()).policies(policies).start())
        .collect();
    Mutex::new(Ground { kafka, gateways })
});

/// What happened to them, and what the gateways had said before: the evidence when something is wrong.
struct Fire {
    summary: String,
    said: String,
}

impl Ground {
    fn take() -> MutexGuard<'static, Self> {
        GROUND.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn both(&self) -> String {
        let addresses: Vec<&str> = self
            .gateways
            .iter()
            .map(|gateway| gateway.bootstrap.as_str())
            .collect();
        addresses.join(",")
    }

    /// A topic whose values are orders, under the same id at each gateway: their registries are separate.
    fn topic(&self, topic: &str) -> u32 {
        administer(
            &self.kafka.bootstrap(),
            &[&format!("create:{topic}:{PARTITIONS}:3")],
            &[],
        );
        let ids: Vec<u32> = self
            .gateways
            .iter()
            .map(|gateway| gateway.register(&format!("{topic}-value"), "JSON", Language::Json.schema()))
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        ids[0]
    }

    fn fire(&mut self, seed: u64, kills: usize) -> Fire {
        let began = Instant::now();
        let mut choices = Choices::new(seed);
        let done = AtomicBool::new(false);
        let Self { kafka, gateways } = self;
        let (said, restarts) = scope(|scope| {
            let done = &done;
            let brokers = scope.spawn(move || restart_brokers(kafka, done, Choices::new(seed ^ 1)));
            let said = kill_gateways(gateways, kills, &mut choices);
            done.store(true, Ordering::SeqCst);
            (said, brokers.join().unwrap())
        });
        // So that there is something after the last one.
        sleep(Duration::from_secs(1));
        let seconds = began.elapsed().as_secs();
        Fire {
            summary: format!("seed {seed}: {kills} kills, {restarts} broker restarts in {seconds} s"),
            said,
        }
    }

    /// Keeps what they said, and where.
    fn evidence(&self, fire: &Fire) -> String {
        let file = project("target/exactly-once.log");
        let now: Vec<String> = self.gateways.iter().map(Portcullis::said).collect();
        let text = format!("{}==== at the end\n{}", fire.said, now.join("\n----\n"));
        std::fs::write(&file, text).unwrap();
        format!(
            "{}; what the gateways said is in {}",
            fire.summary,
            file.display()
        )
    }
}

/// Kills gateways until it has done so often enough; what they had said is the evidence when something is wrong.
fn kill_gateways(gateways: &mut [Portcullis], kills: usize, choices: &mut Choices) -> String {
    let mut said = String::new();
    for kill in 0..kills {
        sleep(Duration::from_millis(choices.below(PAUSE_MS_MAX) as u64));
        let victim = choices.below(gateways.len());
        let gateway = &mut gateways[victim];
        gateway.signal("KILL");
        said = said + &format!("==== gateway {victim} until kill {kill}\n") + &gateway.said();
        gateway.restart();
    }
    said
}

/// Kills a broker and restarts it, again and again until `done`; how often.
fn restart_brokers(kafka: &mut Kafka, done: &AtomicBool, mut choices: Choices) -> usize {
    let mut restarts = 0;
    loop {
        let until = Instant::now() + BROKER_PAUSE;
        while Instant::now() < until && !done.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(50));
        }
        if done.load(Ordering::SeqCst) && restarts > 0 {
            return restarts;
        }
        // Not the first one, which is the controller and what the others are looked for through.
        let broker = 2 + choices.below(kafka.nodes.len() - 1) as i32;
        kafka.kill(broker);
        sleep(Duration::from_millis(choices.below(2000) as u64));
        kafka.restart(broker);
        restarts += 1;
    }
}

/// Of a test: the seed, and how many kills.
fn wanted() -> (u64, usize) {
    let seed = number("PORTCULLIS_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_millis() as u64
    });
    let kills = number("PORTCULLIS_KILLS").unwrap_or(6) as usize;
    println!("seed {seed}, {kills} kills");
    (seed, kills)
}

fn stream(topic: &str, schema: u32, seed: u64, rate: u32) -> Stream {
    Stream {
        topic: topic.to_owned(),
        partitions: PARTITIONS,
        schema,
        seed: seed as i32,
        bad: 50,
        rate,
    }
}

#[test]
fn each_acknowledged_record_is_where_it_belongs_once_and_in_order_whichever_gateway_or_broker_is_killed() {
    let mut ground = Ground::take();
    let (seed, kills) = wanted();
    let stream = stream("numbered", ground.topic("numbered"), seed, 150);
    let producers = Producers::start(&Sender::ALL, &ground.both(), &stream);
    let fire = ground.fire(seed, kills);
    let sent = producers.stop();
    let tally = Tally::of(&ground.kafka.bootstrap(), &stream, &sent);
    println!("{}; {tally}", fire.summary);
    assert!(
        tally.is_clean() && sent.failed.is_empty(),
        "{}\n{tally:#?}\n{:#?}",
        ground.evidence(&fire),
        sent.failed
    );
    assert!(tally.bad > 0 && tally.dead_letters == tally.bad, "{tally:#?}");
}

#[test]
fn a_transaction_is_there_whole_with_its_dead_letters_or_not_at_all_whichever_gateway_or_broker_is_killed() {
    let mut ground = Ground::take();
    let (seed, kills) = wanted();
    let bootstrap = ground.kafka.bootstrap();
    let schema = ground.topic("transacted");
    let transacted = stream("transacted", schema, seed, 10);
    let transacting = Transacting::start(&ground.both(), &transacted);
    // Beside it one that reads, and writes what it has read together with its offsets.
    ground.topic("source");
    let source = stream("source", ground.topic("copied"), seed, 150);
    let producers = Producers::start(&[Sender::Java], &bootstrap, &source);
    let folder = scratch();
    let end = folder.path().join("end");
    let copying = Copying::start(&ground.both(), "source", "copied", &end);
    let fire = ground.fire(seed, kills);
    let endings = transacting.stop();
    let sent = producers.stop();
    assert!(sent.failed.is_empty(), "{:#?}", sent.failed);
    std::fs::write(&end, "").unwrap();
    let copied = copying.wait();
    let tally = TransactionTally::of(&bootstrap, &transacted, &endings);
    let copies = Stream {
        topic: "copied".to_owned(),
        ..source
    };
    let copies = Tally::of(&bootstrap, &copies, &sent);
    println!(
        "{}; {tally}\ncopied in transactions {copied}: {copies}",
        fire.summary
    );
    assert!(
        tally.torn.is_empty() && copies.is_clean(),
        "{}\n{tally:#?}\n{copies:#?}",
        ground.evidence(&fire)
    );
    assert!(tally.committed > 0 && tally.dead_letters > 0, "{tally:#?}");
    assert!(copies.bad > 0 && copies.dead_letters == copies.bad, "{copies:#?}");
}
