//! Tables of documented changes of schemas, `*.txt` beside the tests that read them: blocks of `key: value` below a `#
//! name`, with the reasons that each direction has.

use portcullis::schema::{Incompatibility, Schema};
use std::collections::HashSet;

/// One block of a table.
pub struct Row {
    /// With its table's, unlike any other.
    pub name: String,
    pub lines: Vec<(&'static str, &'static str)>,
}

/// The blocks of all tables, at least 150.
pub fn rows(tables: &[(&str, &'static str)]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (table, text) in tables {
        for block in text.split("\n\n") {
            let mut row = Row {
                name: String::new(),
                lines: Vec::new(),
            };
            for line in block.lines() {
                match line.strip_prefix("# ") {
                    Some(name) => row.name = format!("{table}: {name}"),
                    None => row.lines.push(line.split_once(": ").unwrap()),
                }
            }
            rows.push(row);
        }
    }
    assert!(rows.len() >= 150, "{} cases", rows.len());
    let names: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), rows.len(), "a name comes twice");
    rows
}

/// The reasons as the tables have them.
pub fn verdict(reasons: &[Incompatibility]) -> String {
    if reasons.is_empty() {
        return "compatible".to_owned();
    }
    let reasons = reasons
        .iter()
        .map(|reason| format!("{} {}", reason.kind, reason.path));
    reasons.collect::<Vec<_>>().join(", ")
}

/// Compares in both directions; what is not as expected goes to `wrong`.
pub fn compare(
    what: &str,
    [old, new]: [&Schema; 2],
    [backward, forward]: [&str; 2],
    wrong: &mut Vec<String>,
) {
    for (direction, expected, reasons) in [
        ("backward", backward, new.incompatibilities(old)),
        ("forward", forward, old.incompatibilities(new)),
    ] {
        let found = verdict(&reasons);
        if expected != found {
            wrong.push(format!("{what} ({direction}): {found}, not {expected}"));
        }
    }
}
