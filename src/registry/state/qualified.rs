//! Subjects with their contexts (Confluent's `QualifiedSubject.java`).
//!
//! ```text
//! orders-value            in the default context, whose name is "."
//! :.billing:orders-value  in the context ".billing"
//! :.billing:              the context itself, where a configuration or a mode is meant
//! :.__GLOBAL:             all contexts, where a configuration or a mode is meant
//! :*:orders               in every context, where a prefix is meant
//! ```

use std::borrow::Cow;

pub const DEFAULT_CONTEXT: &str = ".";
/// The name of "any context" in a prefix.
pub const CONTEXT_WILDCARD: &str = ":*:";
const CONTEXT_PREFIX: &str = ":.";
const GLOBAL_CONTEXT: &str = ".__GLOBAL";
/// The configuration and the mode of all contexts.
pub const GLOBAL_SUBJECT: &str = ":.__GLOBAL:";

/// A subject taken apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct QualifiedSubject<'a> {
    /// `.`, `.billing`, or `*`.
    pub context: &'a str,
    pub subject: &'a str,
}

impl<'a> QualifiedSubject<'a> {
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        if let Some(rest) = text.strip_prefix(CONTEXT_PREFIX) {
            // Both parts start behind the first colon; the context keeps its dot.
            let behind_colon = text.get(1..).unwrap_or_default();
            return match rest.find(':') {
                Some(end) => Self {
                    context: behind_colon.get(..=end).unwrap_or_default(),
                    subject: behind_colon.get(end + 2..).unwrap_or_default(),
                },
                None => Self {
                    context: behind_colon,
                    subject: "",
                },
            };
        }
        match text.strip_prefix(CONTEXT_WILDCARD) {
            Some(subject) => Self {
                context: "*",
                subject,
            },
            None => Self {
                context: DEFAULT_CONTEXT,
                subject: text,
            },
        }
    }

    #[must_use]
    pub fn is_in_default_context(self) -> bool {
        self.context == DEFAULT_CONTEXT
    }

    /// Whether it names a context and no subject.
    #[must_use]
    pub fn is_context(self) -> bool {
        self.subject.is_empty()
    }

    #[must_use]
    pub fn is_global(self) -> bool {
        self.context == GLOBAL_CONTEXT
    }

    /// The context as subjects begin: `:.billing:`, or nothing for the default one.
    #[must_use]
    pub fn prefix(self) -> String {
        if self.is_in_default_context() {
            String::new()
        } else {
            format!(":{}:", self.context)
        }
    }
}

/// The context of a subject.
#[must_use]
pub fn context_of(subject: &str) -> &str {
    QualifiedSubject::of(subject).context
}

/// A subject as it is stored: without the default context's prefix, with another's whole.
#[must_use]
pub fn normalized(text: &str) -> Cow<'_, str> {
    let parts = QualifiedSubject::of(text);
    if parts.is_in_default_context() {
        Cow::Borrowed(parts.subject)
    } else if parts.is_context() && !text.ends_with(':') {
        Cow::Owned(parts.prefix())
    } else {
        Cow::Borrowed(text)
    }
}

/// What a schema under `parent` means by `subject`: its own context's, unless it names another
/// (`qualifySubjectWithParent`).
#[must_use]
pub fn beside<'a>(parent: &str, subject: &'a str) -> Cow<'a, str> {
    let parts = QualifiedSubject::of(subject);
    if !parts.is_in_default_context() {
        return normalized(subject);
    }
    let parent = QualifiedSubject::of(parent);
    if parent.is_in_default_context() {
        Cow::Borrowed(parts.subject)
    } else {
        Cow::Owned(format!("{}{subject}", parent.prefix()))
    }
}

/// Whether a configuration or mode of `scope` is one of more than a subject, and of `subject` too.
#[must_use]
pub fn is_in_scope(subject: &str, scope: &str) -> bool {
    let parts = QualifiedSubject::of(scope);
    subject == scope || (parts.is_context() && (parts.is_global() || parts.context == context_of(subject)))
}

/// What subjects may be called (`isValidSubject`). Only a configuration or a mode may be of all contexts.
#[must_use]
pub fn is_valid(text: &str, of_setting: bool) -> bool {
    let parts = QualifiedSubject::of(text);
    !text.chars().any(char::is_control)
        && !matches!(parts.subject, "__GLOBAL" | "__EMPTY")
        && (of_setting || !parts.is_global())
}

/// A context as a path or a query gives it, as subjects begin (`normalizeContext`).
///
/// # Errors
/// A sentence for the client when it holds a colon.
pub fn context_prefix(context: &str) -> Result<String, String> {
    let context = context.strip_prefix(':').unwrap_or(context);
    let context = context.strip_suffix(':').unwrap_or(context);
    if context.contains(':') {
        return Err(format!("Context name '{context}' cannot contain a colon"));
    }
    Ok(match context {
        "" | DEFAULT_CONTEXT => String::new(),
        named if named.starts_with('.') => format!(":{named}:"),
        named => format!(":.{named}:"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_taken_apart_as_confluent_does() {
        let cases = [
            ("orders", ".", "orders"),
            (":.:orders", ".", "orders"),
            (":.billing:orders", ".billing", "orders"),
            (":.billing:a:b", ".billing", "a:b"),
            (":.billing:", ".billing", ""),
            (":.billing", ".billing", ""),
            (":.", ".", ""),
            (":*:orders", "*", "orders"),
            (":a:b", ".", ":a:b"),
            ("", ".", ""),
        ];
        for (text, context, subject) in cases {
            assert_eq!(
                QualifiedSubject::of(text),
                QualifiedSubject { context, subject },
                "{text}"
            );
        }
    }

    #[test]
    fn a_reference_stands_in_the_context_of_what_refers_unless_it_names_one() {
        let cases = [
            ("a", "b", "b"),
            (":.c:a", "b", ":.c:b"),
            (":.c:a", ":.d:b", ":.d:b"),
            ("a", ":.d:b", ":.d:b"),
            ("a", ":.:b", "b"),
        ];
        for (parent, subject, expected) in cases {
            assert_eq!(beside(parent, subject), expected, "{parent} {subject}");
        }
    }

    #[test]
    fn contexts_are_normalised() {
        for (given, expected) in [
            ("billing", ":.billing:"),
            (".billing", ":.billing:"),
            (":.billing:", ":.billing:"),
            (".", ""),
            (":.:", ""),
            ("", ""),
        ] {
            assert_eq!(context_prefix(given).as_deref(), Ok(expected));
        }
        assert!(context_prefix("a:b").is_err());
        assert_eq!(normalized(":.billing"), ":.billing:");
        assert_eq!(normalized(":.:x"), "x");
        assert_eq!(normalized(":.billing:x"), ":.billing:x");
    }

    #[test]
    fn scopes_hold_what_is_in_them() {
        assert!(is_in_scope(":.c:a", ":.c:"));
        assert!(!is_in_scope("a", ":.c:"));
        assert!(is_in_scope("a", ":.__GLOBAL:"));
        assert!(is_in_scope("a", "a"));
        assert!(!is_in_scope("ab", "a"));
    }
}
