//! Policies as meant: what the configuration's `policies` list becomes.

use crate::schema::{Formats, Subject, UnknownFields};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// How much of a record's key or value is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Off,
    /// The schema id exists under the subject (Confluent's broker-side check).
    SchemaId,
    /// Every byte of the payload.
    Payload,
    /// `Payload` where the subject exists, else `Off`.
    Auto,
}

/// How a record says which schema wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Magic byte 0, 4-byte schema id, for Protobuf message indexes.
    Confluent,
}

/// How the governing subject follows from the topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubjectNaming {
    /// `<topic>-value` or `<topic>-key`.
    TopicName,
    Literal(Subject),
}

/// What is asked of the key or of the value.
#[derive(Clone, Debug)]
pub struct Rule {
    pub level: Level,
    pub framing: Framing,
    pub subject: SubjectNaming,
}

/// What happens to a batch with bad records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The partition's batch is refused with INVALID_RECORD and a record error for each bad record (KIP-467).
    Reject,
    /// Count and log, forward untouched.
    Observe,
}

/// What happens when a schema is not cached and the registry cannot be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRegistryDown {
    /// A retriable error.
    Refuse,
    Pass,
}

/// What is asked of payloads beyond what their schema's language asks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Strictness {
    /// Of Protobuf.
    pub unknown_fields: UnknownFields,
    /// Of JSON Schema.
    pub formats: Formats,
}

/// Which topics a policy is for: a glob (`*`, `?`), or a regular expression that must match the whole name.
#[derive(Clone, Debug)]
pub struct TopicPattern(pub Regex);

/// Why a topic pattern cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PatternError {
    #[error("a topic pattern may not be empty")]
    Empty,
    #[error("not a regular expression: {0}")]
    Regex(String),
}

impl TopicPattern {
    /// What one pattern may take when compiled; a topic's name has 249 characters at most.
    const COMPILED_BYTES_MAX: usize = 1 << 20;

    /// Reads a pattern as the configuration has it: `/regular expression/`, anything else is a glob, in which only
    /// `*` (any run of characters) and `?` (any one character) are special.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let inner = match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            _ if text.is_empty() => return Err(PatternError::Empty),
            Some("") => return Err(PatternError::Empty),
            Some(expression) => {
                // Alone first: `a)(b` would be whole again between the brackets added below.
                Self::compile(expression)?;
                expression.to_owned()
            }
            None => glob_as_expression(text),
        };
        Self::compile(&format!(r"\A(?:{inner})\z")).map(Self)
    }

    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }

    fn compile(expression: &str) -> Result<Regex, PatternError> {
        RegexBuilder::new(expression)
            .size_limit(Self::COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| PatternError::Regex(error.to_string()))
    }
}

