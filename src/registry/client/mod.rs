//! A client of any registry that speaks Confluent's REST API.
//!
//! `transport` knows HTTP, `answers` the bodies, and each method here is one resource. What a registry holds besides a schema's text (metadata, rule sets, settings) passes through as it came, so that nothing is
//! lost that this release does not know.

mod answers;
mod error;
mod pages;
mod references;
mod transport;

pub use answers::{CompatibilityAnswer, Registered, SchemaBody, SchemaById, SchemaVersion};
pub use error::ClientError;
pub use pages::Pages;
pub use references::References;
pub use transport::{ClientOptions, Credentials};

use crate::schema::{SchemaId, Version};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use transport::{Call, Transport};

/// A registry, reached over REST.
pub struct Client(Transport);

/// Which of `/schemas` is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub offset: usize,
    pub limit: usize,
}

#[derive(Deserialize)]
struct ModeAnswer {
    mode: String,
}

fn flag(name: &'static str, on: bool) -> Option<(&'static str, String)> {
    on.then(|| (name, "true".to_owned()))
}

impl Client {
    /// # Errors
    /// [`ClientError::Setup`] for an address, a certificate or a key that cannot be used.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        Transport::new(options).map(Self)
    }

    /// The first registry's address, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        let call = Call {
            method: Method::GET,
            path,
            query,
            body: None,
        };
        self.0.call(&call).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<T, ClientError> {
        let call = Call {
            method,
            path,
            query,
            body,
        };
        self.0.call(&call).await
    }

    /// Subjects whose names begin with `prefix`; `:*:` is all contexts.
    pub async fn subjects(&self, prefix: &str, deleted: bool) -> Result<Vec<String>, ClientError> {
        let mut query = vec![("subjectPrefix", prefix.to_owned())];
        query.extend(flag("deleted", deleted));
        self.get(&["subjects"], &query).await
    }

    pub async fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<Version>, ClientError> {
        let query: Vec<_> = flag("deleted", deleted).into_iter().collect();
        let numbers: Vec<u32> = self.get(&["subjects", subject, "versions"], &query).await?;
        Ok(numbers.into_iter().map(Version).collect())
    }

    /// One version; without a number the latest.
    pub async fn version(
        &self,
        subject: &str,
        version: Option<Version>,
        deleted: bool,
    ) -> Result<SchemaVersion, ClientError> {
        let number = version.map_or_else(|| "latest".to_owned(), |version| version.0.to_string());
        let query: Vec<_> = flag("deleted", deleted).into_iter().collect();
        self.get(&["subjects", subject, "versions", &number], &query)
            .await
    }

    /// A schema by its id, in the context of `subject` if one is named.
    pub async fn schema_by_id(&self, id: SchemaId, subject: Option<&str>) -> Result<SchemaById, ClientError> {
        let query: Vec<_> = subject
            .map(|subject| ("subject", subject.to_owned()))
            .into_iter()
            .collect();
        self.get(&["schemas", "ids", &id.0.to_string()], &query).await
    }

    pub async fn schema_by_guid(&self, guid: &str) -> Result<SchemaById, ClientError> {
        self.get(&["schemas", "guids", guid], &[]).await
    }

    /// A page of all versions of the subjects whose names begin with `prefix`, with what their configurations alias to them.
    pub async fn schemas(
        &self,
        prefix: &str,
        deleted: bool,
        page: Page,
    ) -> Result<Vec<SchemaVersion>, ClientError> {
        let mut query = vec![
            ("subjectPrefix", prefix.to_owned()),
            ("offset", page.offset.to_string()),
            ("limit", page.limit.to_string()),
            ("aliases", "true".to_owned()),
        ];
        query.extend(flag("deleted", deleted));
        self.get(&["schemas"], &query).await
    }

    /// The version of `subject` that is this schema.
    pub async fn look_up(
        &self,
        subject: &str,
        schema: &SchemaBody,
        normalize: bool,
    ) -> Result<SchemaVersion, ClientError> {
        let query: Vec<_> = flag("normalize", normalize).into_iter().collect();
        let body = Some(schema.request(None));
        self.send(Method::POST, &["subjects", subject], &query, body)
            .await
    }

    pub async fn register(
        &self,
        subject: &str,
        schema: &SchemaBody,
        normalize: bool,
    ) -> Result<Registered, ClientError> {
        let query: Vec<_> = flag("normalize", normalize).into_iter().collect();
        let body = Some(schema.request(None));
        self.send(Method::POST, &["subjects", subject, "versions"], &query, body)
            .await
    }

    /// Registers under an id and a version that are given: the subject must be in IMPORT mode.
    pub async fn import(
        &self,
        subject: &str,
        schema: &SchemaBody,
        id: SchemaId,
        version: Version,
    ) -> Result<Registered, ClientError> {
        let body = Some(schema.request(Some((id, version))));
        self.send(Method::POST, &["subjects", subject, "versions"], &[], body)
            .await
    }

    /// Whether `schema` may follow the versions of `subject`, by the subject's own level.
    pub async fn compatibility(
        &self,
        subject: &str,
        schema: &SchemaBody,
        normalize: bool,
    ) -> Result<CompatibilityAnswer, ClientError> {
        let mut query = vec![("verbose", "true".to_owned())];
        query.extend(flag("normalize", normalize));
        let path = ["compatibility", "subjects", subject, "versions"];
        let body = Some(schema.request(None));
        self.send(Method::POST, &path, &query, body).await
    }

    /// Deletes softly.
    pub async fn delete_version(&self, subject: &str, version: Version) -> Result<(), ClientError> {
        let path = ["subjects", subject, "versions", &version.0.to_string()];
        let _: u32 = self.send(Method::DELETE, &path, &[], None).await?;
        Ok(())
    }

    /// Registries before 7.0 know no contexts.
    pub async fn contexts(&self) -> Result<Vec<String>, ClientError> {
        Ok(found(self.get(&["contexts"], &[]).await)?.unwrap_or_default())
    }

    /// The settings of a scope: a subject, a context (`:.billing:`), or without one the default context's. `None` where
    /// nothing is set.
    pub async fn config(&self, scope: Option<&str>) -> Result<Option<Map<String, Value>>, ClientError> {
        found(self.get(&scoped("config", scope), &[]).await)
    }

    /// What applies to a subject, wherever it is set.
    pub async fn effective_config(&self, subject: &str) -> Result<Map<String, Value>, ClientError> {
        let query = [("defaultToGlobal", "true".to_owned())];
        self.get(&scoped("config", Some(subject)), &query).await
    }

    /// `settings` as `PUT /config` takes them: the level is `compatibility`.
    pub async fn set_config(
        &self,
        scope: Option<&str>,
        settings: Map<String, Value>,
    ) -> Result<(), ClientError> {
        let body = Some(Value::Object(settings));
        let _: Value = self
            .send(Method::PUT, &scoped("config", scope), &[], body)
            .await?;
        Ok(())
    }

    /// The mode of a scope, as [`Self::config`].
    pub async fn mode(&self, scope: Option<&str>) -> Result<Option<String>, ClientError> {
        let answer: Result<ModeAnswer, _> = self.get(&scoped("mode", scope), &[]).await;
        Ok(found(answer)?.map(|answer| answer.mode))
    }

    /// The mode that applies in a scope, wherever it is set.
    pub async fn effective_mode(&self, scope: Option<&str>) -> Result<String, ClientError> {
        let query = [("defaultToGlobal", "true".to_owned())];
        let answer: ModeAnswer = self.get(&scoped("mode", scope), &query).await?;
        Ok(answer.mode)
    }

    /// `force`: also IMPORT where there are schemas already.
    pub async fn set_mode(&self, scope: Option<&str>, mode: &str, force: bool) -> Result<(), ClientError> {
        let query: Vec<_> = flag("force", force).into_iter().collect();
        let body = Some(json!({ "mode": mode }));
        let _: Value = self
            .send(Method::PUT, &scoped("mode", scope), &query, body)
            .await?;
        Ok(())
    }

    /// Leaves a scope to what is around it.
    pub async fn delete_mode(&self, scope: Option<&str>) -> Result<(), ClientError> {
        let answer: Result<Value, _> = self.send(Method::DELETE, &scoped("mode", scope), &[], None).await;
        found(answer).map(|_| ())
    }
}

fn scoped<'a>(setting: &'a str, scope: Option<&'a str>) -> Vec<&'a str> {
    std::iter::once(setting).chain(scope).collect()
}

fn found<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
