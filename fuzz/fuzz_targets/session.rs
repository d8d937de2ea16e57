//! Both sides of a session say anything, in pieces of any size: it ends, or goes on, and never holds more than was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::contract::{BatchVerdict, Policies, TopicRules};
use portcullis::gateway::session::world::{Judged, Topic, World};
use portcullis::gateway::session::{Session, SessionLimits};
use portcullis::wire::addresses::AddressMap;
use std::sync::Arc;

#[derive(Default)]
struct Anything {
    reserved: usize,
    sasl: bool,
}

impl World for Anything {
    type Metrics = ();
    fn topic(&mut self, name: &str) -> Arc<Topic<()>> {
        Arc::new(Topic { name: name.into(), rules: Policies::default().rules_for(name), metrics: () })
    }
    fn topic_name(&mut self, id: [u8; 16]) -> Option<Arc<str>> {
        (id[0] % 2 == 0).then(|| "orders".into())
    }
    fn check(&mut self, _rules: &TopicRules, records: &[u8]) -> BatchVerdict {
        if records.len() % 2 == 0 {
            return BatchVerdict::Valid { records: 1 };
        }
        BatchVerdict::RegistryUnreachable { records: 1, line: "PC-401".to_owned() }
    }
    fn judged(&mut self, _judged: Judged<'_, ()>) {}
    fn addresses(&mut self) -> &mut dyn AddressMap {
        self
    }
    fn reserve(&mut self, bytes: usize) -> bool {
        self.reserved += bytes;
        true
    }
    fn release(&mut self, bytes: usize) {
        self.reserved -= bytes;
    }
    fn asks_for_sasl(&self) -> bool {
        self.sasl
    }
    fn saw_sasl(&mut self) {
        self.sasl = true;
    }
}

impl AddressMap for Anything {
    fn advertise(&mut self, node_id: i32, _host: &str, _port: i32) -> Option<(String, u16)> {
        (node_id % 5 != 0).then(|| ("gw".to_owned(), 9193))
    }
    fn learn_topic(&mut self, _id: [u8; 16], _name: &str) {}
}

fuzz_target!(|data: &[u8]| {
    let mut session = Session::new(SessionLimits { frame_bytes_max: 1 << 16 });
    let mut world = Anything::default();
    let mut rest = data;
    // A byte says whose turn it is and how much comes.
    while let Some((turn, after)) = rest.split_first() {
        let (piece, after) = after.split_at(after.len().min(usize::from(turn >> 1)));
        rest = after;
        if turn & 1 == 0 {
            if let Some(buffer) = session.client_buffer(&mut world) {
                buffer.extend_from_slice(piece);
                session.client_read(piece.len());
            }
        } else if let Some(buffer) = session.upstream_buffer(&mut world) {
            buffer.extend_from_slice(piece);
            session.upstream_read(piece.len());
        }
        session.advance(&mut world);
        session.sent_upstream(session.to_upstream().len());
        session.sent_to_client(session.to_client().len());
        session.relax(&mut world);
        assert_eq!(session.reserved_bytes(), world.reserved);
        if session.closing().is_some() {
            return;
        }
    }
});
