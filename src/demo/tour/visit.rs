//! Walks through the house: registers, sends, reads back, and reports.

use super::client::Client;
use super::examples::{self, Fate, Ids, KeyValue, Shipment};
use super::house::House;
use super::report::{Line, Outcome, Report};
use super::{TourError, rest};
use crate::schema::SchemaType;
use crate::wire::batch::{Batch, Records};
use crate::wire::batch_writer::{NewRecord, write_batch};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use crate::wire::error_code::ErrorCode;
use crate::wire::produce_response::{PartitionResponse, TopicName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the broker's log should hold of one topic: the batches as they were sent, and their records.
#[derive(Default)]
struct Expected {
    batches: Vec<Vec<u8>>,
    records: Vec<KeyValue>,
}

impl House {
    /// The whole tour. It can be walked once in a house: what it expects of a topic is all that is in it.
    pub async fn tour(&self) -> Result<Report, TourError> {
        let ids = self.register().await?;
        let mut report = Report::default();
        let mut client = self.connect(&mut report).await?;
        let mut expected: BTreeMap<&str, Expected> = BTreeMap::new();
        for request in examples::requests(ids)? {
            send(&mut client, &request, &mut expected, &mut report).await?;
        }
        self.read_back(&mut client, &expected, &mut report).await?;
        Ok(report)
    }

    /// Registers the examples over the registry's own REST.
    async fn register(&self) -> Result<Ids, TourError> {
        let register = async |topic: &str, schema_type: SchemaType, schema: &str| {
            rest::register(
                self.registry,
                &format!("{topic}-value"),
                schema_type.as_str(),
                schema,
            )
            .await
        };
        Ok(Ids {
            order: register(examples::ORDERS, SchemaType::Avro, examples::ORDER_SCHEMA).await?,
            payment: register(examples::PAYMENTS, SchemaType::Protobuf, examples::PAYMENT_SCHEMA).await?,
            customer: register(examples::CUSTOMERS, SchemaType::Json, examples::CUSTOMER_SCHEMA).await?,
        })
    }

    /// Bootstraps as any client does, and connects to where the topics' leader is said to be.
    async fn connect(&self, report: &mut Report) -> Result<Client, TourError> {
        let mut bootstrap = Client::connect(self.gateway).await?;
        bootstrap.api_versions().await?;
        let metadata = bootstrap.metadata(&examples::TOPICS).await?;
        let addresses: Vec<SocketAddr> = metadata
            .brokers
            .iter()
            .filter_map(|(_, host, port)| {
                Some(SocketAddr::new(host.parse().ok()?, u16::try_from(*port).ok()?))
            })
            .collect();
        match addresses.as_slice() {
            [address] if *address == self.gateway_broker => {
                report.findings.push(format!(
                    "clients are told of {address}, and never of the broker's own address"
                ));
            }
            other => {
                return Err(TourError::Answer(format!(
                    "{other:?} instead of {}",
                    self.gateway_broker
                )));
            }
        }
        let led = |topic: &str| {
            metadata
                .leaders
                .iter()
                .any(|(name, index, leader)| name == topic && (*index, *leader) == (0, 1))
        };
        if let Some(topic) = examples::TOPICS.iter().find(|topic| !led(topic)) {
            return Err(TourError::Answer(format!("no leader for {topic}")));
        }
        Client::connect(self.gateway_broker).await
    }

    /// Reads every topic through the gateway, and looks into the broker's log behind it.
    async fn read_back(
        &self,
        client: &mut Client,
        expected: &BTreeMap<&str, Expected>,
        report: &mut Report,
    ) -> Result<(), TourError> {
        let (mut records, mut batches) = (0, 0);
        for topic in examples::TOPICS {
            let nothing = Expected::default();
            let wanted = expected.get(topic).unwrap_or(&nothing);
            if read_topic(client, topic).await? == wanted.records {
                records += wanted.records.len();
            } else {
                report
                    .failures
                    .push(format!("{topic}: what is read is not what was forwarded"));
            }
            if self.broker.produced(topic, 0) == wanted.batches {
                batches += wanted.batches.len();
            } else {
                report.failures.push(format!(
                    "{topic}: the broker's batches are not those that were sent"
                ));
            }
        }
        report.findings.push(format!(
            "{records} records read back through the gateway, equal to what was sent"
        ));
        report.findings.push(format!(
            "{batches} batches in the broker's log, byte for byte as they were sent"
        ));
        Ok(())
    }
}

/// Sends one request and judges its answers.
async fn send(
    client: &mut Client,
    request: &[Shipment],
    expected: &mut BTreeMap<&str, Expected>,
    report: &mut Report,
) -> Result<(), TourError> {
    let mut batches = Vec::new();
    for shipment in request {
        batches.push((shipment.topic, write(shipment)?));
    }
    let borrowed: Vec<(&str, &[u8])> = batches
        .iter()
        .map(|(topic, batch)| (*topic, batch.as_slice()))
        .collect();
    let response = client.produce(&borrowed).await?;
    for (shipment, (_, batch)) in request.iter().zip(batches) {
        let answer = response.topics.iter().find_map(|(name, partitions)| match name {
            TopicName::Name(name) if name == shipment.topic => {
                partitions.iter().find(|answer| answer.partition == 0)
            }
            _ => None,
        });
        let Some(answer) = answer else {
            report
                .failures
                .push(format!("{}: no answer for {}", shipment.topic, shipment.what));
            continue;
        };
        if shipment.fate == Fate::Forwarded {
            let expected = expected.entry(shipment.topic).or_default();
            expected.batches.push(batch);
            expected.records.extend(shipment.records.iter().cloned());
        }
        report.lines.extend(
            (0..)
                .zip(&shipment.records)
                .map(|(index, _)| line(shipment, answer, index)),
        );
    }
    Ok(())
}

fn write(shipment: &Shipment) -> Result<Vec<u8>, TourError> {
    let timestamp_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64);
    let records: Vec<NewRecord<'_>> = shipment
        .records
        .iter()
        .map(|(key, value)| NewRecord {
            timestamp_ms,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: Vec::new(),
        })
        .collect();
    let mut batch = Vec::new();
    write_batch(&records, shipment.compression, None, &mut batch)?;
    Ok(batch)
}

