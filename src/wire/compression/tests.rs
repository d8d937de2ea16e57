//! Round trips, caps and malformed data, codec by codec. The second opinion is in `tests/wire_compression.rs`.

use super::*;

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 16 << 20,
    ratio_max: 128,
};
const CODECS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

fn compressed(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, plain, &mut out).unwrap();
    out
}

/// Neither trivially compressible nor random.
fn text(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|n| b"portcullis"[(n.wrapping_mul(2_654_435_761) >> 27) as usize % 10])
        .collect()
}

#[test]
fn every_codec_gives_back_what_it_was_given_whatever_came_before() {
    let mut decompressor = Decompressor::default();
    for length in [0, 1, 100, 32 * 1024, 65_536, 65_537, 300_000, 5] {
        let plain = text(length);
        for codec in Compression::ALL {
            let bytes = compressed(codec, &plain);
            assert_eq!(
                decompressor.decompress(codec, &bytes, LIMITS).unwrap(),
                plain,
                "{codec:?} {length}"
            );
        }
    }
}

#[test]
fn truncation_at_any_byte_and_a_byte_too_many_are_refused() {
    let mut decompressor = Decompressor::default();
    let plain = text(2_000);
    for codec in CODECS {
        let mut bytes = compressed(codec, &plain);
        for cut in 0..bytes.len() {
            match decompressor.decompress(codec, &bytes[..cut], LIMITS) {
                Err(CompressionError::Malformed { .. }) => {}
                // Xerial's framing has no end: cut behind the header it holds nothing, and says so by its length.
                Ok([]) if codec == Compression::Snappy && cut == 16 => {}
                other => panic!("{codec:?} cut at {cut}: {other:?}"),
            }
        }
        bytes.push(0);
        assert!(
            decompressor.decompress(codec, &bytes, LIMITS).is_err(),
            "{codec:?} with a byte too many"
        );
    }
}

#[test]
fn a_bomb_is_refused_at_the_cap_within_the_caps_memory() {
    let zeros = vec![0; 8 << 20];
    let limits = DecompressionLimits {
        bytes_max: 1 << 20,
        ratio_max: 1_000_000,
    };
    for codec in CODECS {
        let bytes = compressed(codec, &zeros);
        let mut decompressor = Decompressor::default();
        let refused = decompressor.decompress(codec, &bytes, limits);
        assert_eq!(
            refused,
            Err(CompressionError::OverLimit { bytes_max: 1 << 20 }),
            "{codec:?}"
        );
        assert!(
            decompressor.held_bytes() <= 1 << 20,
            "{codec:?} holds {}",
            decompressor.held_bytes()
        );
        // The next batch is not harmed.
        let small = compressed(codec, b"small");
        assert_eq!(
            decompressor.decompress(codec, &small, limits),
            Ok(&b"small"[..]),
            "{codec:?}"
        );
    }
}

#[test]
fn the_ratio_binds_beyond_its_floor_only() {
    let mut decompressor = Decompressor::default();
    let limits = DecompressionLimits {
        bytes_max: 16 << 20,
        ratio_max: 2,
    };
    for codec in CODECS {
        let floor = compressed(codec, &vec![b'a'; 64 * 1024]);
        assert!(
            decompressor.decompress(codec, &floor, limits).is_ok(),
            "{codec:?} at the floor"
        );
        let beyond = compressed(codec, &vec![b'a'; 64 * 1024 + 1]);
        let refused = decompressor.decompress(codec, &beyond, limits);
        assert!(
            matches!(refused, Err(CompressionError::OverLimit { .. })),
            "{codec:?} beyond the floor"
        );
    }
}

#[test]
fn exactly_the_cap_is_allowed() {
    let limits = DecompressionLimits {
        bytes_max: 100_000,
        ratio_max: 1_000_000,
    };
    for codec in CODECS {
        let mut decompressor = Decompressor::default();
        let bytes = compressed(codec, &text(100_000));
        assert_eq!(
            decompressor.decompress(codec, &bytes, limits).unwrap().len(),
            100_000,
            "{codec:?}"
        );
    }
}

#[test]
fn a_lying_snappy_length_reserves_nothing() {
    let mut decompressor = Decompressor::default();
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61];
    let refused = decompressor.decompress(Compression::Snappy, &lie, LIMITS);
    assert!(matches!(refused, Err(CompressionError::OverLimit { .. })));
    assert_eq!(decompressor.held_bytes(), 0);
}

#[test]
fn an_oversized_buffer_is_given_back() {
    let mut decompressor = Decompressor::default();
    let bytes = compressed(Compression::Lz4, &text(1 << 20));
    decompressor.decompress(Compression::Lz4, &bytes, LIMITS).unwrap();
    decompressor.shrink(2 << 20);
    assert!(decompressor.held_bytes() >= 1 << 20);
    decompressor.shrink(64 << 10);
    assert_eq!(decompressor.held_bytes(), 0);
}
