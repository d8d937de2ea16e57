//! Policies as meant: what the configuration's `policies` list becomes.

use super::action::{self, Action};
use super::schemas::GoverningVersion;
use crate::schema::{Formats, Subject, UnknownFields};
use regex::{Regex, RegexBuilder};
use std::collections::HashSet;
use std::sync::Arc;
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
    /// Not at all: a version of the subject governs, for Protobuf the schema's first message. With `envelope`, records
    /// that conform are forwarded in Confluent's framing.
    Raw {
        version: GoverningVersion,
        envelope: bool,
    },
}

impl Framing {
    #[must_use]
    pub fn has_envelope(self) -> bool {
        matches!(self, Self::Raw { envelope: true, .. })
    }
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
pub struct TopicPattern {
    expression: Regex,
    /// Set when only one name matches.
    literal: Option<Box<str>>,
}

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
        let mut literal = None;
        let inner = match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            _ if text.is_empty() => return Err(PatternError::Empty),
            Some("") => return Err(PatternError::Empty),
            Some(expression) => {
                // Alone first: `a)(b` would be whole again between the brackets added below.
                Self::compile(expression)?;
                expression.to_owned()
            }
            None => {
                literal = (!text.contains(['*', '?'])).then(|| text.into());
                glob_as_expression(text)
            }
        };
        let expression = Self::compile(&format!(r"\A(?:{inner})\z"))?;
        Ok(Self { expression, literal })
    }

    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        self.expression.is_match(topic)
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
    pub value_framing: Framing,
    pub value_subject: Subject,
    pub key: Level,
    pub key_framing: Framing,
    pub key_subject: Subject,
    pub action: Action,
    /// Where the bad records go; set with [`Action::DeadLetter`] only. Not set with it: no policy names a topic, and
    /// `<topic>.dlq` would be longer than a topic's name may be.
    pub dead_letter_topic: Option<Arc<str>>,
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

    fn matches(&self, topic: &str) -> bool {
        self.topics.iter().any(|pattern| pattern.matches(topic))
    }

    /// Whether one of the patterns is the topic's name.
    fn names(&self, topic: &str) -> bool {
        self.names_of_topics().any(|name| name == topic)
    }

    fn names_of_topics(&self) -> impl Iterator<Item = &str> {
        self.topics
            .iter()
            .filter_map(|pattern| pattern.literal.as_deref())
    }

    fn dead_letter_topic(&self, topic: &str) -> Option<Arc<str>> {
        match &self.action {
            Action::DeadLetter(dead_letter) => {
                dead_letter.topic.clone().or_else(|| action::derived_topic(topic))
            }
            Action::Reject | Action::Observe | Action::Mark => None,
        }
    }

    fn rules(&self, topic: &str) -> TopicRules {
        TopicRules {
            value: self.value.level,
            value_framing: self.value.framing,
            value_subject: self.value.subject.subject(topic, "value"),
            key: self.key.level,
            key_framing: self.key.framing,
            key_subject: self.key.subject.subject(topic, "key"),
            action: self.action.clone(),
            dead_letter_topic: self.dead_letter_topic(topic),
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
    /// The rules of the first policy that matches, or of the default policy (`auto`, reject) when none does. A topic
    /// of dead letters is not checked unless its policy names it: what was bad elsewhere is bad there too.
    #[must_use]
    pub fn rules_for(&self, topic: &str) -> TopicRules {
        let policy = self.governing(topic);
        if self.keeps_dead_letters(topic) && !policy.is_some_and(|policy| policy.names(topic)) {
            let mut unchecked = Policy::default_policy();
            unchecked.value.level = Level::Off;
            unchecked.key.level = Level::Off;
            return unchecked.rules(topic);
        }
        policy.map_or_else(
            || Policy::default_policy().rules(topic),
            |policy| policy.rules(topic),
        )
    }

    fn governing(&self, topic: &str) -> Option<&Policy> {
        self.0.iter().find(|policy| policy.matches(topic))
    }

    /// Whether the bad records of some topic go to `topic`.
    fn keeps_dead_letters(&self, topic: &str) -> bool {
        let named = |policy: &Policy| match &policy.action {
            Action::DeadLetter(dead_letter) => dead_letter.topic.as_deref() == Some(topic),
            Action::Reject | Action::Observe | Action::Mark => false,
        };
        let derives = |origin| {
            self.governing(origin)
                .and_then(|policy| policy.dead_letter_topic(origin))
                .is_some_and(|derived| *derived == *topic)
        };
        self.0.iter().any(named) || action::origin(topic).is_some_and(derives)
    }

    /// A topic that `policy` names and whose dead letters would, by way of others or at once, come back to it.
    #[must_use]
    pub fn dead_letter_loop<'p>(&self, policy: &'p Policy) -> Option<&'p str> {
        policy.names_of_topics().find(|name| {
            let mut seen: HashSet<Arc<str>> = HashSet::new();
            let mut next = self.rules_for(name).dead_letter_topic;
            // Each name is another one of the policies' or longer than the last.
            while let Some(topic) = next.filter(|topic| !seen.contains(topic)) {
                if *topic == **name {
                    return true;
                }
                next = self.rules_for(&topic).dead_letter_topic;
                seen.insert(topic);
            }
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::{DeadLetter, OnDeadLetterFailure};
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

    fn dead_lettering(patterns: &[&str], topic: Option<&str>) -> Policy {
        let mut policy = policy(patterns, Level::Payload);
        policy.action = Action::DeadLetter(DeadLetter {
            topic: topic.map(Into::into),
            retention: None,
            on_failure: OnDeadLetterFailure::Retry,
        });
        policy
    }

    fn dead_letters_of(policies: &Policies, topic: &str) -> Option<String> {
        let rules = policies.rules_for(topic);
        rules.dead_letter_topic.map(|topic| topic.to_string())
    }

    #[test]
    fn dead_letters_go_to_a_topic_beside_their_own_unless_the_policy_names_one() {
        let policies = Policies(vec![
            dead_lettering(&["orders"], Some("bad-orders")),
            dead_lettering(&["pay*"], None),
        ]);
        assert_eq!(
            dead_letters_of(&policies, "orders").as_deref(),
            Some("bad-orders")
        );
        assert_eq!(
            dead_letters_of(&policies, "payments").as_deref(),
            Some("payments.dlq")
        );
        assert_eq!(dead_letters_of(&policies, "clicks"), None);
        let longest = format!("pay{}", "x".repeat(242));
        assert_eq!(
            dead_letters_of(&policies, &longest),
            Some(format!("{longest}.dlq"))
        );
        let rules = policies.rules_for(&format!("{longest}x"));
        assert!(matches!(rules.action, Action::DeadLetter(_)) && rules.dead_letter_topic.is_none());
    }

    #[test]
    fn a_topic_of_dead_letters_is_not_checked_unless_its_policy_names_it() {
        let mut all = dead_lettering(&["*"], None);
        let policies = Policies(vec![
            policy(&["named.dlq"], Level::Payload),
            dead_lettering(&["orders"], Some("bad-orders")),
            policy(&["clicks"], Level::Payload),
            all.clone(),
        ]);
        for topic in ["bad-orders", "payments.dlq", "payments.dlq.dlq"] {
            let rules = policies.rules_for(topic);
            assert_eq!((rules.value, rules.key), (Level::Off, Level::Off), "{topic}");
            assert_eq!(rules.action, Action::Reject, "{topic}");
        }
        assert_eq!(policies.rules_for("named.dlq").value, Level::Payload);
        for topic in ["clicks.dlq", "orders.dlq", ".dlq", "dlq"] {
            assert_eq!(
                policies.rules_for(topic).value,
                Level::Payload,
                "nothing goes to {topic}"
            );
        }
        all.action = Action::Reject;
        assert_eq!(
            Policies(vec![all]).rules_for("payments.dlq").value,
            Level::Payload
        );
    }

    #[test]
    fn dead_letters_that_would_come_back_are_found() {
        let found = |policies: Vec<Policy>| {
            let policies = Policies(policies);
            let loops = policies
                .0
                .iter()
                .find_map(|policy| policies.dead_letter_loop(policy));
            loops.map(str::to_owned)
        };
        let to = |from: &str, to: Option<&str>| dead_lettering(&[from], to);
        assert_eq!(found(vec![to("a", Some("a"))]).as_deref(), Some("a"));
        assert_eq!(
            found(vec![to("x", None), to("a", Some("b")), to("b", Some("a"))]).as_deref(),
            Some("a")
        );
        assert_eq!(
            found(vec![to("a", Some("b")), to("b", Some("b"))]).as_deref(),
            Some("b")
        );
        assert_eq!(
            found(vec![to("a.dlq", Some("a")), to("a", None)]).as_deref(),
            Some("a.dlq")
        );
        assert_eq!(
            found(vec![to("a", Some("b")), to("b", None), to("*", Some("b"))]),
            None
        );
        assert_eq!(found(vec![to("a*", Some("all")), to("*", Some("all"))]), None);
    }
}
