//! Snappy: raw, as librdkafka and others write it, or in the framing of Xerial's `SnappyOutputStream`, as Java does.
//!
//! Xerial: `82 'S' 'N' 'A' 'P' 'P' 'Y' 00`, version i32, least compatible version i32, then chunks of
//! (length i32, raw snappy). All integers big-endian.

use super::{Failure, Output};
use crate::wire::reader::{Reader, WireError};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Magic and the two versions.
const HEADER_LENGTH: usize = 16;
/// The block size of the Java client (`SnappyOutputStream`'s default).
const BLOCK_LENGTH: usize = 32 * 1024;

pub(super) fn decompress(compressed: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
    if !compressed.starts_with(&MAGIC) {
        return block(compressed, output);
    }
    let cut = |_: WireError| Failure::malformed("a chunk is cut short");
    let mut reader = Reader::new(compressed);
    while reader.remaining() > 0 {
        // Java takes streams set end to end: the magic may stand where a chunk's length would.
        if reader.rest().starts_with(&MAGIC) {
            reader.take(HEADER_LENGTH).map_err(cut)?;
            continue;
        }
        let length = reader.i32().map_err(cut)?;
        let length =
            usize::try_from(length).map_err(|_| Failure::malformed("a chunk's length is negative"))?;
        block(reader.take(length).map_err(cut)?, output)?;
    }
    Ok(())
}

fn block(compressed: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
    // The stated length is held against the cap before anything is reserved by it.
    let length = decompress_len(compressed).map_err(|error| Failure::library(&error))?;
    let (_, free) = output.reserve(length)?;
    let target = free.get_mut(..length).unwrap_or_default();
    let written = Decoder::new()
        .decompress(compressed, target)
        .map_err(|error| Failure::library(&error))?;
    output.length += written;
    Ok(())
}

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = Encoder::new();
    let mut block = vec![0; max_compress_len(plain.len().min(BLOCK_LENGTH))];
    for chunk in plain.chunks(BLOCK_LENGTH) {
        let length = encoder
            .compress(chunk, &mut block)
            .map_err(|error| error.to_string())?;
        out.extend_from_slice(&(length as i32).to_be_bytes());
        out.extend_from_slice(block.get(..length).unwrap_or_default());
    }
    Ok(())
}

/// Without framing: one block of any size.
pub(super) fn compress_raw(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let block = Encoder::new()
        .compress_vec(plain)
        .map_err(|error| error.to_string())?;
    out.extend_from_slice(&block);
    Ok(())
}
