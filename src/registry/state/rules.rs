//! Data contracts' rules (Confluent's `RuleSet.java`, `Rule.java`): kept, given back and part of a schema's identity. The
//! registry runs none of them; that is the serializers' part.

use super::lenient::{self, null_is_default};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const NAME_CHARS_MAX: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleKind {
    #[default]
    Transform,
    Condition,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleMode {
    Upgrade,
    Downgrade,
    UpDown,
    Write,
    Read,
    #[default]
    WriteRead,
}

/// Where a rule set is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionEnvironment {
    All,
    Client,
    Gateway,
    Server,
    None,
}

impl RuleKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Transform => "TRANSFORM",
            Self::Condition => "CONDITION",
        }
    }
}

impl RuleMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "UPGRADE",
            Self::Downgrade => "DOWNGRADE",
            Self::UpDown => "UPDOWN",
            Self::Write => "WRITE",
            Self::Read => "READ",
            Self::WriteRead => "WRITEREAD",
        }
    }

    fn is_of_migration(self) -> bool {
        matches!(self, Self::Upgrade | Self::Downgrade | Self::UpDown)
    }
}

impl ExecutionEnvironment {
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Client => "CLIENT",
            Self::Gateway => "GATEWAY",
            Self::Server => "SERVER",
            Self::None => "NONE",
        }
    }
}

/// Text is not written when it is empty, so it is not told from none.
#[expect(clippy::ref_option, reason = "what serde calls it with")]
fn is_empty(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

/// The fields stand in the order in which Confluent writes them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    #[serde(skip_serializing_if = "is_empty", deserialize_with = "lenient::text")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "is_empty", deserialize_with = "lenient::text")]
    pub doc: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub kind: RuleKind,
    #[serde(deserialize_with = "null_is_default")]
    pub mode: RuleMode,
    #[serde(
        rename = "type",
        skip_serializing_if = "is_empty",
        deserialize_with = "lenient::text"
    )]
    pub rule_type: Option<String>,
    #[serde(
        skip_serializing_if = "BTreeSet::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub tags: BTreeSet<String>,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::properties"
    )]
    pub params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty", deserialize_with = "lenient::text")]
    pub expr: Option<String>,
    #[serde(skip_serializing_if = "is_empty", deserialize_with = "lenient::text")]
    pub on_success: Option<String>,
    #[serde(skip_serializing_if = "is_empty", deserialize_with = "lenient::text")]
    pub on_failure: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub disabled: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleSet {
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub migration_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub domain_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub encoding_rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_at: Option<ExecutionEnvironment>,
}

impl Rule {
    /// `Rule.updateHash`.
    fn update(&self, hash: &mut Md5) {
        let mut text = |text: &Option<String>| hash.update(text.as_deref().unwrap_or_default().as_bytes());
        text(&self.name);
        text(&self.doc);
        hash.update(self.kind.as_str().as_bytes());
        hash.update(self.mode.as_str().as_bytes());
        hash.update(self.rule_type.as_deref().unwrap_or_default().as_bytes());
        for tag in &self.tags {
            hash.update(tag.as_bytes());
        }
        for (key, value) in &self.params {
            hash.update(key.as_bytes());
            hash.update(value.as_bytes());
        }
        let mut text = |text: &Option<String>| hash.update(text.as_deref().unwrap_or_default().as_bytes());
        text(&self.expr);
        text(&self.on_success);
        text(&self.on_failure);
        if self.disabled {
            hash.update([1]);
        }
    }

    /// `Rule.validate`.
    fn validate(&self) -> Result<(), String> {
        let Some(name) = &self.name else {
            return Err("Missing rule name".to_owned());
        };
        let Some(first) = name.chars().next() else {
            return Err("Empty rule name".to_owned());
        };
        if name.chars().count() > NAME_CHARS_MAX {
            return Err("Rule name too long".to_owned());
        }
        if !(first.is_alphabetic() || first == '_') {
            return Err(format!("Illegal initial character in rule name: {name}"));
        }
        if !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Err(format!("Illegal character in rule name: {name}"));
        }
        if self.rule_type.is_none() {
            return Err("Missing rule type".to_owned());
        }
        let several = |action: &Option<String>| action.as_ref().is_some_and(|action| action.contains(','));
        let one_only = !matches!(self.mode, RuleMode::WriteRead | RuleMode::UpDown);
        if one_only && (several(&self.on_success) || several(&self.on_failure)) {
            return Err("Multiple actions only valid with WRITEREAD and UPDOWN".to_owned());
        }
        Ok(())
    }
}

impl RuleSet {
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.migration_rules
            .iter()
            .chain(&self.domain_rules)
            .chain(&self.encoding_rules)
    }

    #[must_use]
    pub fn has_rules_of_type(&self, rule_type: &str) -> bool {
        self.rules()
            .any(|rule| rule.rule_type.as_deref() == Some(rule_type))
    }

    /// `RuleSet.updateHash`.
    pub(super) fn update(&self, hash: &mut Md5) {
        for rule in self.rules() {
            rule.update(hash);
        }
        if let Some(environment) = self.enable_at {
            hash.update(environment.as_str().as_bytes());
        }
    }

    /// `RuleSet.validate`.
    ///
    /// # Errors
    /// The first rule's fault, in Confluent's words.
    pub fn validate(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let parts = [
            (
                &self.migration_rules,
                true,
                "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN",
            ),
            (
                &self.domain_rules,
                false,
                "Domain rules can only be WRITE, READ, WRITEREAD",
            ),
            (
                &self.encoding_rules,
                false,
                "Encoding rules can only be WRITE, READ, WRITEREAD",
            ),
        ];
        for (rules, of_migration, otherwise) in parts {
            for rule in rules {
                if !names.insert(rule.name.as_deref()) {
                    let name = rule.name.as_deref().unwrap_or("null");
                    return Err(format!("Found rule with duplicate name '{name}'"));
                }
                rule.validate()?;
                if rule.mode.is_of_migration() != of_migration {
                    return Err(otherwise.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Takes away the rules of these names.
    pub fn remove(&mut self, names: &[String]) {
        let stays = |rule: &Rule| !rule.name.as_ref().is_some_and(|name| names.contains(name));
        self.migration_rules.retain(stays);
        self.domain_rules.retain(stays);
        self.encoding_rules.retain(stays);
    }

    /// `later` over `earlier`: a rule replaces the one of its name (`RuleSet.mergeRuleSets`).
    #[must_use]
    pub fn merged(earlier: Option<&Self>, later: Option<&Self>) -> Option<Self> {
        let (Some(earlier), Some(later)) = (earlier, later) else {
            return later.or(earlier).cloned();
        };
        let merge = |earlier: &[Rule], later: &[Rule]| {
            let replaced = |rule: &&Rule| !later.iter().any(|new| new.name == rule.name);
            earlier.iter().filter(replaced).chain(later).cloned().collect()
        };
        Some(Self {
            migration_rules: merge(&earlier.migration_rules, &later.migration_rules),
            domain_rules: merge(&earlier.domain_rules, &later.domain_rules),
            encoding_rules: merge(&earlier.encoding_rules, &later.encoding_rules),
            enable_at: later.enable_at.or(earlier.enable_at),
        })
    }
}
