//! GitHub's workflow commands: annotations at the lines of a pull request.

use super::verdict::{Finding, Verdict};
use std::fmt::Write as _;

/// GitHub shows ten errors a step; more lines help nobody.
const ANNOTATIONS_MAX: usize = 100;

/// One `::error …` line for each thing that is wrong.
pub fn annotations(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    let findings = verdicts.iter().flat_map(|verdict| {
        let findings = verdict.outcome.findings().into_iter();
        findings.map(move |finding| (verdict, finding))
    });
    for (verdict, finding) in findings.take(ANNOTATIONS_MAX) {
        let title = format!("{}: {}", verdict.subject, verdict.outcome.word());
        error(&mut text, &verdict.file.to_string_lossy(), &finding, &title);
    }
    text
}

fn error(text: &mut String, file: &str, finding: &Finding, title: &str) {
    let _ = write!(text, "::error file={}", property(file));
    if let Some(at) = finding.position {
        let _ = write!(text, ",line={},col={}", at.line, at.column);
    }
    let _ = writeln!(text, ",title={}::{}", property(title), data(&finding.line()));
}

/// As the runner unescapes it (`actions/toolkit`, `command.ts`, `escapeData`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// `escapeProperty`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Outcome;
    use super::*;
    use crate::schema::SchemaType;
    use crate::schema::place::Position;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let verdict = Verdict {
            file: "a,b:c%.avsc".into(),
            subject: ":.x:orders".to_owned(),
            schema_type: SchemaType::Avro,
            outcome: Outcome::Invalid(Finding::plain(
                "line one\r\nline: two, 100%\n::error::forged",
                Some(Position { line: 3, column: 7 }),
            )),
        };
        assert_eq!(
            annotations(&[verdict]),
            "::error file=a%2Cb%3Ac%25.avsc,line=3,col=7,title=%3A.x%3Aorders%3A invalid::line one%0D%0Aline: two, 100%25%0A::error::forged\n"
        );
    }
}
