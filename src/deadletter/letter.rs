//! A dead letter: the bad record as it was, and what is known of it in headers of its own.

use crate::contract::Violation;
use crate::wire::batch::Record;
use crate::wire::batch_writer::NewRecord;
use crate::wire::log::LogRecord;
use bytes::Bytes;

/// Before the name of each header.
pub const PREFIX: &str = "__portcullis";

/// A record on its own, to be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Letter {
    pub timestamp_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What all dead letters of one batch have in common.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub topic: &'a str,
    pub partition: i32,
    /// -1 of a producer without sequence numbers.
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional_id: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub principal: Option<&'a str>,
    pub client_address: &'a str,
    /// Which gateway.
    pub gateway: &'a str,
    /// Milliseconds since the epoch.
    pub time_ms: i64,
}

impl Letter {
    /// The dead letter of `record`, which was `index` in its batch: key, value, headers and timestamp as they were.
    #[must_use]
    pub fn of(
        record: &Record<'_>,
        timestamp_ms: i64,
        index: u32,
        violation: &Violation,
        origin: &Origin<'_>,
    ) -> Self {
        let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
        let mut headers: Vec<(Bytes, Option<Bytes>)> = record
            .headers
            .iter()
            .map(|header| (Bytes::copy_from_slice(header.key), copy(header.value)))
            .collect();
        let mut add = |name: &str, value: String| {
            headers.push((Bytes::from(format!("{PREFIX}.{name}")), Some(Bytes::from(value))));
        };
        add("topic", origin.topic.to_owned());
        add("partition", origin.partition.to_string());
        add("code", violation.code.as_str().to_owned());
        add("message", violation.to_string());
        add("ref", violation.reference.to_string());
        if let Some(schema) = &violation.schema {
            add("schema_id", schema.id.0.to_string());
            if let Some((subject, version)) = &schema.version {
                add("subject", subject.0.to_string());
                add("version", version.0.to_string());
            }
        }
        if origin.producer_id >= 0 {
            add("producer_id", origin.producer_id.to_string());
            add("producer_epoch", origin.producer_epoch.to_string());
            let sequence = crate::wire::sequence::after(origin.base_sequence, index);
            add("sequence", sequence.to_string());
        }
        for (name, value) in [
            ("transactional_id", origin.transactional_id),
            ("client_id", origin.client_id),
            ("principal", origin.principal),
        ] {
            if let Some(value) = value {
                add(name, value.to_owned());
            }
        }
        add("client_address", origin.client_address.to_owned());
        add("gateway", origin.gateway.to_owned());
        add("time", origin.time_ms.to_string());
        Self {
            timestamp_ms,
            key: copy(record.key),
            value: copy(record.value),
            headers,
        }
    }

    #[must_use]
    pub fn from_log(record: &LogRecord<'_>) -> Self {
        let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
        Self {
            timestamp_ms: record.timestamp_ms,
            key: copy(record.key),
            value: copy(record.value),
            headers: record
                .headers
                .iter()
                .map(|header| (Bytes::copy_from_slice(header.key), copy(header.value)))
                .collect(),
        }
    }

    #[must_use]
    pub fn as_new(&self) -> NewRecord<'_> {
        NewRecord {
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self
                .headers
                .iter()
                .map(|(key, value)| (&**key, value.as_deref()))
                .collect(),
        }
    }

    /// ` 01JD…` for words about it, or nothing when it has none.
    #[must_use]
    pub fn reference(&self) -> String {
        let named = |key: &Bytes| key.strip_prefix(PREFIX.as_bytes()) == Some(b".ref");
        let header = self.headers.iter().rev().find(|(key, _)| named(key));
        let value = header.and_then(|(_, value)| value.as_deref());
        value.map_or_else(String::new, |value| {
            format!(" {}", String::from_utf8_lossy(value))
        })
    }

    /// About what it takes in a batch.
    #[must_use]
    pub fn length(&self) -> usize {
        let of = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(key, value)| key.len() + of(value) + 6);
        32 + of(&self.key) + of(&self.value) + headers.sum::<usize>()
    }
}
