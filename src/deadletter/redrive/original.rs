//! The record that a dead letter was.

use crate::deadletter::batches::{Place, target_partition};
use crate::deadletter::letter::{Letter, PREFIX};
use crate::wire::topic_name;
use bytes::Bytes;
use std::collections::HashSet;

/// The brokers' own topics (`org.apache.kafka.common.internals.Topic`).
const INTERNAL: [&str; 4] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
    "__cluster_metadata",
];
/// Those of gateways begin so.
const GATEWAYS: &str = "__portcullis_";

/// A record as it was sent, and what the gateway said of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    pub topic: String,
    pub partition: i32,
    pub code: String,
    pub reference: String,
    pub record: Letter,
}

impl Original {
    /// Takes off the headers that a gateway has put behind the record's own; a producer's of the same names stand before
    /// them and stay. `None`: it is no dead letter of a gateway.
    #[must_use]
    pub fn of(mut letter: Letter) -> Option<Self> {
        let is_first = |(key, _): &(Bytes, Option<Bytes>)| name(key) == Some(b"topic");
        // It is the first of theirs, and they are the last of all.
        let first = letter.headers.iter().rposition(is_first)?;
        let theirs = letter.headers.split_off(first);
        let mut names = HashSet::new();
        if !theirs
            .iter()
            .all(|(key, _)| name(key).is_some_and(|name| names.insert(name)))
        {
            return None;
        }
        let says = |wanted: &str| {
            let (_, value) = theirs
                .iter()
                .find(|(key, _)| name(key) == Some(wanted.as_bytes()))?;
            String::from_utf8(value.as_ref()?.to_vec()).ok()
        };
        says("time")?;
        let topic = says("topic").filter(|topic| topic_name::is_legal(topic))?;
        let partition = says("partition")?.parse().ok();
        Some(Self {
            topic,
            partition: partition.filter(|partition: &i32| *partition >= 0)?,
            code: says("code")?,
            reference: says("ref")?,
            record: letter,
        })
    }

    /// Where it goes when its topic has so many partitions.
    #[must_use]
    pub fn place(&self, partitions: i32) -> Place {
        (
            self.topic.as_str().into(),
            target_partition(self.partition, partitions),
        )
    }
}

fn name(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(PREFIX.as_bytes())?.strip_prefix(b".")
}

