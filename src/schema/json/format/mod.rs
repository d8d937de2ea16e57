//! The formats that JSON Schema defines, each by its RFC: whether a string has one. Pure and in time linear in the
//! text; nothing is looked up or fetched. Asserted only where a contract says so.

mod host;
mod idn;
mod mail;
mod pointer;
mod regular_expression;
#[cfg(test)]
mod tests;
mod time;
mod uri;

use super::draft::Draft;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    DateTime,
    Date,
    Time,
    Duration,
    Email,
    IdnEmail,
    /// From draft 7 on an A-label (`xn--…`) must be one of IDNA2008.
    Hostname {
        a_labels: bool,
    },
    IdnHostname,
    Ipv4,
    Ipv6,
    Uri,
    UriReference,
    Iri,
    IriReference,
    UriTemplate,
    Uuid,
    JsonPointer,
    RelativeJsonPointer,
    Regex,
}

impl Format {
    /// The format that `name` means in `draft`; a name that the draft does not define is an annotation.
    pub fn of(name: &str, draft: Draft) -> Option<Self> {
        let (since, format) = match name {
            "date-time" => (Draft::Draft4, Self::DateTime),
            "email" => (Draft::Draft4, Self::Email),
            "hostname" => (
                Draft::Draft4,
                Self::Hostname {
                    a_labels: draft >= Draft::Draft7,
                },
            ),
            "ipv4" => (Draft::Draft4, Self::Ipv4),
            "ipv6" => (Draft::Draft4, Self::Ipv6),
            "uri" => (Draft::Draft4, Self::Uri),
            "uri-reference" => (Draft::Draft6, Self::UriReference),
            "uri-template" => (Draft::Draft6, Self::UriTemplate),
            "json-pointer" => (Draft::Draft6, Self::JsonPointer),
            "date" => (Draft::Draft7, Self::Date),
            "time" => (Draft::Draft7, Self::Time),
            "idn-email" => (Draft::Draft7, Self::IdnEmail),
            "idn-hostname" => (Draft::Draft7, Self::IdnHostname),
            "iri" => (Draft::Draft7, Self::Iri),
            "iri-reference" => (Draft::Draft7, Self::IriReference),
            "relative-json-pointer" => (Draft::Draft7, Self::RelativeJsonPointer),
            "regex" => (Draft::Draft7, Self::Regex),
            "duration" => (Draft::Draft201909, Self::Duration),
            "uuid" => (Draft::Draft201909, Self::Uuid),
            _ => return None,
        };
        (draft >= since).then_some(format)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Email => "email",
            Self::IdnEmail => "idn-email",
            Self::Hostname { .. } => "hostname",
            Self::IdnHostname => "idn-hostname",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Uri => "uri",
            Self::UriReference => "uri-reference",
            Self::Iri => "iri",
            Self::IriReference => "iri-reference",
            Self::UriTemplate => "uri-template",
            Self::Uuid => "uuid",
            Self::JsonPointer => "json-pointer",
            Self::RelativeJsonPointer => "relative-json-pointer",
            Self::Regex => "regex",
        }
    }

    /// Whether a string's text has this format. Text with half a surrogate pair has none: no format's grammar knows it.
    pub fn holds(self, text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else {
            return false;
        };
        match self {
            Self::DateTime => time::is_date_time(text),
            Self::Date => time::is_date(text),
            Self::Time => time::is_time(text),
            Self::Duration => time::is_duration(text),
            Self::Email => mail::is_mailbox(text, false),
            Self::IdnEmail => mail::is_mailbox(text, true),
            Self::Hostname { a_labels } => host::is_hostname(text, a_labels),
            Self::IdnHostname => idn::is_hostname(text),
            Self::Ipv4 => host::is_ipv4(text),
            Self::Ipv6 => host::is_ipv6(text),
            Self::Uri => uri::is_reference(text, uri::Kind::Uri, true),
            Self::UriReference => uri::is_reference(text, uri::Kind::Uri, false),
            Self::Iri => uri::is_reference(text, uri::Kind::Iri, true),
            Self::IriReference => uri::is_reference(text, uri::Kind::Iri, false),
            Self::UriTemplate => uri::is_template(text),
            Self::Uuid => pointer::is_uuid(text),
            Self::JsonPointer => pointer::is_pointer(text),
            Self::RelativeJsonPointer => pointer::is_relative_pointer(text),
            Self::Regex => regular_expression::is_pattern(text),
        }
    }
}
