//! Records that get something on their way: the line of a bad one, the framing of one that conforms.

use super::*;
use crate::contract::{
    Action, Framing, Governing, GoverningVersion, Level, Lookup, Policies, Policy, Presence, SchemaSource,
    SubjectLookup, TopicPattern,
};
use crate::schema::{Schema, SchemaId, SchemaType, Subject, Version};
use crate::wire::batch::{Batch, Records};
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::Compression;
use crate::wire::header::read_request_header;
use crate::wire::produce_request::ProduceRequest;

/// Policies, and schema 42, an Avro `long`, which every subject has.
pub struct Contract {
    pub policies: Policies,
    schema: Arc<Governing>,
}

impl SchemaSource for Contract {
    fn find(&self, _subject: &str, id: SchemaId) -> Lookup {
        if id == self.schema.id {
            Lookup::Found(Arc::clone(&self.schema))
        } else {
            Lookup::UnknownId
        }
    }
    fn subject(&self, _subject: &str) -> Presence {
        Presence::Present
    }
    fn governing(&self, _subject: &str, _version: GoverningVersion) -> SubjectLookup {
        SubjectLookup::Found(Arc::clone(&self.schema))
    }
}

fn conversation(action: Action, framing: Framing) -> Conversation {
    let schema = Schema::parse(SchemaType::Avro, "\"long\"", &[]).unwrap();
    let governing = Governing {
        id: SchemaId(42),
        subject: Subject("orders-value".into()),
        version: Version(1),
        validator: Arc::new(schema.validator().unwrap()),
    };
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.value.level = Level::Payload;
    policy.value.framing = framing;
    policy.key.level = Level::Off;
    policy.action = action;
    let mut talk = Conversation::new();
    talk.world.contract = Some(Contract {
        policies: Policies(vec![policy]),
        schema: Arc::new(governing),
    });
    talk
}

/// Record values in one batch of an idempotent producer.
fn batch(values: &[&[u8]]) -> Vec<u8> {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            value: Some(value),
            ..NewRecord::default()
        })
        .collect();
    let producer = ProducerStamp {
        producer_id: 9,
        producer_epoch: 1,
        base_sequence: 5,
        transactional: false,
    };
    let mut bytes = Vec::new();
    write_batch(&records, Compression::None, Some(producer), &mut bytes).unwrap();
    bytes
}

/// What the broker got: each record's value and its headers' values, one list a partition.
fn forwarded(frame: &[u8]) -> Vec<Vec<(Vec<u8>, Vec<String>)>> {
    let (header, body) = read_request_header(&frame[4..]).unwrap();
    let request = ProduceRequest::read(body, header.head.api_version).unwrap();
    request
        .partitions()
        .map(|partition| {
            let batch = Batch::read(partition.records.unwrap()).unwrap();
            assert_eq!((batch.header.producer_id, batch.header.base_sequence), (9, 5));
            Records::new(batch.records, batch.header.record_count)
                .map(|record| {
                    let record = record.unwrap();
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let headers = record.headers.iter();
                    let headers = headers.map(|header| {
                        assert_eq!(text(header.key), "__portcullis.violation");
                        text(header.value.unwrap())
                    });
                    (record.value.unwrap().to_vec(), headers.collect())
                })
                .collect()
        })
        .collect()
}

const FRAMED: &[u8] = &[0, 0, 0, 0, 42, 0x54];
const RAW: Framing = Framing::Raw {
    version: GoverningVersion::Latest,
    envelope: true,
};

#[test]
fn a_marked_record_goes_on_with_its_line_and_its_neighbours_as_they_are() {
    let mut talk = conversation(Action::Mark, Framing::Confluent);
    let (good, mixed) = (batch(&[FRAMED]), batch(&[FRAMED, b"raw", FRAMED]));
    talk.client(
        &produce(5, -1, &[("orders", 0, &good), ("orders", 1, &mixed)]),
        50,
    );
    let forwarded = forwarded(&talk.to_upstream);
    assert_eq!(forwarded[0], [(FRAMED.to_vec(), vec![])]);
    let [first, bad, last] = forwarded[1].as_slice() else {
        panic!("{forwarded:?}")
    };
    assert_eq!((first, last), (&forwarded[0][0], &forwarded[0][0]));
    assert_eq!(bad.0, b"raw");
    let [line] = bad.1.as_slice() else {
        panic!("{bad:?}")
    };
    assert!(
        line.starts_with("PC-101 record 1 value: no Confluent framing"),
        "{line}"
    );
    let fates: Vec<Fate> = talk.world.fates.iter().map(|(_, _, fate)| *fate).collect();
    assert_eq!(fates, [Fate::Forwarded, Fate::Forwarded]);
    let answer = produced(5, &[("orders", 0, 17), ("orders", 1, 3)]);
    talk.broker(&answer, 9);
    assert_eq!(talk.to_client, answer, "the broker's own answer");
}

