//! Appends to the topic, as the leader only. How a leader is fenced and what it does when it does not know whether a
//! write was carried out stands in the head of this folder's `mod.rs`.

use super::condition::Condition;
use super::folding::Folding;
use super::reader::Reader;
use super::{KafkaLogError, partition};
use crate::kafka::client::{Client, Producer, Unwritten, Written};
use crate::kafka::{ClientError, now_ms};
use crate::registry::errors::RegistryError;
use crate::registry::log::{CommitError, Committed, Proposal};
use crate::registry::role::{Leadership, Role};
use crate::registry::state::{Encoded, Record, State};
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::Compression;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use metrics::Gauge;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A write gets this long: a partition's leader that moves is found in that time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Each step of taking the lead gets this long.
const LEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// No transaction is ever begun; the coordinator wants a number within its bounds.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// A leader takes the next epoch and writes a NOOP this often. Brokers forget a producer's epoch after a day without
/// a write (`producer.id.expiration.ms`) and a transactional id after a week (`transactional.id.expiration.ms`):
/// an older leader would then no longer be fenced.
const RENEW_INTERVAL: Duration = Duration::from_hours(6);

/// More batches came between than a broker remembers, from a leader that sends one at a time.
const NO_OFFSET: &str = "the broker does not tell where what was written stands";

pub struct KafkaLog {
    client: Client,
    topic: String,
    transactional_id: String,
    folding: Arc<Folding>,
    leadership: Leadership,
    roles: watch::Receiver<Role>,
    condition: Arc<Condition>,
    reader: JoinHandle<()>,
    leader: Gauge,
    standing: Standing,
    /// The newest of this term: as long as it is the newest of all, nobody has taken over (KIP-360).
    producer: Option<Producer>,
    /// The offset that the next record had when its commands were decided.
    decided_at: i64,
}

enum Standing {
    /// Not ours to write.
    Refusing(RegistryError),
    /// Ours to write, once the next try succeeds.
    Waiting { why: RegistryError, retry_at: Instant },
    Leading {
        producer: Producer,
        next_sequence: i32,
        renew_at: Instant,
    },
}

/// Why the lead could not be taken.
enum NotLed {
    Fenced,
    Failed(String),
}

impl KafkaLog {
    /// Starts following the log. Whether to write is the role's to say.
    pub(super) fn new(
        client: Client,
        topic: &str,
        folding: Arc<Folding>,
        leadership: Leadership,
        condition: Arc<Condition>,
        reader: Reader,
    ) -> Self {
        let mut roles = leadership.roles();
        roles.mark_changed();
        let leader = metrics::gauge!("schema_registry_leader");
        leader.set(0.0);
        Self {
            client,
            topic: topic.to_owned(),
            transactional_id: format!("portcullis-registry-{topic}"),
            folding,
            leadership,
            roles,
            condition,
            reader: tokio::spawn(reader.run()),
            leader,
            standing: Standing::Refusing(RegistryError::UnknownLeader),
            producer: None,
            decided_at: 0,
        }
    }

    pub(in crate::registry::log) async fn state(&mut self) -> Result<Arc<State>, RegistryError> {
        if self.role_changed() {
            self.attend().await;
        }
        if let Some(why) = self.condition.lost() {
            return Err(RegistryError::Store(why));
        }
        match &self.standing {
            Standing::Refusing(why) | Standing::Waiting { why, .. } => Err(why.clone()),
            Standing::Leading { .. } => {
                let (state, next_offset) = self.folding.state();
                self.decided_at = next_offset;
                Ok(state)
            }
        }
    }

    pub(in crate::registry::log) async fn wake(&mut self) {
        let at = match &self.standing {
            Standing::Refusing(_) => None,
            Standing::Waiting { retry_at, .. } => Some(*retry_at),
            Standing::Leading { renew_at, .. } => Some(*renew_at),
        };
        let alarm = async {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.roles.changed() => if changed.is_ok() {
                // For `attend` to see.
                self.roles.mark_changed();
            },
            () = alarm => {}
        }
    }

    pub(in crate::registry::log) async fn attend(&mut self) {
        if self.role_changed() {
            let role = self.roles.borrow_and_update().clone();
            self.producer = None;
            if !role.writes() {
                self.refuse(RegistryError::UnknownLeader);
                self.condition.writes(Ok(()));
                return;
            }
        } else if matches!(self.standing, Standing::Refusing(_)) {
            return;
        }
        if self.condition.lost().is_none() {
            self.lead().await;
        } else {
            // For good.
            self.refuse(RegistryError::UnknownLeader);
        }
    }

    fn role_changed(&self) -> bool {
        self.roles.has_changed().unwrap_or(false)
    }

    fn refuse(&mut self, why: RegistryError) {
        self.leader.set(0.0);
        self.standing = Standing::Refusing(why);
    }

    async fn lead(&mut self) {
        match self.take_lead().await {
            Ok(producer) => {
                self.leader.set(1.0);
                self.condition.writes(Ok(()));
                self.standing = Standing::Leading {
                    producer,
                    // The NOOP had 0.
                    next_sequence: 1,
                    renew_at: Instant::now() + RENEW_INTERVAL,
                };
                tracing::info!(
                    topic = self.topic,
                    producer_id = producer.id,
                    epoch = producer.epoch,
                    offset = self.folding.next_offset(),
                    "this registry writes the log"
                );
            }
            Err(NotLed::Fenced) => self.fenced(),
            Err(NotLed::Failed(why)) => self.lose_hold(why),
        }
    }

