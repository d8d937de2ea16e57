//! What Kafka takes as a topic's name (`org.apache.kafka.common.internals.Topic.validate`).

/// In bytes: with a partition's number it still makes a folder's name.
pub const LENGTH_MAX: usize = 249;

/// The rule in words, for who wrote a name that is none.
pub const RULE: &str = "letters, digits, `.`, `_` and `-`, at most 249";

#[must_use]
pub fn is_legal(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(legal) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topics_name_is_short_plain_and_no_folder_of_its_own() {
        for name in ["orders", "a", "...", "Orders_eu-1.v2", &"x".repeat(LENGTH_MAX)] {
            assert!(is_legal(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "bestellungen-für",
            &"x".repeat(LENGTH_MAX + 1),
        ] {
            assert!(!is_legal(name), "{name}");
        }
    }
}
