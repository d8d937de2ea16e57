//! The quick walk and the thorough one, which says why, judge every payload alike.

use super::super::program::Program;
use super::super::walk::{Trace, Walk};
use super::*;

/// Watches nothing, but makes the walk thorough.
struct Thorough;

impl Trace for Thorough {}

const SCHEMA: &str = r#"
syntax = "proto2";
message M {
  optional int64 a = 1; optional double b = 2; optional float c = 3; optional bytes d = 4; optional Leaf e = 5;
  repeated Leaf leaves = 6; repeated M ms = 7; repeated int32 packed = 8; optional Strict strict = 9;
  optional group G = 10 { optional int32 x = 1; optional Leaf leaf = 2; }
  map<string, int32> map = 11; repeated E es = 12; optional string far = 16; optional E e2 = 15;
}
message Leaf { optional string s = 1; optional int32 n = 2; optional fixed32 f = 3; optional fixed64 g = 4;
  optional bool b = 5; optional E e = 15; }
message Strict { required int32 a = 1; required string far = 20; required E e = 2; }
enum E { ONE = 1; }
"#;

fn judge(program: &Program, payload: &[u8]) {
    let quick = Walk::<_, false> {
        program,
        payload,
        trace: (),
    }
    .message(payload, 0, 0, 0, 0);
    let thorough = Walk::<_, false> {
        program,
        payload,
        trace: Thorough,
    }
    .message(payload, 0, 0, 0, 0);
    assert_eq!(quick.is_ok(), thorough.is_ok(), "{payload:02x?}");
    let quick = Walk::<_, true> {
        program,
        payload,
        trace: (),
    }
    .message(payload, 0, 0, 0, 0);
    let thorough = Walk::<_, true> {
        program,
        payload,
        trace: Thorough,
    }
    .message(payload, 0, 0, 0, 0);
    assert_eq!(quick.is_ok(), thorough.is_ok(), "{payload:02x?}, strictly");
}

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 16) as usize % bound
    }
}

/// Fields that mostly fit, of a message or of a leaf.
fn body(numbers: &mut Numbers, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..numbers.below(6) {
        let number = [1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9, 10, 11, 12, 15, 16, 20][numbers.below(17)];
        let wire = numbers.below(6);
        let tag = number << 3 | wire;
        if tag < 0x80 {
            out.push(tag as u8);
        } else {
            out.extend_from_slice(&[tag as u8 | 0x80, (tag >> 7) as u8]);
        }
        match wire {
            0 => {
                let length = numbers.below(11);
                out.extend((0..length).map(|_| 0x80 | numbers.below(128) as u8));
                out.push([0, 1, 2, 0x7f][numbers.below(4)]);
            }
            1 => out.extend_from_slice(&[0xff; 8]),
            2 => {
                let inner = if depth < 4 && numbers.below(2) == 0 {
                    body(numbers, depth + 1)
                } else {
                    let length = [0, 1, 7, 31, 32, 33, 64, 65, 127, 128, 200][numbers.below(11)];
                    let mut text = vec![b'a'; length];
                    if numbers.below(3) == 0 && length > 1 {
                        let at = numbers.below(length - 1);
                        text[at..at + 2].copy_from_slice(&[0xc3, [0xbc, b'a'][numbers.below(2)]]);
                    }
                    text
                };
                let length = inner.len();
                if length < 0x80 {
                    out.push(length as u8);
                } else {
                    out.extend_from_slice(&[length as u8 | 0x80, (length >> 7) as u8]);
                }
                out.extend_from_slice(&inner);
            }
            3 => {
                out.extend_from_slice(&body(numbers, depth + 2));
                out.push((number << 3 | 4) as u8);
            }
            4 => {}
            _ => out.extend_from_slice(&[0x80; 4]),
        }
    }
    out
}

#[test]
fn the_quick_walk_and_the_thorough_one_judge_alike() {
    let proto3 = SCHEMA.replace(
        "optional group G = 10 { optional int32 x = 1; optional Leaf leaf = 2; }",
        "",
    );
    let proto3 = proto3
        .replace("proto2", "proto3")
        .replace("required", "optional")
        .replace("ONE = 1", "ONE = 0");
    for text in [SCHEMA, proto3.as_str()] {
        let schema = parse(text);
        let program = Program::compile(&schema.file, &schema.written).unwrap();
        let mut numbers = Numbers(1);
        let mut valid = 0;
        for _ in 0..60_000 {
            let payload = body(&mut numbers, 0);
            judge(&program, &payload);
            let end = numbers.below(payload.len() + 1);
            judge(&program, &payload[..end]);
            valid += usize::from(
                Walk::<_, false> {
                    program: &program,
                    payload: &payload,
                    trace: Thorough,
                }
                .message(&payload, 0, 0, 0, 0)
                .is_ok(),
            );
        }
        assert!((5_000..50_000).contains(&valid), "{valid} of 60,000 are valid");
    }
}