/// Why nothing is redriven to `topic`, if so.
#[must_use]
pub fn forbidden(topic: &str, dead_letters: &str) -> Option<&'static str> {
    if topic == dead_letters {
        return Some("it is the dead-letter topic itself");
    }
    if INTERNAL.contains(&topic) || topic.starts_with(GATEWAYS) {
        return Some("it is a topic of the brokers' or the gateways' own");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Code, Part, ViolatedSchema, Violation};
    use crate::deadletter::letter::Origin;
    use crate::schema::{SchemaId, Subject, Version};
    use crate::wire::batch::{Batch, Records};
    use crate::wire::batch_writer::{NewRecord, write_batch};
    use crate::wire::compression::Compression;
    use proptest::prelude::*;
    use ulid::Ulid;

    type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn violation(schema: Option<bool>) -> Violation {
        Violation {
            code: Code::Avro,
            record: 0,
            part: Part::Value,
            path: String::new(),
            expected: "expected double".to_owned(),
            schema: schema.map(|governs| ViolatedSchema {
                id: SchemaId(42),
                version: governs.then(|| (Subject("orders-value".into()), Version(3))),
            }),
            reference: Ulid::nil(),
        }
    }

    fn origin(producer_id: i64, named: bool) -> Origin<'static> {
        Origin {
            topic: "orders",
            partition: 3,
            producer_id,
            producer_epoch: 1,
            base_sequence: 7,
            transactional_id: named.then_some("id"),
            client_id: named.then_some("client"),
            principal: named.then_some("User:alice"),
            client_address: "192.0.2.7:50000",
            gateway: "gateway-1",
            time_ms: 1_700_000_000_000,
        }
    }

    /// The record, and the dead letter that a gateway makes of it.
    fn letter(record: &NewRecord<'_>, violation: &Violation, origin: &Origin<'_>) -> Letter {
        let mut bytes = Vec::new();
        write_batch(std::slice::from_ref(record), Compression::None, None, &mut bytes).unwrap();
        let batch = Batch::read(&bytes).unwrap();
        let read = Records::new(batch.records, 1).next().unwrap().unwrap();
        Letter::of(&read, batch.header.timestamp_ms_of(&read), 0, violation, origin)
    }

    fn of_headers(headers: &[(&str, &str)]) -> Option<Original> {
        let headers = headers.iter().map(|(key, value)| {
            let key = Bytes::from(format!("__portcullis.{key}"));
            (key, Some(Bytes::from((*value).to_owned())))
        });
        Original::of(Letter {
            headers: headers.collect(),
            ..Letter::default()
        })
    }

    const WHOLE: [(&str, &str); 5] = [
        ("topic", "orders"),
        ("partition", "3"),
        ("code", "PC-201"),
        ("ref", "01JD"),
        ("time", "1"),
    ];

    #[test]
    fn a_record_that_no_gateway_has_dead_lettered_is_none() {
        assert!(of_headers(&WHOLE).is_some());
        assert!(of_headers(&[]).is_none());
        for at in 0..WHOLE.len() {
            let mut headers = WHOLE.to_vec();
            let (missing, _) = headers.remove(at);
            assert!(of_headers(&headers).is_none(), "without {missing}");
        }
        let with = |header| of_headers(&[&WHOLE[..], &[header]].concat());
        assert!(with(("code", "PC-202")).is_none(), "which one is it?");
        assert!(with(("of a later version", "1")).is_some());
        for wrong in [
            ("topic", "or/ders"),
            ("topic", ""),
            ("partition", "-1"),
            ("partition", "x"),
        ] {
            let mut headers = WHOLE.to_vec();
            headers.retain(|(name, _)| *name != wrong.0);
            headers.insert(0, wrong);
            assert!(of_headers(&headers).is_none(), "{wrong:?}");
        }
        // Somebody has put something behind: the block is not the last, as that of a copy.
        let mut copied = letter(&NewRecord::default(), &violation(None), &origin(-1, false));
        copied
            .headers
            .push((Bytes::from_static(b"copied-by"), Some(Bytes::new())));
        assert_eq!(Original::of(copied), None);
    }

    #[test]
    fn topics_that_are_nobodys_to_write_are_named() {
        for topic in ["orders.dlq", "__consumer_offsets", "__portcullis_decisions"] {
            assert!(forbidden(topic, "orders.dlq").is_some(), "{topic}");
        }
        for topic in ["orders", "orders.dlq.dlq", "__own"] {
            assert_eq!(forbidden(topic, "orders.dlq"), None, "{topic}");
        }
    }

    /// Among them names that a gateway gives, in any order and number.
    fn headers() -> impl Strategy<Value = Headers> {
        let known = proptest::sample::select(vec![
            "topic",
            "partition",
            "code",
            "ref",
            "schema_id",
            "principal",
            "time",
        ]);
        let key = prop_oneof![
            known.prop_map(|name| format!("__portcullis.{name}").into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6));
        proptest::collection::vec((key, value), 0..8)
    }

    proptest! {
        #[test]
        fn the_record_comes_back_as_it_was(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6)),
            timestamp_ms in any::<i64>(),
            headers in headers(),
            schema in proptest::option::of(any::<bool>()),
            producer_id in -1..2_i64,
            named in any::<bool>(),
        ) {
            let record = NewRecord {
                timestamp_ms,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect(),
            };
            let letter = letter(&record, &violation(schema), &origin(producer_id, named));
            let original = Original::of(letter.clone()).unwrap();
            prop_assert_eq!(original.record.as_new(), record);
            prop_assert_eq!((&*original.topic, original.partition, &*original.code), ("orders", 3, "PC-201"));
            // It was dead-lettered, redriven, and dead-lettered again without leaving its first headers.
            let again = self::letter(&letter.as_new(), &violation(schema), &origin(producer_id, named));
            prop_assert_eq!(Original::of(again).unwrap().record, letter);
        }
    }
}
