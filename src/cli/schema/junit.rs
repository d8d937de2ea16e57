//! JUnit's XML, as Jenkins' `junit-10.xsd` and GitLab read it: a suite of one case for each file and subject.

use super::verdict::{Finding, Outcome, Verdict};
use std::fmt::Write as _;
use std::time::Duration;

pub fn report(suite: &str, verdicts: &[Verdict], took: Duration) -> String {
    let count = |is: &dyn Fn(&Outcome) -> bool| verdicts.iter().filter(|v| is(&v.outcome)).count();
    let failures = count(&|outcome| matches!(outcome, Outcome::Incompatible { .. } | Outcome::Invalid(_)));
    let errors = count(&|outcome| matches!(outcome, Outcome::Failed { .. }));
    let skipped = count(&|outcome| matches!(outcome, Outcome::Skipped(_) | Outcome::Unresolved(_)));
    let (suite, seconds) = (attribute(suite), took.as_secs_f64());
    let numbers = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"",
        verdicts.len()
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"{suite}\" {numbers} time=\"{seconds:.3}\">"
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{suite}\" {numbers} skipped=\"{skipped}\" time=\"{seconds:.3}\">"
    );
    for verdict in verdicts {
        case(&mut xml, verdict);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, verdict: &Verdict) {
    let _ = write!(
        xml,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"0\"",
        attribute(&verdict.subject),
        attribute(&verdict.file.to_string_lossy())
    );
    let lines = || {
        let findings = verdict.outcome.findings();
        let lines: Vec<String> = findings.iter().map(|finding| at(verdict, finding)).collect();
        lines.join("\n")
    };
    let (element, text) = match &verdict.outcome {
        Outcome::Incompatible { .. } | Outcome::Invalid(_) => ("failure", lines()),
        Outcome::Failed { .. } => ("error", lines()),
        Outcome::Skipped(_) | Outcome::Unresolved(_) => ("skipped", String::new()),
        _ => {
            xml.push_str("/>\n");
            return;
        }
    };
    let word = verdict.outcome.word();
    if element == "skipped" {
        let message = attribute(&verdict.outcome.detail());
        let _ = writeln!(xml, ">\n      <skipped message=\"{message}\"/>\n    </testcase>");
    } else {
        let first = verdict
            .outcome
            .findings()
            .first()
            .map(Finding::line)
            .unwrap_or_default();
        let _ = writeln!(
            xml,
            ">\n      <{element} message=\"{}\" type=\"{word}\">{}</{element}>\n    </testcase>",
            attribute(&first),
            content(&text)
        );
    }
}

fn at(verdict: &Verdict, finding: &Finding) -> String {
    let file = verdict.file.display();
    match finding.position {
        Some(at) => format!("{file}:{}:{}: {}", at.line, at.column, finding.line()),
        None => format!("{file}: {}", finding.line()),
    }
}

/// What XML 1.0 cannot hold at all becomes U+FFFD.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

fn attribute(text: &str) -> String {
    content(text)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(attribute("a\"<&>\n\u{0}"), "a&quot;&lt;&amp;&gt;&#10;\u{fffd}");
        assert_eq!(content("]]> \u{b}x"), "]]&gt; \u{fffd}x");
    }
}