fn glob_as_expression(glob: &str) -> String {
    let mut expression = String::with_capacity(glob.len() + 8);
    for character in glob.chars() {
        match character {
            '*' => expression.push_str("(?s:.)*"),
            '?' => expression.push_str("(?s:.)"),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub topics: Vec<TopicPattern>,
    pub value: Rule,
    pub key: Rule,
    pub action: Action,
    /// A null value (tombstone) is refused with PC-106 when false.
    pub null_value_allowed: bool,
    pub strictness: Strictness,
    /// The violation's line may quote the payload.
    pub include_payload: bool,
    pub on_registry_down: OnRegistryDown,
}

/// The policies in their order; the first whose pattern matches a topic governs it.
#[derive(Clone, Debug, Default)]
pub struct Policies(pub Vec<Policy>);

/// What the policies ask of one topic, with its subjects worked out: made once a topic and kept.
#[derive(Clone, Debug)]
pub struct TopicRules {
    pub value: Level,
    pub value_subject: Subject,
    pub key: Level,
    pub key_subject: Subject,
    pub action: Action,
    pub null_value_allowed: bool,
    pub strictness: Strictness,
    pub include_payload: bool,
    pub on_registry_down: OnRegistryDown,
}

impl Policy {
    /// What governs a topic that no policy names: checked where a subject exists, and then refused.
    #[must_use]
    pub fn default_policy() -> Self {
        let auto = Rule {
            level: Level::Auto,
            framing: Framing::Confluent,
            subject: SubjectNaming::TopicName,
        };
        Self {
            topics: Vec::new(),
            value: auto.clone(),
            key: auto,
            action: Action::Reject,
            null_value_allowed: true,
            strictness: Strictness::default(),
            include_payload: false,
            on_registry_down: OnRegistryDown::Refuse,
        }
    }

    fn rules(&self, topic: &str) -> TopicRules {
        TopicRules {
            value: self.value.level,
            value_subject: self.value.subject.subject(topic, "value"),
            key: self.key.level,
            key_subject: self.key.subject.subject(topic, "key"),
            action: self.action,
            null_value_allowed: self.null_value_allowed,
            strictness: self.strictness,
            include_payload: self.include_payload,
            on_registry_down: self.on_registry_down,
        }
    }
}

impl SubjectNaming {
    fn subject(&self, topic: &str, part: &str) -> Subject {
        match self {
            Self::TopicName => Subject(format!("{topic}-{part}").into()),
            Self::Literal(subject) => subject.clone(),
        }
    }
}

impl Policies {
    /// The rules of the first policy that matches, or of the default policy (`auto`, reject) when none does.
    #[must_use]
    pub fn rules_for(&self, topic: &str) -> TopicRules {
        self.0
            .iter()
            .find(|policy| policy.topics.iter().any(|pattern| pattern.matches(topic)))
            .map_or_else(
                || Policy::default_policy().rules(topic),
                |policy| policy.rules(topic),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(patterns: &[&str], value: Level) -> Policy {
        let mut policy = Policy::default_policy();
        policy.topics = patterns
            .iter()
            .map(|text| TopicPattern::parse(text).unwrap())
            .collect();
        policy.value.level = value;
        policy
    }

    fn matches(pattern: &str, topic: &str) -> bool {
        TopicPattern::parse(pattern).unwrap().matches(topic)
    }

    #[test]
    fn a_glob_matches_the_whole_name_and_knows_only_star_and_question_mark() {
        assert!(matches("payments.*", "payments.eu"));
        assert!(matches("payments.*", "payments."));
        assert!(!matches("payments.*", "paymentsXeu"), "a dot is a dot");
        assert!(!matches("payments.*", "old-payments.eu"));
        assert!(matches("orders-?", "orders-1"));
        assert!(!matches("orders-?", "orders-12"));
        assert!(matches("*", "anything"));
        assert!(!matches("a+[b]", "aab"));
        assert!(matches("a+[b]", "a+[b]"));
    }

    #[test]
    fn a_regular_expression_must_match_the_whole_name() {
        assert!(matches("/orders|payments/", "payments"));
        assert!(!matches("/orders|payments/", "payments-eu"));
        assert!(!matches("/orders|payments/", "my-orders"));
        assert!(matches("/(eu|us)\\.orders\\.v[0-9]+/", "eu.orders.v12"));
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_refused() {
        assert_eq!(TopicPattern::parse("").unwrap_err(), PatternError::Empty);
        assert_eq!(TopicPattern::parse("//").unwrap_err(), PatternError::Empty);
        for broken in ["/a)(b/", "/(/", "/a{1000000}{1000000}/"] {
            assert!(
                matches!(TopicPattern::parse(broken), Err(PatternError::Regex(_))),
                "{broken}"
            );
        }
        assert!(matches("/", "/"), "one slash is a glob");
    }

    #[test]
    fn the_first_policy_that_matches_governs() {
        let policies = Policies(vec![
            policy(&["orders", "payments.*"], Level::Payload),
            policy(&["*"], Level::Off),
        ]);
        assert_eq!(policies.rules_for("payments.eu").value, Level::Payload);
        assert_eq!(policies.rules_for("orders").value, Level::Payload);
        assert_eq!(policies.rules_for("clicks").value, Level::Off);
    }

    #[test]
    fn without_a_policy_a_topic_is_checked_where_its_subjects_exist() {
        let rules = Policies::default().rules_for("orders");
        assert_eq!(
            (rules.value, rules.key, rules.action),
            (Level::Auto, Level::Auto, Action::Reject)
        );
        assert_eq!(
            (&*rules.value_subject.0, &*rules.key_subject.0),
            ("orders-value", "orders-key")
        );
        assert!(rules.null_value_allowed && !rules.include_payload);
        assert_eq!(rules.strictness, Strictness::default());
        assert_eq!(rules.on_registry_down, OnRegistryDown::Refuse);
    }

    #[test]
    fn a_literal_subject_governs_every_topic_of_its_policy() {
        let mut policy = policy(&["*"], Level::Payload);
        policy.value.subject = SubjectNaming::Literal(Subject("common-value".into()));
        assert_eq!(
            &*Policies(vec![policy]).rules_for("clicks").value_subject.0,
            "common-value"
        );
    }
}
