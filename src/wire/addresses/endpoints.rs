//! `NodeEndpoints`: the addresses of new leaders, at the end of Produce, Fetch, ShareFetch and ShareAcknowledge
//! responses. Everything before them is stepped over, and never copied.

use super::{AddressList, AddressMap, Edit};
use crate::wire::reader::{Reader, Result, WireError};
use crate::wire::writer::Writer;

const ENDPOINTS: AddressList = AddressList {
    flexible: true,
    has_rack: true,
    extra_bytes: 0,
};

pub(super) fn produce(version: i16, body: &[u8], map: &mut dyn AddressMap) -> Result<Option<Edit>> {
    let mut reader = Reader::new(body);
    for _ in 0..reader.array_length(true, 3)?.unwrap_or(0) {
        if version >= 13 {
            reader.uuid()?;
        } else {
            reader.string(true)?;
        }
        for _ in 0..reader.array_length(true, 33)?.unwrap_or(0) {
            reader.take(4 + 2 + 8 + 8 + 8)?; // index, error code, base offset, append time, log start offset
            for _ in 0..reader.array_length(true, 6)?.unwrap_or(0) {
                reader.i32()?;
                reader.nullable_string(true)?;
                reader.skip_tagged_fields()?;
            }
            reader.nullable_string(true)?;
            reader.skip_tagged_fields()?;
        }
        reader.skip_tagged_fields()?;
    }
    reader.i32()?; // throttle
    tagged_endpoints(body, reader, map)
}

/// Version ≥ 16 only: topics by id.
pub(super) fn fetch(body: &[u8], map: &mut dyn AddressMap) -> Result<Option<Edit>> {
    let mut reader = Reader::new(body);
    reader.take(4 + 2 + 4)?; // throttle, error code, session id
    for _ in 0..reader.array_length(true, 18)?.unwrap_or(0) {
        reader.uuid()?;
        for _ in 0..reader.array_length(true, 37)?.unwrap_or(0) {
            reader.take(4 + 2 + 8 + 8 + 8)?; // index, error code, high watermark, last stable, log start offset
            for _ in 0..reader.array_length(true, 17)?.unwrap_or(0) {
                reader.take(8 + 8)?; // an aborted transaction
                reader.skip_tagged_fields()?;
            }
            reader.i32()?; // preferred read replica
            reader.compact_nullable_bytes()?;
            reader.skip_tagged_fields()?;
        }
        reader.skip_tagged_fields()?;
    }
    tagged_endpoints(body, reader, map)
}

/// Rewrites tagged field 0 of the section at `reader`, which ends the body; other fields are kept.
fn tagged_endpoints(body: &[u8], mut reader: Reader<'_>, map: &mut dyn AddressMap) -> Result<Option<Edit>> {
    let start = reader.position();
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    reader.tagged_fields(|tag, bytes| {
        let mut value = bytes.to_vec();
        if tag == 0 {
            value.clear();
            ENDPOINTS.rewrite(&mut Reader::new(bytes), map, &mut value)?;
        }
        fields.push((tag, value));
        Ok(())
    })?;
    reader.finish()?;
    if !fields.iter().any(|(tag, _)| *tag == 0) {
        return Ok(None);
    }
    let mut with = Vec::new();
    let mut writer = Writer::new(&mut with);
    writer.unsigned_varint(fields.len() as u32);
    for (tag, value) in &fields {
        writer.unsigned_varint(*tag);
        writer.unsigned_varint(value.len() as u32);
        writer.raw(value);
    }
    Ok(Some(Edit {
        range: start..body.len(),
        with,
    }))
}

pub(super) fn share_fetch(body: &[u8], map: &mut dyn AddressMap) -> Result<Edit> {
    let mut reader = Reader::new(body);
    reader.take(4 + 2)?; // throttle, error code
    reader.nullable_string(true)?;
    reader.i32()?; // acquisition lock timeout
    for _ in 0..reader.array_length(true, 18)?.unwrap_or(0) {
        reader.uuid()?;
        for _ in 0..reader.array_length(true, 22)?.unwrap_or(0) {
            reader.take(4 + 2)?; // index, error code
            reader.nullable_string(true)?;
            reader.i16()?;
            reader.nullable_string(true)?;
            skip_leader(&mut reader)?;
            reader.compact_nullable_bytes()?;
            for _ in 0..reader.array_length(true, 19)?.unwrap_or(0) {
                reader.take(8 + 8 + 2)?; // acquired records
                reader.skip_tagged_fields()?;
            }
            reader.skip_tagged_fields()?;
        }
        reader.skip_tagged_fields()?;
    }
    plain_endpoints(reader, map)
}

pub(super) fn share_acknowledge(version: i16, body: &[u8], map: &mut dyn AddressMap) -> Result<Edit> {
    let mut reader = Reader::new(body);
    reader.take(4 + 2)?; // throttle, error code
    reader.nullable_string(true)?;
    if version >= 2 {
        reader.i32()?; // acquisition lock timeout
    }
    for _ in 0..reader.array_length(true, 18)?.unwrap_or(0) {
        reader.uuid()?;
        for _ in 0..reader.array_length(true, 17)?.unwrap_or(0) {
            reader.take(4 + 2)?; // index, error code
            reader.nullable_string(true)?;
            skip_leader(&mut reader)?;
            reader.skip_tagged_fields()?;
        }
        reader.skip_tagged_fields()?;
    }
    plain_endpoints(reader, map)
}

fn skip_leader(reader: &mut Reader<'_>) -> Result<()> {
    reader.take(4 + 4)?; // leader id and epoch
    reader.skip_tagged_fields()
}

fn plain_endpoints(mut reader: Reader<'_>, map: &mut dyn AddressMap) -> std::result::Result<Edit, WireError> {
    let start = reader.position();
    let mut with = Vec::new();
    ENDPOINTS.rewrite(&mut reader, map, &mut with)?;
    Ok(Edit {
        range: start..reader.position(),
        with,
    })
}
