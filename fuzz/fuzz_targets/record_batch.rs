//! Any bytes as a record batch, length and CRC set right so that the fuzzer gets behind them; and as bare records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::batch::{Batch, Records};
use portcullis::wire::compression::{DecompressionLimits, Decompressor};

const LIMITS: DecompressionLimits = DecompressionLimits { bytes_max: 1 << 20, ratio_max: 128 };

fn walk(bytes: &[u8], count: i32) {
    let mut seen = 0;
    for record in Records::new(bytes, count) {
        seen += 1;
        if let Ok(record) = record {
            assert_eq!(record.headers.iter().count(), record.headers.count as usize);
        }
    }
    // A record takes seven bytes at least; an error ends the walk.
    assert!(seen <= bytes.len() / 7 + 1);
}

fuzz_target!(|data: &[u8]| {
    walk(data, i32::MAX);
    let mut bytes = data.to_vec();
    if bytes.len() >= 61 {
        let length = (bytes.len() - 12) as u32;
        bytes[..8].fill(0);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    match Batch::read(&bytes) {
        Ok(batch) => {
            let mut decompressor = Decompressor::default();
            if let Ok(plain) = decompressor.decompress(batch.compression, batch.records, LIMITS) {
                walk(plain, batch.header.record_count);
            }
        }
        Err(error) => {
            let _ = error.error_code();
        }
    }
});
