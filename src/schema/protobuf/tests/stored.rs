//! The stored text: layout, determinism, and that it says the same schema.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

/// The linked descriptor without what the order of writing decides.
fn meaning(schema: &ProtobufSchema) -> FileDescriptorProto {
    let file = schema.descriptor();
    let mut proto = file.file_descriptor_proto().clone();
    // As bytes from the pool: with custom options, as unknown fields would be lost.
    proto.dependency.sort();
    proto.public_dependency.clear();
    proto.message_type.iter_mut().for_each(sort);
    proto
}

fn sort(message: &mut DescriptorProto) {
    message.field.sort_by_key(FieldDescriptorProto::number);
    message
        .nested_type
        .sort_by(|left, right| left.name().cmp(right.name()));
    message.nested_type.iter_mut().for_each(sort);
}

fn assert_stable(text: &str) -> String {
    let schema = parse(text);
    let canonical = schema.canonical();
    let again = parse(&canonical);
    assert_eq!(meaning(&schema), meaning(&again), "{canonical}");
    assert_eq!(again.canonical(), canonical);
    canonical
}

const RICH: &str = r#"
// comment
syntax = "proto3";
package shop.v1;
import public "google/protobuf/timestamp.proto";
import "confluent/meta.proto";
import "google/protobuf/descriptor.proto";
option java_package = 'io.shop'; option java_multiple_files = true;
enum Status { option allow_alias = true; reserved 5, 7 to 9, 100 to max; reserved "OLD"; UNKNOWN = 0; OPEN = 1 [deprecated = true]; ALSO = 1; NEGATIVE = -4; }
message Order { message Item { string sku = 1; }
  string id = 1 [json_name = "ID", deprecated = true];
  oneof contact { string email = 2; Item by = 3; }
  map<string, Item> items = 4; optional int32 note = 5;
  repeated int32 samples = 6 [packed = false];
  google.protobuf.Timestamp at = 7;
  reserved 10, 12 to 20, 1000 to max; reserved "gone";
  option (confluent.message_meta) = { doc: "it's \"q\"" tags: "PII" tags: 'x' params { key: "a" value: "b" } };
  option (confluent.message_meta).rules = { name: "r" };
  Status status = 8 [(hint) = -1.5, (confluent.field_meta).doc = "d"];
  enum Kind { K0 = 0; }
}
message Empty {}
extend google.protobuf.FieldOptions { double hint = 50001; optional string more = 50002; }
service Orders { rpc Get (Order) returns (stream Empty) { option deprecated = true; } rpc Put(stream Order) returns(Empty); }
"#;

#[test]
fn the_layout_is_confluents() {
    let expected = r#"syntax = "proto3";
package shop.v1;

import "confluent/meta.proto";
import "google/protobuf/descriptor.proto";
import public "google/protobuf/timestamp.proto";

option java_package = "io.shop";
option java_multiple_files = true;

message Order {
  reserved 10, 12 to 20, 1000 to max;
  reserved "gone";

  option (confluent.message_meta) = {
    doc: "it\'s \"q\"",
    tags: [
      "PII",
      "x"
    ],
    params: {
      key: "a",
      value: "b"
    }
  };
  option (confluent.message_meta).rules = {
    name: "r"
  };

  string id = 1 [
    deprecated = true,
    json_name = "ID"
  ];
  map<string, Item> items = 4;
  optional int32 note = 5;
  repeated int32 samples = 6 [packed = false];
  google.protobuf.Timestamp at = 7;
  Status status = 8 [
    (hint) = -1.5,
    (confluent.field_meta).doc = "d"
  ];

  oneof contact {
    string email = 2;
    Item by = 3;
  }

  message Item {
    string sku = 1;
  }
  enum Kind {
    K0 = 0;
  }
}
message Empty {}
enum Status {
  reserved 5, 7 to 9, 100 to max;
  reserved "OLD";
  option allow_alias = true;
  UNKNOWN = 0;
  OPEN = 1 [deprecated = true];
  ALSO = 1;
  NEGATIVE = -4;
}

extend google.protobuf.FieldOptions {
  double hint = 50001;
  optional string more = 50002;
}

service Orders {
  rpc Get (Order) returns (stream Empty) {
    option deprecated = true;
  };
  rpc Put (stream Order) returns (Empty);
}
"#;
    assert_eq!(assert_stable(RICH), expected);
}

