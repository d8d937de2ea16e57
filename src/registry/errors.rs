//! Everything the registry refuses, with Confluent's codes and words (`rest/exceptions/Errors.java`).

use thiserror::Error;

/// One refusal. [`Self::status`] is the HTTP status, [`Self::error_code`] the `error_code` of the body, and the
/// display text its `message`.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RegistryError {
    #[error("Subject '{0}' not found.")]
    SubjectNotFound(String),
    /// The number as it was asked for: -1 is `latest`.
    #[error("Version {0} not found.")]
    VersionNotFound(i64),
    #[error("Schema not found")]
    SchemaNotFound,
    /// An id or a GUID.
    #[error("Schema {0} not found")]
    SchemaIdNotFound(String),
    #[error("Subject '{0}' was soft deleted.Set permanent=true to delete permanently")]
    SubjectSoftDeleted(String),
    #[error("Subject '{0}' was not deleted first before being permanently deleted")]
    SubjectNotSoftDeleted(String),
    #[error(
        "Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently"
    )]
    VersionSoftDeleted { subject: String, version: i64 },
    #[error("Subject '{subject}' Version {version} was not deleted first before being permanently deleted")]
    VersionNotSoftDeleted { subject: String, version: u32 },
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    CompatibilityNotConfigured(String),
    #[error("Subject '{0}' does not have subject-level mode configured")]
    ModeNotConfigured(String),
    #[error(
        "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: {details}"
    )]
    Incompatible {
        subject: String,
        details: String,
        /// 409, or 40901 where the configuration says so.
        code: u32,
    },
    #[error("{0}")]
    InvalidSchema(String),
    #[error(
        "The specified version '{0}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    #[error(
        "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"
    )]
    InvalidCompatibility,
    #[error("{0}")]
    InvalidMode(String),
    #[error("{0}")]
    OperationNotPermitted(String),
    /// The key of the version that is referenced, as Confluent prints it.
    #[error("One or more references exist to the schema {0}.")]
    ReferenceExists(String),
    #[error("The specified subject '{0}' is not a valid.")]
    InvalidSubject(String),
    /// The log takes no record of this size (`max.message.bytes` of a Kafka topic).
    #[error("Register operation failed because schema is too large")]
    SchemaTooLarge,
    #[error("{0}")]
    InvalidRuleSet(String),
    /// As subjects of the context begin.
    #[error("The specified context '{0}' is not empty.")]
    ContextNotEmpty(String),
    /// The body is not the JSON that is wanted.
    #[error("{0}")]
    MalformedBody(String),
    #[error("The request body may not be null")]
    EmptyBody,
    /// Without a word of what was wrong with the credentials.
    #[error("Unauthorized")]
    Unauthorized,
    /// `resource`: what the client itself has named.
    #[error("User {principal} is denied operation {operation} on {resource}")]
    Forbidden {
        principal: String,
        operation: &'static str,
        resource: String,
    },
    #[error("Too many requests: try again in {retry_after_s} s")]
    TooManyRequests { retry_after_s: u64 },
    /// What HTTP itself has a status for.
    #[error("HTTP {0} {1}")]
    Http(u16, &'static str),
    /// The log could not be written; nothing was changed.
    #[error("Error while writing to the registry's store: {0}")]
    Store(String),
    #[error("{0}")]
    Timeout(String),
    /// The leader refused or could not be reached.
    #[error("{0}")]
    Forwarding(String),
    /// Only the leader writes, and that is not this registry.
    #[error("Leader not known.")]
    UnknownLeader,
    /// Started, and not at the log's end yet.
    #[error("The registry is loading its log: try again shortly")]
    Loading,
}

impl RegistryError {
    pub const NOT_FOUND: Self = Self::Http(404, "Not Found");
    pub const METHOD_NOT_ALLOWED: Self = Self::Http(405, "Method Not Allowed");
    pub const BODY_TOO_LARGE: Self = Self::Http(413, "Content Too Large");
    pub const INTERNAL: Self = Self::Http(500, "Internal Server Error");
    pub const SERVICE_UNAVAILABLE: Self = Self::Http(503, "Service Unavailable");
    pub const URI_TOO_LONG: Self = Self::Http(414, "URI Too Long");
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self::Http(415, "Unsupported Media Type");

    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Http(status, _) => *status,
            Self::MalformedBody(_) => 400,
            Self::EmptyBody => 422,
            Self::Incompatible { .. } => 409,
            Self::Loading => 503,
            other => u16::try_from(other.error_code() / 100).unwrap_or(500),
        }
    }

    #[must_use]
    pub fn error_code(&self) -> u32 {
        match self {
            Self::SubjectNotFound(_) => 40401,
            Self::VersionNotFound(_) => 40402,
            Self::SchemaNotFound | Self::SchemaIdNotFound(_) => 40403,
            Self::SubjectSoftDeleted(_) => 40404,
            Self::SubjectNotSoftDeleted(_) => 40405,
            Self::VersionSoftDeleted { .. } => 40406,
            Self::VersionNotSoftDeleted { .. } => 40407,
            Self::CompatibilityNotConfigured(_) => 40408,
            Self::ModeNotConfigured(_) => 40409,
            Self::Incompatible { code, .. } => *code,
            Self::InvalidSchema(_) => 42201,
            Self::InvalidVersion(_) => 42202,
            Self::InvalidCompatibility => 42203,
            Self::InvalidMode(_) => 42204,
            Self::OperationNotPermitted(_) => 42205,
            Self::ReferenceExists(_) => 42206,
            Self::InvalidSubject(_) => 42208,
            Self::SchemaTooLarge => 42209,
            Self::InvalidRuleSet(_) => 42210,
            Self::ContextNotEmpty(_) => 42211,
            Self::MalformedBody(_) => 400,
            Self::EmptyBody => 422,
            Self::Unauthorized => 40101,
            Self::Forbidden { .. } => 40301,
            Self::TooManyRequests { .. } => 42901,
            Self::Http(status, _) => u32::from(*status),
            Self::Store(_) => 50001,
            Self::Timeout(_) => 50002,
            Self::Forwarding(_) => 50003,
            Self::UnknownLeader => 50004,
            Self::Loading => 503,
        }
    }
}
