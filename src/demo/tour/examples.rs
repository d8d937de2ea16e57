//! What the tour registers and sends: good and bad records of every language, and the fate that each should meet.

use super::TourError;
use super::payloads::{Payments, framed, framed_message, length_delimited, order};
use crate::schema::SchemaId;
use crate::wire::compression::Compression;
use serde_json::{Value, json};

pub const ORDERS: &str = "orders";
pub const PAYMENTS: &str = "payments";
pub const CUSTOMERS: &str = "customers";
/// A topic whose records no schema governs.
pub const NOTES: &str = "notes";

pub const TOPICS: [&str; 4] = [ORDERS, PAYMENTS, CUSTOMERS, NOTES];

pub const ORDER_SCHEMA: &str = r#"{
  "type": "record", "name": "Order", "namespace": "shop",
  "fields": [
    {"name": "id", "type": "string"},
    {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID", "SHIPPED"]}},
    {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
      {"name": "sku", "type": "string"},
      {"name": "quantity", "type": "int"}]}}},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "total", "type": "double"}
  ]
}"#;

pub const PAYMENT_SCHEMA: &str = r#"syntax = "proto3";
package shop;

message Payment {
  string id = 1;
  string order = 2;
  int64 cents = 3;
  repeated string tags = 4;
}
"#;

pub const CUSTOMER_SCHEMA: &str = r#"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Customer",
  "type": "object",
  "properties": {
    "id": {"type": "string", "minLength": 1},
    "email": {"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"},
    "age": {"type": "integer", "minimum": 0},
    "tier": {"enum": ["basic", "gold"]}
  },
  "required": ["id", "email"],
  "additionalProperties": false
}"#;

