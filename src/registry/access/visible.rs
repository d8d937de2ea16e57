//! What a request may see: lists and look-ups by id leave out the rest.

use super::principal::Principal;
use super::rules::{Role, Rules, Target};
use crate::registry::admission::ReferenceRequest;
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::beside;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::sync::Arc;

/// An extractor; without access control everything is visible.
#[derive(Clone, Default)]
pub struct Visible(Option<(Arc<Rules>, Arc<Principal>)>);

impl Visible {
    #[must_use]
    pub fn to(rules: Arc<Rules>, principal: Arc<Principal>) -> Self {
        Self(Some((rules, principal)))
    }

    /// `subject` as the registry keeps it.
    #[must_use]
    pub fn subject(&self, subject: &str) -> bool {
        match &self.0 {
            None => true,
            Some((rules, principal)) => rules.roles(principal, Target::Subject(subject)).has(Role::Read),
        }
    }

    /// The refusal of what may not be read.
    #[must_use]
    pub fn denied(&self, resource: String) -> RegistryError {
        RegistryError::Forbidden {
            principal: self
                .0
                .as_ref()
                .map_or_else(String::new, |(_, who)| who.name.to_string()),
            operation: Role::Read.as_str(),
            resource,
        }
    }

    /// Whether a schema of `subject` may have these references: what is referred to is read.
    ///
    /// # Errors
    /// [`RegistryError::Forbidden`], whether the subject is there or not.
    pub fn may_refer(
        &self,
        subject: &str,
        references: Option<&[ReferenceRequest]>,
    ) -> Result<(), RegistryError> {
        let named = references.unwrap_or_default().iter();
        for name in named.filter_map(|reference| reference.subject.as_deref()) {
            let meant = beside(subject, name);
            if !self.subject(&meant) {
                return Err(self.denied(format!("Subject: {meant}")));
            }
        }
        Ok(())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visible {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
