//! The five codecs, under hard caps.

use thiserror::Error;

/// Bits 0–2 of a batch's attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// How much a batch may grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecompressionLimits {
    pub bytes_max: usize,
    /// Decompressed : compressed; small batches are allowed a floor of 64 KiB whatever the ratio.
    pub ratio_max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CompressionError {
    #[error("decompresses to more than {bytes_max} bytes")]
    OverLimit { bytes_max: usize },
    #[error("{codec:?} data is malformed: {reason}")]
    Malformed { codec: Compression, reason: String },
}

/// Decompresses batches, one after another, into a buffer that it keeps.
#[derive(Default)]
pub struct Decompressor {}

impl Decompressor {
    /// The decompressed bytes; for [`Compression::None`] `compressed` itself. Trailing compressed bytes are an error.
    pub fn decompress<'b>(
        &'b mut self,
        _codec: Compression,
        _compressed: &'b [u8],
        _limits: DecompressionLimits,
    ) -> Result<&'b [u8], CompressionError> {
        todo!()
    }
}

/// Compresses `plain` and appends it to `out` (snappy in Xerial framing, lz4 as a frame, as the Java client does).
pub fn compress(_codec: Compression, _plain: &[u8], _out: &mut Vec<u8>) -> Result<(), CompressionError> {
    todo!()
}
