//! A producer whose batches and offsets are committed together or not at all (KIP-98), in the requests of
//! `transactions.rs`.
//!
//! The coordinator keeps the epoch from one transaction to the next, and the sequences of each partition go on. After an
//! error nobody knows which sequences a broker has: the transaction is aborted and the next epoch taken, in which they
//! begin at 0 (KIP-360). A batch that was refused for what it is was not appended and has used up no sequence: the
//! transaction goes on without it.

use super::offsets::{GroupMember, PartitionOffset};
use super::produce::{Producer, RefusedRecord, Unwritten, Written};
use super::{Client, Partition};
use crate::kafka::connection::ClientError;
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::{Compression, CompressionError};
use crate::wire::sequence;
use kafka_protocol::ResponseError;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;

/// Why something of a transaction was not done. It can only be aborted then, unless it is [`TransactionError::Refused`].
#[derive(Debug, Error)]
pub enum TransactionError {
    /// One batch is not in the transaction, which can go on without it.
    #[error("{error}")]
    Refused {
        error: ClientError,
        /// The records to blame, where the answer names them.
        records: Vec<RefusedRecord>,
    },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("a batch cannot be compressed: {0}")]
    Compression(#[from] CompressionError),
    #[error("something of the transaction has failed before: it can only be aborted")]
    Failed,
}

impl TransactionError {
    /// Another has the transactional id, or the coordinator has ended a transaction that was open for too long.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.client_error().is_some_and(ClientError::is_fenced)
    }

    /// What the client was told.
    #[must_use]
    pub fn client_error(&self) -> Option<&ClientError> {
        match self {
            Self::Refused { error, .. } | Self::Client(error) => Some(error),
            Self::Compression(_) | Self::Failed => None,
        }
    }
}

/// Whether it is about the batch or its topic, so that nothing was appended and no state has changed.
fn is_refusal(error: &ClientError) -> bool {
    use ResponseError as E;
    matches!(
        error.code(),
        Some(
            E::InvalidRecord
                | E::CorruptMessage
                | E::MessageTooLarge
                | E::RecordListTooLarge
                | E::InvalidTimestamp
                | E::UnsupportedCompressionType
                | E::PolicyViolation
                | E::TopicAuthorizationFailed
                | E::InvalidTopicException
                | E::UnknownTopicOrPartition
        )
    )
}

pub struct TransactionalProducer {
    client: Client,
    transactional_id: String,
    timeout: Duration,
    producer: Producer,
    /// The next one of each partition that this epoch has written to.
    sequences: HashMap<(String, i32), i32>,
    /// The transaction that is open, or that was left open.
    open: Option<Open>,
}

#[derive(Default)]
struct Open {
    partitions: HashSet<(String, i32)>,
    groups: HashSet<String>,
    /// Something is under way, has failed, or was given up.
    doubtful: bool,
}

impl Open {
    /// Whether the coordinator may know of it.
    fn is_begun(&self) -> bool {
        self.doubtful || !self.partitions.is_empty() || !self.groups.is_empty()
    }
}

impl TransactionalProducer {
    /// Takes over `transactional_id`: whoever had it is fenced, and its transaction aborted. A transaction that is open
    /// for longer than `timeout` is aborted by its coordinator.
    ///
    /// # Errors
    /// [`ClientError`]; TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID_TRANSACTION_TIMEOUT.
    pub async fn new(
        mut client: Client,
        transactional_id: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Self, ClientError> {
        let producer = client
            .init_producer_id(transactional_id, timeout, None, deadline)
            .await?;
        Ok(Self {
            client,
            transactional_id: transactional_id.to_owned(),
            timeout,
            producer,
            sequences: HashMap::new(),
            open: None,
        })
    }

    #[must_use]
    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// For what is asked beside the transactions.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Begins a transaction, and aborts one that was neither committed nor aborted before.
    ///
    /// # Errors
    /// [`ClientError`] when that one cannot be aborted.
    pub async fn begin(&mut self, deadline: Instant) -> Result<Transaction<'_>, ClientError> {
        self.abort_open(deadline).await?;
        self.open = Some(Open::default());
        Ok(Transaction { producer: self })
    }

    async fn abort_open(&mut self, deadline: Instant) -> Result<(), ClientError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.is_begun() {
            let doubtful = std::mem::replace(&mut open.doubtful, true);
            match self.end(false, deadline).await {
                Ok(()) => {}
                // None was begun, or it was committed: the next epoch settles both.
                Err(error) if doubtful && error.code() == Some(ResponseError::InvalidTxnState) => {}
                Err(error) => return Err(error),
            }
            if doubtful {
                let (id, current) = (&self.transactional_id, Some(self.producer));
                self.producer = self
                    .client
                    .init_producer_id(id, self.timeout, current, deadline)
                    .await?;
                self.sequences.clear();
            }
        }
        self.open = None;
        Ok(())
    }

    async fn end(&mut self, committed: bool, deadline: Instant) -> Result<(), ClientError> {
        self.client
            .end_transaction(&self.transactional_id, self.producer, committed, deadline)
            .await
    }
}

