//! What a request may see: lists and look-ups by id leave out the rest.

use super::principal::Principal;
use super::rules::{Role, Rules, Target};
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
}

impl<S: Send + Sync> FromRequestParts<S> for Visible {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
