//! Metadata and DescribeCluster: the brokers stand in a list near the start.

use super::{AddressList, AddressMap, Edit};
use crate::wire::reader::{Reader, WireError};

/// A broker as a response names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokerAddress<'a> {
    pub node_id: i32,
    pub host: &'a str,
    pub port: i32,
    pub rack: Option<&'a str>,
}

/// What the gateway itself reads of a Metadata response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetadataView<'a> {
    pub brokers: Vec<BrokerAddress<'a>>,
    /// Id and name, from version 10 on.
    pub topics: Vec<([u8; 16], &'a str)>,
}

impl<'a> MetadataView<'a> {
    pub fn read(version: i16, body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let list = metadata_list(version);
        skip_throttle(version, &mut reader)?;
        let mut view = Self::default();
        for _ in 0..reader.array_length(list.flexible, 10)?.unwrap_or(0) {
            view.brokers.push(list.read(&mut reader)?);
            if list.flexible {
                reader.skip_tagged_fields()?;
            }
        }
        metadata_topics(version, &mut reader, &mut |id, name| view.topics.push((id, name)))?;
        Ok(view)
    }
}

pub(super) fn metadata(version: i16, body: &[u8], map: &mut dyn AddressMap) -> Result<Edit, WireError> {
    let mut reader = Reader::new(body);
    skip_throttle(version, &mut reader)?;
    let start = reader.position();
    let mut with = Vec::new();
    metadata_list(version).rewrite(&mut reader, map, &mut with)?;
    let range = start..reader.position();
    metadata_topics(version, &mut reader, &mut |id, name| map.learn_topic(id, name))?;
    Ok(Edit { range, with })
}

fn metadata_list(version: i16) -> AddressList {
    AddressList {
        flexible: version >= 9,
        has_rack: version >= 1,
        extra_bytes: 0,
    }
}

fn skip_throttle(version: i16, reader: &mut Reader<'_>) -> Result<(), WireError> {
    if version >= 3 {
        reader.i32()?;
    }
    Ok(())
}

/// What follows the brokers, read only where topics have ids (version ≥ 10, always flexible).
fn metadata_topics<'a>(
    version: i16,
    reader: &mut Reader<'a>,
    each: &mut dyn FnMut([u8; 16], &'a str),
) -> Result<(), WireError> {
    if version < 10 {
        return Ok(());
    }
    reader.nullable_string(true)?; // cluster id
    reader.i32()?; // controller id
    for _ in 0..reader.array_length(true, 20)?.unwrap_or(0) {
        reader.i16()?;
        let name = reader.nullable_string(true)?;
        let id = reader.uuid()?;
        reader.bool()?;
        for _ in 0..reader.array_length(true, 18)?.unwrap_or(0) {
            reader.take(2 + 4 + 4 + 4)?; // error code, index, leader, leader epoch
            for _ in 0..3 {
                let replicas = reader.array_length(true, 4)?.unwrap_or(0);
                reader.take(replicas.saturating_mul(4))?;
            }
            reader.skip_tagged_fields()?;
        }
        reader.i32()?; // authorized operations
        reader.skip_tagged_fields()?;
        if let Some(name) = name
            && id != [0; 16]
        {
            each(id, name);
        }
    }
    Ok(())
}

pub(super) fn describe_cluster(
    version: i16,
    body: &[u8],
    map: &mut dyn AddressMap,
) -> Result<Edit, WireError> {
    let mut reader = Reader::new(body);
    reader.i32()?; // throttle
    reader.i16()?;
    reader.nullable_string(true)?;
    if version >= 1 {
        reader.i8()?; // endpoint type
    }
    reader.nullable_string(true)?; // cluster id
    reader.i32()?; // controller id
    let start = reader.position();
    let mut with = Vec::new();
    // Version 2 adds is_fenced.
    AddressList {
        flexible: true,
        has_rack: true,
        extra_bytes: usize::from(version >= 2),
    }
    .rewrite(&mut reader, map, &mut with)?;
    Ok(Edit {
        range: start..reader.position(),
        with,
    })
}
