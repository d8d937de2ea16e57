//! Reader and writer undo each other, and nothing is read that is not there.

use super::*;
use crate::wire::writer::{Writer, varlong_length};
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

/// Reads with `read`, which must take all and nothing less.
fn whole<'a, T>(bytes: &'a [u8], read: impl Fn(&mut Reader<'a>) -> Result<T>) -> T {
    for cut in 0..bytes.len() {
        assert!(read(&mut Reader::new(&bytes[..cut])).is_err(), "cut at {cut}");
    }
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader).unwrap();
    reader.finish().unwrap();
    value
}

proptest! {
    #[test]
    fn numbers_are_read_as_written(int in any::<i32>(), long in any::<i64>(), unsigned in any::<u32>(), shift in 0..64) {
        let long = long >> shift;
        prop_assert_eq!(whole(&written(|w| w.i64(long)), Reader::i64), long);
        prop_assert_eq!(whole(&written(|w| w.u32(unsigned)), Reader::u32), unsigned);
        let unsigned = unsigned >> (shift / 2);
        prop_assert_eq!(whole(&written(|w| w.unsigned_varint(unsigned)), Reader::unsigned_varint), unsigned);
        let int = int >> (shift / 2);
        prop_assert_eq!(whole(&written(|w| w.varint(int)), Reader::varint), int);
        let bytes = written(|w| w.varlong(long));
        prop_assert_eq!(bytes.len(), varlong_length(long));
        prop_assert_eq!(whole(&bytes, Reader::varlong), long);
    }

    #[test]
    fn text_and_bytes_are_read_as_written(
        flexible in any::<bool>(), text in prop::option::of("[a-zé]{0,150}"), bytes in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
    ) {
        let out = written(|w| w.nullable_string(flexible, text.as_deref()));
        prop_assert_eq!(whole(&out, |r| Ok(r.nullable_string(flexible)?.map(str::to_owned))), text);
        let out = written(|w| w.nullable_bytes(flexible, bytes.as_deref()));
        prop_assert_eq!(whole(&out, |r| Ok(r.nullable_bytes_of(flexible)?.map(<[u8]>::to_vec))), bytes);
    }

    #[test]
    fn any_bytes_are_read_within_their_bounds(bytes in prop::collection::vec(any::<u8>(), 0..40), steps in prop::collection::vec(0..12_u8, 0..12)) {
        let mut reader = Reader::new(&bytes);
        for step in steps {
            let before = reader.position();
            let failed = match step {
                0 => reader.u8().is_err(),
                1 => reader.i64().is_err(),
                2 => reader.unsigned_varint().is_err(),
                3 => reader.varlong().is_err(),
                4 => reader.nullable_string(false).is_err(),
                5 => reader.nullable_string(true).is_err(),
                6 => reader.nullable_bytes().is_err(),
                7 => reader.compact_nullable_bytes().is_err(),
                8 => reader.array_length(true, 3).is_ok_and(|n| n.unwrap_or(0) * 3 > reader.remaining()),
                9 => reader.array_length(false, 3).is_ok_and(|n| n.unwrap_or(0) * 3 > reader.remaining()),
                10 => reader.skip_tagged_fields().is_err(),
                _ => reader.uuid().is_err(),
            };
            if matches!(step, 8 | 9) {
                prop_assert!(!failed, "an array longer than its bytes");
            }
            prop_assert!(reader.position() >= before && reader.position() <= bytes.len());
            prop_assert_eq!(reader.rest(), &bytes[reader.position()..]);
        }
    }
}

#[test]
fn varints_beyond_their_width_are_refused_and_overlong_ones_are_not() {
    let varint = |bytes: &[u8]| Reader::new(bytes).unsigned_varint();
    assert_eq!(varint(b"\xff\xff\xff\xff\x0f"), Ok(u32::MAX));
    assert_eq!(
        varint(b"\xff\xff\xff\xff\x1f"),
        Err(WireError::VarintTooLong { at: 0 })
    );
    assert_eq!(
        varint(b"\x80\x80\x80\x80\x80\x00"),
        Err(WireError::VarintTooLong { at: 0 })
    );
    assert_eq!(varint(b"\x81\x80\x80\x80\x00"), Ok(1));
    let varlong = |bytes: &[u8]| Reader::new(bytes).varlong();
    assert_eq!(varlong(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Ok(i64::MIN));
    assert_eq!(
        varlong(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        Err(WireError::VarintTooLong { at: 0 })
    );
}

#[test]
fn negative_lengths_other_than_null_are_refused_where_they_stand() {
    let mut reader = Reader::new(b"\x00\xff\xfe");
    reader.u8().unwrap();
    assert_eq!(
        reader.nullable_string(false),
        Err(WireError::BadLength { at: 1, length: -2 })
    );
    assert_eq!(
        Reader::new(b"\xff\xff").string(false),
        Err(WireError::UnexpectedNull {
            at: 0,
            field: "string"
        })
    );
    assert_eq!(
        Reader::new(b"\x80\0\0\0").nullable_bytes(),
        Err(WireError::BadLength {
            at: 0,
            length: i64::from(i32::MIN)
        })
    );
    assert_eq!(
        Reader::new(b"\xff\xff\xff\xfe").array_length(false, 1),
        Err(WireError::BadLength { at: 0, length: -2 })
    );
}

#[test]
fn text_that_is_not_utf8_is_refused_at_its_first_byte() {
    assert_eq!(
        Reader::new(b"\0\x01\xff").string(false),
        Err(WireError::NotUtf8 { at: 2 })
    );
}
