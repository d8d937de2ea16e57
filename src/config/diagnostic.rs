//! What is wrong with a configuration: where, what, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in the file, both from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    pub line: u64,
    pub column: u64,
}

/// One finding. Its `Display` is one line: `file:line:column: what; suggestion`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The file, or the option of the command line.
    pub file: PathBuf,
    pub position: Option<Position>,
    pub what: String,
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.what)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, thiserror::Error)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl Diagnostics {
    pub(super) fn one(file: &Path, position: Option<Position>, what: impl Into<String>) -> Self {
        Self(vec![Diagnostic {
            file: file.to_owned(),
            position,
            what: what.into(),
            suggestion: None,
        }])
    }
}

/// "did you mean …?", or, when nothing is near, all there is.
#[must_use]
pub fn suggest(word: &str, candidates: &[&str]) -> Option<String> {
    if let Some(near) = nearest(word, candidates) {
        return Some(format!("did you mean `{near}`?"));
    }
    match candidates {
        [] => None,
        [only] => Some(format!("only `{only}` is known here")),
        several => Some(format!("known here: {}", several.join(", "))),
    }
}

/// The candidate that a slip of the hand away from `word`; case, `-`, `_` and `.` do not count.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    /// Longer words are not typed by hand, and their distance is not worth its square.
    const WORD_MAX: usize = 64;
    let plain = |word: &str| -> Vec<char> {
        word.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(WORD_MAX)
            .collect()
    };
    let word = plain(word);
    candidates
        .iter()
        .map(|candidate| (distance(&word, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= (word.len() / 3).max(1) && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b) {
            let substituted = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = substituted.min(before + 1).min(*cell + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_insertions_deletions_and_substitutions() {
        let of = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("listner", "listener"), 1);
        assert_eq!(of("same", "same"), 0);
    }

    #[test]
    fn a_slip_is_suggested_and_a_stranger_gets_the_list() {
        let keys = ["bootstrap_servers", "tls", "sasl"];
        assert_eq!(
            suggest("bootstrap.servers", &keys).unwrap(),
            "did you mean `bootstrap_servers`?"
        );
        assert_eq!(
            suggest("bootstrapServer", &keys).unwrap(),
            "did you mean `bootstrap_servers`?"
        );
        assert_eq!(
            suggest("tsl", &["tls_", "x"]).unwrap(),
            "known here: tls_, x",
            "two letters of three"
        );
        assert_eq!(
            suggest("zookeeper", &keys).unwrap(),
            "known here: bootstrap_servers, tls, sasl"
        );
        assert_eq!(suggest("x", &["listen"]).unwrap(), "only `listen` is known here");
    }

    #[test]
    fn a_diagnostic_is_one_line() {
        let mut diagnostic = Diagnostic {
            file: "portcullis.yaml".into(),
            position: Some(Position { line: 3, column: 5 }),
            what: "unknown key `levl`".to_owned(),
            suggestion: Some("did you mean `level`?".to_owned()),
        };
        assert_eq!(
            diagnostic.to_string(),
            "portcullis.yaml:3:5: unknown key `levl`; did you mean `level`?"
        );
        (diagnostic.position, diagnostic.suggestion) = (None, None);
        assert_eq!(diagnostic.to_string(), "portcullis.yaml: unknown key `levl`");
    }
}
