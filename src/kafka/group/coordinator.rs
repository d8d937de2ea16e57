//! A group's coordinator: its members' requests in Kafka's bytes (JoinGroup, SyncGroup, Heartbeat, LeaveGroup).

use super::{Answer, Ask, Refusal, Step};
use crate::kafka::client::{Client, CoordinatorKind};
use crate::kafka::connection::{ClientError, Connection};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use std::sync::Arc;
use std::time::Duration;

/// JoinGroup and SyncGroup are answered when everybody has joined, and members of other kinds may take their time.
const REBALANCE_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Heartbeat and LeaveGroup are answered at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// From this version on LeaveGroup names members in a list.
const LEAVE_MANY: i16 = 3;

/// What the members of a group agree on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupTerms {
    pub group_id: String,
    pub protocol_type: &'static str,
    pub protocol: &'static str,
    /// Who has not been heard of for that long is out.
    pub session_timeout: Duration,
    /// Who has not joined again by then is out.
    pub rebalance_timeout: Duration,
}

pub struct Coordinator {
    client: Client,
    terms: GroupTerms,
    /// Taken out for each request: one that was given up in the middle is of no more use.
    connection: Option<Connection>,
}

impl Coordinator {
    #[must_use]
    pub fn new(client: Client, terms: GroupTerms) -> Self {
        Self {
            client,
            terms,
            connection: None,
        }
    }

    /// For what is asked of others than the coordinator.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Finds the coordinator, or asks it. A step that is neither is not for it.
    pub async fn carry_out(&mut self, step: Step) -> Answer {
        match step {
            Step::Find => self.find().await,
            Step::Ask(ask) => self.ask(ask).await,
            Step::Wait(_) | Step::Done => Answer::Failed,
        }
    }

    async fn find(&mut self) -> Answer {
        self.connection = None;
        let opening = async {
            let broker = self
                .client
                .coordinator(CoordinatorKind::Group, &self.terms.group_id)
                .await?;
            self.client.open(&broker.address).await
        };
        match opening.await {
            Ok(connection) => {
                self.connection = Some(connection);
                Answer::Found
            }
            Err(error) => failed(&error),
        }
    }

    async fn ask(&mut self, ask: Ask) -> Answer {
        let Some(mut connection) = self.connection.take().filter(Connection::is_usable) else {
            return Answer::Failed;
        };
        let asked = match ask {
            Ask::Join { member_id, metadata } => self.join(&mut connection, &member_id, metadata).await,
            Ask::Sync {
                generation,
                member_id,
                assignments,
            } => {
                self.sync(&mut connection, generation, &member_id, assignments)
                    .await
            }
            Ask::Heartbeat {
                generation,
                member_id,
            } => self.heartbeat(&mut connection, generation, &member_id).await,
            Ask::Leave { member_id } => self.leave(&mut connection, &member_id).await,
        };
        match asked {
            Ok(answer) => {
                self.connection = Some(connection);
                answer
            }
            Err(error) => failed(&error),
        }
    }

