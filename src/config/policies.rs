//! `policies`: what topics ask of their records.

use super::diagnostic::Position;
use super::section::{Reading, Section};
use super::units;
use super::yaml::{Node, Value};
use crate::contract::{
    Action, DeadLetter, Framing, GoverningVersion, Level, OnDeadLetterFailure, OnRegistryDown, Policies,
    Policy, Rule, SubjectNaming, TopicPattern,
};
use crate::schema::{Formats, Subject, UnknownFields, Version};

const LEVELS: [(&str, Level); 4] = [
    ("off", Level::Off),
    ("schema_id", Level::SchemaId),
    ("payload", Level::Payload),
    ("auto", Level::Auto),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum FramingWord {
    Confluent,
    Raw,
    /// Documented, and not in this release.
    Later,
}

const FRAMINGS: [(&str, FramingWord); 4] = [
    ("confluent", FramingWord::Confluent),
    ("header", FramingWord::Later),
    ("raw", FramingWord::Raw),
    ("auto", FramingWord::Later),
];
const ON_FAILURE: [(&str, OnDeadLetterFailure); 2] = [
    ("retry", OnDeadLetterFailure::Retry),
    ("reject", OnDeadLetterFailure::Reject),
];

const ENVELOPE_WITHOUT_RAW: &str =
    "`envelope` goes with `framing: raw` only: other records have framing already";

#[derive(Clone, Copy)]
enum ActionWord {
    Reject,
    DeadLetter,
    Observe,
    Mark,
}

const ACTIONS: [(&str, ActionWord); 4] = [
    ("reject", ActionWord::Reject),
    ("dead_letter", ActionWord::DeadLetter),
    ("observe", ActionWord::Observe),
    ("mark", ActionWord::Mark),
];

pub fn read(node: Option<&Node>, reading: &mut Reading<'_>) -> Policies {
    let list = node
        .and_then(|node| reading.list(node, "policies"))
        .unwrap_or_default();
    let (places, policies): (Vec<Position>, Vec<Policy>) = list
        .iter()
        .filter_map(|node| Some((node.at, policy(node, reading)?)))
        .unzip();
    let policies = Policies(policies);
    for (at, policy) in places.into_iter().zip(&policies.0) {
        if let Some(topic) = policies.dead_letter_loop(policy) {
            let what = format!("the dead letters of topic `{topic}` would come back to it");
            let instead = "name another `dead_letter.topic`, or another `action` for this topic".to_owned();
            reading.report(at, what, Some(instead));
        }
    }
    policies
}

fn policy(node: &Node, reading: &mut Reading<'_>) -> Option<Policy> {
    let mut policy = Policy::default_policy();
    let mut section = reading.section(node, "policy")?;
    if let Some(node) = section.require("topics", reading, "[\"payments.*\"]") {
        policy.topics = topics(node, reading);
    }
    if let Some(rule) = section.take_section("value", reading) {
        self::rule(rule, &mut policy.value, reading);
    }
    if let Some(rule) = section.take_section("key", reading) {
        self::rule(rule, &mut policy.key, reading);
    }
    let action_node = section.take("action");
    if let Some(action) = action_node.and_then(|node| action(node, reading)) {
        policy.action = action;
    }
    let on_registry_down_node = section.take("on_registry_down");
    if let Some(node) = on_registry_down_node {
        let words = [("refuse", OnRegistryDown::Refuse), ("pass", OnRegistryDown::Pass)];
        let read = reading.word(node, "on_registry_down", &words);
        policy.on_registry_down = read.unwrap_or(policy.on_registry_down);
    }
    if let Some(node) = section.take("null_value") {
        let read = reading.word(node, "null_value", &[("allow", true), ("reject", false)]);
        policy.null_value_allowed = read.unwrap_or(policy.null_value_allowed);
    }
    if let Some(node) = section.take("unknown_fields") {
        let words = [("allow", UnknownFields::Allow), ("reject", UnknownFields::Reject)];
        let read = reading.word(node, "unknown_fields", &words);
        policy.strictness.unknown_fields = read.unwrap_or_default();
    }
    if let Some(node) = section.take("formats") {
        let words = [("annotate", Formats::Annotate), ("assert", Formats::Assert)];
        policy.strictness.formats = reading.word(node, "formats", &words).unwrap_or_default();
    }
    if let Some(node) = section.take("include_payload") {
        policy.include_payload = reading.boolean(node, "include_payload").unwrap_or_default();
    }
    if let Some(node) = section.take("envelope") {
        envelope_of_all(node, &mut policy, reading);
    }
    if policy.value.framing.has_envelope() || policy.key.framing.has_envelope() {
        if let (Some(node), Action::Observe) = (action_node, &policy.action) {
            let what = "`action: observe` forwards batches untouched, and `envelope: true` gives their records framing";
            let instead = "write `action: mark`, or no `envelope`".to_owned();
            reading.report(node.at, what, Some(instead));
        }
        if let (Some(node), OnRegistryDown::Pass) = (on_registry_down_node, policy.on_registry_down) {
            let what = "`on_registry_down: pass` would forward records without the framing that `envelope: true` promises";
            let instead = "write `on_registry_down: refuse`, or no `envelope`".to_owned();
            reading.report(node.at, what, Some(instead));
        }
    }
    section.finish(reading);
    Some(policy)
}

/// `envelope` of a whole policy: of its values and of its keys, where they have no framing.
fn envelope_of_all(node: &Node, policy: &mut Policy, reading: &mut Reading<'_>) {
    if reading.boolean(node, "envelope") != Some(true) {
        return;
    }
    let mut any = false;
    for rule in [&mut policy.value, &mut policy.key] {
        if let (Framing::Raw { envelope, .. }, true) = (&mut rule.framing, rule.level != Level::Off) {
            *envelope = true;
            any = true;
        }
    }
    if !any {
        let instead = "write `framing: raw` in `value` or `key`, or no `envelope`".to_owned();
        reading.report(node.at, ENVELOPE_WITHOUT_RAW, Some(instead));
    }
}

fn topics(node: &Node, reading: &mut Reading<'_>) -> Vec<TopicPattern> {
    let pattern = |node: &Node, reading: &mut Reading<'_>| {
        reading.parsed(node, "topics", "[\"payments.*\", \"/(eu|us)-orders/\"]", |text| {
            TopicPattern::parse(text).map_err(|error| error.to_string())
        })
    };
    if let Value::Text(_) = &node.value {
        return pattern(node, reading).into_iter().collect();
    }
    let list = reading.list(node, "topics").unwrap_or_default();
    if list.is_empty() {
        reading.report(node.at, "`topics` names no topic", None);
    }
    list.iter().filter_map(|node| pattern(node, reading)).collect()
}

