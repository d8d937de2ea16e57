//! Any Produce body, in the version that its first byte names: what is read can be walked, filtered, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::produce_request::ProduceRequest;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let version = i16::from(first % 16);
    let Ok(request) = ProduceRequest::read(body, version) else { return };
    assert_eq!(request.partitions().count(), request.partition_count);
    let mut out = Vec::new();
    request.write_kept(|index| index % 2 == 0, &mut out);
    let kept = ProduceRequest::read(&out, version).expect("what we write we read");
    assert!(kept.partitions().eq(request.partitions().step_by(2)));
});
