//! The promise: a valid Protobuf payload is checked without an allocation, whatever its shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod counting;

use counting::allocations;
use portcullis::schema::protobuf::ProtobufSchema;

fn required_fields(count: u32) -> (String, Vec<u8>) {
    let fields: Vec<_> = (1..=count)
        .map(|n| format!("required int32 f{n} = {n};"))
        .collect();
    let fields = fields.join(" ");
    let tag = |n: u32| {
        let tag = n << 3;
        if tag < 0x80 {
            vec![tag as u8]
        } else {
            vec![tag as u8 | 0x80, (tag >> 7) as u8]
        }
    };
    let payload = (1..=count).flat_map(|n| [tag(n), vec![1]].concat()).collect();
    (format!("syntax = \"proto2\"; message M {{ {fields} }}"), payload)
}

#[test]
fn a_valid_payload_costs_no_allocation() {
    let mut packed = b"\x0a\x80\x80\x40".to_vec();
    packed.resize(4 + (1 << 20), 7);
    let nested = (0..100).fold(Vec::new(), |inner: Vec<u8>, _| {
        let length = inner.len();
        [
            &[0x0a, length as u8 & 0x7f | 0x80, (length >> 7) as u8],
            inner.as_slice(),
        ]
        .concat()
    });
    let cases = [
        (
            "syntax = \"proto3\"; message M { repeated int32 n = 1; }".to_owned(),
            packed,
        ),
        (
            "syntax = \"proto3\"; message M { M m = 1; string s = 2; map<string, M> by = 3; }".to_owned(),
            nested,
        ),
        (
            "syntax = \"proto3\"; message M { string s = 2; map<string, M> by = 3; }".to_owned(),
            b"\x12\x03abc\x1a\x08\x0a\x01k\x12\x03\x12\x01x\xa3\x06\xab\x06\xac\x06\xa4\x06".to_vec(),
        ),
        required_fields(300),
    ];
    for (text, payload) in cases {
        let validator = ProtobufSchema::parse(&text, &[]).unwrap().validator().unwrap();
        let before = allocations();
        let verdict = validator
            .message([0])
            .map(|message| validator.validate(message, &payload));
        let after = allocations();
        assert_eq!(verdict, Some(Ok(())), "{text}");
        assert_eq!(after - before, 0, "{text}");
    }
}
