//! The configuration and the mode that hold for a subject: its own, its context's, that of all contexts, the default
//! (`InMemoryCache.config`, `InMemoryCache.mode`, `AbstractSchemaRegistry.getConfigInScope`).

use super::config::ConfigValue;
use super::fold::State;
use super::names::Mode;
use super::qualified::{GLOBAL_SUBJECT, QualifiedSubject, beside};
use std::borrow::Cow;
use std::sync::Arc;

/// Whether a scope without a setting of its own has the default one: the default context, and all contexts.
fn is_top(subject: Option<&str>) -> bool {
    subject.is_none_or(|subject| QualifiedSubject::of(subject).is_global())
}

/// The scope around a subject.
fn context_scope(subject: Option<&str>) -> Option<String> {
    let parts = QualifiedSubject::of(subject?);
    (!parts.is_in_default_context()).then(|| parts.prefix())
}

impl State {
    fn set_config(&self, subject: Option<&str>) -> Option<&Arc<ConfigValue>> {
        match subject {
            None => self.config.as_ref(),
            Some(subject) => self.subject(subject)?.config.as_ref(),
        }
    }

    /// What the scope's own record says, before any default.
    #[must_use]
    pub fn stored_config(&self, subject: Option<&str>) -> ConfigValue {
        self.set_config(subject)
            .map(|config| (**config).clone())
            .unwrap_or_default()
    }

    /// A level that is not set is the default one, whatever the wider scopes say.
    fn with_level(&self, config: &ConfigValue) -> ConfigValue {
        ConfigValue {
            compatibility: config.compatibility.or(Some(self.default_level)),
            ..config.clone()
        }
    }

    /// The configuration of a subject or a context (`None`: the default one) if it has its own.
    #[must_use]
    pub fn config(&self, subject: Option<&str>) -> Option<ConfigValue> {
        let own = self.set_config(subject).map(|config| self.with_level(config));
        own.or_else(|| is_top(subject).then(|| self.with_level(&ConfigValue::default())))
    }

    /// The configuration that holds for a subject.
    #[must_use]
    pub fn config_in_scope(&self, subject: Option<&str>) -> ConfigValue {
        let global = || self.config(None).unwrap_or_default();
        if let Some(own) = subject.and_then(|subject| self.config(Some(subject))) {
            return own.over(&global());
        }
        let context = context_scope(subject);
        let found = self
            .set_config(context.as_deref())
            .or_else(|| self.set_config(Some(GLOBAL_SUBJECT)));
        found.map_or_else(
            || self.with_level(&ConfigValue::default()),
            |found| self.with_level(found),
        )
    }

    fn set_mode_of(&self, subject: Option<&str>) -> Option<Mode> {
        match subject {
            None => self.mode,
            Some(subject) => self.subject(subject)?.mode,
        }
    }

    /// The mode of a subject or a context (`None`: the default one) if it has its own.
    #[must_use]
    pub fn mode(&self, subject: Option<&str>) -> Option<Mode> {
        self.set_mode_of(subject)
            .or_else(|| is_top(subject).then_some(Mode::ReadWrite))
    }

    #[must_use]
    pub fn mode_in_scope(&self, subject: Option<&str>) -> Mode {
        let context = context_scope(subject);
        self.set_mode_of(subject)
            .or_else(|| self.set_mode_of(context.as_deref()))
            .or_else(|| self.set_mode_of(Some(GLOBAL_SUBJECT)))
            .unwrap_or(Mode::ReadWrite)
    }

    /// The subject that is meant by `subject`: its alias's, if it has one (`AliasFilter`). An alias of an alias is not
    /// followed.
    #[must_use]
    pub fn without_alias<'a>(&self, subject: &'a str) -> Cow<'a, str> {
        let alias = self
            .set_config(Some(subject))
            .and_then(|config| config.alias.as_deref());
        match alias {
            Some(alias) if !alias.is_empty() => Cow::Owned(beside(subject, alias).into_owned()),
            _ => Cow::Borrowed(subject),
        }
    }
}