#[test]
fn white_space_and_comments_do_not_change_the_text() {
    let loose =
        "/* a */ syntax='proto3' ;\n\n\n message  M{string   s=1;// b\n map < string,int32 > m=2 ; ;}";
    let tight = "syntax = \"proto3\"; message M { string s = 1; map<string,int32> m = 2; }";
    assert_eq!(assert_stable(loose), assert_stable(tight));
    let other = "syntax = \"proto3\"; message M { string t = 1; map<string,int32> m = 2; }";
    assert_ne!(assert_stable(other), assert_stable(tight));
}

#[test]
fn the_syntax_statement_is_kept_as_written() {
    assert!(assert_stable("syntax = \"proto2\"; message M {}").starts_with("syntax = \"proto2\";\n"));
    assert_eq!(assert_stable("message M {}"), "\nmessage M {}\n");
}

#[test]
fn proto2_with_groups_extensions_and_defaults_survives() {
    let canonical = assert_stable(
        r#"syntax = "proto2"; package p;
        message M {
          required string s = 1 [default = "a\"\\\n\001é"];
          optional bytes b = 2 [default = "\x7f\"'\\x"];
          optional double d = 3 [default = -inf]; optional float f = 4 [default = 1e10];
          optional E e = 5 [default = TWO, (opt) = { a: 1 b { c: [1, 2] } [p.x]: "y" }];
          repeated group G = 6 { optional int32 i = 1; message Deep { optional bool b = 1; } }
          oneof o { int32 x = 7; group H = 8 { optional int32 j = 1; } }
          extensions 100 to 200, 300; extensions 1000 to max;
          message N {} extend Opt { optional N n = 102; }
        }
        enum E { ONE = 1; TWO = 2; }
        message Opt { optional int32 a = 1; optional In b = 2; extensions 100 to 200; message In { repeated int32 c = 1; } }
        extend Opt { optional string x = 101; }
        extend google.protobuf.FieldOptions { optional Opt opt = 50000; }
        extend M { repeated group Ext = 110 { optional int32 k = 1; } }
        import "google/protobuf/descriptor.proto";"#,
    );
    assert!(
        canonical.contains("  repeated group G = 6 {\n    optional int32 i = 1;\n  \n    message Deep {\n"),
        "{canonical}"
    );
}

#[test]
fn an_escape_is_one_character_as_confluents_registry_reads_it() {
    let text = r#"message M { optional string s = 1 [default = "\303\251 \u00e9"]; }"#;
    assert!(parse(text).canonical().contains("[default = \"Ã© u00e9\"]"));
}

#[test]
fn what_confluents_parser_takes_and_the_linkers_does_not_is_linked_in_another_spelling() {
    assert_stable("message M { extensions 5, 10 to 20 [verification = UNVERIFIED]; }");
    assert_stable("enum E { reserved 5, \"A\", 7 to 9; Z = 0; }");
}

#[test]
fn negative_numbers_may_come_before_zero_as_they_do_in_the_normalised_form() {
    let schema = parse("syntax = \"proto3\"; enum E { Z = 0; N = -1; } message M { E e = 1; }");
    let normalized = parse(&schema.normalized());
    assert!(normalized.canonical().contains("  N = -1;\n  Z = 0;\n"));
}

#[test]
fn a_base64_descriptor_is_stored_as_text_with_its_map_entries_spelled_out() {
    let file = parse(
        "syntax = \"proto3\"; package p; import \"confluent/meta.proto\"; option go_package = \"g\"; option java_multiple_files = true; \
         message M { map<string, int32> labels = 1; optional N n = 2 [(confluent.field_meta) = { tags: \"PII\" }]; message N { string s = 1; } }",
    );
    let registered = STANDARD.encode(file.descriptor().encode_to_vec());
    let canonical = assert_stable(&registered);
    assert!(
        canonical.contains("  repeated .p.M.LabelsEntry labels = 1"),
        "{canonical}"
    );
    assert!(
        canonical.contains("    option map_entry = true;\n"),
        "{canonical}"
    );
    assert!(
        canonical.contains("option java_multiple_files = true;\noption go_package = \"g\";\n"),
        "{canonical}"
    );
    assert!(
        canonical.contains("(confluent.field_meta) = {\n      tags: "),
        "{canonical}"
    );
}

#[test]
fn every_builtin_import_is_stable() {
    for (_, text) in super::super::builtin::FILES {
        assert_stable(text);
    }
}

#[test]
fn names_that_are_not_identifiers_do_not_write_a_second_schema() {
    let message = DescriptorProto {
        name: Some("M {} message Evil".into()),
        ..DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        message_type: vec![message],
        ..FileDescriptorProto::default()
    };
    let registered = STANDARD.encode(file.encode_to_vec());
    assert!(refused(&registered).contains("not an identifier"));
}
