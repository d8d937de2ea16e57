//! Zstandard (RFC 8878): one frame or several, as zstd-jni takes them.
//!
//! Always in one shot into the output, never by stream: a stream's window is allocated by the frame's header,
//! up to 128 MiB, where the output itself serves as the window here. The price is that a frame which does not
//! state its size (Java's do not) is begun anew when the output proves too small; the output grows fourfold
//! each time, so all attempts together cost a third more at most, and a warm output needs one.

use super::{Failure, Output};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{self, DCtx};

/// The codec's default, which the Java client uses too.
pub(super) const LEVEL: i32 = 3;
/// Beyond it, time grows much faster than bytes shrink: 15 takes twelve times as long for a tenth less.
pub(super) const LEVEL_HIGH: i32 = 9;
const GROWTH: usize = 4;
const STEP_MIN: usize = 64 * 1024;

/// The decompression context (about 95 KiB), made at the first use and kept.
#[derive(Default)]
pub(super) struct Context(Option<DCtx<'static>>);

impl Context {
    pub(super) fn decompress(&mut self, compressed: &[u8], output: &mut Output<'_>) -> Result<(), Failure> {
        if compressed.is_empty() {
            return Err(Failure::malformed("no frame"));
        }
        let context = match &mut self.0 {
            Some(context) => context,
            none => none.insert(DCtx::try_create().ok_or_else(|| Failure::malformed("no memory for it"))?),
        };
        let cap = output.cap;
        let stated = match zstd_safe::get_frame_content_size(compressed) {
            Ok(Some(length)) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        };
        if stated > cap {
            return Err(Failure::OverLimit);
        }
        let mut wanted = stated
            .max(compressed.len().saturating_mul(GROWTH))
            .max(STEP_MIN)
            .max(output.buffer.len());
        loop {
            let (_, free) = output.reserve_up_to(wanted);
            let reserved = free.len();
            match context.decompress(free, compressed) {
                Ok(length) => {
                    output.length = length;
                    return Ok(());
                }
                Err(code) if zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
                    if reserved >= cap {
                        return Err(Failure::OverLimit);
                    }
                    wanted = reserved.saturating_mul(GROWTH);
                }
                Err(code) => return Err(Failure::malformed(zstd_safe::get_error_name(code))),
            }
        }
    }
}

pub(super) fn compress(plain: &[u8], level: i32, out: &mut Vec<u8>) -> Result<(), String> {
    let compressed = zstd::bulk::compress(plain, level).map_err(|error| error.to_string())?;
    out.extend_from_slice(&compressed);
    Ok(())
}
