//! References as RFC 3986 resolves them (section 5.2), on text alone: nothing is ever fetched.

/// What comes before the first `#`, and the fragment after it.
pub fn split_fragment(uri: &str) -> (&str, &str) {
    uri.split_once('#').unwrap_or((uri, ""))
}

struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

fn parts(uri: &str) -> Parts<'_> {
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, uri),
    };
    let (authority, rest) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            (Some(authority), rest)
        }
        None => (None, rest),
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    Parts {
        scheme,
        authority,
        path,
        query,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}

/// `reference` (without a fragment) as seen from `base`.
pub fn resolve(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let target = parts(reference);
    let base = parts(base);
    if target.scheme.is_some() {
        return join(
            target.scheme,
            target.authority,
            &without_dots(target.path),
            target.query,
        );
    }
    if target.authority.is_some() {
        return join(
            base.scheme,
            target.authority,
            &without_dots(target.path),
            target.query,
        );
    }
    if target.path.is_empty() {
        return join(
            base.scheme,
            base.authority,
            base.path,
            target.query.or(base.query),
        );
    }
    let path = if target.path.starts_with('/') {
        without_dots(target.path)
    } else if base.authority.is_some() && base.path.is_empty() {
        without_dots(&format!("/{}", target.path))
    } else {
        let directory = base
            .path
            .rfind('/')
            .and_then(|at| base.path.get(..=at))
            .unwrap_or("");
        without_dots(&format!("{directory}{}", target.path))
    };
    join(base.scheme, base.authority, &path, target.query)
}

fn join(scheme: Option<&str>, authority: Option<&str>, path: &str, query: Option<&str>) -> String {
    let mut uri = String::new();
    if let Some(scheme) = scheme {
        uri.push_str(scheme);
        uri.push(':');
    }
    if let Some(authority) = authority {
        uri.push_str("//");
        uri.push_str(authority);
    }
    uri.push_str(path);
    if let Some(query) = query {
        uri.push('?');
        uri.push_str(query);
    }
    uri
}

/// Removes `.` and `..` segments.
fn without_dots(path: &str) -> String {
    if !path.split('/').any(|segment| segment == "." || segment == "..") {
        return path.to_owned();
    }
    let absolute = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, kept.join("/"))
}

/// Resolves `%XX`. `None` when that gives no UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        out.push((digit(bytes.next())? * 16 + digit(bytes.next())?) as u8);
    }
    String::from_utf8(out).ok()
}

/// One segment of a JSON pointer (RFC 6901) as the name or index it stands for.
pub fn pointer_segment(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}
