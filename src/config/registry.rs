//! `registry`: the embedded schema registry.

mod security;

use super::address;
use super::section::{Reading, Section};
use super::server_tls;
use crate::registry::RegistryOptions;
use crate::registry::core::INCOMPATIBLE_CODE;
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
        store: store_in(data),
        compatibility: CompatibilityLevel::Backward,
        incompatible_code: INCOMPATIBLE_CODE,
        tls: None,
        security: None,
    }
}

/// `data`: the folder of the command line, or the default one; `data_said`: it was the command line's, which wins.
pub fn read(
    section: Option<Section<'_>>,
    reading: &mut Reading<'_>,
    data: &Path,
    data_said: bool,
) -> RegistryOptions {
    let mut options = default_options(data);
    let Some(mut section) = section else {
        return options;
    };
    section.refuse("external", reading);
    if let Some(embedded) = section.take_section("embedded", reading) {
        self::embedded(embedded, &mut options, data_said, reading);
    }
    section.finish(reading);
    options
}

fn embedded(
    mut section: Section<'_>,
    options: &mut RegistryOptions,
    data_said: bool,
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
        store.refuse("kafka", reading);
        let file = store.take("file").and_then(|node| reading.path(node, "file"));
        if let (Some(file), false) = (file, data_said) {
            options.store = file;
        }
        store.finish(reading);
    }
    if let Some(node) = section.take("master_eligibility")
        && reading.boolean(node, "master_eligibility") == Some(false)
    {
        reading.not_implemented(node.at, "master_eligibility: false");
    }
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