/// What became of one record of a shipment, and whether it should have.
fn line(shipment: &Shipment, answer: &PartitionResponse, index: i32) -> Line {
    let named = answer
        .record_errors
        .iter()
        .find(|error| error.batch_index == index);
    let outcome = match (answer.error_code, named) {
        (ErrorCode::NONE, _) => Outcome::Forwarded {
            offset: answer.base_offset + i64::from(index),
        },
        (ErrorCode::INVALID_RECORD, Some(error)) => Outcome::Refused {
            line: error.message.clone().unwrap_or_default(),
        },
        (ErrorCode::INVALID_RECORD, None) if !answer.record_errors.is_empty() => Outcome::RefusedWithBatch,
        (code, _) => Outcome::Refused {
            line: format!(
                "error code {}: {}",
                code.0,
                answer.error_message.as_deref().unwrap_or("no message")
            ),
        },
    };
    let met = match (&shipment.fate, &outcome) {
        (Fate::Forwarded, Outcome::Forwarded { .. }) => true,
        (Fate::Refused { code, record }, Outcome::Refused { line }) => {
            index == *record && line.starts_with(&format!("{code} record {record} "))
        }
        (Fate::Refused { record, .. }, Outcome::RefusedWithBatch) => index != *record,
        _ => false,
    };
    let expected = (!met).then(|| match &shipment.fate {
        Fate::Forwarded => "forwarded".to_owned(),
        Fate::Refused { code, record } => format!("refused, record {record} of the batch with {code}"),
    });
    Line {
        topic: shipment.topic,
        what: shipment.what,
        outcome,
        expected,
    }
}

/// Every record of a topic's partition 0.
async fn read_topic(client: &mut Client, topic: &str) -> Result<Vec<KeyValue>, TourError> {
    let limits = DecompressionLimits {
        bytes_max: 16 << 20,
        ratio_max: 1_000,
    };
    let mut decompressor = Decompressor::default();
    let mut found = Vec::new();
    loop {
        let fetched = client.fetch(topic, found.len() as i64).await?;
        if fetched.is_empty() {
            return Ok(found);
        }
        let mut rest = fetched.as_slice();
        while !rest.is_empty() {
            let (mut bytes, behind) = split_batch(rest)?;
            rest = behind;
            bytes.splice(..8, [0; 8]); // The broker's base offset: `wire` reads a batch as a client sends it.
            let unreadable =
                |error: &dyn std::fmt::Display| TourError::Answer(format!("a batch of {topic}: {error}"));
            let batch = Batch::read(&bytes).map_err(|error| unreadable(&error))?;
            let records = decompressor.decompress(batch.compression, batch.records, limits)?;
            for record in Records::new(records, batch.header.record_count) {
                let record = record.map_err(|error| unreadable(&error))?;
                found.push((record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec)));
            }
        }
    }
}

/// The first batch, by the length at its byte 8, and what is behind it.
fn split_batch(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), TourError> {
    bytes
        .get(8..12)
        .and_then(|length| length.try_into().ok())
        .and_then(|length| usize::try_from(i32::from_be_bytes(length)).ok())
        .and_then(|length| bytes.split_at_checked(length.checked_add(12)?))
        .map(|(batch, behind)| (batch.to_vec(), behind))
        .ok_or_else(|| TourError::Answer("a fetched batch is cut short".to_owned()))
}
