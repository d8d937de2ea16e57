//! The LZ4 frame (`lz4_Frame_format.md` 1.6): one frame, blocks independent or linked, no dictionary.
//!
//! Blocks are decompressed straight into the output, which is the window of linked blocks too; the library's
//! own frame reader would allocate up to 8 MiB by two bits of the header.

use super::{Failure, Output};
use crate::wire::reader::{Reader, WireError};
use lz4_flex::block::{
    DecompressError, compress_into, decompress_into, decompress_into_with_dict, get_maximum_output_size,
};
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
const FLAG_VERSION: u8 = 0xc0;
const FLAG_VERSION_1: u8 = 0x40;
const FLAG_INDEPENDENT: u8 = 0x20;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_RESERVED: u8 = 0x02;
const FLAG_DICTIONARY: u8 = 0x01;
const BLOCK_UNCOMPRESSED: u32 = 0x8000_0000;
/// How far back a match may reach.
const WINDOW_LENGTH: usize = 64 * 1024;
/// No block grows by more: each byte of a length adds at most 255.
const RATIO_MAX: usize = 255;
/// The block size of the Java client (`Lz4BlockOutputStream`).
const BLOCK_LENGTH: usize = 64 * 1024;
/// Version 1, independent blocks of 64 KiB, no checksums: what the Java client writes.
const DESCRIPTOR: [u8; 2] = [FLAG_VERSION_1 | FLAG_INDEPENDENT, 0x40];

pub(super) fn decompress(compressed: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
    let mut reader = Reader::new(compressed);
    let frame = Frame::read(&mut reader)?;
    loop {
        let info = u32::from_le_bytes(reader.array().map_err(cut)?);
        if info == 0 {
            break;
        }
        let length = (info & !BLOCK_UNCOMPRESSED) as usize;
        if length > frame.block_length_max {
            return Err(Failure::malformed(format!(
                "a block of {length} bytes is more than the frame allows"
            )));
        }
        let block = reader.take(length).map_err(cut)?;
        if frame.flags & FLAG_BLOCK_CHECKSUM != 0
            && u32::from_le_bytes(reader.array().map_err(cut)?) != XxHash32::oneshot(0, block)
        {
            return Err(Failure::malformed("a block's checksum does not match"));
        }
        if info & BLOCK_UNCOMPRESSED != 0 {
            let (_, free) = output.reserve(length)?;
            free.get_mut(..length).unwrap_or_default().copy_from_slice(block);
            output.length += length;
        } else {
            frame.block(block, output)?;
        }
    }
    let content = output.buffer.get(..output.length).unwrap_or_default();
    if frame.flags & FLAG_CONTENT_CHECKSUM != 0
        && u32::from_le_bytes(reader.array().map_err(cut)?) != XxHash32::oneshot(0, content)
    {
        return Err(Failure::malformed("the content's checksum does not match"));
    }
    if frame
        .content_length
        .is_some_and(|length| length != content.len() as u64)
    {
        return Err(Failure::malformed("the content's size does not match"));
    }
    reader.finish().map_err(|error| Failure::library(&error))
}

fn cut(_: WireError) -> Failure {
    Failure::malformed("the frame is cut short")
}

struct Frame {
    flags: u8,
    block_length_max: usize,
    content_length: Option<u64>,
}

impl Frame {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Failure> {
        if reader.array::<4>().map_err(cut)? != MAGIC {
            return Err(Failure::malformed("no LZ4 frame"));
        }
        let descriptor = reader.rest();
        let start = reader.position();
        let [flags, block] = reader.array().map_err(cut)?;
        if flags & FLAG_VERSION != FLAG_VERSION_1 || flags & FLAG_RESERVED != 0 || block & 0x8f != 0 {
            return Err(Failure::malformed(format!(
                "frame descriptor {flags:02x} {block:02x}"
            )));
        }
        if flags & FLAG_DICTIONARY != 0 {
            return Err(Failure::malformed("the frame wants a dictionary"));
        }
        let block_length_max = match block >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            size => {
                return Err(Failure::malformed(format!(
                    "block size {size} is not one of the format's"
                )));
            }
        };
        let content_length = if flags & FLAG_CONTENT_SIZE != 0 {
            Some(u64::from_le_bytes(reader.array().map_err(cut)?))
        } else {
            None
        };
        let descriptor = descriptor.get(..reader.position() - start).unwrap_or_default();
        if reader.u8().map_err(cut)? != descriptor_checksum(descriptor) {
            return Err(Failure::malformed("the descriptor's checksum does not match"));
        }
        Ok(Self {
            flags,
            block_length_max,
            content_length,
        })
    }

    fn block(&self, block: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
        let linked = self.flags & FLAG_INDEPENDENT == 0;
        let length_max = self.block_length_max.min(block.len().saturating_mul(RATIO_MAX));
        let (written, free) = output.reserve_up_to(length_max);
        let capped = free.len() < length_max;
        let result = if linked && !written.is_empty() {
            let window = written
                .get(written.len().saturating_sub(WINDOW_LENGTH)..)
                .unwrap_or_default();
            decompress_into_with_dict(block, free, window)
        } else {
            decompress_into(block, free)
        };
        match result {
            Ok(length) => {
                output.length += length;
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if capped => Err(Failure::OverLimit),
            Err(error) => Err(Failure::library(&error)),
        }
    }
}

fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&DESCRIPTOR);
    out.push(descriptor_checksum(&DESCRIPTOR));
    let mut block = vec![0; get_maximum_output_size(plain.len().min(BLOCK_LENGTH))];
    for chunk in plain.chunks(BLOCK_LENGTH) {
        let length = compress_into(chunk, &mut block).map_err(|error| error.to_string())?;
        if length < chunk.len() {
            out.extend_from_slice(&(length as u32).to_le_bytes());
            out.extend_from_slice(block.get(..length).unwrap_or_default());
        } else {
            out.extend_from_slice(&(chunk.len() as u32 | BLOCK_UNCOMPRESSED).to_le_bytes());
            out.extend_from_slice(chunk);
        }
    }
    out.extend_from_slice(&[0; 4]);
    Ok(())
}
