//! One Produce request: every partition judged, the refused ones taken out, their answers made.

use super::dead_letter::Work;
use super::world::{Fate, Judged, Topic, World};
use crate::contract::{Action, BatchVerdict, Checker, TopicRules};
use crate::deadletter::decisions::in_flight::InFlight;
use crate::wire::error_code::ErrorCode;
use crate::wire::produce_request::{PartitionData, ProduceRequest, TopicRef};
use crate::wire::produce_response::{PartitionResponse, ProduceResponse, RecordError, TopicName};
use std::sync::Arc;

/// Retriable, and "nothing was appended" for every client: the answer while the registry cannot be asked.
const REGISTRY_UNREACHABLE: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;

/// The answer for one partition that does not reach the broker.
pub struct LocalAnswer {
    /// Its index in the request.
    pub index: usize,
    pub topic: TopicName,
    pub response: PartitionResponse,
}

/// What becomes of a request. Nothing in it: all of it goes on untouched.
#[derive(Default)]
pub struct Judgement {
    /// For partitions that do not reach the broker.
    pub answers: Vec<LocalAnswer>,
    /// Of topics that dead-letter, whatever was found of them: the log has a say in it.
    pub works: Vec<Work>,
}

/// Judges every partition.
pub fn judge<W: World>(
    world: &mut W,
    request: &ProduceRequest<'_>,
    client_id: Option<&str>,
    in_flight: &InFlight,
) -> Judgement {
    let mut judgement = Judgement::default();
    let mut last: Option<(TopicRef<'_>, Known<W>)> = None;
    for (index, partition) in request.partitions().enumerate() {
        let topic = match &last {
            Some((named, topic)) if *named == partition.topic => topic.clone(),
            _ => {
                let topic = find(world, partition.topic);
                last = Some((partition.topic, topic.clone()));
                topic
            }
        };
        let refusal = match topic {
            Some(topic) if is_ours(&topic.name) => Some(answer(
                partition.partition,
                ErrorCode::TOPIC_AUTHORIZATION_FAILED,
                None,
            )),
            Some(topic) if matches!(topic.rules.action, Action::DeadLetter(_)) => {
                let verdict = world.check(&topic.rules, partition.records.unwrap_or_default());
                let name = Arc::clone(&topic.name);
                judgement
                    .works
                    .push(Work::new(index, name, &partition, verdict, in_flight));
                None
            }
            Some(topic) => judge_partition(world, &topic, &partition, client_id),
            None => Some(answer(partition.partition, ErrorCode::UNKNOWN_TOPIC_ID, None)),
        };
        if let Some(response) = refusal {
            judgement.answers.push(LocalAnswer {
                index,
                topic: name_of(partition.topic),
                response,
            });
        }
    }
    judgement
}

/// The gateways' own topics: what stands in the log of decisions is believed.
fn is_ours(topic: &str) -> bool {
    topic.starts_with("__portcullis_")
}

/// A topic, unless its id is not known.
type Known<W> = Option<Arc<Topic<<W as World>::Metrics>>>;

fn find<W: World>(world: &mut W, topic: TopicRef<'_>) -> Known<W> {
    match topic {
        TopicRef::Name(name) => Some(world.topic(name)),
        TopicRef::Id(id) => {
            let name = world.topic_name(id)?;
            Some(world.topic(&name))
        }
    }
}

pub fn name_of(topic: TopicRef<'_>) -> TopicName {
    match topic {
        TopicRef::Name(name) => TopicName::Name(name.to_owned()),
        TopicRef::Id(id) => TopicName::Id(id),
    }
}

fn judge_partition<W: World>(
    world: &mut W,
    topic: &Arc<Topic<W::Metrics>>,
    partition: &PartitionData<'_>,
    client_id: Option<&str>,
) -> Option<PartitionResponse> {
    let verdict = world.check(&topic.rules, partition.records.unwrap_or_default());
    let refusal = refusal(&topic.rules, &verdict, partition.partition);
    let fate = if refusal.is_some() {
        Fate::Refused
    } else {
        Fate::Forwarded
    };
    world.judged(Judged {
        topic,
        partition: partition.partition,
        client_id,
        verdict: &verdict,
        fate,
    });
    refusal
}

/// What the client is told, or `None` when the batch goes on.
pub fn refusal(rules: &TopicRules, verdict: &BatchVerdict, partition: i32) -> Option<PartitionResponse> {
    if rules.action == Action::Observe {
        return None;
    }
    match verdict {
        BatchVerdict::Unchecked { .. } | BatchVerdict::Valid { .. } | BatchVerdict::ValidUnframed { .. } => {
            None
        }
        BatchVerdict::Violations {
            records,
            bad_records,
            violations,
            ..
        } => {
            let mut response = answer(
                partition,
                ErrorCode::INVALID_RECORD,
                violations.first().map(|first| match bad_records.len() {
                    1 => first.to_string(),
                    bad_records => {
                        format!("{bad_records} of {records} records are refused, the first: {first}")
                    }
                }),
            );
            response.record_errors = violations
                .iter()
                .take(Checker::VIOLATIONS_MAX)
                .map(|violation| RecordError {
                    batch_index: violation.record,
                    message: Some(violation.to_string()),
                })
                .collect();
            Some(response)
        }
        BatchVerdict::Refused { error_code, line, .. } => {
            Some(answer(partition, *error_code, Some(line.clone())))
        }
        BatchVerdict::RegistryUnreachable { line, .. } => {
            Some(answer(partition, REGISTRY_UNREACHABLE, Some(line.clone())))
        }
    }
}

/// An answer without an offset.
pub fn answer(partition: i32, error_code: ErrorCode, error_message: Option<String>) -> PartitionResponse {
    PartitionResponse {
        partition,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: Vec::new(),
        error_message,
        current_leader: None,
    }
}

/// Puts `answers` into the broker's response.
pub fn merge(response: &mut ProduceResponse, answers: Vec<LocalAnswer>) {
    for answer in answers {
        match response
            .topics
            .iter_mut()
            .find(|(topic, _)| *topic == answer.topic)
        {
            Some((_, partitions)) => partitions.push(answer.response),
            None => response.topics.push((answer.topic, vec![answer.response])),
        }
    }
}
