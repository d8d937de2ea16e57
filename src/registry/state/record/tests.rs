//! The bytes that Confluent's classes (8.x) have Jackson write, kind by kind. They were taken from those classes themselves.

use super::*;
use crate::registry::state::{ExecutionEnvironment, Rule, RuleMode};
use crate::schema::SchemaType;

fn encoded(record: &Record) -> (String, Option<String>) {
    let (key, value) = record.encode().unwrap();
    assert_eq!(
        Record::decode(&key, value.as_deref()),
        *record,
        "a record reads back as it was written"
    );
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(key), value.map(text))
}

fn written(record: &Record, key: &str, value: Option<&str>) {
    assert_eq!(encoded(record), (key.to_owned(), value.map(str::to_owned)));
}

fn rule_set() -> RuleSet {
    let text = |text: &str| Some(text.to_owned());
    RuleSet {
        migration_rules: vec![Rule {
            name: text("n2"),
            mode: RuleMode::Upgrade,
            rule_type: text("X"),
            disabled: true,
            ..Rule::default()
        }],
        domain_rules: vec![Rule {
            name: text("n"),
            doc: text("d"),
            rule_type: text("CEL"),
            tags: ["PII".to_owned()].into(),
            params: [("k".to_owned(), "v".to_owned())].into(),
            expr: text("e"),
            on_success: text("s"),
            on_failure: text("f"),
            ..Rule::default()
        }],
        encoding_rules: vec![],
        enable_at: Some(ExecutionEnvironment::Client),
    }
}

