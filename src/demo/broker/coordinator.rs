//! The group coordinator's APIs: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and those that look at groups.

use super::group::{Group, Identity, Join, State};
use super::group_offsets::CommittedOffsets;
use super::shared::{Shared, lock};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const GROUPS_MAX: usize = 2_000;

/// Kafka's `group.max.session.timeout.ms`; the minimum is lower than Kafka's, for tests in a hurry.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<i32> = 50..=1_800_000;

/// A group and the offsets committed under its name.
#[derive(Default)]
pub struct Coordinated {
    pub group: Group,
    pub offsets: CommittedOffsets,
}

#[derive(Default)]
pub struct Groups {
    by_id: BTreeMap<StrBytes, Coordinated>,
}

impl Groups {
    pub fn get(&self, id: &StrBytes) -> Option<&Coordinated> {
        self.by_id.get(id)
    }

    pub fn get_mut(&mut self, id: &StrBytes) -> Option<&mut Coordinated> {
        self.by_id.get_mut(id)
    }

    pub fn get_or_create(&mut self, id: &StrBytes) -> Result<&mut Coordinated, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if self.by_id.len() >= GROUPS_MAX && !self.by_id.contains_key(id) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        Ok(self.by_id.entry(id.clone()).or_default())
    }

    pub fn expire(&mut self, now: Instant) {
        for coordinated in self.by_id.values_mut() {
            coordinated.group.expire(now);
        }
    }
}

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub async fn join(
    shared: &Shared,
    request: JoinGroupRequest,
    client_id: StrBytes,
    client_host: StrBytes,
    version: i16,
) -> JoinGroupResponse {
    let protocol_type = request.protocol_type.clone();
    let failed = |error: ResponseError, member_id: StrBytes| {
        JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            .with_protocol_name(if version >= 7 { None } else { Some(StrBytes::new()) })
            .with_member_id(member_id)
    };
    if !SESSION_TIMEOUT_MS.contains(&request.session_timeout_ms) {
        return failed(ResponseError::InvalidSessionTimeout, request.member_id);
    }
    let asked_as = request.member_id.clone();
    let rebalance_ms = if version >= 1 {
        request.rebalance_timeout_ms
    } else {
        request.session_timeout_ms
    };
    let join = Join {
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        client_id,
        client_host,
        session_timeout: millis(request.session_timeout_ms),
        rebalance_timeout: millis(rebalance_ms),
        protocol_type: request.protocol_type,
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name, protocol.metadata))
            .collect(),
        member_id_required: version >= 4,
    };
    let (answer, answered) = oneshot::channel();
    match lock(&shared.groups).get_or_create(&request.group_id) {
        Ok(coordinated) => coordinated.group.join(join, answer, Instant::now()),
        Err(error) => return failed(error, asked_as),
    }
    let joined = match answered.await {
        Ok(Ok(joined)) => joined,
        Ok(Err((error, member_id))) => return failed(error, member_id),
        // The member was dropped while it waited.
        Err(_) => return failed(ResponseError::UnknownMemberId, asked_as),
    };
    let members = joined
        .members
        .into_iter()
        .map(|(id, instance_id, metadata)| {
            let member = JoinGroupResponseMember::default()
                .with_member_id(id)
                .with_metadata(metadata);
            if version >= 5 {
                member.with_group_instance_id(instance_id)
            } else {
                member
            }
        })
        .collect();
    let response = JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(joined.protocol))
        .with_leader(joined.leader)
        .with_member_id(joined.member_id)
        .with_members(members);
    if version >= 7 {
        response.with_protocol_type(Some(protocol_type))
    } else {
        response
    }
}

pub async fn sync(shared: &Shared, request: SyncGroupRequest, version: i16) -> SyncGroupResponse {
    let failed = |error: ResponseError| SyncGroupResponse::default().with_error_code(error.code());
    let (answer, answered) = oneshot::channel();
    let (protocol_type, protocol) = {
        let mut groups = lock(&shared.groups);
        let Some(Coordinated { group, .. }) = groups.get_mut(&request.group_id) else {
            return failed(ResponseError::UnknownMemberId);
        };
        let differs =
            |wanted: &Option<StrBytes>, is: &StrBytes| wanted.as_ref().is_some_and(|wanted| wanted != is);
        if differs(&request.protocol_type, &group.protocol_type)
            || differs(&request.protocol_name, &group.protocol)
        {
            return failed(ResponseError::InconsistentGroupProtocol);
        }
        let identity = Identity {
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_ref(),
        };
        let assignments = request
            .assignments
            .into_iter()
            .map(|given| (given.member_id, given.assignment))
            .collect();
        group.sync(
            &identity,
            request.generation_id,
            assignments,
            answer,
            Instant::now(),
        );
        (group.protocol_type.clone(), group.protocol.clone())
    };
    match answered.await.unwrap_or(Err(ResponseError::UnknownMemberId)) {
        Err(error) => failed(error),
        Ok(assignment) => {
            let response = SyncGroupResponse::default().with_assignment(assignment);
            if version >= 5 {
                response
                    .with_protocol_type(Some(protocol_type))
                    .with_protocol_name(Some(protocol))
            } else {
                response
            }
        }
    }
}

