//! API keys, and for each the versions a current broker offers to clients and the first flexible one.
//!
//! Source: `clients/src/main/resources/common/message/*Request.json` and what a 4.3.0 broker answers to
//! ApiVersions.

/// An API key as it stands in a request header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ApiKey(pub i16);

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

impl Api {
    #[must_use]
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_from.is_some_and(|from| version >= from)
    }

    #[must_use]
    pub fn supports(&self, version: i16) -> bool {
        (self.version_min..=self.version_max).contains(&version)
    }
}

macro_rules! apis {
    ($($constant:ident $name:literal $key:literal $min:literal $max:literal $flexible:expr;)*) => {
        impl ApiKey {
            $(pub const $constant: Self = Self($key);)*
        }

        /// The API of this key, or `None` when it is unknown or closed to clients (inter-broker).
        #[must_use]
        #[inline]
        pub fn client_api(key: ApiKey) -> Option<&'static Api> {
            // A dense match over integers: a table look-up.
            match key.0 {
                $($key => {
                    static API: Api = Api {
                        key: ApiKey($key),
                        name: $name,
                        version_min: $min,
                        version_max: $max,
                        flexible_from: $flexible,
                    };
                    Some(&API)
                })*
                _ => None,
            }
        }

        /// Every API that clients may use, by key.
        pub fn client_apis() -> impl Iterator<Item = &'static Api> {
            [$(ApiKey($key)),*].into_iter().filter_map(client_api)
        }
    };
}

apis! {
    PRODUCE "Produce" 0 3 13 Some(9);
    FETCH "Fetch" 1 4 18 Some(12);
    LIST_OFFSETS "ListOffsets" 2 1 11 Some(6);
    METADATA "Metadata" 3 0 13 Some(9);
    OFFSET_COMMIT "OffsetCommit" 8 2 10 Some(8);
    OFFSET_FETCH "OffsetFetch" 9 1 10 Some(6);
    FIND_COORDINATOR "FindCoordinator" 10 0 6 Some(3);
    JOIN_GROUP "JoinGroup" 11 0 9 Some(6);
    HEARTBEAT "Heartbeat" 12 0 4 Some(4);
    LEAVE_GROUP "LeaveGroup" 13 0 5 Some(4);
    SYNC_GROUP "SyncGroup" 14 0 5 Some(4);
    DESCRIBE_GROUPS "DescribeGroups" 15 0 6 Some(5);
    LIST_GROUPS "ListGroups" 16 0 5 Some(3);
    SASL_HANDSHAKE "SaslHandshake" 17 0 1 None;
    API_VERSIONS "ApiVersions" 18 0 4 Some(3);
    CREATE_TOPICS "CreateTopics" 19 2 7 Some(5);
    DELETE_TOPICS "DeleteTopics" 20 1 6 Some(4);
    DELETE_RECORDS "DeleteRecords" 21 0 2 Some(2);
    INIT_PRODUCER_ID "InitProducerId" 22 0 6 Some(2);
    OFFSET_FOR_LEADER_EPOCH "OffsetForLeaderEpoch" 23 2 4 Some(4);
    ADD_PARTITIONS_TO_TXN "AddPartitionsToTxn" 24 0 5 Some(3);
    ADD_OFFSETS_TO_TXN "AddOffsetsToTxn" 25 0 4 Some(3);
    END_TXN "EndTxn" 26 0 5 Some(3);
    TXN_OFFSET_COMMIT "TxnOffsetCommit" 28 0 5 Some(3);
    DESCRIBE_ACLS "DescribeAcls" 29 1 3 Some(2);
    CREATE_ACLS "CreateAcls" 30 1 3 Some(2);
    DELETE_ACLS "DeleteAcls" 31 1 3 Some(2);
    DESCRIBE_CONFIGS "DescribeConfigs" 32 1 4 Some(4);
    ALTER_CONFIGS "AlterConfigs" 33 0 2 Some(2);
    ALTER_REPLICA_LOG_DIRS "AlterReplicaLogDirs" 34 1 2 Some(2);
    DESCRIBE_LOG_DIRS "DescribeLogDirs" 35 1 5 Some(2);
    SASL_AUTHENTICATE "SaslAuthenticate" 36 0 2 Some(2);
    CREATE_PARTITIONS "CreatePartitions" 37 0 3 Some(2);
    CREATE_DELEGATION_TOKEN "CreateDelegationToken" 38 1 3 Some(2);
    RENEW_DELEGATION_TOKEN "RenewDelegationToken" 39 1 2 Some(2);
    EXPIRE_DELEGATION_TOKEN "ExpireDelegationToken" 40 1 2 Some(2);
    DESCRIBE_DELEGATION_TOKEN "DescribeDelegationToken" 41 1 3 Some(2);
    DELETE_GROUPS "DeleteGroups" 42 0 2 Some(2);
    ELECT_LEADERS "ElectLeaders" 43 0 2 Some(2);
    INCREMENTAL_ALTER_CONFIGS "IncrementalAlterConfigs" 44 0 1 Some(1);
    ALTER_PARTITION_REASSIGNMENTS "AlterPartitionReassignments" 45 0 1 Some(0);
    LIST_PARTITION_REASSIGNMENTS "ListPartitionReassignments" 46 0 0 Some(0);
    OFFSET_DELETE "OffsetDelete" 47 0 0 None;
    DESCRIBE_CLIENT_QUOTAS "DescribeClientQuotas" 48 0 1 Some(1);
    ALTER_CLIENT_QUOTAS "AlterClientQuotas" 49 0 1 Some(1);
    DESCRIBE_USER_SCRAM_CREDENTIALS "DescribeUserScramCredentials" 50 0 0 Some(0);
    ALTER_USER_SCRAM_CREDENTIALS "AlterUserScramCredentials" 51 0 0 Some(0);
    // Version 2 answers with the controllers' own addresses, which no client may see.
    DESCRIBE_QUORUM "DescribeQuorum" 55 0 1 Some(0);
    UPDATE_FEATURES "UpdateFeatures" 57 0 2 Some(0);
    DESCRIBE_CLUSTER "DescribeCluster" 60 0 2 Some(0);
    DESCRIBE_PRODUCERS "DescribeProducers" 61 0 0 Some(0);
    UNREGISTER_BROKER "UnregisterBroker" 64 0 0 Some(0);
    DESCRIBE_TRANSACTIONS "DescribeTransactions" 65 0 0 Some(0);
    LIST_TRANSACTIONS "ListTransactions" 66 0 2 Some(0);
    CONSUMER_GROUP_HEARTBEAT "ConsumerGroupHeartbeat" 68 0 1 Some(0);
    CONSUMER_GROUP_DESCRIBE "ConsumerGroupDescribe" 69 0 1 Some(0);
    GET_TELEMETRY_SUBSCRIPTIONS "GetTelemetrySubscriptions" 71 0 0 Some(0);
    PUSH_TELEMETRY "PushTelemetry" 72 0 0 Some(0);
    LIST_CONFIG_RESOURCES "ListConfigResources" 74 0 1 Some(0);
    DESCRIBE_TOPIC_PARTITIONS "DescribeTopicPartitions" 75 0 0 Some(0);
    SHARE_GROUP_HEARTBEAT "ShareGroupHeartbeat" 76 1 1 Some(0);
    SHARE_GROUP_DESCRIBE "ShareGroupDescribe" 77 1 1 Some(0);
    SHARE_FETCH "ShareFetch" 78 1 2 Some(0);
    SHARE_ACKNOWLEDGE "ShareAcknowledge" 79 1 2 Some(0);
    ADD_RAFT_VOTER "AddRaftVoter" 80 0 1 Some(0);
    REMOVE_RAFT_VOTER "RemoveRaftVoter" 81 0 0 Some(0);
    STREAMS_GROUP_HEARTBEAT "StreamsGroupHeartbeat" 88 0 0 Some(0);
    STREAMS_GROUP_DESCRIBE "StreamsGroupDescribe" 89 0 0 Some(0);
    DESCRIBE_SHARE_GROUP_OFFSETS "DescribeShareGroupOffsets" 90 0 0 Some(0);
    ALTER_SHARE_GROUP_OFFSETS "AlterShareGroupOffsets" 91 0 0 Some(0);
    DELETE_SHARE_GROUP_OFFSETS "DeleteShareGroupOffsets" 92 0 0 Some(0);
}