#[test]
fn a_record_without_framing_goes_on_with_it_also_without_acknowledgement() {
    for acks in [-1, 0] {
        let mut talk = conversation(Action::Reject, RAW);
        let unframed = batch(&[&[0x54], &[0x02]]);
        talk.client(&produce(5, acks, &[("orders", 0, &unframed)]), 1000);
        let framed = [vec![0, 0, 0, 0, 42, 0x54], vec![0, 0, 0, 0, 42, 0x02]];
        assert_eq!(
            forwarded(&talk.to_upstream),
            [framed.map(|value| (value, vec![]))]
        );
        assert!(talk.session.closing().is_none());
        talk.client(&produce(6, 1, &[("orders", 0, &unframed)]), 1000);
        if acks != 0 {
            talk.broker(&produced(5, &[("orders", 0, 17)]), 1000);
        }
        talk.broker(&produced(6, &[("orders", 0, 19)]), 1000);
        let answered: Vec<i32> = frames(&talk.to_client).iter().map(|(id, _)| *id).collect();
        assert_eq!(answered, if acks == 0 { vec![6] } else { vec![5, 6] });
    }
}

#[test]
fn a_request_may_refuse_one_partition_and_frame_another() {
    let mut talk = conversation(Action::Reject, RAW);
    let (good, bad) = (batch(&[&[0x54]]), batch(&[&[0x54], &[]]));
    talk.client(&produce(5, 1, &[("orders", 0, &bad), ("orders", 1, &good)]), 1000);
    assert_eq!(forwarded(&talk.to_upstream), [[(FRAMED.to_vec(), vec![])]]);
    talk.broker(&produced(5, &[("orders", 1, 17)]), 1000);
    let answer = ProduceResponse::read(&frames(&talk.to_client)[0].1, 7).unwrap();
    let mut codes: Vec<(i32, ErrorCode)> = answer
        .topics
        .iter()
        .flat_map(|(_, partitions)| partitions.iter().map(|one| (one.partition, one.error_code)))
        .collect();
    codes.sort_by_key(|(partition, _)| *partition);
    assert_eq!(codes, [(0, ErrorCode::INVALID_RECORD), (1, ErrorCode::NONE)]);
}

#[test]
fn what_grows_beyond_the_largest_request_is_refused_and_what_still_fits_goes_on() {
    let mut talk = conversation(Action::Mark, Framing::Confluent);
    // A line takes some 150 bytes: the second partition's do not fit into the request any more.
    let bad: Vec<u8> = batch(&vec![&b"raw"[..]; 4000]);
    talk.client(
        &produce(5, 1, &[("orders", 0, &bad), ("orders", 1, &bad)]),
        1 << 20,
    );
    assert!(talk.to_upstream.len() <= LIMITS.frame_bytes_max + 4);
    assert_eq!(forwarded(&talk.to_upstream).len(), 1);
    talk.broker(&produced(5, &[("orders", 0, 17)]), 1000);
    let answer = ProduceResponse::read(&frames(&talk.to_client)[0].1, 7).unwrap();
    let refused = answer
        .topics
        .iter()
        .flat_map(|(_, partitions)| partitions)
        .find(|one| one.partition == 1)
        .unwrap();
    assert_eq!(refused.error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(talk.world.fates[1].2, Fate::Refused);
}

#[test]
fn one_request_may_lose_a_dead_letter_and_get_a_mark() {
    let mut talk = conversation(Action::Mark, Framing::Confluent);
    let policies = &mut talk.world.contract.as_mut().unwrap().policies.0;
    let mut dead_lettering = policies[0].clone();
    dead_lettering.topics = vec![TopicPattern::parse("dl-*").unwrap()];
    dead_lettering.action = Action::DeadLetter(crate::contract::DeadLetter::default());
    policies.insert(0, dead_lettering);
    let mixed = batch(&[FRAMED, b"raw"]);
    talk.client(
        &produce(5, -1, &[("orders", 0, &mixed), ("dl-orders", 0, &mixed)]),
        1000,
    );
    assert!(talk.to_upstream.is_empty(), "the decision comes first");
    talk.log();
    let forwarded = forwarded(&talk.to_upstream);
    let [marked, trimmed] = forwarded.as_slice() else {
        panic!("{forwarded:?}")
    };
    assert_eq!(trimmed, &[(FRAMED.to_vec(), vec![])]);
    assert_eq!((marked[0].1.len(), marked[1].1.len()), (0, 1));
    assert_eq!(talk.world.log.letters.len(), 1);
}

#[test]
fn what_is_left_of_a_trimmed_batch_gets_its_framing_too() {
    let action = Action::DeadLetter(crate::contract::DeadLetter::default());
    let mut talk = conversation(action, RAW);
    let mixed = batch(&[&[0x54], &[], &[0x54]]);
    talk.client(&produce(5, -1, &[("orders", 0, &mixed)]), 1000);
    talk.log();
    let framed = (FRAMED.to_vec(), vec![]);
    assert_eq!(forwarded(&talk.to_upstream), [[framed.clone(), framed]]);
    assert_eq!(talk.world.log.letters.len(), 1);
}
