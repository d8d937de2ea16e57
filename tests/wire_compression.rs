//! What others compress we decompress and the other way round, in every form that a client may send; what is
//! damaged or too large is refused within the cap's memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use flate2::read::MultiGzDecoder;
use flate2::{Compression as Level, GzBuilder};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use portcullis::wire::compression::{
    Compression, CompressionError, DecompressionLimits, Decompressor, compress, compress_harder,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::io::{Read, Write};

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 4 << 20,
    ratio_max: 128,
};
const CODECS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Repeats of random pieces: compressible, with matches near and far, over several blocks now and then.
fn plain() -> impl Strategy<Value = Vec<u8>> {
    (vec(vec(any::<u8>(), 1..40), 1..20), vec(any::<Index>(), 0..6_000)).prop_map(|(pieces, order)| {
        order
            .iter()
            .flat_map(|index| index.get(&pieces).clone())
            .collect()
    })
}

fn ours(codec: Compression, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, plain, &mut out).unwrap();
    out
}

fn read_all(mut reader: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    out
}

fn assert_decompresses(decompressor: &mut Decompressor, codec: Compression, bytes: &[u8], plain: &[u8]) {
    match decompressor.decompress(codec, bytes, LIMITS) {
        Ok(got) => assert!(
            got == plain,
            "{codec:?}: {} bytes differ from {}",
            got.len(),
            plain.len()
        ),
        Err(CompressionError::OverLimit { .. }) if plain.len() > LIMITS.cap(bytes.len()) => {}
        Err(error) => panic!("{codec:?}: {error}"),
    }
}

