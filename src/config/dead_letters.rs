//! `dead_letters`: the log of decisions behind `action: dead_letter`.

use super::section::{Reading, Section};
use crate::contract::{Action, Policies};
use crate::deadletter::log::DecisionLogOptions;
use crate::wire::topic_name;
use std::path::Path;

const TOPIC: &str = "__portcullis_decisions";
const PARTITIONS: i32 = 8;
const REPLICATION_FACTOR: i16 = 3;
/// Below `--data`, where snapshots are.
const FOLDER: &str = "decisions";

/// None when no policy dead-letters.
pub fn read(
    section: Option<Section<'_>>,
    reading: &mut Reading<'_>,
    data: &Path,
    policies: &Policies,
) -> Option<DecisionLogOptions> {
    let mut options = DecisionLogOptions {
        topic: TOPIC.to_owned(),
        partitions: PARTITIONS,
        replication_factor: REPLICATION_FACTOR,
        data: Some(data.join(FOLDER)),
    };
    if let Some(mut section) = section {
        if let Some(node) = section.take("topic") {
            let read = reading.parsed(node, "topic", TOPIC, |text| {
                // Clients may not write what begins so.
                if topic_name::is_legal(text) && text.starts_with("__portcullis_") {
                    Ok(text.to_owned())
                } else {
                    Err(
                        "a topic's name that begins with `__portcullis_`: no client may write there"
                            .to_owned(),
                    )
                }
            });
            options.topic = read.unwrap_or(options.topic);
        }
        if let Some(node) = section.take("partitions") {
            let read = reading.number(node, "partitions", 1..=1000);
            options.partitions = read.unwrap_or(PARTITIONS);
        }
        if let Some(node) = section.take("replication_factor") {
            let read = reading.number(node, "replication_factor", 1..=i16::MAX);
            options.replication_factor = read.unwrap_or(REPLICATION_FACTOR);
        }
        section.finish(reading);
    }
    let dead_letters = |policy: &crate::contract::Policy| matches!(policy.action, Action::DeadLetter(_));
    policies.0.iter().any(dead_letters).then_some(options)
}
