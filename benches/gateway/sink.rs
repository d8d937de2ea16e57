//! An upstream that costs next to nothing: it answers every Produce request with success and keeps nothing.

use portcullis::wire::api::ApiKey;
use portcullis::wire::error_code::ErrorCode;
use portcullis::wire::header::{read_request_header, response_header_is_flexible};
use portcullis::wire::produce_request::{ProduceRequest, TopicRef};
use portcullis::wire::produce_response::{PartitionResponse, ProduceResponse, TopicName};
use portcullis::wire::writer::Writer;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, address));
        }
    });
    address
}

fn serve(mut stream: TcpStream, address: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    let mut out = Vec::new();
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut at = 0;
        out.clear();
        while filled - at >= 4 {
            let length = u32::from_be_bytes(buffer[at..at + 4].try_into().unwrap()) as usize;
            if filled - at - 4 < length {
                break;
            }
            answer(&buffer[at + 4..at + 4 + length], address, &mut out);
            at += 4 + length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        stream.write_all(&out)?;
    }
}

fn answer(request: &[u8], address: SocketAddr, out: &mut Vec<u8>) {
    let (header, body) = read_request_header(request).unwrap();
    let head = header.head;
    Writer::frame(out, |writer| {
        writer.i32(head.correlation_id);
        let flexible = response_header_is_flexible(head.api_key, head.api_version);
        writer.no_tagged_fields(flexible);
        match head.api_key {
            ApiKey::API_VERSIONS => {
                writer.i16(0);
                writer.array_length(false, Some(3));
                for (key, max) in [(0, 9), (3, 1), (18, 0)] {
                    writer.i16(key);
                    writer.i16(0);
                    writer.i16(max);
                }
            }
            ApiKey::METADATA => {
                writer.array_length(false, Some(1));
                writer.i32(1);
                writer.string(false, "127.0.0.1");
                writer.i32(i32::from(address.port()));
                writer.nullable_string(false, None);
                writer.i32(1);
                writer.array_length(false, Some(0));
            }
            _ => {
                let produce = ProduceRequest::read(body, head.api_version).unwrap();
                let response = ProduceResponse {
                    topics: produce
                        .partitions()
                        .map(|partition| {
                            let TopicRef::Name(name) = partition.topic else {
                                panic!("a topic by id")
                            };
                            (
                                TopicName::Name(name.to_owned()),
                                vec![success(partition.partition)],
                            )
                        })
                        .collect(),
                    ..ProduceResponse::default()
                };
                writer.append(|out| response.write(head.api_version, out));
            }
        }
    });
}

fn success(partition: i32) -> PartitionResponse {
    PartitionResponse {
        partition,
        error_code: ErrorCode::NONE,
        base_offset: 0,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: Vec::new(),
        error_message: None,
        current_leader: None,
    }
}
