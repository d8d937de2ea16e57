//! The five codecs, under hard caps. One file a codec; what they share stands here.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

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

impl Compression {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of this id (`CompressionType`); 5 to 7 are free.
    #[must_use]
    pub fn of_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

/// How much a batch may grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecompressionLimits {
    pub bytes_max: usize,
    /// Decompressed : compressed; small batches are allowed a floor of 64 KiB whatever the ratio.
    pub ratio_max: usize,
}

/// What a batch may always grow to (within `bytes_max`): a few dozen alike records compress beyond any sane ratio.
const RATIO_FLOOR_BYTES: usize = 64 * 1024;

impl DecompressionLimits {
    /// The most bytes that `compressed_length` bytes may become.
    #[must_use]
    pub fn cap(self, compressed_length: usize) -> usize {
        self.bytes_max.min(
            self.ratio_max
                .saturating_mul(compressed_length)
                .max(RATIO_FLOOR_BYTES),
        )
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CompressionError {
    #[error("decompresses to more than {bytes_max} bytes")]
    OverLimit { bytes_max: usize },
    #[error("{codec:?} data is malformed: {reason}")]
    Malformed { codec: Compression, reason: String },
}

/// Decompresses batches, one after another, into a buffer that it keeps, as it keeps the codecs' own state: once
/// warm it allocates nothing.
#[derive(Default)]
pub struct Decompressor {
    buffer: Vec<u8>,
    gzip: gzip::Inflater,
    zstd: zstd::Context,
}

impl Decompressor {
    /// The decompressed bytes; for [`Compression::None`] `compressed` itself. Trailing compressed bytes are an error.
    pub fn decompress<'b>(
        &'b mut self,
        codec: Compression,
        compressed: &'b [u8],
        limits: DecompressionLimits,
    ) -> Result<&'b [u8], CompressionError> {
        let cap = limits.cap(compressed.len());
        let mut output = Output {
            buffer: &mut self.buffer,
            length: 0,
            cap,
        };
        let result = match codec {
            Compression::None => return Ok(compressed),
            Compression::Gzip => self.gzip.decompress(compressed, &mut output),
            Compression::Snappy => snappy::decompress(compressed, &mut output),
            Compression::Lz4 => lz4::decompress(compressed, &mut output),
            Compression::Zstd => self.zstd.decompress(compressed, &mut output),
        };
        let length = output.length;
        match result {
            Ok(()) => Ok(self.buffer.get(..length).unwrap_or_default()),
            Err(Failure::OverLimit) => Err(CompressionError::OverLimit { bytes_max: cap }),
            Err(Failure::Malformed(reason)) => Err(CompressionError::Malformed { codec, reason }),
        }
    }

    /// Bytes that the buffer holds on to.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Frees the buffer if it is larger than `bytes_max`: one large batch is no reason to hold its size for ever.
    pub fn shrink(&mut self, bytes_max: usize) {
        if self.buffer.capacity() > bytes_max {
            self.buffer = Vec::new();
        }
    }
}

/// Compresses `plain` and appends it to `out` (snappy in Xerial framing, lz4 as a frame, as the Java client does).
pub fn compress(codec: Compression, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    match codec {
        Compression::None => {
            out.extend_from_slice(plain);
            Ok(())
        }
        Compression::Gzip => gzip::compress(plain, gzip::LEVEL, out),
        Compression::Snappy => snappy::compress(plain, out),
        Compression::Lz4 => lz4::compress(plain, out),
        Compression::Zstd => zstd::compress(plain, zstd::LEVEL, out),
    }
    .map_err(|reason| CompressionError::Malformed { codec, reason })
}

/// As [`compress`], mostly into fewer bytes: gzip at its best level and zstd at a high one, in several times the time,
/// snappy without framing, as librdkafka writes it. False, with nothing written, for the codecs that can do no better.
pub fn compress_harder(
    codec: Compression,
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, CompressionError> {
    match codec {
        Compression::Gzip => gzip::compress(plain, gzip::LEVEL_BEST, out),
        Compression::Snappy => snappy::compress_raw(plain, out),
        Compression::Zstd => zstd::compress(plain, zstd::LEVEL_HIGH, out),
        Compression::None | Compression::Lz4 => return Ok(false),
    }
    .map(|()| true)
    .map_err(|reason| CompressionError::Malformed { codec, reason })
}

/// Why a codec gave up.
enum Failure {
    OverLimit,
    Malformed(String),
}

impl Failure {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    fn library(error: &impl ToString) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Where a codec writes: a buffer of zeroed and written bytes, longer than what is written, never longer than it
/// was before or than `cap` plus one byte.
struct Output<'b> {
    buffer: &'b mut Vec<u8>,
    /// Bytes written.
    length: usize,
    cap: usize,
}

impl Output<'_> {
    /// What is written, and at least `wanted` bytes to write to.
    fn reserve(&mut self, wanted: usize) -> Result<(&[u8], &mut [u8]), Failure> {
        let needed = self.length.saturating_add(wanted);
        if needed > self.cap {
            return Err(Failure::OverLimit);
        }
        self.grow(needed);
        Ok(self.split(self.cap))
    }

    /// What is written, and at most `wanted` bytes to write to: fewer near the cap, none at it.
    fn reserve_up_to(&mut self, wanted: usize) -> (&[u8], &mut [u8]) {
        let end = self.length.saturating_add(wanted).min(self.cap);
        self.grow(end);
        self.split(end)
    }

    fn split(&mut self, end: usize) -> (&[u8], &mut [u8]) {
        let end = end.min(self.buffer.len());
        let (written, free) = self.buffer.split_at_mut_checked(self.length).unwrap_or_default();
        (
            written,
            free.get_mut(..end.saturating_sub(self.length))
                .unwrap_or_default(),
        )
    }

    fn grow(&mut self, length: usize) {
        if self.buffer.len() < length {
            // Doubling, so that filling up piece by piece stays linear.
            let doubled = self.buffer.len().saturating_mul(2).min(self.cap);
            let target = length.max(doubled);
            self.buffer.reserve_exact(target - self.buffer.len());
            self.buffer.resize(target, 0);
        }
    }
}

#[cfg(test)]
mod tests;
