//! API keys, and for each the versions a current broker offers to clients and the first flexible one.

/// An API key as it stands in a request header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ApiKey(pub i16);

impl ApiKey {
    pub const PRODUCE: Self = Self(0);
    pub const FETCH: Self = Self(1);
    pub const LIST_OFFSETS: Self = Self(2);
    pub const METADATA: Self = Self(3);
    pub const OFFSET_COMMIT: Self = Self(8);
    pub const OFFSET_FETCH: Self = Self(9);
    pub const FIND_COORDINATOR: Self = Self(10);
    pub const JOIN_GROUP: Self = Self(11);
    pub const HEARTBEAT: Self = Self(12);
    pub const LEAVE_GROUP: Self = Self(13);
    pub const SYNC_GROUP: Self = Self(14);
    pub const DESCRIBE_GROUPS: Self = Self(15);
    pub const LIST_GROUPS: Self = Self(16);
    pub const SASL_HANDSHAKE: Self = Self(17);
    pub const API_VERSIONS: Self = Self(18);
    pub const CREATE_TOPICS: Self = Self(19);
    pub const DELETE_TOPICS: Self = Self(20);
    pub const INIT_PRODUCER_ID: Self = Self(22);
    pub const SASL_AUTHENTICATE: Self = Self(36);
    pub const DESCRIBE_QUORUM: Self = Self(55);
    pub const DESCRIBE_CLUSTER: Self = Self(60);
    pub const SHARE_FETCH: Self = Self(78);
    pub const SHARE_ACKNOWLEDGE: Self = Self(79);
}

/// What is known of one API that clients may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Api {
    pub key: ApiKey,
    pub name: &'static str,
    pub version_min: i16,
    pub version_max: i16,
    /// The first version with compact types and tagged fields, if any.
    pub flexible_from: Option<i16>,
}

/// The API of this key, or `None` when it is unknown or closed to clients (inter-broker).
#[must_use]
pub fn client_api(_key: ApiKey) -> Option<&'static Api> {
    todo!()
}
