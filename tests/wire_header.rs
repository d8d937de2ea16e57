//! Versions and headers: what we know of every API agrees with what another library was generated from.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, RequestHeader};
use kafka_protocol::protocol::{Encodable, StrBytes};
use portcullis::wire::api::{ApiKey, client_api, client_apis};
use portcullis::wire::header::{
    RequestHead, read_request_header, request_header_is_flexible, response_header_is_flexible,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn theirs(key: ApiKey) -> Option<messages::ApiKey> {
    messages::ApiKey::try_from(key.0).ok()
}

#[test]
fn every_version_of_every_api_has_the_headers_that_another_library_gives_it() {
    let mut compared = 0;
    for api in client_apis() {
        let Some(theirs) = theirs(api.key) else { continue };
        assert_eq!(format!("{theirs:?}"), api.name);
        for version in api.version_min..=api.version_max {
            let flexible = request_header_is_flexible(api.key, version);
            assert_eq!(
                flexible,
                theirs.request_header_version(version) == 2,
                "{} {version} request",
                api.name
            );
            let flexible = response_header_is_flexible(api.key, version);
            assert_eq!(
                flexible,
                theirs.response_header_version(version) == 1,
                "{} {version} response",
                api.name
            );
        }
        compared += 1;
    }
    assert!(compared >= 60, "{compared} compared");
}

#[test]
fn no_version_is_offered_below_what_another_library_reads() {
    // Above, it may lag behind: it was generated from an older release.
    for api in client_apis() {
        if let Some(theirs) = theirs(api.key) {
            let range = theirs.valid_versions();
            assert!(
                api.version_min >= range.min,
                "{} from {}, theirs from {}",
                api.name,
                api.version_min,
                range.min
            );
        }
    }
}

proptest! {
    #[test]
    fn a_header_that_another_library_wrote_is_read(
        api in proptest::sample::select(client_apis().collect::<Vec<_>>()),
        version in any::<prop::sample::Index>(),
        correlation_id in any::<i32>(),
        client_id in option::of("[a-zé]{0,200}"),
        tags in btree_map(0..300_i32, vec(any::<u8>(), 0..5), 0..4),
        body in vec(any::<u8>(), 0..20),
    ) {
        let version = api.version_min + version.index((api.version_max - api.version_min + 1) as usize) as i16;
        let header_version = if request_header_is_flexible(api.key, version) { 2 } else { 1 };
        let tags: BTreeMap<i32, Bytes> = tags.into_iter().map(|(tag, bytes)| (tag, Bytes::from(bytes))).collect();
        let header = RequestHeader::default()
            .with_request_api_key(api.key.0)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(client_id.clone().map(StrBytes::from_string))
            .with_unknown_tagged_fields(if header_version == 2 { tags } else { BTreeMap::new() });
        let mut request = BytesMut::new();
        header.encode(&mut request, header_version).unwrap();
        let length = request.len();
        request.extend_from_slice(&body);
        let (ours, rest) = read_request_header(&request).unwrap();
        let head = RequestHead { api_key: api.key, api_version: version, correlation_id };
        prop_assert_eq!((ours.head, ours.client_id, rest), (head, client_id.as_deref(), &body[..]));
        prop_assert_eq!(RequestHead::read(&request), Ok(head));
        for cut in 0..length {
            prop_assert!(read_request_header(&request[..cut]).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn any_bytes_are_a_header_or_refused(frame in vec(any::<u8>(), 0..80)) {
        if let Ok((header, body)) = read_request_header(&frame) {
            prop_assert!(frame.ends_with(body));
            prop_assert_eq!(RequestHead::read(&frame), Ok(header.head));
        }
    }
}

#[test]
fn a_million_tagged_fields_are_walked_in_linear_time_and_a_lying_count_is_refused() {
    // Produce 9, no client id, then a count of 1,000,000 as UNSIGNED_VARINT.
    let head = b"\x00\x00\x00\x09\x00\x00\x00\x01\xff\xff\xc0\x84\x3d";
    let mut request = head.to_vec();
    request.extend(b"\x09\x00".repeat(1_000_000));
    assert!(read_request_header(&request).is_ok());
    request.truncate(request.len() - 1);
    assert!(read_request_header(&request).is_err());
    assert!(read_request_header(head).is_err());
    assert!(client_api(ApiKey::PRODUCE).is_some());
}
