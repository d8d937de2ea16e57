//! The mirror of [`super::reader`]: appends Kafka's primitive types to a buffer. Lengths beyond what a type can
//! hold cannot come up: frames are bounded far below 2^31.

/// Appends to a byte buffer.
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

macro_rules! fixed {
    ($($name:ident: $type:ty),*) => { $(
        pub fn $name(&mut self, value: $type) {
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    )* };
}

impl<'b> Writer<'b> {
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes in the buffer so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }

    fixed!(u8: u8, i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64);

    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Hands the buffer to what writes a whole message of its own.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.out);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn unsigned_varint(&mut self, value: u32) {
        self.unsigned_varlong(u64::from(value));
    }

    pub fn unsigned_varlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// VARINT: zig-zag.
    pub fn varint(&mut self, value: i32) {
        self.varlong(i64::from(value));
    }

    /// VARLONG: zig-zag.
    pub fn varlong(&mut self, value: i64) {
        self.unsigned_varlong(zig_zag(value));
    }

    pub fn nullable_string(&mut self, flexible: bool, value: Option<&str>) {
        match (flexible, value) {
            (true, None) => self.unsigned_varint(0),
            (false, None) => self.i16(-1),
            (true, Some(text)) => {
                self.unsigned_varint(text.len() as u32 + 1);
                self.raw(text.as_bytes());
            }
            (false, Some(text)) => {
                self.i16(text.len() as i16);
                self.raw(text.as_bytes());
            }
        }
    }

    pub fn string(&mut self, flexible: bool, value: &str) {
        self.nullable_string(flexible, Some(value));
    }

    pub fn nullable_bytes(&mut self, flexible: bool, value: Option<&[u8]>) {
        match (flexible, value) {
            (true, None) => self.unsigned_varint(0),
            (false, None) => self.i32(-1),
            (true, Some(bytes)) => {
                self.unsigned_varint(bytes.len() as u32 + 1);
                self.raw(bytes);
            }
            (false, Some(bytes)) => {
                self.i32(bytes.len() as i32);
                self.raw(bytes);
            }
        }
    }

    /// An array's length; `None` is null.
    pub fn array_length(&mut self, flexible: bool, length: Option<usize>) {
        match (flexible, length) {
            (true, None) => self.unsigned_varint(0),
            (false, None) => self.i32(-1),
            (true, Some(length)) => self.unsigned_varint(length as u32 + 1),
            (false, Some(length)) => self.i32(length as i32),
        }
    }

    /// An empty tagged-field section, in flexible messages only.
    pub fn no_tagged_fields(&mut self, flexible: bool) {
        if flexible {
            self.out.push(0);
        }
    }

    /// One tagged field: tag, length, what `body` appends. The section's count is the caller's.
    pub fn tagged_field(&mut self, tag: u32, body: impl FnOnce(&mut Writer<'_>)) {
        let mut bytes = Vec::new();
        body(&mut Writer { out: &mut bytes });
        self.unsigned_varint(tag);
        self.unsigned_varint(bytes.len() as u32);
        self.raw(&bytes);
    }

    /// Writes a frame: a 4-byte length, then what `body` appends.
    pub fn frame(out: &'b mut Vec<u8>, body: impl FnOnce(&mut Writer<'_>)) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        body(&mut Writer { out });
        let length = (out.len() - start - 4) as u32;
        if let Some(prefix) = out.get_mut(start..start + 4) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Bytes that `value` takes as a VARINT or VARLONG.
#[must_use]
pub fn varlong_length(value: i64) -> usize {
    // One byte for every seven bits begun, and one for zero.
    (70 - (zig_zag(value) | 1).leading_zeros() as usize) / 7
}

fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