/// The ids that the registry gave.
#[derive(Clone, Copy)]
pub struct Ids {
    pub order: SchemaId,
    pub payment: SchemaId,
    pub customer: SchemaId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The broker has the batch, byte for byte.
    Forwarded,
    /// The gateway refused the batch, because of this record of it, with this code.
    Refused { code: &'static str, record: i32 },
}

/// A record's key and value.
pub type KeyValue = (Option<Vec<u8>>, Option<Vec<u8>>);

/// One batch for one topic.
pub struct Shipment {
    pub topic: &'static str,
    pub what: &'static str,
    pub compression: Compression,
    pub records: Vec<KeyValue>,
    pub fate: Fate,
}

/// The requests of the tour: each a list of shipments, no two for the same topic.
pub fn requests(ids: Ids) -> Result<Vec<Vec<Shipment>>, TourError> {
    let payments = Payments::new(PAYMENT_SCHEMA)?;
    let mut requests = Vec::new();
    requests.extend(order_shipments(ids).into_iter().map(|shipment| vec![shipment]));
    requests.extend(
        payment_shipments(ids, &payments)?
            .into_iter()
            .map(|shipment| vec![shipment]),
    );
    requests.extend(customer_shipments(ids).into_iter().map(|shipment| vec![shipment]));
    requests.push(vec![forwarded(
        NOTES,
        "no schema governs this topic",
        Compression::None,
        [b"hello".to_vec()],
    )]);
    requests.push(side_by_side(ids, &payments)?);
    Ok(requests)
}

fn forwarded(
    topic: &'static str,
    what: &'static str,
    compression: Compression,
    values: impl IntoIterator<Item = Vec<u8>>,
) -> Shipment {
    let records = values
        .into_iter()
        .map(|value| (Some(what.as_bytes().to_vec()), Some(value)))
        .collect();
    Shipment {
        topic,
        what,
        compression,
        records,
        fate: Fate::Forwarded,
    }
}

fn refused(topic: &'static str, what: &'static str, code: &'static str, value: Vec<u8>) -> Shipment {
    let shipment = forwarded(topic, what, Compression::None, [value]);
    Shipment {
        fate: Fate::Refused { code, record: 0 },
        ..shipment
    }
}

fn good_order(ids: Ids, number: u32) -> Vec<u8> {
    let items = [("bolt", i64::from(number)), ("nut", 2)];
    framed(
        ids.order,
        &order(
            &format!("o-{number}"),
            i64::from(number % 3),
            &items,
            f64::from(number) * 1.25,
        ),
    )
}

fn order_shipments(ids: Ids) -> Vec<Shipment> {
    let good = order("o-9", 1, &[("bolt", 4)], 19.5);
    let cut_short = good.get(..good.len() - 3).unwrap_or_default();
    let too_long = [good.as_slice(), b"??"].concat();
    vec![
        forwarded(
            ORDERS,
            "three orders, zstd",
            Compression::Zstd,
            (1..=3).map(|number| good_order(ids, number)),
        ),
        forwarded(
            ORDERS,
            "three orders, gzip",
            Compression::Gzip,
            (4..=6).map(|number| good_order(ids, number)),
        ),
        refused(ORDERS, "cut short", "PC-201", framed(ids.order, cut_short)),
        refused(ORDERS, "bytes left over", "PC-201", framed(ids.order, &too_long)),
        refused(
            ORDERS,
            "a status that is none",
            "PC-201",
            framed(ids.order, &order("o-10", 7, &[], 0.0)),
        ),
        refused(
            ORDERS,
            "no framing: a legacy producer",
            "PC-101",
            br#"{"id": "o-11", "total": 1}"#.to_vec(),
        ),
        refused(
            ORDERS,
            "a schema that is not registered",
            "PC-102",
            framed(SchemaId(4_242), &good),
        ),
        refused(
            ORDERS,
            "the customers' schema",
            "PC-103",
            framed(ids.customer, &good),
        ),
    ]
}

fn payment_shipments(ids: Ids, payments: &Payments) -> Result<Vec<Shipment>, TourError> {
    let good = payments.payment("p-1", "o-1", 1_250, &["card", "eu"])?;
    let second = payments.payment("p-2", "o-2", 250, &[])?;
    let no_text = length_delimited(2, b"\xff\xfe");
    let text_for_cents = length_delimited(3, b"twelve");
    let cut_short = good.get(..good.len() - 1).unwrap_or_default();
    let framed = |payload: &[u8]| framed_message(ids.payment, &[0], payload);
    Ok(vec![
        forwarded(
            PAYMENTS,
            "two payments, snappy",
            Compression::Snappy,
            [framed(&good), framed(&second)],
        ),
        refused(
            PAYMENTS,
            "an order id that is not UTF-8",
            "PC-202",
            framed(&[second.as_slice(), &no_text].concat()),
        ),
        refused(
            PAYMENTS,
            "text where a number belongs",
            "PC-202",
            framed(&text_for_cents),
        ),
        refused(PAYMENTS, "cut short", "PC-202", framed(cut_short)),
        refused(
            PAYMENTS,
            "the index of no message",
            "PC-105",
            framed_message(ids.payment, &[3], &good),
        ),
    ])
}

fn customer(ids: Ids, value: &Value) -> Vec<u8> {
    framed(ids.customer, value.to_string().as_bytes())
}

fn customer_shipments(ids: Ids) -> Vec<Shipment> {
    let good = |number: u32| {
        customer(
            ids,
            &json!({"id": format!("c-{number}"), "email": format!("c{number}@example.com"), "age": number}),
        )
    };
    let bad = |what, value| refused(CUSTOMERS, what, "PC-203", customer(ids, &value));
    let tombstone = Shipment {
        records: vec![(Some(b"c-1".to_vec()), None)],
        ..forwarded(CUSTOMERS, "a tombstone", Compression::None, [])
    };
    let one_of_three = Shipment {
        fate: Fate::Refused {
            code: "PC-203",
            record: 1,
        },
        ..forwarded(
            CUSTOMERS,
            "one of three is bad, gzip",
            Compression::Gzip,
            [
                good(31),
                customer(
                    ids,
                    &json!({"id": "c-32", "email": "c32@example.com", "age": "old"}),
                ),
                good(33),
            ],
        )
    };
    vec![
        forwarded(
            CUSTOMERS,
            "two customers, lz4",
            Compression::Lz4,
            (21..=22).map(good),
        ),
        bad("no e-mail address", json!({"id": "c-2"})),
        bad(
            "a negative age",
            json!({"id": "c-3", "email": "c3@example.com", "age": -1}),
        ),
        bad(
            "a tier that is none",
            json!({"id": "c-4", "email": "c4@example.com", "tier": "wood"}),
        ),
        refused(
            CUSTOMERS,
            "JSON that is not JSON",
            "PC-204",
            framed(ids.customer, br#"{"id": "c-5", "#),
        ),
        one_of_three,
        tombstone,
    ]
}

/// One request for three topics: what is refused of it does not take the rest along.
fn side_by_side(ids: Ids, payments: &Payments) -> Result<Vec<Shipment>, TourError> {
    let payment = payments.payment("p-7", "o-7", 7, &[])?;
    Ok(vec![
        forwarded(
            ORDERS,
            "good, beside a bad one",
            Compression::None,
            [good_order(ids, 7)],
        ),
        refused(PAYMENTS, "bad, between two good ones", "PC-101", payment),
        forwarded(
            CUSTOMERS,
            "good, beside a bad one",
            Compression::None,
            [customer(ids, &json!({"id": "c-7", "email": "c7@example.com"}))],
        ),
    ])
}
