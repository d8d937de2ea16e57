//! What a subject, a context or the whole registry is configured with (Confluent's `ConfigValue.java`, `Config.java`),
//! and how one configuration stands over another.
#![allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a field over like that"
)]
#![allow(clippy::option_option, reason = "not said, cleared and set are three")]

use super::content::Metadata;
use super::names::{CompatibilityPolicy, level_name};
use super::rules::RuleSet;
use crate::schema::CompatibilityLevel;
use serde::{Serialize, Serializer};

/// One configuration. Nothing set in it falls back to the next scope, where there is one to fall back to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigValue {
    /// The subject that is meant when this one is named.
    pub alias: Option<String>,
    pub alias_for_deks: Option<String>,
    pub normalize: Option<bool>,
    pub validate_fields: Option<bool>,
    pub validate_new_schemas: Option<bool>,
    pub validate_rules: Option<bool>,
    pub compatibility: Option<CompatibilityLevel>,
    pub compatibility_policy: Option<CompatibilityPolicy>,
    /// The metadata property whose value says which versions are compared with one another.
    pub compatibility_group: Option<String>,
    pub default_metadata: Option<Metadata>,
    pub override_metadata: Option<Metadata>,
    pub default_rule_set: Option<RuleSet>,
    pub override_rule_set: Option<RuleSet>,
}

/// A change of a configuration: an outer `None` leaves what is there, an inner one clears it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigUpdate {
    pub alias: Option<Option<String>>,
    pub alias_for_deks: Option<Option<String>>,
    pub normalize: Option<Option<bool>>,
    pub validate_fields: Option<Option<bool>>,
    pub validate_new_schemas: Option<Option<bool>>,
    pub validate_rules: Option<Option<bool>>,
    pub compatibility: Option<Option<CompatibilityLevel>>,
    pub compatibility_policy: Option<Option<CompatibilityPolicy>>,
    pub compatibility_group: Option<Option<String>>,
    pub default_metadata: Option<Option<Metadata>>,
    pub override_metadata: Option<Option<Metadata>>,
    pub default_rule_set: Option<Option<RuleSet>>,
    pub override_rule_set: Option<Option<RuleSet>>,
}

impl ConfigUpdate {
    /// `ConfigValue.update`.
    #[must_use]
    pub fn over(self, old: &ConfigValue) -> ConfigValue {
        fn pick<T: Clone>(new: Option<Option<T>>, old: &Option<T>) -> Option<T> {
            new.unwrap_or_else(|| old.clone())
        }
        ConfigValue {
            alias: pick(self.alias, &old.alias),
            alias_for_deks: pick(self.alias_for_deks, &old.alias_for_deks),
            normalize: pick(self.normalize, &old.normalize),
            validate_fields: pick(self.validate_fields, &old.validate_fields),
            validate_new_schemas: pick(self.validate_new_schemas, &old.validate_new_schemas),
            validate_rules: pick(self.validate_rules, &old.validate_rules),
            compatibility: pick(self.compatibility, &old.compatibility),
            compatibility_policy: pick(self.compatibility_policy, &old.compatibility_policy),
            compatibility_group: pick(self.compatibility_group, &old.compatibility_group),
            default_metadata: pick(self.default_metadata, &old.default_metadata),
            override_metadata: pick(self.override_metadata, &old.override_metadata),
            default_rule_set: pick(self.default_rule_set, &old.default_rule_set),
            override_rule_set: pick(self.override_rule_set, &old.override_rule_set),
        }
    }
}

impl ConfigValue {
    /// A subject's own configuration over the global one: the level, the alias, metadata and rule sets are its own or
    /// none (`Config.mergeConfigs`).
    #[must_use]
    pub fn over(mut self, global: &Self) -> Self {
        self.normalize = self.normalize.or(global.normalize);
        self.validate_fields = self.validate_fields.or(global.validate_fields);
        self.validate_new_schemas = self.validate_new_schemas.or(global.validate_new_schemas);
        self.validate_rules = self.validate_rules.or(global.validate_rules);
        self.compatibility_policy = self.compatibility_policy.or(global.compatibility_policy);
        self.compatibility_group = self
            .compatibility_group
            .or_else(|| global.compatibility_group.clone());
        self
    }

    #[must_use]
    pub fn has_defaults_or_overrides(&self) -> bool {
        self.default_metadata.is_some()
            || self.override_metadata.is_some()
            || self.default_rule_set.is_some()
            || self.override_rule_set.is_some()
    }

    /// As it is stored: text that is empty is not written, so it is not there.
    #[must_use]
    pub fn without_empty_text(mut self) -> Self {
        for text in [
            &mut self.alias,
            &mut self.alias_for_deks,
            &mut self.compatibility_group,
        ] {
            *text = text.take().filter(|text| !text.is_empty());
        }
        self
    }

    /// For the serialiser; the fields in Confluent's order. `level` is what the level is called: `compatibilityLevel` in
    /// the log and where it is read, `compatibility` where it was written.
    #[must_use]
    pub fn shown(&self, level: LevelKey) -> ConfigJson<'_> {
        let (compatibility_level, compatibility) = match level {
            LevelKey::CompatibilityLevel => (self.compatibility, None),
            LevelKey::Compatibility => (None, self.compatibility),
        };
        ConfigJson {
            subject: None,
            alias: self.alias.as_deref(),
            alias_for_deks: self.alias_for_deks.as_deref(),
            normalize: self.normalize,
            validate_fields: self.validate_fields,
            validate_new_schemas: self.validate_new_schemas,
            validate_rules: self.validate_rules,
            compatibility_level,
            compatibility,
            compatibility_policy: self.compatibility_policy.map(CompatibilityPolicy::as_str),
            compatibility_group: self.compatibility_group.as_deref(),
            default_metadata: self.default_metadata.as_ref(),
            override_metadata: self.override_metadata.as_ref(),
            default_rule_set: self.default_rule_set.as_ref(),
            override_rule_set: self.override_rule_set.as_ref(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LevelKey {
    CompatibilityLevel,
    Compatibility,
}

fn level<S: Serializer>(level: &Option<CompatibilityLevel>, serializer: S) -> Result<S::Ok, S::Error> {
    level.map(level_name).serialize(serializer)
}

/// A configuration as JSON; see [`ConfigValue::shown`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_for_deks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_new_schemas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_rules: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "level")]
    compatibility_level: Option<CompatibilityLevel>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "level")]
    compatibility: Option<CompatibilityLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_rule_set: Option<&'a RuleSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_rule_set: Option<&'a RuleSet>,
}
