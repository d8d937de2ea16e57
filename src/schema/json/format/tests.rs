//! Each format where its RFC draws the line. The Test Suite's own are in `tests/json_suite.rs`.

use super::Format;
use crate::schema::json::draft::Draft;

fn judge(name: &str, valid: &[&str], invalid: &[&str]) {
    let format = Format::of(name, Draft::Draft202012).unwrap();
    assert_eq!(format.name(), name);
    for text in valid {
        assert!(format.holds(text.as_bytes()), "{name}: {text:?}");
    }
    for text in invalid {
        assert!(!format.holds(text.as_bytes()), "{name}: {text:?}");
    }
    assert!(!format.holds(b"a\xed\xa0\x80"), "{name}: half a surrogate pair");
}

#[test]
fn a_date_has_a_day_that_its_month_has() {
    judge(
        "date",
        &["2024-02-29", "2000-02-29", "2023-12-31", "0000-01-01"],
        &[
            "2023-02-29",
            "1900-02-29",
            "2023-04-31",
            "2023-00-01",
            "2023-13-01",
            "2023-1-01",
            "2023-01-00",
            "",
        ],
    );
    judge(
        "date-time",
        &[
            "2023-01-01T00:00:00Z",
            "2023-01-01t00:00:00.000000000001z",
            "1998-12-31T15:59:60-08:00",
        ],
        &[
            "2023-01-01 00:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00.Z",
            "1998-12-31T15:59:60Z",
            "2023-01-01T24:00:00Z",
        ],
    );
}

#[test]
fn a_duration_has_no_gap_between_its_units() {
    judge(
        "duration",
        &["P1Y2M3DT4H5M6S", "PT1M6S", "P3W", "P1M3D"],
        &[
            "P1Y3D", "PT1H6S", "P", "PT", "P1DT", "P1W2D", "W", "PW", "P1S", "P1Y1Y", "P1.5D", "P1",
        ],
    );
}

