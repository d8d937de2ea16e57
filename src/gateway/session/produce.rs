//! One Produce request: every partition judged, the refused ones taken out, their answers made.

use super::world::{Fate, Judged, Topic, World};
use crate::contract::{Action, BatchVerdict, Checker, TopicRules};
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

/// Judges every partition. Empty: all of the request goes on untouched.
pub fn judge<W: World>(
    world: &mut W,
    request: &ProduceRequest<'_>,
    client_id: Option<&str>,
) -> Vec<LocalAnswer> {
    let mut answers = Vec::new();
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
            Some(topic) => judge_partition(world, &topic, &partition, client_id),
            None => Some(refuse(ErrorCode::UNKNOWN_TOPIC_ID, None)),
        };
        if let Some(mut response) = refusal {
            response.partition = partition.partition;
            answers.push(LocalAnswer {
                index,
                topic: name_of(partition.topic),
                response,
            });
        }
    }
    answers
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

fn name_of(topic: TopicRef<'_>) -> TopicName {
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
    let refusal = refusal(&topic.rules, &verdict);
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
fn refusal(rules: &TopicRules, verdict: &BatchVerdict) -> Option<PartitionResponse> {
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
            let mut response = refuse(
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
        BatchVerdict::Refused { error_code, line, .. } => Some(refuse(*error_code, Some(line.clone()))),
        BatchVerdict::RegistryUnreachable { line, .. } => {
            Some(refuse(REGISTRY_UNREACHABLE, Some(line.clone())))
        }
    }
}

fn refuse(error_code: ErrorCode, error_message: Option<String>) -> PartitionResponse {
    PartitionResponse {
        partition: -1,
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
