//! What the broker speaks.

use crate::wire::api::ApiKey;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};

/// Key and versions, both ends included. Only what is really spoken: clients choose what they do by this.
const SPOKEN: [(ApiKey, i16, i16); 21] = [
    (ApiKey::PRODUCE, 3, 13),
    (ApiKey::FETCH, 4, 18),
    (ApiKey::LIST_OFFSETS, 1, 10),
    (ApiKey::METADATA, 0, 13),
    (ApiKey::OFFSET_COMMIT, 2, 9),
    (ApiKey::OFFSET_FETCH, 1, 9),
    (ApiKey::FIND_COORDINATOR, 0, 6),
    (ApiKey::JOIN_GROUP, 0, 9),
    (ApiKey::HEARTBEAT, 0, 4),
    (ApiKey::LEAVE_GROUP, 0, 5),
    (ApiKey::SYNC_GROUP, 0, 5),
    (ApiKey::DESCRIBE_GROUPS, 0, 6),
    (ApiKey::LIST_GROUPS, 0, 5),
    (ApiKey::API_VERSIONS, 0, 4),
    (ApiKey::CREATE_TOPICS, 2, 7),
    (ApiKey::DELETE_TOPICS, 1, 6),
    (ApiKey::INIT_PRODUCER_ID, 0, 5),
    (ApiKey(23), 2, 4), // OffsetForLeaderEpoch
    (ApiKey(32), 1, 4), // DescribeConfigs
    (ApiKey(42), 0, 2), // DeleteGroups
    (ApiKey::DESCRIBE_CLUSTER, 0, 2),
];

pub fn is_spoken(api_key: i16, version: i16) -> bool {
    SPOKEN
        .iter()
        .any(|(key, min, max)| key.0 == api_key && (*min..=*max).contains(&version))
}

pub fn list() -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(SPOKEN.iter().copied().map(entry).collect())
}

/// The answer to a version of ApiVersions that is not spoken, to be written in version 0: its own range, by which
/// the client asks again (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    let own = SPOKEN
        .iter()
        .filter(|(key, _, _)| *key == ApiKey::API_VERSIONS)
        .copied()
        .map(entry)
        .collect();
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own)
}

fn entry((key, min, max): (ApiKey, i16, i16)) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(key.0)
        .with_min_version(min)
        .with_max_version(max)
}