#[test]
fn a_mailbox_is_quoted_where_it_must_be() {
    judge(
        "email",
        &["a.b@c.d", r#""a b\"@"@c"#, "a@[IPv6:::1]", "a@[1.2.3.4]"],
        &[
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@[::1]",
            "a@[1.2.3]",
            "\"a@b",
            "\"a\"b@c",
            "a@-b",
            "é@b",
            "a@é",
            "a@b@c",
            "a\\@b",
        ],
    );
    judge(
        "idn-email",
        &["é@b", "a@bücher.example", "\"é\"@b"],
        &["é@", "a@-bücher.example"],
    );
}

#[test]
fn a_host_name_keeps_to_its_octets() {
    let label = "a".repeat(63);
    let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    judge(
        "hostname",
        &["a", "a-b.c9", "9", &name, "ab--cd", "xn--bcher-kva.example"],
        &[
            "",
            ".",
            "a.",
            "a..b",
            "a_b",
            "-a",
            "a-",
            &format!("{name}a"),
            &format!("{label}a"),
            "xn--a",
            "xn--",
            "bücher",
        ],
    );
    assert!(Format::of("hostname", Draft::Draft4).unwrap().holds(b"xn--a"));
    judge(
        "idn-hostname",
        &["bücher.example", "a", "xn--bcher-kva", "実例.例え"],
        &[
            "Bücher",
            "bu\u{308}cher",
            "a\u{200d}b",
            "-bücher",
            "☃",
            "",
            "a..b",
            &"ü".repeat(64),
            &"ü.".repeat(1_000_000),
        ],
    );
}

#[test]
fn an_address_is_written_as_its_rfc_has_it() {
    judge(
        "ipv4",
        &["0.0.0.0", "255.255.255.255"],
        &[
            "01.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "256.0.0.0",
            "1.2.3.4 ",
            "0x1.0.0.0",
        ],
    );
    judge(
        "ipv6",
        &["::", "1::8", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"],
        &[
            "1",
            "1::2::3",
            "fe80::1%eth0",
            "12345::",
            "::1/64",
            "1:2:3:4:5:6:7::8:9",
        ],
    );
}

#[test]
fn a_reference_is_cut_into_its_parts_and_each_judged() {
    judge(
        "uri",
        &[
            "a:",
            "a:b",
            "http://u:p@h:1/p?q#f",
            "http://[::1]/",
            "urn:a:b",
            "http://[v1.a]:",
            "file:///x",
            "a:%41",
            "a://",
        ],
        &[
            "",
            "b",
            "//h",
            "1a:b",
            "a:%4",
            "a:[",
            "http://[::1",
            "http://[::1]x",
            "http://h:x",
            "http://a@b@c",
            "a:b c",
            "a:é",
            "a:#b#c",
            "a:\\",
        ],
    );
    judge(
        "uri-reference",
        &["", "//h", "b/c:d", "?q", "#f", "./a:b", "../x"],
        &["1a:b", "a b", ":b", "\\"],
    );
    judge(
        "iri",
        &["a:é", "http://é/?\u{E000}"],
        &["é", "a:\u{E000}", "a:#\u{E000}", "a: "],
    );
    judge("iri-reference", &["é", "", "/é"], &["a b", "<"]);
    judge(
        "uri-template",
        &["", "a{b}", "{+a,b:3,c*}", "{a.b}", "{%41}", "é", "{?q}"],
        &[
            "{",
            "}",
            "{}",
            "{a",
            "{a}}",
            "{{a}}",
            "{a:0}",
            "{a:10000}",
            "{a,}",
            "{a b}",
            "a b",
            "%4",
            "{.}",
            "{a..b}",
            "\"",
        ],
    );
}

#[test]
fn a_pointer_escapes_its_tildes() {
    judge(
        "json-pointer",
        &["", "/", "/a~0~1", "//", "/é"],
        &["a", "/~", "/~2", "#/a"],
    );
    judge(
        "relative-json-pointer",
        &["0", "10/a", "1#", "0/"],
        &["", "01", "-1", "1#a", "1a", "#", "/a"],
    );
    judge(
        "uuid",
        &["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
        &[
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
            "2eb8aa08aa9811eab4aa73b441d16380",
            "2eb8aa08-aa98-11ea-b4aa_73b441d16380",
            "geb8aa08-aa98-11ea-b4aa-73b441d16380",
        ],
    );
}

#[test]
fn a_regular_expression_is_ecmas() {
    judge(
        "regex",
        &[
            "",
            "a|",
            "(?:a)*?",
            "(?<n>a)\\k<n>",
            "(a)\\1",
            "[^a-z\\d-]",
            "a{2,3}",
            "\\u{1F600}",
            "\\p{Script=Greek}",
            "(?<=a)b(?!c)",
            "[]",
            "\\/",
            "(?i-m:a)",
            "\\cA",
            "[\\b\\-]",
        ],
        &[
            "(",
            ")",
            "*",
            "a**",
            "a{3,2}",
            "a{,2}",
            "{",
            "}",
            "]",
            "[",
            "[b-a]",
            "[\\d-z]",
            "\\",
            "\\Z",
            "\\a",
            "\\1",
            "\\k<n>",
            "(?<n",
            "(?<1>a)",
            "^*",
            "(?=a)*",
            "\\u{110000}",
            "\\xg0",
            "\\p{}",
            "\\p",
            "(?)",
            "(?P<n>a)",
            "\\01",
            "(?ii:a)",
        ],
    );
    assert!(Format::Regex.holds(format!("{}{}", "(".repeat(100_000), ")".repeat(100_000)).as_bytes()));
}

#[test]
fn a_format_is_one_only_in_the_drafts_that_define_it() {
    for (name, since) in [
        ("date-time", Draft::Draft4),
        ("uri-reference", Draft::Draft6),
        ("date", Draft::Draft7),
        ("regex", Draft::Draft7),
        ("uuid", Draft::Draft201909),
    ] {
        for draft in [
            Draft::Draft4,
            Draft::Draft6,
            Draft::Draft7,
            Draft::Draft201909,
            Draft::Draft202012,
        ] {
            assert_eq!(
                Format::of(name, draft).is_some(),
                draft >= since,
                "{name} {draft:?}"
            );
        }
    }
    assert_eq!(Format::of("colour", Draft::Draft202012), None);
}
