//! The Produce request, versions 3 to 13, as a view over its bytes.

use super::reader::WireError;

/// How a topic is named: by name up to version 12, by id from version 13 on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopicRef<'a> {
    Name(&'a str),
    Id([u8; 16]),
}

/// One partition of a request, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionData<'a> {
    pub topic: TopicRef<'a>,
    pub partition: i32,
    pub records: Option<&'a [u8]>,
}

/// A request's body (what follows the header), walked once, so that every later walk cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRequest<'a> {
    pub version: i16,
    pub transactional_id: Option<&'a str>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub partition_count: usize,
    body: &'a [u8],
}

impl<'a> ProduceRequest<'a> {
    pub fn read(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let _ = body;
        Err(WireError::UnsupportedVersion {
            what: "Produce",
            version,
        })
    }

    /// The partitions in the request's order.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionData<'a>> + use<'a> {
        let _ = self.body;
        std::iter::empty()
    }

    /// Appends the body again with only the partitions that `keep` (by index in [`Self::partitions`]) wants; topics
    /// left without a partition are left out; unknown tagged fields are kept.
    pub fn write_kept(&self, _keep: impl Fn(usize) -> bool, _out: &mut Vec<u8>) {
        todo!()
    }
}
