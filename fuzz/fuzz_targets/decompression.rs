//! Any bytes as compressed data, in the codec that the first byte names: refused, or within the cap; and the
//! decompressor is none the worse for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor, compress};

const LIMITS: DecompressionLimits = DecompressionLimits { bytes_max: 1 << 20, ratio_max: 128 };

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let codec = Compression::ALL[usize::from(first % 5)];
    let mut decompressor = Decompressor::default();
    if let Ok(plain) = decompressor.decompress(codec, bytes, LIMITS) {
        assert!(codec == Compression::None || plain.len() <= LIMITS.cap(bytes.len()));
    }
    assert!(decompressor.held_bytes() <= LIMITS.bytes_max);

    let mut again = Vec::new();
    compress(codec, bytes, &mut again).expect("any bytes compress");
    let limits = DecompressionLimits { bytes_max: usize::MAX, ratio_max: usize::MAX };
    assert_eq!(decompressor.decompress(codec, &again, limits), Ok(bytes));
});
