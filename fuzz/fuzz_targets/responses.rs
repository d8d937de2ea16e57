//! Any body as each response that carries addresses, and as ApiVersions: an edit stays inside the body, and what it makes
//! names no broker any more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::wire::addresses::{self, AddressMap, MetadataView};
use portcullis::wire::api::ApiKey;
use portcullis::wire::api_versions;

struct Gateway;

impl AddressMap for Gateway {
    fn advertise(&mut self, node_id: i32, _host: &str, _port: i32) -> Option<(String, u16)> {
        (node_id % 5 != 0).then(|| ("gw".to_owned(), 9193))
    }
    fn learn_topic(&mut self, _id: [u8; 16], _name: &str) {}
}

const CARRIERS: [ApiKey; 7] = [
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::METADATA,
    ApiKey::FIND_COORDINATOR,
    ApiKey::DESCRIBE_CLUSTER,
    ApiKey::SHARE_FETCH,
    ApiKey::SHARE_ACKNOWLEDGE,
];

fuzz_target!(|data: &[u8]| {
    let [first, second, body @ ..] = data else { return };
    let key = CARRIERS[usize::from(*first) % CARRIERS.len()];
    let version = i16::from(second % 20);
    let _ = api_versions::clip(version % 5, body, &mut Vec::new());
    if let Ok(view) = MetadataView::read(version, body) {
        assert!(view.brokers.len() <= body.len());
    }
    if !addresses::carries_addresses(key, version) {
        return;
    }
    let Ok(Some(edit)) = addresses::rewrite(key, version, body, &mut Gateway) else { return };
    let mut out = body.to_vec();
    out.splice(edit.range, edit.with);
    if let Ok(Some(edit)) = addresses::rewrite(key, version, &out, &mut Gateway) {
        let again = edit.range.clone();
        assert_eq!(out[again], edit.with, "rewriting twice changes nothing more");
    }
});
