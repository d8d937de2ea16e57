//! From a request's bytes to its response's: reads, hands to the API, writes.

use super::shared::Shared;
use super::{admin, api_versions, coordinator, fetch, group_offsets, list_offsets, metadata, produce};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, InitProducerIdResponse,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader,
    ResponseHeader, SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

/// Who asks: groups keep it of their members.
pub struct Client {
    pub host: String,
}

pub enum Outcome {
    /// A whole frame, its length included.
    Respond(BytesMut),
    /// Nothing is sent (acks=0).
    Silent,
    Close(&'static str),
}

/// Writes a response's frame.
fn respond(api: ApiKey, version: i16, correlation_id: i32, response: &impl Encodable) -> Outcome {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let written = header
        .encode(&mut frame, api.response_header_version(version))
        .and_then(|()| response.encode(&mut frame, version));
    if let Err(error) = written {
        tracing::error!(?api, version, %error, "the embedded broker could not write a response");
        return Outcome::Close("a response could not be written");
    }
    let length = (frame.len() - 4) as u32;
    if let Some(prefix) = frame.get_mut(..4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Outcome::Respond(frame)
}

/// Answers one request. `frame` is header and body; key and version are what its first bytes say.
pub async fn handle(
    shared: &Shared,
    client: &Client,
    api_key: i16,
    version: i16,
    mut frame: Bytes,
) -> Outcome {
    let Ok(api) = ApiKey::try_from(api_key) else {
        return Outcome::Close("unknown API");
    };
    if !api_versions::is_spoken(api_key, version) {
        if api == ApiKey::ApiVersions {
            let correlation_id = frame
                .get(4..8)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, i32::from_be_bytes);
            return respond(api, 0, correlation_id, &api_versions::unsupported());
        }
        return Outcome::Close("an API or a version that is not spoken");
    }
    let Ok(header) = RequestHeader::decode(&mut frame, api.request_header_version(version)) else {
        return Outcome::Close("the request's header is malformed");
    };
    answer(shared, client, api, version, &header, frame).await
}

/// One arm an API: the request's type, and what makes its response.
async fn answer(
    shared: &Shared,
    client: &Client,
    api: ApiKey,
    version: i16,
    header: &RequestHeader,
    mut body: Bytes,
) -> Outcome {
    macro_rules! request {
        ($type:ty) => {
            match <$type>::decode(&mut body, version) {
                // Bytes left over are let pass, as Kafka's broker does: librdkafka 2.16 leaves three zeros of a
                // placeholder in Metadata 13 when it asks for all topics.
                Ok(request) => request,
                Err(error) => {
                    tracing::debug!(?api, version, %error, "a request's body is malformed");
                    return Outcome::Close("the request's body is malformed");
                }
            }
        };
    }
    macro_rules! respond {
        ($response:expr) => {
            respond(api, version, header.correlation_id, &$response)
        };
    }
    match api {
        ApiKey::Produce => match produce::handle(shared, &request!(ProduceRequest), version) {
            Ok(Some(response)) => respond!(response),
            Ok(None) => Outcome::Silent,
            Err(why) => Outcome::Close(why),
        },
        ApiKey::Fetch => respond!(fetch::handle(shared, &request!(FetchRequest), version).await),
        ApiKey::ListOffsets => respond!(list_offsets::handle(
            shared,
            &request!(ListOffsetsRequest),
            version
        )),
        ApiKey::OffsetForLeaderEpoch => {
            respond!(list_offsets::for_leader_epoch(
                shared,
                &request!(OffsetForLeaderEpochRequest)
            ))
        }
        ApiKey::Metadata => respond!(metadata::handle(shared, &request!(MetadataRequest), version)),
        ApiKey::DescribeCluster => respond!(metadata::describe_cluster(
            shared,
            &request!(DescribeClusterRequest)
        )),
        ApiKey::FindCoordinator => {
            respond!(metadata::find_coordinator(
                shared,
                &request!(FindCoordinatorRequest),
                version
            ))
        }
        ApiKey::ApiVersions => {
            let _ = request!(ApiVersionsRequest);
            respond!(api_versions::list())
        }
        ApiKey::InitProducerId => respond!(init_producer_id(shared, &request!(InitProducerIdRequest))),
        ApiKey::JoinGroup => {
            let client_id = header.client_id.clone().unwrap_or_default();
            let host = StrBytes::from_string(format!("/{}", client.host));
            respond!(coordinator::join(shared, request!(JoinGroupRequest), client_id, host, version).await)
        }
        ApiKey::SyncGroup => respond!(coordinator::sync(shared, request!(SyncGroupRequest), version).await),
        ApiKey::Heartbeat => respond!(coordinator::heartbeat(shared, &request!(HeartbeatRequest))),
        ApiKey::LeaveGroup => respond!(coordinator::leave(shared, &request!(LeaveGroupRequest), version)),
        ApiKey::ListGroups => respond!(coordinator::list(shared, &request!(ListGroupsRequest), version)),
        ApiKey::DescribeGroups => respond!(coordinator::describe(
            shared,
            &request!(DescribeGroupsRequest),
            version
        )),
        ApiKey::DeleteGroups => respond!(coordinator::delete(shared, &request!(DeleteGroupsRequest))),
        ApiKey::OffsetCommit => respond!(group_offsets::commit(shared, &request!(OffsetCommitRequest))),
        ApiKey::OffsetFetch => respond!(group_offsets::fetch(
            shared,
            &request!(OffsetFetchRequest),
            version
        )),
        ApiKey::CreateTopics => respond!(admin::create_topics(
            shared,
            &request!(CreateTopicsRequest),
            version
        )),
        ApiKey::DeleteTopics => respond!(admin::delete_topics(
            shared,
            &request!(DeleteTopicsRequest),
            version
        )),
        ApiKey::DescribeConfigs => {
            respond!(admin::describe_configs(shared, &request!(DescribeConfigsRequest)))
        }
        _ => Outcome::Close("an API that is not spoken"),
    }
}

/// A producer id for an idempotent producer; transactions are refused in a way that ends the producer at once.
fn init_producer_id(shared: &Shared, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return InitProducerIdResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
    }
    InitProducerIdResponse::default()
        .with_producer_id(shared.new_producer_id().into())
        .with_producer_epoch(0)
}