    async fn join(
        &self,
        connection: &mut Connection,
        member_id: &str,
        metadata: Vec<u8>,
    ) -> Result<Answer, ClientError> {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str(self.terms.protocol))
            .with_metadata(metadata.into());
        let request = JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_session_timeout_ms(millis(self.terms.session_timeout))
            .with_rebalance_timeout_ms(millis(self.terms.rebalance_timeout))
            .with_member_id(text(member_id))
            .with_protocol_type(StrBytes::from_static_str(self.terms.protocol_type))
            .with_protocols(vec![protocol]);
        let answer = send(connection, &request, REBALANCE_ANSWER_TIMEOUT).await?;
        let member_id: Arc<str> = answer.member_id.as_str().into();
        if answer.error_code != 0 {
            return Ok(Answer::Refused(self.refusal(
                "JoinGroup",
                answer.error_code,
                &member_id,
            )));
        }
        let assigns = answer.leader == answer.member_id && !answer.skip_assignment;
        let members = answer
            .members
            .iter()
            .map(|member| (member.member_id.as_str().into(), member.metadata.to_vec()));
        Ok(Answer::Joined {
            generation: answer.generation_id,
            members: assigns.then(|| members.collect()),
            member_id,
        })
    }

    async fn sync(
        &self,
        connection: &mut Connection,
        generation: i32,
        member_id: &str,
        assignments: Vec<(Arc<str>, Vec<u8>)>,
    ) -> Result<Answer, ClientError> {
        let assignments = assignments.into_iter().map(|(member_id, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(&member_id))
                .with_assignment(Bytes::from(assignment))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_generation_id(generation)
            .with_member_id(text(member_id))
            .with_protocol_type(Some(StrBytes::from_static_str(self.terms.protocol_type)))
            .with_protocol_name(Some(StrBytes::from_static_str(self.terms.protocol)))
            .with_assignments(assignments.collect());
        let answer = send(connection, &request, REBALANCE_ANSWER_TIMEOUT).await?;
        Ok(match answer.error_code {
            0 => Answer::Synced {
                assignment: answer.assignment.to_vec(),
            },
            code => Answer::Refused(self.refusal("SyncGroup", code, "")),
        })
    }

    async fn heartbeat(
        &self,
        connection: &mut Connection,
        generation: i32,
        member_id: &str,
    ) -> Result<Answer, ClientError> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_generation_id(generation)
            .with_member_id(text(member_id));
        let answer = send(connection, &request, ANSWER_TIMEOUT).await?;
        Ok(match answer.error_code {
            0 => Answer::Beat,
            code => Answer::Refused(self.refusal("Heartbeat", code, "")),
        })
    }

    async fn leave(&self, connection: &mut Connection, member_id: &str) -> Result<Answer, ClientError> {
        let version = connection.version_of::<LeaveGroupRequest>()?;
        let mut request = LeaveGroupRequest::default().with_group_id(self.group());
        if version >= LEAVE_MANY {
            request.members = vec![MemberIdentity::default().with_member_id(text(member_id))];
        } else {
            request.member_id = text(member_id);
        }
        let answer = connection.send(&request, version, ANSWER_TIMEOUT).await?;
        // Whether the member was still one makes no difference: it is none now.
        Ok(match answer.error_code {
            0 => Answer::Left,
            code => Answer::Refused(self.refusal("LeaveGroup", code, "")),
        })
    }

    fn refusal(&self, request: &str, code: i16, member_id: &str) -> Refusal {
        match ResponseError::try_from_code(code) {
            Some(ResponseError::MemberIdRequired) => Refusal::MemberIdRequired(member_id.into()),
            Some(ResponseError::UnknownMemberId) => Refusal::UnknownMember,
            Some(ResponseError::IllegalGeneration) => Refusal::IllegalGeneration,
            Some(ResponseError::RebalanceInProgress) => Refusal::Rebalancing,
            Some(ResponseError::NotCoordinator | ResponseError::CoordinatorNotAvailable) => {
                Refusal::NotCoordinator
            }
            Some(ResponseError::CoordinatorLoadInProgress) => Refusal::Loading,
            Some(ResponseError::InvalidSessionTimeout) => Refusal::Other(format!(
                "the brokers refuse a session of {} ms: see group.min.session.timeout.ms and group.max.session.timeout.ms",
                self.terms.session_timeout.as_millis()
            )),
            Some(ResponseError::InconsistentGroupProtocol) => Refusal::Other(format!(
                "the group has members of another kind than `{}`: choose another group_id",
                self.terms.protocol_type
            )),
            Some(error) => Refusal::Other(format!("the brokers refused {request}: {error:?} ({code})")),
            None => Refusal::Other(format!("the brokers refused {request} with error {code}")),
        }
    }

    fn group(&self) -> GroupId {
        GroupId(text(&self.terms.group_id))
    }
}

async fn send<R: Request>(
    connection: &mut Connection,
    request: &R,
    timeout: Duration,
) -> Result<R::Response, ClientError> {
    let version = connection.version_of::<R>()?;
    connection.send(request, version, timeout).await
}

fn failed(error: &ClientError) -> Answer {
    tracing::debug!(%error, "the group's coordinator does not answer");
    if error.is_retriable() {
        Answer::Failed
    } else {
        Answer::Refused(Refusal::Other(error.to_string()))
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
