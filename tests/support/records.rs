//! Records on their way to a client program, what the program said became of them, and records read back.

use serde_json::Value;
use std::fmt::Write as _;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    pub fn new(topic: &str, partition: i32, value: &[u8]) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            value: Some(value.to_vec()),
            ..Self::default()
        }
    }

    pub fn with_key(mut self, key: &[u8]) -> Self {
        self.key = Some(key.to_vec());
        self
    }
}

/// The file that the programs read; see `tests/real/java/Records.java`.
pub fn file_text(records: &[Record]) -> String {
    let mut text = String::new();
    for record in records {
        let timestamp = record
            .timestamp_ms
            .map_or("-".to_owned(), |time| time.to_string());
        let headers: Vec<String> = record
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={}", hex(value.as_deref())))
            .collect();
        writeln!(
            text,
            "{}\t{}\t{timestamp}\t{}\t{}\t{}",
            record.topic,
            record.partition,
            hex(record.key.as_deref()),
            hex(record.value.as_deref()),
            headers.join(",")
        )
        .unwrap();
    }
    text
}

/// What a producer was told about one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Acknowledged {
        partition: i64,
        offset: i64,
    },
    /// The client's own name for the error, and what it said.
    Failed {
        error: String,
        message: String,
    },
}

impl Outcome {
    pub fn read(line: &Value) -> Self {
        match line["error"].as_str() {
            Some(error) => Self::Failed {
                error: error.to_owned(),
                message: line["message"].as_str().unwrap_or_default().to_owned(),
            },
            None => Self::Acknowledged {
                partition: line["partition"]
                    .as_i64()
                    .unwrap_or_else(|| panic!("no outcome: {line}")),
                offset: line["offset"].as_i64().unwrap(),
            },
        }
    }

    pub fn is_acknowledged(&self) -> bool {
        matches!(self, Self::Acknowledged { .. })
    }

    /// The message of a failure.
    pub fn message(&self) -> &str {
        match self {
            Self::Failed { message, .. } => message,
            Self::Acknowledged { .. } => panic!("acknowledged: {self:?}"),
        }
    }
}

/// A record as a consumer read it, with its offset; sorts by topic, partition and offset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Consumed {
    pub topic: String,
    pub partition: i64,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
}

impl Consumed {
    pub fn read(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            topic: text(&line["topic"]).unwrap_or_else(|| panic!("not a record: {line}")),
            partition: line["partition"].as_i64().unwrap(),
            offset: line["offset"].as_i64().unwrap(),
            timestamp_ms: line["timestamp"].as_i64().unwrap(),
            key: text(&line["key"]),
            value: text(&line["value"]),
            headers: line["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|header| (text(&header[0]).unwrap(), text(&header[1])))
                .collect(),
        }
    }

    /// Whether this is `sent`, byte for byte.
    pub fn is(&self, sent: &Record) -> bool {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| hex(Some(bytes)));
        self.topic == sent.topic
            && self.partition == i64::from(sent.partition)
            && sent.timestamp_ms.is_none_or(|time| time == self.timestamp_ms)
            && self.key == text(&sent.key)
            && self.value == text(&sent.value)
            && self.headers.len() == sent.headers.len()
            && self
                .headers
                .iter()
                .zip(&sent.headers)
                .all(|(a, b)| a.0 == b.0 && a.1 == text(&b.1))
    }
}

/// Lower-case hex; `-` for null.
pub fn hex(bytes: Option<&[u8]>) -> String {
    bytes.map_or("-".to_owned(), |bytes| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    })
}
