//! One Produce request: every partition judged, the refused ones taken out, their answers made.

use super::dead_letter::Work;
use super::world::{Fate, Judged, Topic, World};
use crate::contract::{Action, BatchVerdict, Checker, TopicRules};
use crate::deadletter::decisions::in_flight::InFlight;
use crate::deadletter::redrive;
use crate::wire::error_code::ErrorCode;
use crate::wire::header::{RequestHead, response_header_is_flexible};
use crate::wire::produce_request::{PartitionData, PartitionEdit, ProduceRequest, TopicRef};
use crate::wire::produce_response::{PartitionResponse, ProduceResponse, RecordError, TopicName};
use crate::wire::writer::Writer;
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
    /// Records in the place of the client's, by their partition's index in the request.
    pub replaced: Vec<(usize, Vec<u8>)>,
    /// Of topics that dead-letter, whatever was found of them: the log has a say in it.
    pub works: Vec<Work>,
}

impl Judgement {
    /// Of a request of which no topic dead-letters.
    pub fn edit(&self, index: usize) -> PartitionEdit<'_> {
        let answers = &self.answers;
        if answers
            .binary_search_by_key(&index, |answer| answer.index)
            .is_ok()
        {
            return PartitionEdit::LeftOut;
        }
        let at = self.replaced.binary_search_by_key(&index, |(at, _)| *at);
        match at.ok().and_then(|at| self.replaced.get(at)) {
            Some((_, records)) => PartitionEdit::Replaced(records),
            None => PartitionEdit::Kept,
        }
    }
}

/// Judges every partition. `room`: by how many bytes the request may grow.
pub fn judge<W: World>(
    world: &mut W,
    request: &ProduceRequest<'_>,
    client_id: Option<&str>,
    in_flight: &InFlight,
    mut room: usize,
) -> Judgement {
    let mut judgement = Judgement::default();
    // A dead letter that is still bad stays where it is: it is refused, not dead-lettered anew.
    let redrives = client_id == Some(redrive::CLIENT_ID);
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
                Some(redrive::GATEWAYS_OWN.to_owned()),
            )),
            Some(topic) if matches!(topic.rules.action, Action::DeadLetter(_)) && !redrives => {
                let verdict = world.check(&topic.rules, partition.records.unwrap_or_default());
                let name = Arc::clone(&topic.name);
                judgement
                    .works
                    .push(Work::new(index, name, &partition, verdict, in_flight));
                None
            }
            Some(topic) => match judge_partition(world, &topic, &partition, client_id, room) {
                Goes::AsItIs => None,
                Goes::Instead(records) => {
                    let before = partition.records.map_or(0, <[u8]>::len);
                    room = room.saturating_sub(records.len().saturating_sub(before));
                    judgement.replaced.push((index, records));
                    None
                }
                Goes::Nothing(response) => Some(response),
            },
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

/// What of a batch goes to the broker, or what the client is told in its place.
enum Goes {
    AsItIs,
    Instead(Vec<u8>),
    Nothing(PartitionResponse),
}

fn judge_partition<W: World>(
    world: &mut W,
    topic: &Arc<Topic<W::Metrics>>,
    partition: &PartitionData<'_>,
    client_id: Option<&str>,
    room: usize,
) -> Goes {
    let records = partition.records.unwrap_or_default();
    let mut verdict = world.check(&topic.rules, records);
    let mut goes = goes(&topic.rules, &verdict, partition.partition);
    if let Goes::AsItIs = goes {
        let length_max = records.len().saturating_add(room);
        match world.amend(&topic.rules, records, &verdict, length_max) {
            Ok(None) => {}
            Ok(Some(amended)) => goes = Goes::Instead(amended),
            Err(instead) => {
                goes = self::goes(&topic.rules, &instead, partition.partition);
                verdict = instead;
            }
        }
    }
    let fate = match goes {
        Goes::Nothing(_) => Fate::Refused,
        Goes::AsItIs | Goes::Instead(_) => Fate::Forwarded,
    };
    world.judged(Judged {
        topic,
        partition: partition.partition,
        client_id,
        verdict: &verdict,
        fate,
    });
    goes
}

fn goes(rules: &TopicRules, verdict: &BatchVerdict, partition: i32) -> Goes {
    let goes_on = match verdict {
        BatchVerdict::Violations { .. } => matches!(rules.action, Action::Observe | Action::Mark),
        _ => rules.action == Action::Observe,
    };
    if goes_on {
        return Goes::AsItIs;
    }
    refusal(verdict, partition).map_or(Goes::AsItIs, Goes::Nothing)
}

/// What the client is told of a batch that does not go on; `None` when there is nothing against it.
pub fn refusal(verdict: &BatchVerdict, partition: i32) -> Option<PartitionResponse> {
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
        add(response, answer.topic, answer.response);
    }
}

pub fn add(response: &mut ProduceResponse, topic: TopicName, answer: PartitionResponse) {
    match response.topics.iter_mut().find(|(name, _)| *name == topic) {
        Some((_, partitions)) => partitions.push(answer),
        None => response.topics.push((topic, vec![answer])),
    }
}

/// Appends the frame of a `request` whose body is `produce`, with what `edit` says of each partition.
pub fn write_request<'r>(
    request: &[u8],
    produce: &ProduceRequest<'_>,
    body_length: usize,
    edit: impl Fn(usize) -> PartitionEdit<'r>,
    out: &mut Vec<u8>,
) {
    let header_bytes = request.len().saturating_sub(body_length);
    Writer::frame(out, |writer| {
        writer.raw(request.get(..header_bytes).unwrap_or_default());
        writer.append(|out| produce.write_edited(edit, out));
    });
}

/// Appends the frame of the answer to a request of this head.
pub fn write_response(head: RequestHead, response: &ProduceResponse, out: &mut Vec<u8>) {
    Writer::frame(out, |writer| {
        writer.i32(head.correlation_id);
        writer.no_tagged_fields(response_header_is_flexible(head.api_key, head.api_version));
        writer.append(|out| response.write(head.api_version, out));
    });
}
