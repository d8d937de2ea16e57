//! The orders as the structs that a program would decode them into: what the validators' other peers fill.

use serde::Deserialize;

/// Every text borrowed from the payload: the least that a decoder can do. Fields and order as in the Avro schema.
#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, never read")]
pub struct AvroOrder<'a> {
    id: &'a str,
    customer_id: i64,
    status: AvroStatus,
    created_at: i64,
    currency: &'a str,
    total: f64,
    #[serde(borrow)]
    customer: AvroCustomer<'a>,
    #[serde(borrow)]
    items: Vec<AvroItem<'a>>,
    note: Option<&'a str>,
    coupon: Option<&'a str>,
    priority: i32,
    paid: bool,
}

#[derive(Deserialize)]
enum AvroStatus {
    #[serde(rename = "NEW")]
    New,
    #[serde(rename = "PAID")]
    Paid,
    #[serde(rename = "SENT")]
    Sent,
    #[serde(rename = "DONE")]
    Done,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, never read")]
struct AvroCustomer<'a> {
    name: &'a str,
    email: &'a str,
    tier: i32,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, never read")]
struct AvroItem<'a> {
    sku: &'a str,
    quantity: i32,
    price: f64,
}

/// What protoc generates from the Protobuf schema through prost-build.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProtobufOrder {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(int64, tag = "2")]
    pub customer_id: i64,
    #[prost(enumeration = "ProtobufStatus", tag = "3")]
    pub status: i32,
    #[prost(int64, tag = "4")]
    pub created_at: i64,
    #[prost(string, tag = "5")]
    pub currency: String,
    #[prost(double, tag = "6")]
    pub total: f64,
    #[prost(message, optional, tag = "7")]
    pub customer: Option<ProtobufCustomer>,
    #[prost(message, repeated, tag = "8")]
    pub items: Vec<ProtobufItem>,
    #[prost(string, optional, tag = "9")]
    pub note: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub coupon: Option<String>,
    #[prost(int32, tag = "11")]
    pub priority: i32,
    #[prost(bool, tag = "12")]
    pub paid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ProtobufStatus {
    New = 0,
    Paid = 1,
    Sent = 2,
    Done = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ProtobufCustomer {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub email: String,
    #[prost(int32, tag = "3")]
    pub tier: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ProtobufItem {
    #[prost(string, tag = "1")]
    pub sku: String,
    #[prost(int32, tag = "2")]
    pub quantity: i32,
    #[prost(double, tag = "3")]
    pub price: f64,
}