pub fn heartbeat(shared: &Shared, request: &HeartbeatRequest) -> HeartbeatResponse {
    let identity = Identity {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let outcome = match lock(&shared.groups).get_mut(&request.group_id) {
        Some(coordinated) => coordinated
            .group
            .heartbeat(&identity, request.generation_id, Instant::now()),
        None => Err(ResponseError::UnknownMemberId),
    };
    HeartbeatResponse::default().with_error_code(code(outcome))
}

pub fn leave(shared: &Shared, request: &LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let mut groups = lock(&shared.groups);
    let mut leave = |identity: &Identity<'_>| match groups.get_mut(&request.group_id) {
        Some(coordinated) => coordinated.group.leave(identity, Instant::now()),
        None => Err(ResponseError::UnknownMemberId),
    };
    if version < 3 {
        let outcome = leave(&Identity {
            member_id: &request.member_id,
            instance_id: None,
        });
        return LeaveGroupResponse::default().with_error_code(code(outcome));
    }
    let members = request
        .members
        .iter()
        .map(|member| {
            let instance_id = member.group_instance_id.as_ref();
            let outcome = leave(&Identity {
                member_id: &member.member_id,
                instance_id,
            });
            MemberResponse::default()
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
                .with_error_code(code(outcome))
        })
        .collect();
    LeaveGroupResponse::default().with_members(members)
}

pub fn list(shared: &Shared, request: &ListGroupsRequest, version: i16) -> ListGroupsResponse {
    const TYPE: &str = "classic";
    let fits = |filter: &[StrBytes], is: &str| {
        filter.is_empty()
            || filter
                .iter()
                .any(|wanted| wanted.as_str().eq_ignore_ascii_case(is))
    };
    let groups = lock(&shared.groups);
    let listed = groups
        .by_id
        .iter()
        .filter(|(_, coordinated)| {
            fits(&request.states_filter, coordinated.group.state.name()) && fits(&request.types_filter, TYPE)
        })
        .map(|(id, coordinated)| {
            let mut listed = ListedGroup::default()
                .with_group_id(GroupId(id.clone()))
                .with_protocol_type(coordinated.group.protocol_type.clone());
            if version >= 4 {
                listed = listed.with_group_state(StrBytes::from_static_str(coordinated.group.state.name()));
            }
            if version >= 5 {
                listed = listed.with_group_type(StrBytes::from_static_str(TYPE));
            }
            listed
        })
        .collect();
    ListGroupsResponse::default().with_groups(listed)
}

pub fn describe(shared: &Shared, request: &DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
    let groups = lock(&shared.groups);
    let described = request
        .groups
        .iter()
        .map(|id| describe_group(id, groups.get(id), version))
        .collect();
    DescribeGroupsResponse::default().with_groups(described)
}

fn describe_group(id: &GroupId, coordinated: Option<&Coordinated>, version: i16) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_id(id.clone());
    let Some(Coordinated { group, .. }) = coordinated else {
        let described = described.with_group_state(StrBytes::from_static_str("Dead"));
        // Said outright from version 6 on (KIP-1043).
        return if version >= 6 {
            described
                .with_error_code(ResponseError::GroupIdNotFound.code())
                .with_error_message(Some(StrBytes::from_string(format!("Group {} not found.", id.0))))
        } else {
            described
        };
    };
    let stable = group.state == State::Stable;
    let members = group
        .members
        .iter()
        .map(|(id, member)| {
            let described = DescribedGroupMember::default()
                .with_member_id(id.clone())
                .with_client_id(member.client_id.clone())
                .with_client_host(member.client_host.clone());
            let described = if version >= 4 {
                described.with_group_instance_id(member.instance_id.clone())
            } else {
                described
            };
            if !stable {
                return described;
            }
            let metadata = member.protocols.iter().find(|(name, _)| *name == group.protocol);
            described
                .with_member_metadata(metadata.map(|(_, metadata)| metadata.clone()).unwrap_or_default())
                .with_member_assignment(member.assignment.clone())
        })
        .collect();
    described
        .with_group_state(StrBytes::from_static_str(group.state.name()))
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_data(if stable {
            group.protocol.clone()
        } else {
            StrBytes::new()
        })
        .with_members(members)
}

pub fn delete(shared: &Shared, request: &DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut groups = lock(&shared.groups);
    let results = request
        .groups_names
        .iter()
        .map(|id| {
            let outcome = match groups.get(id) {
                None => Err(ResponseError::GroupIdNotFound),
                Some(coordinated) if !coordinated.group.is_empty() => Err(ResponseError::NonEmptyGroup),
                Some(_) => {
                    groups.by_id.remove(&id.0);
                    Ok(())
                }
            };
            DeletableGroupResult::default()
                .with_group_id(id.clone())
                .with_error_code(code(outcome))
        })
        .collect();
    DeleteGroupsResponse::default().with_results(results)
}

pub fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.err().map_or(0, |error| error.code())
}