    /// The next epoch, a NOOP in it, everything up to that folded.
    async fn take_lead(&mut self) -> Result<Producer, NotLed> {
        let denied = |error: ClientError, id: &str| {
            let id = format!("transactional id {id}");
            NotLed::Failed(KafkaLogError::of(error, "Describe and Write", || id).to_string())
        };
        let given = self
            .client
            .init_producer_id(
                &self.transactional_id,
                TRANSACTION_TIMEOUT,
                self.producer,
                Instant::now() + LEAD_TIMEOUT,
            )
            .await;
        let producer = match given {
            Ok(producer) => producer,
            Err(error) if error.is_fenced() => return Err(NotLed::Fenced),
            Err(error) => return Err(denied(error, &self.transactional_id)),
        };
        self.producer = Some(producer);
        let noop = batch(&[Record::Noop], now_ms(), producer, 0).map_err(NotLed::Failed)?;
        let written = self
            .client
            .produce(partition(&self.topic), &noop, None, Instant::now() + LEAD_TIMEOUT)
            .await;
        let Written { base_offset, .. } = match written {
            Ok(written) => written,
            Err(Unwritten { error, .. }) if error.is_fenced() => return Err(NotLed::Fenced),
            Err(Unwritten { error, .. }) => return Err(NotLed::Failed(self.explain(error))),
        };
        let base_offset = base_offset.ok_or_else(|| NotLed::Failed(NO_OFFSET.to_owned()))?;
        if self.leadership.wait_folded(base_offset + 1, LEAD_TIMEOUT).await {
            Ok(producer)
        } else {
            Err(NotLed::Failed("what was written is not read back".to_owned()))
        }
    }

    pub(in crate::registry::log) async fn commit(
        &mut self,
        proposal: Proposal,
    ) -> Result<Committed, CommitError> {
        let Standing::Leading {
            producer,
            next_sequence,
            ..
        } = &mut self.standing
        else {
            return Err(CommitError::Failed(RegistryError::UnknownLeader));
        };
        let Proposal {
            records,
            state,
            touched,
            timestamp_ms,
        } = proposal;
        let batch = batch(&records, timestamp_ms, *producer, *next_sequence)
            .map_err(|why| CommitError::Failed(RegistryError::Store(why)))?;
        let deadline = Instant::now() + WRITE_TIMEOUT;
        let written = self
            .client
            .produce(partition(&self.topic), &batch, None, deadline)
            .await;
        let Written {
            base_offset,
            log_append_time_ms,
        } = match written {
            Ok(written) => written,
            Err(unwritten) => return Err(self.not_written(unwritten)),
        };
        let Some(base_offset) = base_offset else {
            self.lose_hold(NO_OFFSET.to_owned());
            return Err(CommitError::Failed(timed_out()));
        };
        let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
        *next_sequence = next_sequence.saturating_add(count);
        let end = base_offset + i64::from(count);
        let as_decided = base_offset == self.decided_at;
        if as_decided && log_append_time_ms.is_none() {
            self.folding.advance(base_offset, end, state, &touched);
        } else if !self.leadership.wait_folded(end, WRITE_TIMEOUT).await {
            self.lose_hold("what was written is not read back".to_owned());
            return Err(CommitError::Failed(timed_out()));
        }
        if as_decided {
            Ok(Committed::AsDecided)
        } else {
            tracing::warn!(
                offset = base_offset,
                expected = self.decided_at,
                "somebody else writes the registry's log, too"
            );
            Ok(Committed::AfterOthers)
        }
    }

    fn not_written(&mut self, unwritten: Unwritten) -> CommitError {
        let Unwritten { error, unknown, .. } = unwritten;
        let too_large = matches!(
            error.code(),
            Some(ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge)
        );
        if too_large && !unknown {
            return CommitError::TooLarge;
        }
        let fenced = error.is_fenced();
        let why = self.explain(error);
        if fenced {
            self.fenced();
        } else {
            self.lose_hold(why.clone());
        }
        CommitError::Failed(match (unknown, fenced) {
            (true, _) => timed_out(),
            (false, true) => RegistryError::UnknownLeader,
            (false, false) => RegistryError::Store(why),
        })
    }

    /// Nothing is decided until a try to take the lead again has succeeded.
    fn lose_hold(&mut self, why: String) {
        self.leader.set(0.0);
        self.condition.writes(Err(why.clone()));
        self.standing = Standing::Waiting {
            why: RegistryError::Store(why),
            retry_at: Instant::now() + RETRY_INTERVAL,
        };
    }

    fn fenced(&mut self) {
        tracing::warn!(
            topic = self.topic,
            "another registry has taken over the log; this one writes no more"
        );
        self.refuse(RegistryError::UnknownLeader);
        self.condition
            .writes(Err("another registry has taken over".to_owned()));
        self.leadership.set_fenced();
    }

    fn explain(&self, error: ClientError) -> String {
        KafkaLogError::of(error, "Write", || format!("topic {}", self.topic)).to_string()
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The outcome is not known: the records may be in the log, or get there.
fn timed_out() -> RegistryError {
    RegistryError::Timeout(
        "Write to the Kafka store timed out; whether it was carried out shows when the log can be read again"
            .to_owned(),
    )
}

fn batch(
    records: &[Record],
    timestamp_ms: i64,
    producer: Producer,
    base_sequence: i32,
) -> Result<Bytes, String> {
    let encoded: Vec<Encoded> = records
        .iter()
        .map(Record::encode)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let new: Vec<NewRecord<'_>> = encoded
        .iter()
        .map(|(key, value)| NewRecord {
            timestamp_ms,
            key: Some(key),
            value: value.as_deref(),
            headers: Vec::new(),
        })
        .collect();
    let stamp = ProducerStamp {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence,
        transactional: false,
    };
    let mut bytes = Vec::new();
    write_batch(&new, Compression::None, Some(stamp), &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.into())
}
