//! Any Produce answer, in the version that its first byte names: what is read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::produce_response::ProduceResponse;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let version = i16::from(first % 16);
    let Ok(response) = ProduceResponse::read(body, version) else { return };
    let mut out = Vec::new();
    response.write(version, &mut out);
    assert_eq!(ProduceResponse::read(&out, version), Ok(response));
});
