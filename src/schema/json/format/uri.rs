//! `uri` and `uri-reference` (RFC 3986), `iri` and `iri-reference` (RFC 3987), `uri-template` (RFC 6570).

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Uri,
    Iri,
}

/// `with_scheme`: a reference that is relative will not do.
pub fn is_reference(text: &str, kind: Kind, with_scheme: bool) -> bool {
    let (text, fragment) = text
        .split_once('#')
        .map_or((text, None), |(text, fragment)| (text, Some(fragment)));
    let (text, query) = text
        .split_once('?')
        .map_or((text, None), |(text, query)| (text, Some(query)));
    // A colon in the first segment ends a scheme, or nothing may come before it.
    let colon = text
        .find([':', '/'])
        .filter(|at| text.as_bytes().get(*at) == Some(&b':'));
    let hierarchy = match colon.and_then(|at| text.split_at_checked(at)) {
        Some((scheme, rest)) if is_scheme(scheme) => rest.strip_prefix(':').unwrap_or_default(),
        Some(_) => return false,
        None if with_scheme => return false,
        None => text,
    };
    let path = match hierarchy.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !authority_holds(authority, kind) {
                return false;
            }
            path
        }
        None => hierarchy,
    };
    consists_of(path, |character| is_pchar(character, kind) || character == '/')
        && query.is_none_or(|query| {
            consists_of(query, |character| {
                is_pchar(character, kind)
                    || matches!(character, '/' | '?')
                    || kind == Kind::Iri && is_private(character)
            })
        })
        && fragment.is_none_or(|fragment| {
            consists_of(fragment, |character| {
                is_pchar(character, kind) || matches!(character, '/' | '?')
            })
        })
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.'))
}

fn authority_holds(authority: &str, kind: Kind) -> bool {
    let (user, host_and_port) = authority
        .split_once('@')
        .map_or(("", authority), |(user, rest)| (user, rest));
    let in_name = |character| is_unreserved(character, kind) || is_sub_delimiter(character);
    if !consists_of(user, |character| in_name(character) || character == ':') {
        return false;
    }
    let after_host = if let Some(literal) = host_and_port.strip_prefix('[') {
        let Some((address, rest)) = literal.split_once(']') else {
            return false;
        };
        if !super::host::is_ipv6(address) && !is_future_address(address) {
            return false;
        }
        rest
    } else {
        let (name, rest) = host_and_port.split_at(host_and_port.find(':').unwrap_or(host_and_port.len()));
        if !consists_of(name, in_name) {
            return false;
        }
        rest
    };
    match after_host.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => after_host.is_empty(),
    }
}

/// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
fn is_future_address(address: &str) -> bool {
    let Some((version, rest)) = address
        .strip_prefix(['v', 'V'])
        .and_then(|address| address.split_once('.'))
    else {
        return false;
    };
    !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !rest.is_empty()
        && rest.chars().all(|character| {
            is_unreserved(character, Kind::Uri) || is_sub_delimiter(character) || character == ':'
        })
}

/// Whether all of `text` is `%` with two hexadecimal digits or an allowed character.
fn consists_of(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let holds = match character {
            '%' => (0..2).all(|_| rest.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => allowed(character),
        };
        if !holds {
            return false;
        }
    }
    true
}

fn is_pchar(character: char, kind: Kind) -> bool {
    is_unreserved(character, kind) || is_sub_delimiter(character) || matches!(character, ':' | '@')
}

fn is_unreserved(character: char, kind: Kind) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '.' | '_' | '~')
        || kind == Kind::Iri && is_ucschar(character)
}

fn is_sub_delimiter(character: char) -> bool {
    matches!(
        character,
        '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | ';' | '='
    )
}

/// RFC 3987 section 2.2.
fn is_ucschar(character: char) -> bool {
    match character as u32 {
        0xA0..=0xD7FF | 0xF900..=0xFDCF | 0xFDF0..=0xFFEF | 0xE_1000..=0xE_FFFD => true,
        // The planes 1 to 13, but the last two code points of each.
        code @ 0x1_0000..=0xD_FFFD => code & 0xFFFF <= 0xFFFD,
        _ => false,
    }
}

fn is_private(character: char) -> bool {
    matches!(character as u32, 0xE000..=0xF8FF | 0xF_0000..=0xF_FFFD | 0x10_0000..=0x10_FFFD)
}

/// Literals and expressions in braces (RFC 6570 section 2).
pub fn is_template(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some((literal, behind)) = rest.split_once('{') else {
            return consists_of(rest, is_literal);
        };
        let Some((expression, after)) = behind.split_once('}') else {
            return false;
        };
        if !consists_of(literal, is_literal) || !expression_holds(expression) {
            return false;
        }
        rest = after;
    }
}

/// Section 2.1; `'` stands by the RFC's erratum 6937.
fn is_literal(character: char) -> bool {
    match character {
        '"' | '%' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => false,
        '!'..='~' => true,
        other => is_ucschar(other) || is_private(other),
    }
}

fn expression_holds(expression: &str) -> bool {
    let variables = expression
        .strip_prefix(['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|'])
        .unwrap_or(expression);
    variables.split(',').all(|variable| {
        let name = match variable.split_once(':') {
            Some((name, length)) if is_max_length(length) => name,
            Some(_) => return false,
            None => variable.strip_suffix('*').unwrap_or(variable),
        };
        name.split('.').all(|part| {
            !part.is_empty()
                && consists_of(part, |character| {
                    character.is_ascii_alphanumeric() || character == '_'
                })
        })
    })
}

/// 1 to 9999.
fn is_max_length(text: &str) -> bool {
    (1..=4).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}
