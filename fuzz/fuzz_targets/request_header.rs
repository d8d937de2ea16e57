//! Any frame: its head and header are read, or refused, and the body is a tail of the frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::header::{RequestHead, read_request_header};

fuzz_target!(|frame: &[u8]| {
    let head = RequestHead::read(frame);
    if let Ok((header, body)) = read_request_header(frame) {
        assert_eq!(head, Ok(header.head));
        assert!(frame.ends_with(body));
    }
});
