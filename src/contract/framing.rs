//! Confluent's framing: magic byte 0, schema id (i32, big-endian), for Protobuf message indexes, then the payload.

use crate::schema::{SchemaId, SchemaType};
use crate::wire::reader::Reader;

/// Magic byte and schema id.
pub const FRAME_LENGTH: usize = 5;

/// A framed key or value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framed<'a> {
    /// As it stands in the frame; a registry gives positive ids only.
    pub id: i32,
    /// What follows the id.
    pub rest: &'a [u8],
}

impl<'a> Framed<'a> {
    /// The bytes that name the schema.
    #[must_use]
    pub fn frame(&self) -> [u8; FRAME_LENGTH] {
        let [a, b, c, d] = self.id.to_be_bytes();
        [0, a, b, c, d]
    }

    /// # Errors
    /// Why `bytes` carry no framing (PC-101).
    pub fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes);
        match reader.u8() {
            Err(_) => Err("no Confluent framing: empty"),
            Ok(0) => match reader.i32() {
                Ok(id) => Ok(Self {
                    id,
                    rest: reader.rest(),
                }),
                Err(_) => Err("no Confluent framing: shorter than the magic byte and a 4-byte schema id"),
            },
            Ok(b'{' | b'[' | b'"') => {
                Err("no Confluent framing: begins like JSON text where the magic byte 0 is expected")
            }
            Ok(_) => Err("no Confluent framing: the first byte is not the magic byte 0"),
        }
    }
}

/// What goes before a record that has no framing, to give it one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    bytes: [u8; FRAME_LENGTH + 1],
    length: u8,
}

impl Prefix {
    /// For Protobuf with the indexes of the schema's first message, in their short form.
    #[must_use]
    pub fn new(id: SchemaId, schema_type: SchemaType) -> Self {
        let [a, b, c, d] = id.0.to_be_bytes();
        Self {
            bytes: [0, a, b, c, d, 0],
            length: match schema_type {
                SchemaType::Avro | SchemaType::Json => 5,
                SchemaType::Protobuf => 6,
            },
        }
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// The framing that the records that conform get; null values and keys get none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Envelope {
    pub key: Option<Prefix>,
    pub value: Option<Prefix>,
}

impl Envelope {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.key.is_none() && self.value.is_none()
    }
}

/// Protobuf message indexes: which message of the schema's file, then which nested in it, and so on. As they stand in
/// the frame, behind their count; none is short for `[0]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageIndexes<'a> {
    encoded: &'a [u8],
}

impl<'a> MessageIndexes<'a> {
    /// Deeper nesting than any real schema has; what a frame says is held to it before anything is looped on.
    pub const DEPTH_MAX: usize = 32;

    /// Reads the indexes and returns them with the payload behind them. They are zig-zag varints, a count first
    /// (`MessageIndexes.java`); a count of 0 is short for `[0]`, the file's first message.
    ///
    /// # Errors
    /// Why they cannot be read (PC-105).
    pub fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), &'static str> {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().map_err(|_| "message indexes cut short")?;
        let encoded = reader.rest();
        let mut reader = Reader::new(encoded);
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= Self::DEPTH_MAX && *count <= reader.remaining())
            .ok_or("message indexes with a count that cannot be")?;
        for _ in 0..count {
            reader.varint().map_err(|_| "message indexes cut short")?;
        }
        let payload = reader.rest();
        let encoded = encoded.get(..encoded.len() - payload.len()).unwrap_or_default();
        Ok((Self { encoded }, payload))
    }

    pub fn iter(&self) -> impl Iterator<Item = i64> + 'a {
        let mut reader = Reader::new(self.encoded);
        let first = self.encoded.is_empty().then_some(0);
        let written = std::iter::from_fn(move || reader.varint().ok().map(i64::from));
        first.into_iter().chain(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn indexes(bytes: &[u8]) -> Result<(Vec<i64>, &[u8]), &'static str> {
        MessageIndexes::read(bytes).map(|(indexes, rest)| (indexes.iter().collect(), rest))
    }

    #[test]
    fn a_prefix_is_read_as_the_frame_of_its_schema_and_first_message() {
        for schema_type in [SchemaType::Avro, SchemaType::Json, SchemaType::Protobuf] {
            let prefix = Prefix::new(SchemaId(258), schema_type);
            let record = [prefix.as_bytes(), b"x"].concat();
            let framed = Framed::read(&record).unwrap();
            assert_eq!(framed.id, 258);
            if schema_type == SchemaType::Protobuf {
                assert_eq!(indexes(framed.rest), Ok((vec![0], &b"x"[..])));
            } else {
                assert_eq!(framed.rest, b"x");
            }
        }
    }

    #[test]
    fn a_frame_is_magic_zero_and_a_big_endian_id() {
        assert_eq!(
            Framed::read(&[0, 0, 0, 1, 2, 9]),
            Ok(Framed { id: 258, rest: &[9] })
        );
        assert_eq!(
            Framed::read(&[0, 0xff, 0xff, 0xff, 0xff]),
            Ok(Framed { id: -1, rest: &[] })
        );
    }

    #[test]
    fn what_is_no_frame_says_why() {
        assert!(Framed::read(&[]).unwrap_err().contains("empty"));
        assert!(Framed::read(&[0, 0, 0, 1]).unwrap_err().contains("shorter"));
        assert!(Framed::read(b"{\"a\":1}").unwrap_err().contains("JSON"));
        assert!(
            Framed::read(&[1, 0, 0, 0, 1])
                .unwrap_err()
                .contains("magic byte 0")
        );
    }

    #[test]
    fn a_single_zero_byte_names_the_first_message() {
        assert_eq!(indexes(&[0, 7, 7]), Ok((vec![0], &[7u8, 7][..])));
    }

    #[test]
    fn message_indexes_are_zig_zag_varints_behind_their_count() {
        assert_eq!(indexes(&[4, 2, 0x80, 0x02, 5]), Ok((vec![1, 128], &[5u8][..])));
        assert_eq!(
            indexes(&[2, 1]),
            Ok((vec![-1], &[][..])),
            "a negative index is for the schema to refuse"
        );
    }

    #[test]
    fn a_count_beyond_the_bytes_or_the_cap_or_below_zero_is_refused() {
        assert!(indexes(&[]).is_err());
        assert!(indexes(&[4, 0]).is_err(), "two indexes, one byte");
        assert!(indexes(&[1, 0, 0]).is_err(), "count -1");
        assert!(
            indexes(&[0xfe, 0xff, 0xff, 0xff, 0x0f, 0]).is_err(),
            "count 2^31-1"
        );
        let mut many = vec![66];
        many.extend([0; 40]);
        assert!(indexes(&many).is_err(), "33 indexes");
        many[0] = 64;
        assert_eq!(indexes(&many).unwrap().0.len(), 32);
        assert!(indexes(&[4, 0, 0x80]).is_err(), "the second index is cut short");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Framed::read(&bytes);
            if let Ok((indexes, rest)) = MessageIndexes::read(&bytes) {
                prop_assert!(rest.len() < bytes.len());
                prop_assert!((1..=MessageIndexes::DEPTH_MAX).contains(&indexes.iter().count()));
            }
        }
    }
}
