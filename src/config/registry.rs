//! `registry`: the embedded schema registry.

mod security;

use super::address;
use super::section::{Reading, Section};
use super::server_tls;
use super::upstream;
use crate::kafka::UpstreamOptions;
use crate::registry::core::INCOMPATIBLE_CODE;
use crate::registry::election::ElectionOptions;
use crate::registry::log::kafka::{KafkaStoreOptions, REPLICATION_FACTOR, TOPIC};
use crate::registry::{RegistryOptions, StoreOptions};
use crate::schema::CompatibilityLevel;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

pub(super) const LEVELS: [(&str, CompatibilityLevel); 7] = [
    ("NONE", CompatibilityLevel::None),
    ("BACKWARD", CompatibilityLevel::Backward),
    ("BACKWARD_TRANSITIVE", CompatibilityLevel::BackwardTransitive),
    ("FORWARD", CompatibilityLevel::Forward),
    ("FORWARD_TRANSITIVE", CompatibilityLevel::ForwardTransitive),
    ("FULL", CompatibilityLevel::Full),
    ("FULL_TRANSITIVE", CompatibilityLevel::FullTransitive),
];

/// The registry's folder in a data folder.
pub fn store_in(data: &Path) -> PathBuf {
    data.join("registry")
}

pub fn default_options(data: &Path) -> RegistryOptions {
    RegistryOptions {
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8081)),
        store: StoreOptions::File(store_in(data)),
        compatibility: CompatibilityLevel::Backward,
        incompatible_code: INCOMPATIBLE_CODE,
        tls: None,
        security: None,
    }
}

/// `data`: the folder of the command line, or the default one; `data_said`: it was the command line's, which wins over
/// another folder. `upstream`: the cluster of a Kafka store, none when it could not be read.
pub fn read(
    section: Option<Section<'_>>,
    reading: &mut Reading<'_>,
    data: &Path,
    data_said: bool,
    upstream: Option<&UpstreamOptions>,
) -> RegistryOptions {
    let mut options = default_options(data);
    let Some(mut section) = section else {
        return options;
    };
    section.refuse("external", reading);
    if let Some(embedded) = section.take_section("embedded", reading) {
        self::embedded(embedded, &mut options, data_said, upstream, reading);
    }
    section.finish(reading);
    options
}

fn embedded(
    mut section: Section<'_>,
    options: &mut RegistryOptions,
    data_said: bool,
    upstream: Option<&UpstreamOptions>,
    reading: &mut Reading<'_>,
) {
    if let Some(node) = section.take("listen") {
        let read = reading.parsed(node, "listen", "0.0.0.0:8081", address::listen);
        options.listen = read.unwrap_or(options.listen);
    }
    if let Some(tls) = section.take_section("tls", reading) {
        options.tls = server_tls::read(tls, reading);
    }
    if let Some(mut store) = section.take_section("store", reading) {
        let kafka = store.take_section("kafka", reading);
        let file = store.take("file");
        if let (Some(kafka), Some(_)) = (&kafka, file) {
            let what = "`registry.embedded.store` names a file and a Kafka topic: the log is in one of them";
            reading.report(kafka.at, what, None);
        }
        let file = file.and_then(|node| reading.path(node, "file"));
        if let (Some(file), false) = (file, data_said) {
            options.store = StoreOptions::File(file);
        }
        if let Some(section) = kafka {
            let read = self::kafka(section, upstream, reading);
            options.store = read.map_or(options.store.clone(), StoreOptions::Kafka);
        }
        store.finish(reading);
    }
    election(&mut section, &mut options.store, reading);
    if let Some(node) = section.take("compatibility") {
        let read = reading.word(node, "compatibility", &LEVELS);
        options.compatibility = read.unwrap_or(options.compatibility);
    }
    if let Some(node) = section.take("incompatible_code")
        && let Some(code) = reading.number::<u32>(node, "incompatible_code", 409..=40_901)
    {
        if matches!(code, 409 | 40_901) {
            options.incompatible_code = code;
        } else {
            let what = format!("`incompatible_code`: `{code}` is neither 409 nor 40901");
            reading.report(node.at, what, None);
        }
    }
    if let Some(security) = section.take_section("security", reading) {
        options.security = security::read(security, reading);
    }
    section.finish(reading);
}

/// How the registry takes part in the election, which a log in Kafka has.
fn election(section: &mut Section<'_>, store: &mut StoreOptions, reading: &mut Reading<'_>) {
    let eligibility = section.take("master_eligibility");
    let eligible = eligibility.and_then(|node| reading.boolean(node, "master_eligibility"));
    let host = section.take("advertised_host");
    let advertised_host = host.and_then(|node| reading.text(node, "advertised_host"));
    let port = section.take("advertised_port");
    let advertised_port = port.and_then(|node| reading.number(node, "advertised_port", 1..=u16::MAX));
    let leader_tls = section
        .take_section("leader_tls", reading)
        .and_then(|tls| upstream::tls(tls, reading));
    match store {
        StoreOptions::Kafka(store) => {
            let election = store.election.get_or_insert_default();
            election.eligible = eligible.unwrap_or(true);
            election.advertised_host = advertised_host;
            election.advertised_port = advertised_port;
            election.leader_tls = leader_tls;
        }
        StoreOptions::File(_) => {
            if let (Some(node), Some(false)) = (eligibility, eligible) {
                let what = "`master_eligibility: false`: a registry on a local file is the only one that can write it; \
                            a replica needs `store.kafka`";
                reading.report(node.at, what, None);
            }
        }
    }
}

/// `None` without an `upstream`, which is a mistake of its own.
fn kafka(
    mut section: Section<'_>,
    upstream: Option<&UpstreamOptions>,
    reading: &mut Reading<'_>,
) -> Option<KafkaStoreOptions> {
    let topic = section
        .take("topic")
        .and_then(|node| reading.topic_name(node, "topic"));
    let replication_factor = section
        .take("replication_factor")
        .and_then(|node| reading.number::<i16>(node, "replication_factor", 1..=i16::MAX));
    let mut election = ElectionOptions::default();
    if let Some(node) = section.take("group_id") {
        election.group_id = reading.text(node, "group_id").unwrap_or(election.group_id);
    }
    section.finish(reading);
    Some(KafkaStoreOptions {
        upstream: upstream?.clone(),
        topic: topic.unwrap_or_else(|| TOPIC.to_owned()),
        replication_factor: replication_factor.unwrap_or(REPLICATION_FACTOR),
        election: Some(Box::new(election)),
    })
}
