//! The one place where bytes are read: a bounded cursor that can only hand out what is there.

use thiserror::Error;

/// What was wrong with bytes from the wire, and where (byte offset in the buffer that was read).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WireError {
    #[error("{needed} more bytes needed at byte {at}")]
    Truncated { at: usize, needed: usize },
    #[error("varint longer than its type allows at byte {at}")]
    VarintTooLong { at: usize },
    #[error("length {length} at byte {at} is negative or past the end")]
    BadLength { at: usize, length: i64 },
    #[error("text is not UTF-8 at byte {at}")]
    NotUtf8 { at: usize },
    #[error("{field} may not be null (byte {at})")]
    UnexpectedNull { at: usize, field: &'static str },
    #[error("{left} bytes left over at byte {at}")]
    TrailingBytes { at: usize, left: usize },
    #[error("{what} version {version} is not one that this gateway reads")]
    UnsupportedVersion { what: &'static str, version: i16 },
}

pub type Result<T> = std::result::Result<T, WireError>;

/// A cursor over bytes. Every method checks what is left before it takes or allocates.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! fixed {
    ($($name:ident: $type:ty),*) => { $(
        #[inline]
        pub fn $name(&mut self) -> Result<$type> {
            Ok(<$type>::from_be_bytes(self.array()?))
        }
    )* };
}

impl<'a> Reader<'a> {
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Everything not read yet.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self
            .at
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.at..end))
        {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(self.truncated(length)),
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>) {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(self.truncated(N)),
        }
    }

    fixed!(u8: u8, i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64);

    #[inline]
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.u8()? != 0)
    }

    #[inline]
    pub fn uuid(&mut self) -> Result<[u8; 16]> {
        self.array()
    }

    /// UNSIGNED_VARINT: at most five bytes, and no bit beyond the 32nd.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32> {
        let at = self.at;
        if let Some(byte @ 0..0x80) = self.bytes.get(at).copied() {
            self.at += 1;
            return Ok(u32::from(byte));
        }
        let value = self.unsigned_varlong_of(5)?;
        u32::try_from(value).map_err(|_| WireError::VarintTooLong { at })
    }

    /// VARINT: zig-zag.
    #[inline]
    pub fn varint(&mut self) -> Result<i32> {
        let raw = self.unsigned_varint()?;
        Ok(((raw >> 1) as i32) ^ -((raw & 1) as i32))
    }

    /// VARLONG: zig-zag, at most ten bytes.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64> {
        let raw = self.unsigned_varlong_of(10)?;
        Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }

    fn unsigned_varlong_of(&mut self, bytes_max: u32) -> Result<u64> {
        let at = self.at;
        let mut value = 0u64;
        for index in 0..bytes_max {
            let byte = self.u8()?;
            // The tenth byte of a 64-bit varint may carry one bit only.
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::VarintTooLong { at })
    }

    /// BYTES, NULLABLE_BYTES (non-flexible): i32 length, -1 is null.
    #[inline]
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let at = self.at;
        let length = self.i32()?;
        self.nullable(at, i64::from(length))
    }

    /// COMPACT_NULLABLE_BYTES: unsigned varint of length + 1, 0 is null.
    #[inline]
    pub fn compact_nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        let at = self.at;
        let length = i64::from(self.unsigned_varint()?) - 1;
        self.nullable(at, length)
    }

    /// NULLABLE_STRING in the form that the message's flexibility wants.
    #[inline]
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<&'a str>> {
        let at = self.at;
        let length = if flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            i64::from(self.i16()?)
        };
        let start = self.at;
        self.nullable(at, length)?
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8 { at: start }))
            .transpose()
    }

    /// STRING in the form that the message's flexibility wants.
    #[inline]
    pub fn string(&mut self, flexible: bool) -> Result<&'a str> {
        let at = self.at;
        self.nullable_string(flexible)?
            .ok_or(WireError::UnexpectedNull { at, field: "string" })
    }

    /// RECORDS / BYTES in the form that the message's flexibility wants.
    #[inline]
    pub fn nullable_bytes_of(&mut self, flexible: bool) -> Result<Option<&'a [u8]>> {
        if flexible {
            self.compact_nullable_bytes()
        } else {
            self.nullable_bytes()
        }
    }

    /// An array's length, `None` for null. Refused when the bytes left could not hold that many elements of
    /// `element_size_min` bytes: the number is safe to loop on, and to reserve by.
    #[inline]
    pub fn array_length(&mut self, flexible: bool, element_size_min: usize) -> Result<Option<usize>> {
        let at = self.at;
        let length = if flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            i64::from(self.i32()?)
        };
        if length == -1 {
            return Ok(None);
        }
        usize::try_from(length)
            .ok()
            .filter(|length| length.saturating_mul(element_size_min.max(1)) <= self.remaining())
            .map(Some)
            .ok_or(WireError::BadLength { at, length })
    }

    /// As [`Self::array_length`], where null is not allowed.
    #[inline]
    pub fn array_length_not_null(
        &mut self,
        flexible: bool,
        element_size_min: usize,
        field: &'static str,
    ) -> Result<usize> {
        let at = self.at;
        self.array_length(flexible, element_size_min)?
            .ok_or(WireError::UnexpectedNull { at, field })
    }

    /// Walks a tagged-field section and hands each (tag, bytes) to `each`. Nothing is kept.
    #[inline]
    pub fn tagged_fields(&mut self, mut each: impl FnMut(u32, &'a [u8]) -> Result<()>) -> Result<()> {
        let at = self.at;
        let count = self.unsigned_varint()?;
        // A tagged field takes two bytes at least.
        if count as usize > self.remaining() / 2 {
            return Err(WireError::BadLength {
                at,
                length: i64::from(count),
            });
        }
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            each(tag, self.take(length as usize)?)?;
        }
        Ok(())
    }

    /// Skips a tagged-field section.
    #[inline]
    pub fn skip_tagged_fields(&mut self) -> Result<()> {
        self.tagged_fields(|_, _| Ok(()))
    }

    /// Everything must have been read.
    #[inline]
    pub fn finish(&self) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(WireError::TrailingBytes { at: self.at, left }),
        }
    }

    #[cold]
    fn truncated(&self, length: usize) -> WireError {
        WireError::Truncated {
            at: self.at,
            needed: length.saturating_sub(self.remaining()),
        }
    }

    #[inline]
    fn nullable(&mut self, at: usize, length: i64) -> Result<Option<&'a [u8]>> {
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| WireError::BadLength { at, length })?;
        self.take(length).map(Some)
    }
}

#[cfg(test)]
mod tests;
