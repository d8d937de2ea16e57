//! `json-pointer` (RFC 6901), `relative-json-pointer` (its Internet-Draft) and `uuid` (RFC 4122 section 3).

/// Empty, or tokens that each begin with `/`, in which `~` is `~0` or `~1`.
pub fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/'))
        && text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

/// How many levels up, without leading zeros; then `#` or a pointer.
pub fn is_relative_pointer(text: &str) -> bool {
    let rest = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let levels = text.len() - rest.len();
    let leading_zero = text.starts_with('0') && levels > 1;
    levels > 0 && !leading_zero && (rest == "#" || is_pointer(rest))
}

/// `8-4-4-4-12` hexadecimal digits, of either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
