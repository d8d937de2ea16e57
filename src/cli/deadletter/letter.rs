//! A dead letter as it was read, and which of them are asked for.

use super::Stop;
use crate::cli::exit;
use crate::deadletter::letter::{Letter, PREFIX};
use crate::wire::log::LogRecord;
use clap::Args;
use std::time::{SystemTime, UNIX_EPOCH};

pub struct Found {
    pub partition: i32,
    pub offset: i64,
    pub letter: Letter,
}

impl Found {
    pub fn new(partition: i32, record: &LogRecord<'_>) -> Self {
        Self {
            partition,
            offset: record.offset,
            letter: Letter::from_log(record),
        }
    }

    /// What the header `__portcullis.NAME` says: the last one, since a producer may have sent one like it.
    pub fn about(&self, name: &str) -> Option<String> {
        let named = |key: &[u8]| {
            key.strip_prefix(PREFIX.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"."))
                == Some(name.as_bytes())
        };
        let header = self.letter.headers.iter().rev().find(|(key, _)| named(key));
        let value = header.and_then(|(_, value)| value.as_deref())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// When it became a dead letter.
    pub fn time_ms(&self) -> Option<i64> {
        self.about("time")?.parse().ok()
    }
}

/// Which dead letters are meant; without any, all.
#[derive(Args)]
pub struct Filter {
    /// The topic that it was sent to.
    #[arg(long, value_name = "NAME")]
    original_topic: Option<String>,
    /// The violation's code, for example PC-201.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// The id of the schema that it was checked by.
    #[arg(long, value_name = "ID")]
    schema_id: Option<u32>,
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The reference in the producer's error and the log.
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Dead since then: milliseconds since the epoch, or how long ago: 90s, 15m, 6h, 2d.
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    since: Option<i64>,
    /// Dead before then.
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    until: Option<i64>,
}

impl Filter {
    pub fn takes(&self, found: &Found) -> bool {
        let is = |name: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| {
                found
                    .about(name)
                    .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
            })
        };
        let exactly = |name: &str, wanted: Option<&str>| {
            wanted.is_none_or(|wanted| found.about(name).as_deref() == Some(wanted))
        };
        let schema_id = self.schema_id.map(|id| id.to_string());
        let time = |holds: &dyn Fn(i64) -> bool| found.time_ms().is_some_and(holds);
        exactly("topic", self.original_topic.as_deref())
            && is("code", self.code.as_deref())
            && exactly("schema_id", schema_id.as_deref())
            && exactly("subject", self.subject.as_deref())
            && is("ref", self.reference.as_deref())
            && self.since.is_none_or(|since| time(&|ms| ms >= since))
            && self.until.is_none_or(|until| time(&|ms| ms < until))
    }
}

/// Which one is to be shown.
pub enum Which {
    Reference(String),
    At { partition: i32, offset: i64 },
}

impl Which {
    pub fn parse(text: &str) -> Result<Self, Stop> {
        let Some((partition, offset)) = text.split_once(':') else {
            return Ok(Self::Reference(text.to_owned()));
        };
        match (partition.parse(), offset.parse()) {
            (Ok(partition), Ok(offset)) => Ok(Self::At { partition, offset }),
            _ => Err(Stop::new(
                exit::USAGE,
                format!("`{text}` is neither a reference nor PARTITION:OFFSET"),
            )),
        }
    }

    pub fn is(&self, found: &Found) -> bool {
        match self {
            Self::Reference(wanted) => found
                .about("ref")
                .is_some_and(|reference| reference.eq_ignore_ascii_case(wanted)),
            Self::At { partition, offset } => (found.partition, found.offset) == (*partition, *offset),
        }
    }
}

fn time_ms(text: &str) -> Result<i64, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    time_from(text, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

fn time_from(text: &str, now_ms: i64) -> Result<i64, String> {
    let unit_ms = match text.chars().last() {
        Some('s') => 1000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return text.parse().map_err(|_| wrong(text)),
    };
    let number = text.get(..text.len() - 1).unwrap_or_default();
    let ago: i64 = number.parse().map_err(|_| wrong(text))?;
    Ok(now_ms.saturating_sub(ago.saturating_mul(unit_ms)))
}

fn wrong(text: &str) -> String {
    format!("`{text}` is neither milliseconds since the epoch nor a time like 90s, 15m, 6h, 2d ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn found(headers: &[(&str, &str)]) -> Found {
        let headers = headers.iter().map(|(key, value)| {
            (
                Bytes::from((*key).to_owned()),
                Some(Bytes::from((*value).to_owned())),
            )
        });
        Found {
            partition: 2,
            offset: 17,
            letter: Letter {
                headers: headers.collect(),
                ..Letter::default()
            },
        }
    }

    fn all() -> Filter {
        Filter {
            original_topic: None,
            code: None,
            schema_id: None,
            subject: None,
            reference: None,
            since: None,
            until: None,
        }
    }

    #[test]
    fn the_gateways_header_counts_and_not_one_that_a_producer_sent() {
        let found = found(&[("__portcullis.code", "PC-999"), ("__portcullis.code", "PC-201")]);
        assert_eq!(found.about("code").as_deref(), Some("PC-201"));
        assert_eq!(found.about("cod"), None);
    }

    #[test]
    fn a_filter_takes_what_all_its_parts_take() {
        let found = found(&[
            ("__portcullis.topic", "orders"),
            ("__portcullis.code", "PC-201"),
            ("__portcullis.schema_id", "42"),
            ("__portcullis.time", "1000"),
        ]);
        assert!(all().takes(&found));
        let code = |code: &str| Filter {
            code: Some(code.to_owned()),
            ..all()
        };
        assert!(code("pc-201").takes(&found) && !code("PC-202").takes(&found));
        let schema = |id| Filter {
            schema_id: Some(id),
            original_topic: Some("orders".to_owned()),
            ..all()
        };
        assert!(schema(42).takes(&found) && !schema(4).takes(&found));
        let between = |since, until| Filter {
            since: Some(since),
            until: Some(until),
            ..all()
        };
        let times = [(1000, 1001), (1001, 2000), (0, 1000)];
        assert_eq!(
            times.map(|(since, until)| between(since, until).takes(&found)),
            [true, false, false]
        );
        let subject = Filter {
            subject: Some("orders-value".to_owned()),
            ..all()
        };
        assert!(!subject.takes(&found));
    }

    #[test]
    fn a_time_is_a_number_or_so_long_ago() {
        assert_eq!(time_from("1700000000000", 5), Ok(1_700_000_000_000));
        assert_eq!(time_from("15m", 1_000_000), Ok(100_000));
        for wrong in ["", "m", "yesterday", "1.5h"] {
            assert!(time_from(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_is_named_by_its_reference_or_its_place() {
        let found = found(&[("__portcullis.ref", "01JD8Z3N5W9Q7M2K4T6V8X0YAB")]);
        let is = |text: &str| Which::parse(text).is_ok_and(|which| which.is(&found));
        assert!(is("2:17") && is("01jd8z3n5w9q7m2k4t6v8x0yab"));
        assert!(!is("2:18") && !is("01JD") && !is("2:x"));
    }
}
