//! What a subject, a context or the whole registry is configured with (Confluent's `ConfigValue.java`, `Config.java`),
//! and how one configuration stands over another.

use super::content::Metadata;
use super::names::{CompatibilityPolicy, level_name};
use super::rules::RuleSet;
use crate::schema::CompatibilityLevel;
use serde::{Deserialize, Deserializer, Serialize};

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

/// What a request says of one setting: nothing, null, or a value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Change<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T: Clone> Change<T> {
    fn over(self, old: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => old.cloned(),
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}

/// A change of a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigUpdate {
    pub alias: Change<String>,
    pub alias_for_deks: Change<String>,
    pub normalize: Change<bool>,
    pub validate_fields: Change<bool>,
    pub validate_new_schemas: Change<bool>,
    pub validate_rules: Change<bool>,
    pub compatibility: Change<CompatibilityLevel>,
    pub compatibility_policy: Change<CompatibilityPolicy>,
    pub compatibility_group: Change<String>,
    pub default_metadata: Change<Metadata>,
    pub override_metadata: Change<Metadata>,
    pub default_rule_set: Change<RuleSet>,
    pub override_rule_set: Change<RuleSet>,
}

impl ConfigUpdate {
    /// `ConfigValue.update`.
    #[must_use]
    pub fn over(self, old: &ConfigValue) -> ConfigValue {
        ConfigValue {
            alias: self.alias.over(old.alias.as_ref()),
            alias_for_deks: self.alias_for_deks.over(old.alias_for_deks.as_ref()),
            normalize: self.normalize.over(old.normalize.as_ref()),
            validate_fields: self.validate_fields.over(old.validate_fields.as_ref()),
            validate_new_schemas: self.validate_new_schemas.over(old.validate_new_schemas.as_ref()),
            validate_rules: self.validate_rules.over(old.validate_rules.as_ref()),
            compatibility: self.compatibility.over(old.compatibility.as_ref()),
            compatibility_policy: self.compatibility_policy.over(old.compatibility_policy.as_ref()),
            compatibility_group: self.compatibility_group.over(old.compatibility_group.as_ref()),
            default_metadata: self.default_metadata.over(old.default_metadata.as_ref()),
            override_metadata: self.override_metadata.over(old.override_metadata.as_ref()),
            default_rule_set: self.default_rule_set.over(old.default_rule_set.as_ref()),
            override_rule_set: self.override_rule_set.over(old.override_rule_set.as_ref()),
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
        let name = self.compatibility.map(level_name);
        let (compatibility_level, compatibility) = match level {
            LevelKey::CompatibilityLevel => (name, None),
            LevelKey::Compatibility => (None, name),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility: Option<&'static str>,
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