fn gzip_member(plain: &[u8], level: u32, name: bool) -> Vec<u8> {
    let builder = GzBuilder::new().mtime(7);
    let builder = if name {
        builder
            .filename("batch")
            .comment("of records")
            .extra(b"xx".as_slice())
    } else {
        builder
    };
    let mut encoder = builder.write(Vec::new(), Level::new(level));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn lz4_frame(plain: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd_stream(plain: &[u8], level: i32, checksum: bool) -> Vec<u8> {
    // As Java does: by stream, the size unknown.
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), level).unwrap();
    encoder.include_checksum(checksum).unwrap();
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn gzip_members_of_others_are_decompressed(
        first in plain(), second in plain(), level in 0..=9_u32, name in any::<bool>(),
    ) {
        let mut decompressor = Decompressor::default();
        let member = gzip_member(&first, level, name);
        assert_decompresses(&mut decompressor, Compression::Gzip, &member, &first);
        let both = [member, gzip_member(&second, 6, !name)].concat();
        assert_decompresses(&mut decompressor, Compression::Gzip, &both, &[first, second].concat());
    }

    #[test]
    fn raw_and_framed_snappy_are_decompressed(plain in plain()) {
        let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let mut decompressor = Decompressor::default();
        assert_decompresses(&mut decompressor, Compression::Snappy, &raw, &plain);
        let framed = ours(Compression::Snappy, &plain);
        let twice = [framed.clone(), framed].concat();
        assert_decompresses(&mut decompressor, Compression::Snappy, &twice, &[&plain[..], &plain].concat());
    }

    #[test]
    fn lz4_frames_of_others_are_decompressed_whatever_their_flags(
        plain in plain(),
        block_size in select(vec![BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB]),
        linked in any::<bool>(), block_checksums in any::<bool>(), content_checksum in any::<bool>(),
        sized in any::<bool>(),
    ) {
        let info = FrameInfo::new()
            .block_size(block_size)
            .block_mode(if linked { BlockMode::Linked } else { BlockMode::Independent })
            .block_checksums(block_checksums)
            .content_checksum(content_checksum)
            .content_size(sized.then_some(plain.len() as u64));
        let frame = lz4_frame(&plain, info);
        assert_decompresses(&mut Decompressor::default(), Compression::Lz4, &frame, &plain);
    }

    #[test]
    fn zstd_frames_of_others_are_decompressed(
        first in plain(), second in plain(), level in 1..=19_i32, checksum in any::<bool>(),
    ) {
        let mut decompressor = Decompressor::default();
        let streamed = zstd_stream(&first, level, checksum);
        assert_decompresses(&mut decompressor, Compression::Zstd, &streamed, &first);
        let sized = zstd::bulk::compress(&second, level).unwrap();
        assert_decompresses(&mut decompressor, Compression::Zstd, &sized, &second);
        let both = [streamed, sized].concat();
        assert_decompresses(&mut decompressor, Compression::Zstd, &both, &[first, second].concat());
    }

    #[test]
    fn others_decompress_what_we_compress(plain in plain()) {
        let gzip = ours(Compression::Gzip, &plain);
        prop_assert!(read_all(MultiGzDecoder::new(&gzip[..])) == plain);
        let lz4 = ours(Compression::Lz4, &plain);
        prop_assert!(read_all(FrameDecoder::new(&lz4[..])) == plain);
        let zstd = ours(Compression::Zstd, &plain);
        prop_assert!(zstd::stream::decode_all(&zstd[..]).unwrap() == plain);
        let snappy = ours(Compression::Snappy, &plain);
        let mut chunks = &snappy[16..];
        let mut out = Vec::new();
        while let Some((length, rest)) = chunks.split_first_chunk::<4>() {
            let (chunk, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            out.extend(snap::raw::Decoder::new().decompress_vec(chunk).unwrap());
            chunks = rest;
        }
        prop_assert!(out == plain);
    }

    #[test]
    fn others_decompress_what_we_compress_harder(plain in plain()) {
        let harder = |codec| {
            let mut out = Vec::new();
            compress_harder(codec, &plain, &mut out).unwrap().then_some(out)
        };
        prop_assert!(read_all(MultiGzDecoder::new(&harder(Compression::Gzip).unwrap()[..])) == plain);
        prop_assert!(zstd::stream::decode_all(&harder(Compression::Zstd).unwrap()[..]).unwrap() == plain);
        let raw = harder(Compression::Snappy).unwrap();
        prop_assert!(snap::raw::Decoder::new().decompress_vec(&raw).unwrap() == plain);
        for codec in CODECS {
            if let Some(bytes) = harder(codec) {
                assert_decompresses(&mut Decompressor::default(), codec, &bytes, &plain);
            }
        }
    }

    #[test]
    fn damaged_data_is_refused_or_stays_within_the_cap(
        plain in plain(), codec in select(CODECS.to_vec()), damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = ours(codec, &plain);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut decompressor = Decompressor::default();
        let cap = LIMITS.cap(bytes.len());
        if let Ok(out) = decompressor.decompress(codec, &bytes, LIMITS) {
            prop_assert!(out.len() <= cap);
        }
        prop_assert!(decompressor.held_bytes() <= cap);
        // And the next batch is decompressed as if nothing had been.
        let sound = ours(codec, b"sound");
        prop_assert_eq!(decompressor.decompress(codec, &sound, LIMITS), Ok(&b"sound"[..]));
    }

    #[test]
    fn any_bytes_are_refused_or_stay_within_the_cap(
        bytes in vec(any::<u8>(), 0..200), codec in select(CODECS.to_vec()),
    ) {
        let mut decompressor = Decompressor::default();
        if let Ok(out) = decompressor.decompress(codec, &bytes, LIMITS) {
            prop_assert!(out.len() <= LIMITS.cap(200));
        }
        prop_assert!(decompressor.held_bytes() <= LIMITS.cap(200));
    }
}

#[test]
fn a_zstd_window_of_128_mib_takes_no_more_memory_than_the_content() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 22).unwrap();
    encoder.write_all(b"small").unwrap();
    let bytes = encoder.finish().unwrap();
    let mut decompressor = Decompressor::default();
    assert_eq!(
        decompressor.decompress(Compression::Zstd, &bytes, LIMITS),
        Ok(&b"small"[..])
    );
    assert!(decompressor.held_bytes() <= 64 << 10);
}

#[test]
fn an_lz4_frame_that_wants_a_dictionary_is_refused() {
    let frame = lz4_frame(b"plain", FrameInfo::new());
    let mut with_dictionary = frame.clone();
    with_dictionary[4] |= 1;
    let refused = Decompressor::default()
        .decompress(Compression::Lz4, &with_dictionary, LIMITS)
        .map(<[u8]>::to_vec);
    assert!(matches!(refused, Err(CompressionError::Malformed { .. })));
}

#[test]
fn a_warm_decompressor_keeps_its_buffer() {
    let plain = b"one order after another ".repeat(5_000);
    let mut decompressor = Decompressor::default();
    for codec in CODECS {
        let bytes = ours(codec, &plain);
        let limits = DecompressionLimits {
            bytes_max: 4 << 20,
            ratio_max: 100_000,
        };
        decompressor.decompress(codec, &bytes, limits).unwrap();
        let held = decompressor.held_bytes();
        let at = decompressor.decompress(codec, &bytes, limits).unwrap().as_ptr();
        let at_again = decompressor.decompress(codec, &bytes, limits).unwrap().as_ptr();
        assert_eq!((decompressor.held_bytes(), at), (held, at_again), "{codec:?}");
    }
}

