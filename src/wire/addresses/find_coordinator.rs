//! FindCoordinator: one node up to version 3, a list from version 4 on (KIP-699).

use super::{AddressMap, Edit};
use crate::wire::error_code::ErrorCode;
use crate::wire::reader::{Reader, WireError};
use crate::wire::writer::Writer;

/// A coordinator that clients cannot reach through us is answered as one that is not available (retriable).
struct Node {
    id: i32,
    host: String,
    port: i32,
    reachable: bool,
}

impl Node {
    fn read(reader: &mut Reader<'_>, flexible: bool, map: &mut dyn AddressMap) -> Result<Self, WireError> {
        let node_id = reader.i32()?;
        let host = reader.string(flexible)?;
        let port = reader.i32()?;
        let nobody = Self {
            id: -1,
            host: String::new(),
            port: -1,
            reachable: node_id < 0,
        };
        if node_id < 0 {
            return Ok(nobody);
        }
        Ok(match map.advertise(node_id, host, port) {
            Some((host, port)) => Self {
                id: node_id,
                host,
                port: i32::from(port),
                reachable: true,
            },
            None => nobody,
        })
    }

    fn error(&self, from_broker: i16) -> i16 {
        if self.reachable {
            from_broker
        } else {
            ErrorCode::COORDINATOR_NOT_AVAILABLE.0
        }
    }

    fn write(&self, writer: &mut Writer<'_>, flexible: bool) {
        writer.i32(self.id);
        writer.string(flexible, &self.host);
        writer.i32(self.port);
    }
}

pub(super) fn rewrite(version: i16, body: &[u8], map: &mut dyn AddressMap) -> Result<Edit, WireError> {
    let flexible = version >= 3;
    let mut reader = Reader::new(body);
    let mut with = Vec::with_capacity(body.len().saturating_add(64));
    let mut writer = Writer::new(&mut with);
    if version >= 1 {
        writer.i32(reader.i32()?); // throttle
    }
    if version >= 4 {
        let count = reader.array_length(true, 14)?;
        writer.array_length(true, count);
        for _ in 0..count.unwrap_or(0) {
            writer.string(true, reader.string(true)?);
            let node = Node::read(&mut reader, true, map)?;
            let error = reader.i16()?;
            let message = reader.nullable_string(true)?;
            reader.skip_tagged_fields()?;
            node.write(&mut writer, true);
            writer.i16(node.error(error));
            writer.nullable_string(true, message);
            writer.no_tagged_fields(true);
        }
    } else {
        let error = reader.i16()?;
        let message = if version >= 1 {
            reader.nullable_string(flexible)?
        } else {
            None
        };
        let node = Node::read(&mut reader, flexible, map)?;
        writer.i16(node.error(error));
        if version >= 1 {
            writer.nullable_string(flexible, message);
        }
        node.write(&mut writer, flexible);
    }
    writer.raw(reader.rest()); // the last tagged fields
    Ok(Edit {
        range: 0..body.len(),
        with,
    })
}
