//! The walk over the records of a batch, once they are decompressed (`DefaultRecord.readFrom`).
//!
//! This is the hottest loop of the gateway: slices are split, never indexed, and what goes wrong is worked out
//! in cold functions.

use super::batch::BatchError;

/// One record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub offset_delta: i32,
    pub timestamp_delta_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Read on demand with [`Headers`]; already walked once, so counts and lengths hold.
    pub headers: Headers<'a>,
}

/// The headers of a record, in their order, duplicates and null values kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a> {
    pub count: u32,
    pub bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    #[must_use]
    pub fn iter(&self) -> HeaderIter<'a> {
        HeaderIter {
            rest: self.bytes,
            left: self.count,
        }
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;
    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeaderIter<'a>;
    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// One header. The key should be UTF-8; a broker does not look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Over the headers of one record.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (header, rest) = header(self.rest).ok()?;
        self.rest = rest;
        Some(header)
    }
}

/// Walks decompressed records. Linear time, no memory a record. Ends after `record_count` records, or with the
/// first error; bytes left over after the last one are an error too.
///
/// Offset deltas are handed out as they are: a broker does not refuse them either (it numbers the records anew).
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    index: u32,
    count: u32,
}

impl<'a> Records<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8], record_count: i32) -> Self {
        Self {
            rest: bytes,
            index: 0,
            count: u32::try_from(record_count).unwrap_or(0),
        }
    }

    #[cold]
    fn fail(&mut self, flaw: Flaw) -> BatchError {
        let index = self.index;
        self.rest = &[];
        self.index = self.count;
        flaw.of(index)
    }

    #[cold]
    fn left_over(&mut self) -> BatchError {
        left_over(std::mem::take(&mut self.rest), self.count)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    // In line, a record never stands in memory: whoever wants its value alone pays for no more.
    #[allow(clippy::inline_always, reason = "measured: a third of the walk")]
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return if self.rest.is_empty() {
                None
            } else {
                Some(Err(self.left_over()))
            };
        }
        match record(self.rest) {
            Ok((record, rest)) => {
                self.rest = rest;
                self.index += 1;
                Some(Ok(record))
            }
            Err(flaw) => Some(Err(self.fail(flaw))),
        }
    }
}

/// What is wrong with a record. A broker answers INVALID_RECORD for each.
#[derive(Clone, Copy)]
pub(super) struct Flaw(&'static str);

impl Flaw {
    #[cold]
    pub(super) fn of(self, index: u32) -> BatchError {
        BatchError::Malformed(format!("record {index}: {}", self.0))
    }
}

#[cold]
pub(super) fn left_over(rest: &[u8], count: u32) -> BatchError {
    let left = rest.len();
    BatchError::Malformed(format!("{left} bytes follow the last of {count} records"))
}

const TRUNCATED: Flaw = Flaw("it ends too early");

#[allow(
    clippy::inline_always,
    reason = "as Records::next, which is all that calls it"
)]
#[inline(always)]
fn record(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), Flaw> {
    let (body, rest) = body(bytes)?;
    // Attributes: unused, and a broker does not look.
    let (_, body) = body.split_first().ok_or(TRUNCATED)?;
    let (timestamp_delta_ms, body) = varlong(body)?;
    let (offset_delta, body) = varint(body)?;
    let (key, value, count, body) = content(body)?;
    if count == 0 {
        if !body.is_empty() {
            return Err(Flaw("bytes are left over in it"));
        }
    } else {
        check_headers(count, body)?;
    }
    let headers = Headers {
        count: count as u32,
        bytes: body,
    };
    Ok((
        Record {
            offset_delta,
            timestamp_delta_ms,
            key,
            value,
            headers,
        },
        rest,
    ))
}

#[allow(clippy::inline_always, reason = "as record, which calls it")]
#[inline(always)]
fn body(bytes: &[u8]) -> Result<(&[u8], &[u8]), Flaw> {
    let (length, bytes) = varint(bytes)?;
    let length = usize::try_from(length).map_err(|_| Flaw("its length is negative"))?;
    bytes
        .split_at_checked(length)
        .ok_or(Flaw("its length is past the end of the batch"))
}

/// A record's bytes, cut where a batch that is written anew changes them. What is in the parts is as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces<'a> {
    /// All of it, its length too.
    pub whole: &'a [u8],
    /// Attributes and timestamp delta.
    pub head: &'a [u8],
    pub timestamp_delta_ms: i64,
    pub offset_delta: i32,
    /// From the key to the end.
    pub content: &'a [u8],
}