/// One transaction. Dropped, it is aborted when the next begins or its timeout has passed.
pub struct Transaction<'a> {
    producer: &'a mut TransactionalProducer,
}

impl Transaction<'_> {
    /// Writes `records` as one batch.
    ///
    /// # Errors
    /// [`TransactionError`]; unless it is [`TransactionError::Refused`], the transaction can then only be aborted.
    pub async fn produce(
        &mut self,
        partition: Partition<'_>,
        records: &[NewRecord<'_>],
        compression: Compression,
        deadline: Instant,
    ) -> Result<Written, TransactionError> {
        let key = (partition.topic.to_owned(), partition.index);
        let added = self.enter()?.partitions.contains(&key);
        let base_sequence = self.producer.sequences.get(&key).copied().unwrap_or(0);
        let TransactionalProducer {
            client,
            transactional_id: id,
            producer,
            ..
        } = &mut *self.producer;
        if !added {
            let added = client
                .add_partitions_to_transaction(id, *producer, &[partition], deadline)
                .await;
            if let Err(error) = added {
                return Err(self.refused(error, Vec::new()));
            }
        }
        let stamp = ProducerStamp {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence,
            transactional: true,
        };
        let mut batch = Vec::new();
        write_batch(records, compression, Some(stamp), &mut batch)?;
        let written = match client.produce(partition, &batch.into(), Some(id), deadline).await {
            Ok(written) => written,
            Err(Unwritten {
                error,
                records,
                unknown: false,
            }) => {
                self.producer.open.get_or_insert_default().partitions.insert(key);
                return Err(self.refused(error, records));
            }
            Err(unwritten) => return Err(unwritten.error.into()),
        };
        let next = sequence::after(base_sequence, u32::try_from(records.len()).unwrap_or(u32::MAX));
        self.producer.sequences.insert(key.clone(), next);
        self.succeeded(|open| open.partitions.insert(key));
        Ok(written)
    }

    /// Commits a group's offsets with the transaction. Names every partition at most once.
    ///
    /// # Errors
    /// [`TransactionError`]; ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID when `member` is of the group no more. The
    /// transaction can then only be aborted.
    pub async fn commit_offsets(
        &mut self,
        member: GroupMember<'_>,
        offsets: &[PartitionOffset<'_>],
        deadline: Instant,
    ) -> Result<(), TransactionError> {
        let added = self.enter()?.groups.contains(member.group_id);
        let TransactionalProducer {
            client,
            transactional_id: id,
            producer,
            ..
        } = &mut *self.producer;
        if !added {
            client
                .add_group_to_transaction(id, *producer, member.group_id, deadline)
                .await?;
        }
        client
            .commit_offsets_in_transaction(id, *producer, member, offsets, deadline)
            .await?;
        self.succeeded(|open| open.groups.insert(member.group_id.to_owned()));
        Ok(())
    }

    /// # Errors
    /// [`TransactionError`]; it may be committed all the same, unless [`TransactionError::Failed`]: the group's
    /// committed offsets tell.
    pub async fn commit(mut self, deadline: Instant) -> Result<(), TransactionError> {
        let begun = self.producer.open.as_ref().is_some_and(Open::is_begun);
        self.enter()?;
        if begun {
            self.producer.end(true, deadline).await?;
        }
        self.producer.open = None;
        Ok(())
    }

    /// # Errors
    /// [`ClientError`]; the next [`TransactionalProducer::begin`] tries again.
    pub async fn abort(self, deadline: Instant) -> Result<(), ClientError> {
        self.producer.abort_open(deadline).await
    }

    /// Whatever comes now is in doubt until it has succeeded, also when the caller stops waiting for it.
    fn enter(&mut self) -> Result<&Open, TransactionError> {
        let open = self.producer.open.get_or_insert_default();
        if std::mem::replace(&mut open.doubtful, true) {
            return Err(TransactionError::Failed);
        }
        Ok(open)
    }

    /// What an error means for the transaction.
    fn refused(&mut self, error: ClientError, records: Vec<RefusedRecord>) -> TransactionError {
        if !is_refusal(&error) {
            return error.into();
        }
        self.producer.open.get_or_insert_default().doubtful = false;
        TransactionError::Refused { error, records }
    }

    fn succeeded(&mut self, added: impl FnOnce(&mut Open) -> bool) {
        let open = self.producer.open.get_or_insert_default();
        added(open);
        open.doubtful = false;
    }
}
