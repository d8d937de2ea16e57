//! gzip (RFC 1952): one member or several, as Java's `GZIPInputStream` takes them.

use super::{Failure, Output};
use crate::wire::reader::{Reader, WireError};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::Write;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const METHOD_DEFLATE: u8 = 8;
const FLAG_HEADER_CRC: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;
const FLAG_RESERVED: u8 = 0xe0;

/// The codec's default, which clients use too.
pub(super) const LEVEL: u32 = 6;
pub(super) const LEVEL_BEST: u32 = 9;

/// First guess at what a member grows to; real record batches rarely exceed it.
const GROWTH_GUESS: usize = 4;
const STEP_MIN: usize = 4 * 1024;
/// Clients write one. Each costs a reset of the inflate state, so millions of empty ones would be dear.
const MEMBERS_MAX: usize = 1024;

/// The inflate state (about 40 KiB), made at the first use and kept.
#[derive(Default)]
pub(super) struct Inflater(Option<Decompress>);

impl Inflater {
    pub(super) fn decompress(&mut self, compressed: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
        let mut rest = compressed;
        // At least one member, and nothing but members.
        for _ in 0..MEMBERS_MAX {
            rest = self.member(rest, output)?;
            if rest.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::malformed(format!("more than {MEMBERS_MAX} members")))
    }

    /// Inflates one member and returns what follows it.
    fn member<'a>(&mut self, bytes: &'a [u8], output: &mut Output<'_>) -> Result<&'a [u8], Failure> {
        let mut rest = skip_header(bytes)?;
        let inflate = match &mut self.0 {
            Some(inflate) => {
                inflate.reset(false);
                inflate
            }
            none => none.insert(Decompress::new(false)),
        };
        let mut crc = Crc::new();
        loop {
            let wanted = rest.len().saturating_mul(GROWTH_GUESS).max(STEP_MIN);
            let (_, free) = output.reserve_up_to(wanted);
            // At the cap: a byte to spare tells a stream that ends here from one that goes on.
            let mut beyond = [0];
            let at_cap = free.is_empty();
            let free = if at_cap { &mut beyond[..] } else { free };
            let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(rest, free, FlushDecompress::None)
                .map_err(|error| Failure::library(&error))?;
            let taken = (inflate.total_in() - in_before) as usize;
            let written = (inflate.total_out() - out_before) as usize;
            if at_cap && written > 0 {
                return Err(Failure::OverLimit);
            }
            crc.update(free.get(..written).unwrap_or_default());
            output.length += written;
            rest = rest.get(taken..).unwrap_or_default();
            match status {
                Status::StreamEnd => break,
                _ if taken == 0 && written == 0 => return Err(Failure::malformed("the stream is cut short")),
                _ => {}
            }
        }
        let (trailer, rest) = rest
            .split_first_chunk::<8>()
            .ok_or_else(|| Failure::malformed("the trailer is cut short"))?;
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        if u32::from_le_bytes([c0, c1, c2, c3]) != crc.sum() {
            return Err(Failure::malformed("the CRC does not match"));
        }
        if u32::from_le_bytes([s0, s1, s2, s3]) != crc.amount() {
            return Err(Failure::malformed("the size does not match"));
        }
        Ok(rest)
    }
}

/// RFC 1952 section 2.3: what follows a member's header.
fn skip_header(bytes: &[u8]) -> Result<&[u8], Failure> {
    let cut = |_: WireError| Failure::malformed("a member's header is cut short");
    let mut reader = Reader::new(bytes);
    if reader.array::<2>().map_err(cut)? != MAGIC {
        return Err(Failure::malformed("no gzip member where one should begin"));
    }
    let method = reader.u8().map_err(cut)?;
    let flags = reader.u8().map_err(cut)?;
    if method != METHOD_DEFLATE || flags & FLAG_RESERVED != 0 {
        return Err(Failure::malformed(format!("method {method}, flags {flags:#04x}")));
    }
    // Modification time, extra flags, operating system.
    reader.take(6).map_err(cut)?;
    if flags & FLAG_EXTRA != 0 {
        let length = u16::from_le_bytes(reader.array().map_err(cut)?);
        reader.take(usize::from(length)).map_err(cut)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let zero = reader.rest().iter().position(|byte| *byte == 0);
            let zero = zero.ok_or_else(|| Failure::malformed("a member's header is cut short"))?;
            reader.take(zero + 1).map_err(cut)?;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        let mut crc = Crc::new();
        crc.update(bytes.get(..reader.position()).unwrap_or_default());
        if u32::from(u16::from_le_bytes(reader.array().map_err(cut)?)) != crc.sum() & 0xffff {
            return Err(Failure::malformed("a member's header CRC does not match"));
        }
    }
    Ok(reader.rest())
}

pub(super) fn compress(plain: &[u8], level: u32, out: &mut Vec<u8>) -> Result<(), String> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
    encoder
        .write_all(plain)
        .and_then(|()| encoder.finish().map(|_| ()))
        .map_err(|error| error.to_string())
}