/// Cuts off the first record.
pub(super) fn pieces(bytes: &[u8]) -> Result<(Pieces<'_>, &[u8]), Flaw> {
    let (body, rest) = body(bytes)?;
    let (_, after) = body.split_first().ok_or(TRUNCATED)?;
    let (timestamp_delta_ms, after) = varlong(after)?;
    let (offset_delta, content) = varint(after)?;
    let pieces = Pieces {
        whole: before(bytes, rest),
        head: before(body, after),
        timestamp_delta_ms,
        offset_delta,
        content,
    };
    Ok((pieces, rest))
}

/// What of `bytes` stands before `rest`, its end.
fn before<'a>(bytes: &'a [u8], rest: &[u8]) -> &'a [u8] {
    bytes.get(..bytes.len() - rest.len()).unwrap_or_default()
}

/// Key, value, header count, headers.
type Content<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, i32, &'a [u8]);

/// What [`Pieces::content`] holds; the headers are not looked into.
#[allow(clippy::inline_always, reason = "as record, which calls it")]
#[inline(always)]
pub(super) fn content(bytes: &[u8]) -> Result<Content<'_>, Flaw> {
    let (key, bytes) = nullable(bytes)?;
    let (value, bytes) = nullable(bytes)?;
    let (count, headers) = varint(bytes)?;
    Ok((key, value, count, headers))
}

fn check_headers(count: i32, mut bytes: &[u8]) -> Result<(), Flaw> {
    // A header takes two bytes at least.
    let count = u32::try_from(count).map_err(|_| Flaw("its header count is negative"))?;
    if count as usize > bytes.len() / 2 {
        return Err(Flaw("its header count is more than its bytes can hold"));
    }
    for _ in 0..count {
        (_, bytes) = header(bytes)?;
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(Flaw("bytes are left over in it"))
    }
}

#[inline]
fn header(bytes: &[u8]) -> Result<(Header<'_>, &[u8]), Flaw> {
    let (key, bytes) = nullable(bytes)?;
    let key = key.ok_or(Flaw("a header's key is null"))?;
    let (value, bytes) = nullable(bytes)?;
    Ok((Header { key, value }, bytes))
}

/// Length as VARINT, then bytes; −1 is null. Java takes every negative length for null, other clients do not:
/// only −1 means the same to all of them, so the others are refused.
#[inline]
fn nullable(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Flaw> {
    let (length, bytes) = varint(bytes)?;
    match usize::try_from(length) {
        Ok(length) => match bytes.split_at_checked(length) {
            Some((taken, rest)) => Ok((Some(taken), rest)),
            None => Err(Flaw("a length in it is past its end")),
        },
        Err(_) if length == -1 => Ok((None, bytes)),
        Err(_) => Err(Flaw("a length in it is negative")),
    }
}

#[inline]
fn varint(bytes: &[u8]) -> Result<(i32, &[u8]), Flaw> {
    let (raw, rest) = match *bytes {
        [a @ 0..0x80, ref rest @ ..] => (u32::from(a), rest),
        [a, b @ 0..0x80, ref rest @ ..] => (u32::from(a & 0x7f) | (u32::from(b) << 7), rest),
        _ => {
            let (raw, rest) = varint_long(bytes, 5)?;
            (
                u32::try_from(raw).map_err(|_| Flaw("a varint in it has more than 32 bits"))?,
                rest,
            )
        }
    };
    Ok((((raw >> 1) as i32) ^ -((raw & 1) as i32), rest))
}

#[inline]
fn varlong(bytes: &[u8]) -> Result<(i64, &[u8]), Flaw> {
    let (raw, rest) = match *bytes {
        [a @ 0..0x80, ref rest @ ..] => (u64::from(a), rest),
        [a, b @ 0..0x80, ref rest @ ..] => (u64::from(a & 0x7f) | (u64::from(b) << 7), rest),
        _ => varint_long(bytes, 10)?,
    };
    Ok((((raw >> 1) as i64) ^ -((raw & 1) as i64), rest))
}

#[inline(never)]
fn varint_long(bytes: &[u8], length_max: usize) -> Result<(u64, &[u8]), Flaw> {
    let mut value = 0u64;
    let mut shift = 0u32;
    for (index, byte) in bytes.iter().take(length_max).enumerate() {
        // The tenth byte of a 64-bit varint may carry one bit only.
        if index == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok((value, bytes.get(index + 1..).unwrap_or_default()));
        }
        shift += 7;
    }
    Err(if bytes.len() < length_max {
        TRUNCATED
    } else {
        Flaw("a varint in it is too long")
    })
}