fn rule(mut section: Section<'_>, rule: &mut Rule, reading: &mut Reading<'_>) {
    let level = section.take("level");
    if let Some(node) = level {
        rule.level = reading.word(node, "level", &LEVELS).unwrap_or(rule.level);
    }
    rule.framing = framing(&mut section, reading);
    if let (Some(node), Level::SchemaId, Framing::Raw { .. }) = (level, rule.level, rule.framing) {
        let what = "`level: schema_id` does not go with `framing: raw`: such records carry no schema id";
        reading.report(node.at, what, Some("write `level: payload`".to_owned()));
    }
    if let (Some(node), Level::Off, true) = (level, rule.level, rule.framing.has_envelope()) {
        let what = "`level: off` looks at no record, so `envelope: true` would frame what nobody has checked";
        reading.report(node.at, what, Some("write `level: payload`".to_owned()));
    }
    if let Some(node) = section.take("subject") {
        match reading.text(node, "subject").as_deref() {
            None => {}
            Some("topic_name") => rule.subject = SubjectNaming::TopicName,
            Some("record_name" | "topic_record_name") => not_this_word(node, "subject", reading),
            Some(literal) => rule.subject = SubjectNaming::Literal(Subject(literal.into())),
        }
    }
    section.finish(reading);
}

/// `framing`, and what goes with `raw` only.
fn framing(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Framing {
    let node = section.take("framing");
    let word = node.and_then(|node| reading.word(node, "framing", &FRAMINGS));
    if let (Some(node), Some(FramingWord::Later)) = (node, word) {
        not_this_word(node, "framing", reading);
    }
    let mut version = GoverningVersion::Latest;
    if let Some(node) = section.take("version") {
        version = reading
            .parsed(node, "version", "latest", schema_version)
            .unwrap_or(version);
        if word.is_none_or(|word| word == FramingWord::Confluent) {
            let what = "`version` goes with `framing: raw` only: records with framing name their schema";
            reading.report(
                node.at,
                what,
                Some("write `framing: raw`, or no `version`".to_owned()),
            );
        }
    }
    let mut envelope = false;
    if let Some(node) = section.take("envelope") {
        envelope = reading.boolean(node, "envelope").unwrap_or_default();
        if envelope && word.is_none_or(|word| word == FramingWord::Confluent) {
            let instead = "write `framing: raw`, or no `envelope`".to_owned();
            reading.report(node.at, ENVELOPE_WITHOUT_RAW, Some(instead));
        }
    }
    match word {
        Some(FramingWord::Raw) => Framing::Raw { version, envelope },
        _ => Framing::Confluent,
    }
}

fn schema_version(text: &str) -> Result<GoverningVersion, String> {
    if text == "latest" {
        return Ok(GoverningVersion::Latest);
    }
    // A registry's numbers are Java's `int`.
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=i32::MAX as u32).contains(number));
    number
        .map(|number| GoverningVersion::Pinned(Version(number)))
        .ok_or_else(|| format!("`{text}` is neither `latest` nor a version's number"))
}

/// A word, or `{ dead_letter: { … } }`.
fn action(node: &Node, reading: &mut Reading<'_>) -> Option<Action> {
    if let Value::Map(entries) = &node.value {
        if entries.is_empty() {
            let instead = "for example `action: { dead_letter: { topic: orders.dlq } }`".to_owned();
            reading.report(node.at, "`action` is empty", Some(instead));
        }
        let mut section = reading.section(node, "action")?;
        let dead_letter = section.take_section("dead_letter", reading);
        let dead_letter = dead_letter.map(|section| self::dead_letter(section, reading));
        section.finish(reading);
        return dead_letter;
    }
    Some(match reading.word(node, "action", &ACTIONS)? {
        ActionWord::Reject => Action::Reject,
        ActionWord::DeadLetter => Action::DeadLetter(DeadLetter::default()),
        ActionWord::Observe => Action::Observe,
        ActionWord::Mark => Action::Mark,
    })
}

fn dead_letter(mut section: Section<'_>, reading: &mut Reading<'_>) -> Action {
    let topic = section
        .take("topic")
        .and_then(|node| reading.topic_name(node, "topic"));
    let retention = section
        .take("retention")
        .and_then(|node| reading.parsed(node, "retention", "168h", units::duration));
    let on_failure = section
        .take("on_failure")
        .and_then(|node| reading.word(node, "on_failure", &ON_FAILURE));
    section.finish(reading);
    Action::DeadLetter(DeadLetter {
        topic: topic.map(Into::into),
        retention,
        on_failure: on_failure.unwrap_or_default(),
    })
}

fn not_this_word(node: &Node, key: &str, reading: &mut Reading<'_>) {
    if let Value::Text(word) = &node.value {
        reading.not_implemented(node.at, &format!("{key}: {word}"));
    }
}