/// Closed to clients: between brokers and controllers.
impl ApiKey {
    pub const LEADER_AND_ISR: Self = Self(4);
    pub const STOP_REPLICA: Self = Self(5);
    pub const UPDATE_METADATA: Self = Self(6);
    pub const CONTROLLED_SHUTDOWN: Self = Self(7);
    pub const WRITE_TXN_MARKERS: Self = Self(27);
    pub const VOTE: Self = Self(52);
    pub const BEGIN_QUORUM_EPOCH: Self = Self(53);
    pub const END_QUORUM_EPOCH: Self = Self(54);
    pub const ALTER_PARTITION: Self = Self(56);
    pub const ENVELOPE: Self = Self(58);
    pub const FETCH_SNAPSHOT: Self = Self(59);
    pub const BROKER_REGISTRATION: Self = Self(62);
    pub const BROKER_HEARTBEAT: Self = Self(63);
    pub const ALLOCATE_PRODUCER_IDS: Self = Self(67);
    pub const CONTROLLER_REGISTRATION: Self = Self(70);
    pub const ASSIGN_REPLICAS_TO_DIRS: Self = Self(73);
    pub const UPDATE_RAFT_VOTER: Self = Self(82);
    pub const INITIALIZE_SHARE_GROUP_STATE: Self = Self(83);
    pub const READ_SHARE_GROUP_STATE: Self = Self(84);
    pub const WRITE_SHARE_GROUP_STATE: Self = Self(85);
    pub const DELETE_SHARE_GROUP_STATE: Self = Self(86);
    pub const READ_SHARE_GROUP_STATE_SUMMARY: Self = Self(87);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_and_unknown_keys_have_no_client_api() {
        for key in [
            -1, 4, 5, 6, 7, 27, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 83, 84, 85, 86, 87, 93,
        ] {
            assert_eq!(client_api(ApiKey(key)), None, "key {key}");
        }
    }

    #[test]
    fn every_api_is_found_under_its_own_key_and_has_a_range() {
        assert_eq!(client_apis().count(), 71);
        for api in client_apis() {
            assert_eq!(client_api(api.key), Some(api));
            assert!(api.version_min <= api.version_max, "{}", api.name);
        }
    }

    #[test]
    fn the_quorum_version_with_controller_addresses_is_clipped() {
        assert!(!client_api(ApiKey::DESCRIBE_QUORUM).unwrap().supports(2));
    }
}
