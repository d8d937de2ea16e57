//! What became of every record, as a table.

use std::fmt;

/// What the gateway did with one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Forwarded {
        offset: i64,
    },
    /// The gateway's own line about it.
    Refused {
        line: String,
    },
    /// Good itself, but another record of its batch was not.
    RefusedWithBatch,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub topic: &'static str,
    pub what: &'static str,
    pub outcome: Outcome,
    /// What it should have met, when it did not.
    pub expected: Option<String>,
}

/// The tour's result; its `Display` is what `portcullis demo` prints.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub lines: Vec<Line>,
    /// What was found beyond the records' own fates: read back, byte for byte, no address leaked.
    pub findings: Vec<String>,
    /// Everything that is not as it should be.
    pub failures: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn sent(&self) -> usize {
        self.lines.len()
    }

    #[must_use]
    pub fn forwarded(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| matches!(line.outcome, Outcome::Forwarded { .. }))
            .count()
    }

    #[must_use]
    pub fn refused(&self) -> usize {
        self.sent() - self.forwarded()
    }

    /// Whether every record met the fate it should have.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.lines.is_empty()
            && self.failures.is_empty()
            && self.lines.iter().all(|line| line.expected.is_none())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:<32} {:<10} ", "TOPIC", "RECORD", "FATE")?;
        for line in &self.lines {
            let (fate, said) = match &line.outcome {
                Outcome::Forwarded { offset } => ("forwarded", format!("offset {offset}")),
                Outcome::Refused { line } => ("refused", line.clone()),
                Outcome::RefusedWithBatch => ("refused", "conforms, but goes with its batch".to_owned()),
            };
            writeln!(f, "{:<10} {:<32} {fate:<10} {said}", line.topic, line.what)?;
            if let Some(expected) = &line.expected {
                writeln!(f, "{:<10} NOT AS IT SHOULD BE: expected {expected}", "")?;
            }
        }
        writeln!(f)?;
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for failure in &self.failures {
            writeln!(f, "NOT AS IT SHOULD BE: {failure}")?;
        }
        writeln!(
            f,
            "sent {}, forwarded {}, refused {}",
            self.sent(),
            self.forwarded(),
            self.refused()
        )?;
        if self.is_good() {
            writeln!(f, "every record met the fate it should have")
        } else {
            writeln!(f, "NOT every record met the fate it should have")
        }
    }
}
