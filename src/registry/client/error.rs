//! Why a registry did not answer as it was asked to.

use thiserror::Error;

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ClientError {
    /// An address, a certificate or a key that cannot be used; nothing was sent.
    #[error("{0}")]
    Setup(String),
    #[error("{url} cannot be reached: {why}")]
    Unreachable { url: String, why: String },
    #[error("{url} answers {status}{}: {message}", shown(*error_code, *status))]
    Refused {
        url: String,
        status: u16,
        /// Of the body, where there is one.
        error_code: Option<u32>,
        message: String,
    },
    /// Whatever answered is no schema registry, or one that is broken.
    #[error("{url} answers what a schema registry does not: {why}")]
    Unreadable { url: String, why: String },
    #[error("{url} answers more than {bytes_max} bytes")]
    TooLarge { url: String, bytes_max: usize },
}

fn shown(error_code: Option<u32>, status: u16) -> String {
    match error_code {
        Some(code) if code != u32::from(status) => format!(" (error_code {code})"),
        _ => String::new(),
    }
}

/// Confluent's `error_code`s that a caller acts upon (`rest/exceptions/Errors.java`).
const VERSION_SOFT_DELETED: u32 = 40406;
const INVALID_SCHEMA: u32 = 42201;
const INCOMPATIBLE: [u32; 2] = [409, 40901];
/// The leader did not answer, could not be asked, or is not known just now.
const LEADER_AWAY: [u32; 3] = [50002, 50003, 50004];

impl ClientError {
    fn refusal(&self) -> Option<(u16, u32)> {
        match self {
            Self::Refused {
                status, error_code, ..
            } => Some((*status, error_code.unwrap_or_else(|| u32::from(*status)))),
            _ => None,
        }
    }

    /// What was named is not there: a subject, a version, a schema, a setting.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|(status, _)| status == 404)
    }

    #[must_use]
    pub fn is_incompatible(&self) -> bool {
        self.refusal()
            .is_some_and(|(_, code)| INCOMPATIBLE.contains(&code))
    }

    #[must_use]
    pub fn is_invalid_schema(&self) -> bool {
        self.refusal().is_some_and(|(_, code)| code == INVALID_SCHEMA)
    }

    /// A version that was to be deleted softly and is already.
    #[must_use]
    pub fn is_soft_deleted_already(&self) -> bool {
        self.refusal()
            .is_some_and(|(_, code)| code == VERSION_SOFT_DELETED)
    }

    /// The credentials are missing, wrong, or not enough.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.refusal()
            .is_some_and(|(status, _)| matches!(status, 401 | 403))
    }

    /// Another attempt, or another registry of the same group, may answer.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self.refusal() {
            Some((status, code)) => matches!(status, 429 | 502..=504) || LEADER_AWAY.contains(&code),
            None => matches!(self, Self::Unreachable { .. }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, error_code: Option<u32>) -> ClientError {
        ClientError::Refused {
            url: "http://r/subjects".to_owned(),
            status,
            error_code,
            message: "no".to_owned(),
        }
    }

    #[test]
    fn an_error_names_url_status_code_and_message() {
        assert_eq!(
            refused(404, Some(40401)).to_string(),
            "http://r/subjects answers 404 (error_code 40401): no"
        );
        assert_eq!(
            refused(409, Some(409)).to_string(),
            "http://r/subjects answers 409: no"
        );
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, code, passing) in [
            (503, None, true),
            (429, Some(42901), true),
            (500, Some(50003), true),
            (500, Some(50001), false),
            (404, Some(40401), false),
            (409, Some(409), false),
            (401, None, false),
        ] {
            assert_eq!(refused(status, code).is_passing(), passing, "{status} {code:?}");
        }
        let away = ClientError::Unreachable {
            url: String::new(),
            why: String::new(),
        };
        assert!(away.is_passing());
    }
}
