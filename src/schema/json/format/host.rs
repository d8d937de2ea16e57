//! `hostname` (RFC 1123 section 2.1), `ipv4` (RFC 2673 section 3.2) and `ipv6` (RFC 4291 section 2.2).

use super::idn;

/// Longest name as text: 255 octets on the wire (RFC 1035 section 2.3.4), two of which are not in it.
pub const MAX_NAME: usize = 253;
pub const MAX_LABEL: usize = 63;

/// Labels of letters, digits and inner hyphens. `a_labels`: those that begin with `xn--` must be IDNA2008's
/// (RFC 5891 section 4.4).
pub fn is_hostname(text: &str, a_labels: bool) -> bool {
    text.len() <= MAX_NAME
        && text.split('.').all(is_label)
        && (!a_labels || !text.split('.').any(is_a_label) || idn::is_hostname(text))
}

pub fn is_a_label(label: &str) -> bool {
    label
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

pub fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Four decimal numbers, without leading zeros.
pub fn is_ipv4(text: &str) -> bool {
    text.parse::<core::net::Ipv4Addr>().is_ok()
}

/// Without a zone: that is no part of an address (RFC 4007 section 11).
pub fn is_ipv6(text: &str) -> bool {
    text.parse::<core::net::Ipv6Addr>().is_ok()
}
