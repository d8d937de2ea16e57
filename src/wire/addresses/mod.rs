//! Responses that carry brokers' addresses, and the one edit that puts others in their place.
//!
//! | response | where the addresses are |
//! |---|---|
//! | Metadata | `brokers` |
//! | FindCoordinator | the node (≤ 3), `coordinators` (≥ 4) |
//! | DescribeCluster | `brokers` |
//! | Produce ≥ 10, Fetch ≥ 16 | `NodeEndpoints`, tagged field 0 at the end (KIP-951) |
//! | ShareFetch, ShareAcknowledge | `NodeEndpoints` at the end (KIP-932) |
//!
//! DescribeQuorum ≥ 2 names controllers' addresses; the gateway offers it up to version 1 only.

mod endpoints;
mod find_coordinator;
mod lists;

use super::api::ApiKey;
use super::reader::{Reader, WireError};
use super::writer::Writer;
use std::ops::Range;

pub use lists::{BrokerAddress, MetadataView};

/// Where clients reach a broker, and what is learnt on the way.
pub trait AddressMap {
    /// The host and port to tell clients instead; `None` when the broker cannot be reached through us: it is then
    /// left out.
    fn advertise(&mut self, node_id: i32, host: &str, port: i32) -> Option<(String, u16)>;
    /// A topic's id and name passed by.
    fn learn_topic(&mut self, id: [u8; 16], name: &str);
}

/// One contiguous change to a response's body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    pub range: Range<usize>,
    pub with: Vec<u8>,
}

/// Whether the response to this request may carry an address, so that it has to be held and read.
#[must_use]
pub fn carries_addresses(api_key: ApiKey, version: i16) -> bool {
    match api_key {
        ApiKey::METADATA
        | ApiKey::FIND_COORDINATOR
        | ApiKey::DESCRIBE_CLUSTER
        | ApiKey::SHARE_FETCH
        | ApiKey::SHARE_ACKNOWLEDGE => true,
        ApiKey::PRODUCE => version >= 10,
        ApiKey::FETCH => version >= 16,
        _ => false,
    }
}

/// The edit that rewrites the addresses of `body` (what follows the response header), or `None` when it has none.
///
/// # Errors
/// [`WireError`] when the body is not a response of this API and version.
pub fn rewrite(
    api_key: ApiKey,
    version: i16,
    body: &[u8],
    map: &mut dyn AddressMap,
) -> Result<Option<Edit>, WireError> {
    match api_key {
        ApiKey::METADATA => lists::metadata(version, body, map).map(Some),
        ApiKey::DESCRIBE_CLUSTER => lists::describe_cluster(version, body, map).map(Some),
        ApiKey::FIND_COORDINATOR => find_coordinator::rewrite(version, body, map).map(Some),
        ApiKey::PRODUCE => endpoints::produce(version, body, map),
        ApiKey::FETCH => endpoints::fetch(body, map),
        ApiKey::SHARE_FETCH => endpoints::share_fetch(body, map).map(Some),
        ApiKey::SHARE_ACKNOWLEDGE => endpoints::share_acknowledge(version, body, map).map(Some),
        _ => Ok(None),
    }
}

/// One element of every list of addresses: node id, host, port, rack, then `extra_bytes` that are kept as they are,
/// then tagged fields (flexible). A broker that cannot be reached through us is left out.
struct AddressList {
    flexible: bool,
    has_rack: bool,
    /// Fixed-size fields between rack and tagged fields.
    extra_bytes: usize,
}

impl AddressList {
    fn rewrite(
        &self,
        reader: &mut Reader<'_>,
        map: &mut dyn AddressMap,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let count = reader.array_length(self.flexible, 10)?;
        let mut kept = Vec::new();
        let mut kept_count = 0;
        for _ in 0..count.unwrap_or(0) {
            let address = self.read(reader)?;
            let extra = reader.take(self.extra_bytes)?;
            if self.flexible {
                reader.skip_tagged_fields()?;
            }
            let Some((host, port)) = map.advertise(address.node_id, address.host, address.port) else {
                continue;
            };
            kept_count += 1;
            let mut writer = Writer::new(&mut kept);
            writer.i32(address.node_id);
            writer.string(self.flexible, &host);
            writer.i32(i32::from(port));
            if self.has_rack {
                writer.nullable_string(self.flexible, address.rack);
            }
            writer.raw(extra);
            writer.no_tagged_fields(self.flexible);
        }
        let mut writer = Writer::new(out);
        writer.array_length(self.flexible, count.map(|_| kept_count));
        writer.raw(&kept);
        Ok(())
    }

    fn read<'a>(&self, reader: &mut Reader<'a>) -> Result<BrokerAddress<'a>, WireError> {
        Ok(BrokerAddress {
            node_id: reader.i32()?,
            host: reader.string(self.flexible)?,
            port: reader.i32()?,
            rack: if self.has_rack {
                reader.nullable_string(self.flexible)?
            } else {
                None
            },
        })
    }
}

#[cfg(test)]
mod tests;
