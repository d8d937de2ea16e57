//! `idn-hostname` and the A-labels of `hostname`: IDNA2008 (RFC 5890 section 2.3.2.3). The library maps, normalizes,
//! decodes Punycode and checks joiners and directions; which code points may stand where is here (RFC 5892).

use super::host;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use regex::Regex;
use std::sync::LazyLock;

/// A label of 63 octets has at most 63 code points of at most four octets each.
const MAX_TEXT: usize = 4 * host::MAX_NAME;

/// Full stops that may stand for `.` (RFC 3490 section 3.1).
const SEPARATORS: [char; 4] = ['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'];

/// LetterDigits and the exceptions of sections 2.1 and 2.6, with what needs a context; without ignorable blocks and old
/// Hangul letters (2.7 to 2.9). Capitals and other unstable ones fall to the library's mapping.
static ALLOWED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^[[-\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}\u{6FD}\u{6FE}\u{F0B}\u{3007}\u{B7}\u{375}\u{5F3}\u{5F4}\u{30FB}\u{200C}\u{200D}]--[\u{640}\u{7FA}\u{302E}\u{302F}\u{3031}-\u{3035}\u{303B}\u{20D0}-\u{20FF}\u{1D100}-\u{1D24F}\u{1100}-\u{11FF}\u{A960}-\u{A97C}\u{D7B0}-\u{D7FB}]]+$",
    )
    .ok()
});
static GREEK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Greek}").ok());
static HEBREW: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{Hebrew}$").ok());
static JAPANESE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[\p{Hiragana}\p{Katakana}\p{Han}]").ok());

fn matches(regex: Option<&Regex>, text: &str) -> bool {
    regex.is_some_and(|regex| regex.is_match(text))
}

pub fn is_hostname(text: &str) -> bool {
    text.len() <= MAX_TEXT
        && text.split(SEPARATORS).all(is_label)
        // The whole name: its length, and directions that depend on other labels (RFC 5893 section 2).
        && Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .is_ok()
}

/// Whether what a user may write, capitals and loose accents too, is such a name when it is mapped (RFC 5895).
pub fn becomes_hostname(text: &str) -> bool {
    text.len() <= MAX_TEXT && to_unicode(text).is_some_and(|mapped| is_hostname(&mapped))
}

fn is_label(label: &str) -> bool {
    if label.is_ascii() {
        return host::is_label(label) && (!host::is_a_label(label) || is_a_label(label));
    }
    to_unicode(label).is_some_and(|unicode| unicode == label) && is_u_label(label)
}

fn is_a_label(label: &str) -> bool {
    to_unicode(label).is_some_and(|unicode| !unicode.is_ascii() && is_u_label(&unicode))
}

fn to_unicode(label: &str) -> Option<std::borrow::Cow<'_, str>> {
    let (unicode, outcome) =
        Uts46::new().to_unicode(label.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    outcome.is_ok().then_some(unicode)
}

fn is_u_label(label: &str) -> bool {
    let mut start = label.chars().skip(2);
    let reserved = start.next() == Some('-') && start.next() == Some('-');
    !reserved
        && matches(ALLOWED.as_ref(), label)
        && label
            .char_indices()
            .all(|(at, one)| context_holds(label, at, one))
}

/// The contextual rules of RFC 5892 appendix A.3 to A.9; those of the joiners are the library's.
fn context_holds(label: &str, at: usize, character: char) -> bool {
    let before = label.get(..at).unwrap_or_default();
    let after = label.get(at + character.len_utf8()..).unwrap_or_default();
    match character {
        '\u{B7}' => before.ends_with('l') && after.starts_with('l'),
        '\u{375}' => matches(GREEK.as_ref(), after),
        '\u{5F3}' | '\u{5F4}' => matches(HEBREW.as_ref(), before),
        '\u{30FB}' => matches(JAPANESE.as_ref(), &label.replace('\u{30FB}', "")),
        '\u{660}'..='\u{669}' => !label.contains(|other| ('\u{6F0}'..='\u{6F9}').contains(&other)),
        _ => true,
    }
}