fn refused(codec: Compression, bytes: &[u8]) -> bool {
    let mut decompressor = Decompressor::default();
    matches!(
        decompressor.decompress(codec, bytes, LIMITS),
        Err(CompressionError::Malformed { .. })
    )
}

/// With one bit of the byte at `at` (from the end when negative) flipped.
fn flipped(bytes: &[u8], at: isize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = if at < 0 {
        bytes.len().checked_add_signed(at).unwrap()
    } else {
        at as usize
    };
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_checksum_or_a_size_that_does_not_match_is_refused() {
    // Random bytes: every block is stored as it is, so nothing but a checksum can tell.
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3_000)
    .collect();

    let gzip = gzip_member(&noise, 0, false);
    assert!(!refused(Compression::Gzip, &gzip));
    assert!(refused(Compression::Gzip, &flipped(&gzip, 1_000)), "gzip content");
    assert!(refused(Compression::Gzip, &flipped(&gzip, -5)), "gzip CRC");
    assert!(refused(Compression::Gzip, &flipped(&gzip, -1)), "gzip size");

    let blocks = lz4_frame(&noise, FrameInfo::new().block_checksums(true));
    assert!(!refused(Compression::Lz4, &blocks));
    assert!(
        refused(Compression::Lz4, &flipped(&blocks, 1_000)),
        "lz4 block content"
    );
    assert!(
        refused(Compression::Lz4, &flipped(&blocks, -5)),
        "lz4 block checksum"
    );
    assert!(
        refused(Compression::Lz4, &flipped(&blocks, 6)),
        "lz4 descriptor checksum"
    );
    let content = lz4_frame(&noise, FrameInfo::new().content_checksum(true));
    assert!(!refused(Compression::Lz4, &content));
    assert!(
        refused(Compression::Lz4, &flipped(&content, 1_000)),
        "lz4 content"
    );
    assert!(
        refused(Compression::Lz4, &flipped(&content, -1)),
        "lz4 content checksum"
    );

    let zstd = zstd_stream(&noise, 3, true);
    assert!(!refused(Compression::Zstd, &zstd));
    assert!(refused(Compression::Zstd, &flipped(&zstd, 1_000)), "zstd content");
}

#[test]
fn an_lz4_content_size_that_lies_is_refused() {
    let plain = b"plain".repeat(100);
    // Two frames whose headers differ in the size alone: each is wrong for the other's content.
    let info = |length| FrameInfo::new().content_size(Some(length));
    let header_length = 4 + 2 + 8 + 1;
    let right = lz4_frame(&plain, info(500));
    let other = lz4_frame(&b"plain".repeat(101), info(505));
    let lying = [&other[..header_length], &right[header_length..]].concat();
    assert!(!refused(Compression::Lz4, &right));
    assert!(refused(Compression::Lz4, &lying));
}

#[test]
fn a_gzip_header_checksum_is_checked() {
    let member = gzip_member(b"plain", 6, false);
    let mut header = member[..10].to_vec();
    header[3] |= 0x02;
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = (crc.sum() as u16).to_le_bytes();
    let checked = [&header[..], &sum, &member[10..]].concat();
    assert!(!refused(Compression::Gzip, &checked));
    assert!(refused(Compression::Gzip, &flipped(&checked, 10)));
    assert!(
        refused(Compression::Gzip, &flipped(&checked, 4)),
        "the time is under the checksum"
    );
}

#[test]
fn garbage_after_the_end_is_refused_also_where_java_would_pass_over_it() {
    for codec in CODECS {
        for garbage in [&b"\0"[..], b"garbage", &[0; 40], &[0xff; 40]] {
            let bytes = [&ours(codec, b"plain"), garbage].concat();
            assert!(
                Decompressor::default().decompress(codec, &bytes, LIMITS).is_err(),
                "{codec:?} with {garbage:?} behind"
            );
        }
    }
    let two_frames = ours(Compression::Lz4, b"plain").repeat(2);
    assert!(refused(Compression::Lz4, &two_frames), "Java reads one LZ4 frame");
}

#[test]
fn a_multitude_of_empty_frames_is_walked_and_one_of_gzip_members_refused() {
    let zstd = ours(Compression::Zstd, b"").repeat(50_000);
    assert_eq!(
        Decompressor::default().decompress(Compression::Zstd, &zstd, LIMITS),
        Ok(&b""[..])
    );
    let member = ours(Compression::Gzip, b"");
    assert!(!refused(Compression::Gzip, &member.repeat(1_024)));
    assert!(refused(Compression::Gzip, &member.repeat(1_025)));
}