fn metadata() -> Metadata {
    Metadata {
        tags: [("t".to_owned(), ["b", "a"].map(str::to_owned).into())].into(),
        properties: [("p", "1"), ("a", "2")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        sensitive: ["p".to_owned()].into(),
    }
}

fn full() -> SchemaContent {
    SchemaContent {
        schema_type: SchemaType::Protobuf,
        text: "syntax".into(),
        references: vec![Reference {
            name: "n".to_owned(),
            subject: "rs".to_owned(),
            version: 1,
        }],
        metadata: Some(metadata()),
        rule_set: Some(rule_set()),
    }
}

const METADATA: &str = r#"{"tags":{"t":["a","b"]},"properties":{"a":"2","p":"1"},"sensitive":["p"]}"#;
const RULE_SET: &str = r#"{"migrationRules":[{"name":"n2","kind":"TRANSFORM","mode":"UPGRADE","type":"X","disabled":true}],"domainRules":[{"name":"n","doc":"d","kind":"TRANSFORM","mode":"WRITEREAD","type":"CEL","tags":["PII"],"params":{"k":"v"},"expr":"e","onSuccess":"s","onFailure":"f","disabled":false}],"enableAt":"CLIENT"}"#;

fn schema(subject: &str, version: u32, id: u32, content: SchemaContent, deleted: bool) -> Record {
    Record::Schema {
        subject: subject.into(),
        version: Version(version),
        value: Some(SchemaValue {
            id: SchemaId(id),
            content: Arc::new(content),
            md5: None,
            deleted,
        }),
    }
}

#[test]
fn a_schema_is_written_with_its_parts_in_order_and_nothing_that_is_empty() {
    written(
        &schema(
            "orders-value",
            1,
            7,
            SchemaContent::new(SchemaType::Avro, "\"string\""),
            false,
        ),
        r#"{"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}"#,
        Some(
            r#"{"subject":"orders-value","version":1,"id":7,"schemaType":"AVRO","schema":"\"string\"","deleted":false}"#,
        ),
    );
    let value = format!(
        r#"{{"subject":"s","version":2,"id":9,"schemaType":"PROTOBUF","references":[{{"name":"n","subject":"rs","version":1}}],"metadata":{METADATA},"ruleSet":{RULE_SET},"schema":"syntax","deleted":true}}"#
    );
    written(
        &schema("s", 2, 9, full(), true),
        r#"{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}"#,
        Some(&value),
    );
    let empty = SchemaContent {
        metadata: Some(Metadata::default()),
        rule_set: Some(RuleSet::default()),
        ..SchemaContent::new(SchemaType::Avro, "\"string\"")
    };
    assert_eq!(
        encoded(&schema(":.c:s", 2, 9, empty, false)).1.unwrap(),
        r#"{"subject":":.c:s","version":2,"id":9,"schemaType":"AVRO","metadata":{},"ruleSet":{},"schema":"\"string\"","deleted":false}"#
    );
    written(
        &Record::Schema {
            subject: "orders-value".into(),
            version: Version(3),
            value: None,
        },
        r#"{"keytype":"SCHEMA","subject":"orders-value","version":3,"magic":1}"#,
        None,
    );
}

#[test]
fn the_other_kinds_are_written_as_confluent_writes_them() {
    let subject = || Some("a".into());
    let read_only = Some(Mode::ReadOnly);
    written(
        &Record::Mode {
            subject: subject(),
            value: read_only,
        },
        r#"{"keytype":"MODE","subject":"a","magic":0}"#,
        Some(r#"{"subject":"a","mode":"READONLY"}"#),
    );
    written(
        &Record::Mode {
            subject: None,
            value: read_only,
        },
        r#"{"keytype":"MODE","magic":0}"#,
        Some(r#"{"mode":"READONLY"}"#),
    );
    written(
        &Record::DeleteSubject {
            subject: "a".into(),
            version: Some(Version(3)),
        },
        r#"{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}"#,
        Some(r#"{"subject":"a","version":3}"#),
    );
    written(
        &Record::ClearSubject {
            subject: subject(),
            tombstone: false,
        },
        r#"{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}"#,
        Some(r#"{"subject":"a"}"#),
    );
    written(
        &Record::ClearSubject {
            subject: None,
            tombstone: false,
        },
        r#"{"keytype":"CLEAR_SUBJECT","magic":0}"#,
        Some("{}"),
    );
    let context = |tombstone| Record::Context {
        tenant: TENANT.into(),
        context: ".ctx".into(),
        tombstone,
    };
    let key = r#"{"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0}"#;
    written(
        &context(false),
        key,
        Some(r#"{"tenant":"default","context":".ctx"}"#),
    );
    written(&context(true), key, None);
    written(&Record::Noop, r#"{"keytype":"NOOP","magic":0}"#, None);
    written(
        &Record::Config {
            subject: None,
            value: None,
        },
        r#"{"keytype":"CONFIG","magic":0}"#,
        None,
    );
}

#[test]
fn a_configuration_is_written_with_every_setting_in_order() {
    let config = ConfigValue {
        alias: Some("al".to_owned()),
        alias_for_deks: Some("ad".to_owned()),
        normalize: Some(true),
        validate_fields: Some(false),
        validate_new_schemas: Some(true),
        validate_rules: Some(false),
        compatibility: level_from_name("FULL"),
        compatibility_policy: Some(CompatibilityPolicy::Strict),
        compatibility_group: Some("g".to_owned()),
        default_metadata: Some(metadata()),
        override_metadata: Some(metadata()),
        default_rule_set: Some(rule_set()),
        override_rule_set: Some(rule_set()),
    };
    let value = format!(
        r#"{{"subject":"s","alias":"al","aliasForDeks":"ad","normalize":true,"validateFields":false,"validateNewSchemas":true,"validateRules":false,"compatibilityLevel":"FULL","compatibilityPolicy":"STRICT","compatibilityGroup":"g","defaultMetadata":{METADATA},"overrideMetadata":{METADATA},"defaultRuleSet":{RULE_SET},"overrideRuleSet":{RULE_SET}}}"#
    );
    written(
        &Record::Config {
            subject: Some("s".into()),
            value: Some(Box::new(config)),
        },
        r#"{"keytype":"CONFIG","subject":"s","magic":0}"#,
        Some(&value),
    );
}

/// The two GUIDs are what `Schema.getGuid` gives for these schemas.
#[test]
fn rules_are_part_of_the_identity() {
    assert_eq!(
        full().digest().to_string(),
        "d31e5c2a-553c-8ebf-6c6f-290ee9f5e6df"
    );
    let empty = SchemaContent {
        metadata: Some(Metadata::default()),
        rule_set: Some(RuleSet::default()),
        ..SchemaContent::new(SchemaType::Avro, "\"string\"")
    };
    assert_eq!(empty.digest().to_string(), "798abfa1-2094-1666-9863-657f1f45761c");
}

fn unknown(key: &[u8], value: Option<&[u8]>) -> UnknownRecord {
    match Record::decode(key, value) {
        Record::Unknown(unknown) => {
            let written = Record::Unknown(unknown.clone()).encode().unwrap();
            assert_eq!(
                written,
                (key.to_owned(), value.map(<[u8]>::to_owned)),
                "it is kept as it is"
            );
            *unknown
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_understood_is_kept_and_said() {
    let assoc = br#"{"keytype":"ASSOC","tenant":"default","resourceName":"r","subject":"s","magic":0}"#;
    assert_eq!(unknown(assoc, Some(br#"{"guid":"g"}"#)).kind, "ASSOC");
    assert_eq!(
        unknown(br#"{"keytype":"SURPRISE","magic":0}"#, None).kind,
        "SURPRISE"
    );
    assert_eq!(unknown(b"\xff", None).kind, "none");
    assert_eq!(
        unknown(
            br#"{"keytype":"SCHEMA","subject":"a","version":0,"magic":1}"#,
            None
        )
        .kind,
        "SCHEMA"
    );
    assert_eq!(
        unknown(
            br#"{"keytype":"SCHEMA","subject":"a","version":1,"magic":2}"#,
            None
        )
        .kind,
        "SCHEMA"
    );
    let key = br#"{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}"#;
    for value in [
        r#"{"subject":"a","version":1,"id":1,"schemaType":"THRIFT","schema":"x"}"#,
        r#"{"subject":"a","version":1,"id":-1,"schema":"x"}"#,
        r#"{"subject":"a","version":1,"id":1}"#,
        r#"{"subject":"a","version":1,"id":1,"schema":"x","md5":"short"}"#,
        "[]",
        "",
    ] {
        unknown(key, Some(value.as_bytes()));
    }
    unknown(br#"{"keytype":"MODE","magic":0}"#, Some(br#"{"mode":"LATER"}"#));
    unknown(
        br#"{"keytype":"CONFIG","magic":0}"#,
        Some(br#"{"compatibilityLevel":"LATER"}"#),
    );
}

#[test]
fn records_of_older_releases_are_read() {
    let key = br#"{"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}"#;
    let value = br#"{"subject":"orders-value","version":1,"id":7,"schema":"\"string\"","deleted":false,"offset":4,"ts":1}"#;
    let Record::Schema {
        value: Some(value), ..
    } = Record::decode(key, Some(value))
    else {
        panic!("not a schema")
    };
    assert_eq!(
        value.content,
        Arc::new(SchemaContent::new(SchemaType::Avro, "\"string\""))
    );
    let global = Record::decode(br#"{"keytype":"CONFIG","subject":null,"magic":0}"#, None);
    assert_eq!(
        global,
        Record::Config {
            subject: None,
            value: None
        }
    );
    let deleted = Record::decode(br#"{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}"#, None);
    assert_eq!(
        deleted,
        Record::DeleteSubject {
            subject: "a".into(),
            version: None
        }
    );
}

#[test]
fn an_identity_that_the_record_gives_is_kept_beside_a_content_that_says_another() {
    let value = |md5: &str| format!(r#"{{"id":7,"md5":"{md5}","schema":"\"string\""}}"#);
    let key = br#"{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}"#;
    let md5 = |text: &str| match Record::decode(key, Some(value(text).as_bytes())) {
        Record::Schema {
            value: Some(value), ..
        } => value.md5,
        other => panic!("{other:?}"),
    };
    let own = SchemaContent::new(SchemaType::Avro, "\"string\"").digest();
    assert_eq!(md5(&STANDARD.encode(own.0)), None);
    assert_eq!(md5(&STANDARD.encode([7; 16])), Some(Digest([7; 16])));
}
