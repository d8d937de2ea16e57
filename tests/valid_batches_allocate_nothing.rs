//! The promise: once a checker is warm, a batch whose records all conform costs no allocation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
// An allocator that counts cannot be written without it.
#![allow(unsafe_code)]

use portcullis::contract::{
    BatchVerdict, Checker, Governing, Level, Lookup, Policies, Policy, Presence, SchemaSource, TopicPattern,
};
use portcullis::schema::{Schema, SchemaId, SchemaType, Subject, Version};
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use ulid::Ulid;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // Threads that are going away have no counter any more.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct One(Arc<Governing>);

impl SchemaSource for One {
    fn find(&self, _subject: &str, _id: SchemaId) -> Lookup {
        Lookup::Found(Arc::clone(&self.0))
    }
    fn subject(&self, _subject: &str) -> Presence {
        Presence::Present
    }
}

const ORDER: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "string"},
    {"name": "total", "type": "double"},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "note", "type": ["null", "string"]}
]}"#;

fn registry() -> One {
    let validator = Schema::parse(SchemaType::Avro, ORDER, &[])
        .unwrap()
        .validator()
        .unwrap();
    let subject = Subject("orders-value".into());
    One(Arc::new(Governing {
        id: SchemaId(1),
        subject,
        version: Version(1),
        validator: Arc::new(validator),
    }))
}

fn order(number: usize) -> Vec<u8> {
    let id = format!("order-{number}");
    let mut bytes = vec![0, 0, 0, 0, 1, (id.len() * 2) as u8];
    bytes.extend(id.as_bytes());
    bytes.extend((number as f64).to_le_bytes());
    bytes.extend([4, 2, b'a', 2, b'b', 0]); // Two tags, end of the array.
    bytes.extend([2, 4, b'o', b'k']); // The union's second branch.
    bytes
}

#[test]
fn a_valid_batch_allocates_nothing_once_the_checker_is_warm() {
    let registry = registry();
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.key.level = Level::Off;
    let rules = Policies(vec![policy]).rules_for("orders");
    let orders: Vec<Vec<u8>> = (0..100).map(order).collect();
    let records: Vec<NewRecord<'_>> = orders
        .iter()
        .map(|order| NewRecord {
            value: Some(order),
            ..NewRecord::default()
        })
        .collect();
    let mut batch = Vec::new();
    write_batch(&records, Compression::None, None, &mut batch).unwrap();

    let mut checker = Checker::new(DecompressionLimits {
        bytes_max: 1 << 20,
        ratio_max: 128,
    });
    let mut check = |batch: &[u8]| checker.check(&rules, batch, &registry, &mut Ulid::nil);
    assert_eq!(check(&batch), BatchVerdict::Valid { records: 100 });
    let before = ALLOCATIONS.get();
    assert_eq!(check(&batch), BatchVerdict::Valid { records: 100 });
    assert_eq!(ALLOCATIONS.get() - before, 0);

    // The counter does count: the same records cut short are violations, and those have words.
    let short: Vec<NewRecord<'_>> = orders
        .iter()
        .map(|order| NewRecord {
            value: order.get(..order.len() - 1),
            ..NewRecord::default()
        })
        .collect();
    batch.clear();
    write_batch(&short, Compression::None, None, &mut batch).unwrap();
    let before = ALLOCATIONS.get();
    assert!(matches!(
        check(&batch),
        BatchVerdict::Violations { bad_records: 100, .. }
    ));
    assert!(ALLOCATIONS.get() > before);
}
