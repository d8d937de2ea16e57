//! `email` (the `Mailbox` of RFC 5321 section 4.1.2) and `idn-email` (RFC 6531 section 3.3).

use super::{host, idn};

/// Octets before the `@` and after it (RFC 5321 section 4.5.3.1).
const MAX_LOCAL_PART: usize = 64;
const MAX_DOMAIN: usize = 255;

/// `international`: characters beyond ASCII stand where letters do.
pub fn is_mailbox(text: &str, international: bool) -> bool {
    let local = match text.strip_prefix('"') {
        Some(quoted) => quoted_length(quoted, international),
        None => dotted_length(text, international),
    };
    let Some((local, Some(domain))) = local
        .and_then(|length| text.split_at_checked(length))
        .map(|(local, rest)| (local, rest.strip_prefix('@')))
    else {
        return false;
    };
    local.len() <= MAX_LOCAL_PART && domain_holds(domain, international)
}

/// Length of a dot-string, which ends where an `@` must be.
fn dotted_length(text: &str, international: bool) -> Option<usize> {
    let length = text.find('@')?;
    let atoms = text.get(..length)?;
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.chars().all(|character| {
                character.is_ascii_alphanumeric()
                    || "!#$%&'*+-/=?^_`{|}~".contains(character)
                    || international && !character.is_ascii()
            })
    };
    atoms.split('.').all(is_atom).then_some(length)
}

/// Length of a quoted string with both quotes; `quoted` is behind the first.
fn quoted_length(quoted: &str, international: bool) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        let printable = (' '..='~').contains(&character);
        match character {
            _ if escaped && printable => escaped = false,
            _ if escaped => return None,
            '"' => return Some(at + 2),
            '\\' => escaped = true,
            _ if printable || international && !character.is_ascii() => {}
            _ => return None,
        }
    }
    None
}

fn domain_holds(domain: &str, international: bool) -> bool {
    if let Some(literal) = domain
        .strip_prefix('[')
        .and_then(|literal| literal.strip_suffix(']'))
    {
        let tag = literal.get(..5);
        return match (tag, literal.get(5..)) {
            (Some(tag), Some(address)) if tag.eq_ignore_ascii_case("IPv6:") => host::is_ipv6(address),
            _ => host::is_ipv4(literal),
        };
    }
    if international {
        idn::becomes_hostname(domain)
    } else {
        domain.len() <= MAX_DOMAIN && domain.split('.').all(host::is_label)
    }
}
