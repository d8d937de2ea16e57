//! Any Produce body, in the version that its first byte names: what is read can be walked, filtered, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::produce_request::{PartitionData, PartitionEdit, ProduceRequest};

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let version = i16::from(first % 16);
    let Ok(request) = ProduceRequest::read(body, version) else { return };
    assert_eq!(request.partitions().count(), request.partition_count);
    let mut out = Vec::new();
    let edit = |index: usize| match index % 3 {
        0 => PartitionEdit::Kept,
        1 => PartitionEdit::LeftOut,
        _ => PartitionEdit::Replaced(body),
    };
    request.write_edited(edit, &mut out);
    let edited = ProduceRequest::read(&out, version).expect("what we write we read");
    let expected = request.partitions().enumerate().filter_map(|(index, data)| match edit(index) {
        PartitionEdit::Kept => Some(data),
        PartitionEdit::LeftOut => None,
        PartitionEdit::Replaced(records) => Some(PartitionData { records: Some(records), ..data }),
    });
    assert!(edited.partitions().eq(expected));
});
