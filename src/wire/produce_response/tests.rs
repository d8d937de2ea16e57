//! Round trips and truncation. The second opinion is in `tests/wire_produce.rs`.

use super::*;

fn response(version: i16) -> ProduceResponse {
    let form = Form::of(version);
    let topic = if form.has_topic_ids() {
        TopicName::Id([7; 16])
    } else {
        TopicName::Name("orders".to_owned())
    };
    let refused = PartitionResponse {
        partition: 3,
        error_code: ErrorCode::INVALID_RECORD,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: if form.has_log_start_offset() { 12 } else { -1 },
        record_errors: if form.has_record_errors() {
            vec![
                RecordError {
                    batch_index: 0,
                    message: Some("PC-201".to_owned()),
                },
                RecordError {
                    batch_index: 9,
                    message: None,
                },
            ]
        } else {
            vec![]
        },
        error_message: form.has_record_errors().then(|| "refused".to_owned()),
        current_leader: form.has_leaders().then_some((2, 5)),
    };
    let node = NodeEndpoint {
        node_id: 2,
        host: "gw".to_owned(),
        port: 9194,
        rack: None,
    };
    ProduceResponse {
        topics: vec![(topic, vec![refused])],
        throttle_time_ms: 17,
        node_endpoints: if form.has_leaders() { vec![node] } else { vec![] },
    }
}

#[test]
fn every_version_reads_what_it_writes() {
    for version in VERSION_MIN..=VERSION_MAX {
        let mut bytes = Vec::new();
        response(version).write(version, &mut bytes);
        assert_eq!(
            ProduceResponse::read(&bytes, version),
            Ok(response(version)),
            "version {version}"
        );
    }
}

#[test]
fn an_older_version_leaves_out_what_it_cannot_carry() {
    let mut bytes = Vec::new();
    response(12).write(3, &mut bytes);
    assert_eq!(ProduceResponse::read(&bytes, 3), Ok(response(3)));
}

#[test]
fn truncation_at_any_byte_and_a_byte_too_many_are_refused() {
    for version in VERSION_MIN..=VERSION_MAX {
        let mut bytes = Vec::new();
        response(version).write(version, &mut bytes);
        for cut in 0..bytes.len() {
            assert!(
                ProduceResponse::read(&bytes[..cut], version).is_err(),
                "version {version} cut at {cut}"
            );
        }
        bytes.push(0);
        assert!(ProduceResponse::read(&bytes, version).is_err());
    }
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    // No topics, throttle time 0, one tagged field 9 of two bytes.
    let body = b"\x01\0\0\0\0\x01\x09\x02xx";
    assert_eq!(ProduceResponse::read(body, 10), Ok(ProduceResponse::default()));
}
