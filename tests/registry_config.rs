//! What a subject is configured with holds when schemas come in: alias, group, defaults, overrides, rules, normalising.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use registry_api::{Api, code, open, record};
use serde_json::{Value, json};

async fn register(api: &Api, subject: &str, schema: &Value, besides: Value) -> (u16, Value) {
    let mut body = json!({ "schema": schema.to_string() });
    for (name, value) in besides.as_object().unwrap() {
        body[name] = value.clone();
    }
    api.post(&format!("/subjects/{subject}/versions"), body).await
}

#[tokio::test]
async fn every_setting_is_kept_given_back_and_cleared_alone() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let metadata =
        json!({ "tags": { "a": ["PII"] }, "properties": { "owner": "x" }, "sensitive": ["owner"] });
    let rules = json!({ "domainRules": [{
        "name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true", "disabled": false
    }] });
    let all = json!({
        "alias": "b", "aliasForDeks": "c", "normalize": true, "validateFields": false,
        "validateNewSchemas": true, "validateRules": false, "compatibility": "FULL",
        "compatibilityPolicy": "STRICT", "compatibilityGroup": "major",
        "defaultMetadata": metadata, "overrideMetadata": metadata,
        "defaultRuleSet": rules, "overrideRuleSet": rules,
    });
    assert_eq!(api.put("/config/a", all.clone()).await, (200, all.clone()));
    let api = api.restart(folder.path()).await;
    let mut read = all.clone();
    let level = read.as_object_mut().unwrap().remove("compatibility").unwrap();
    read["compatibilityLevel"] = level;
    assert_eq!(api.get("/config/a").await, (200, read.clone()));
    // What is not named stays, null clears.
    api.put("/config/a", json!({ "alias": null, "compatibility": null }))
        .await;
    read.as_object_mut().unwrap().remove("alias");
    read["compatibilityLevel"] = json!("BACKWARD");
    assert_eq!(api.get("/config/a").await.1, read);
    assert_eq!(api.delete("/config/a").await.1, read);
    assert_eq!(code(&api.get("/config/a").await), (404, 40408));
    assert_eq!(code(&api.delete("/config/a").await), (404, 40401));
}

#[tokio::test]
async fn a_subject_without_a_level_of_its_own_has_the_default_one() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put(
        "/config",
        json!({ "compatibility": "NONE", "validateFields": true, "alias": "x" }),
    )
    .await;
    api.put("/config/a", json!({ "normalize": true })).await;
    assert_eq!(
        api.get("/config/a?defaultToGlobal=true").await.1,
        json!({ "normalize": true, "validateFields": true, "compatibilityLevel": "BACKWARD" }),
        "as Confluent merges them: not the global level, not the global alias"
    );
    assert_eq!(
        api.get("/config/b?defaultToGlobal=true").await.1,
        json!({ "alias": "x", "validateFields": true, "compatibilityLevel": "NONE" })
    );
}

#[tokio::test]
async fn rules_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let rule = |name: &str, mode: &str| json!({ "name": name, "type": "CEL", "mode": mode });
    let cases = [
        (
            json!({ "domainRules": [rule("1", "READ")] }),
            "Illegal initial character in rule name: 1",
        ),
        (json!({ "domainRules": [rule("", "READ")] }), "Empty rule name"),
        (json!({ "domainRules": [{ "type": "CEL" }] }), "Missing rule name"),
        (json!({ "domainRules": [{ "name": "a" }] }), "Missing rule type"),
        (
            json!({ "domainRules": [rule("a", "UPGRADE")] }),
            "Domain rules can only be WRITE, READ, WRITEREAD",
        ),
        (
            json!({ "migrationRules": [rule("a", "READ")] }),
            "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN",
        ),
        (
            json!({ "domainRules": [rule("a", "READ"), rule("a", "READ")] }),
            "Found rule with duplicate name 'a'",
        ),
        (
            json!({ "domainRules": [{ "name": "a", "type": "CEL", "mode": "READ", "onFailure": "NONE,DLQ" }] }),
            "Multiple actions only valid with WRITEREAD and UPDOWN",
        ),
    ];
    for (rules, why) in cases {
        let expected = json!({ "error_code": 42210, "message": why });
        let besides = json!({ "ruleSet": rules });
        assert_eq!(
            register(&api, "a", &record("A", &[]), besides).await,
            (422, expected.clone())
        );
        assert_eq!(
            api.put("/config/a", json!({ "defaultRuleSet": rules })).await,
            (422, expected)
        );
    }
    let besides = json!({ "ruleSet": { "domainRules": [{ "kind": "SURPRISE" }] } });
    assert_eq!(register(&api, "a", &record("A", &[]), besides).await.0, 400);
}

#[tokio::test]
async fn rules_and_metadata_are_part_of_what_a_schema_is() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = record("A", &["a"]);
    let plain = register(&api, "plain", &schema, json!({})).await.1;
    let rules = json!({ "domainRules": [{ "name": "r", "type": "CEL" }] });
    let ruled = register(&api, "ruled", &schema, json!({ "ruleSet": rules }))
        .await
        .1;
    assert_ne!(plain["id"], ruled["id"]);
    assert_ne!(plain["guid"], ruled["guid"]);
    let full = json!({ "domainRules": [{
        "name": "r", "kind": "TRANSFORM", "mode": "WRITEREAD", "type": "CEL", "disabled": false
    }] });
    assert_eq!(ruled["ruleSet"], full, "what was left out has its default");
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/subjects/ruled/versions/1").await.1["ruleSet"], full);
    let id = &ruled["id"];
    assert_eq!(api.get(&format!("/schemas/ids/{id}")).await.1["ruleSet"], full);
    let listed = api.get("/schemas?ruleType=CEL").await.1;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["subject"]),
        (1, &json!("ruled"))
    );
    assert_eq!(api.get("/schemas?ruleType=OTHER").await.1, json!([]));
}

#[tokio::test]
async fn a_schema_without_metadata_inherits_its_predecessors() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put("/config", json!({ "compatibility": "NONE" })).await;
    let metadata = json!({ "properties": { "owner": "payments" } });
    register(&api, "s", &record("A", &["a"]), json!({ "metadata": metadata })).await;
    let second = register(&api, "s", &record("A", &["a", "b"]), json!({})).await.1;
    assert_eq!((&second["version"], &second["metadata"]), (&json!(2), &metadata));
    let again = register(&api, "s", &record("A", &["a", "b"]), json!({})).await.1;
    assert_eq!(again["version"], 2, "and is found again without it");
    let found = api
        .post(
            "/subjects/s",
            json!({ "schema": record("A", &["a", "b"]).to_string() }),
        )
        .await;
    assert_eq!((found.0, &found.1["version"]), (200, &json!(2)));
    let third = json!({ "metadata": { "properties": { "owner": "orders" } } });
    let third = api.post("/subjects/s/versions", third).await.1;
    assert_eq!(
        (
            &third["version"],
            &third["schema"],
            &third["metadata"]["properties"]["owner"]
        ),
        (&json!(3), &second["schema"], &json!("orders")),
        "without a text it is the predecessor's"
    );
}

#[tokio::test]
async fn defaults_stand_under_and_overrides_over_what_a_schema_brings() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let config = json!({
        "defaultMetadata": { "properties": { "owner": "nobody", "tier": "1" } },
        "overrideMetadata": { "properties": { "checked": "yes" } },
        "defaultRuleSet": { "domainRules": [{ "name": "r", "type": "CEL" }] },
    });
    assert_eq!(api.put("/config/s", config).await.0, 200);
    let brought = json!({ "metadata": { "properties": { "owner": "payments", "checked": "no" } } });
    let registered = register(&api, "s", &record("A", &[]), brought.clone()).await.1;
    assert_eq!(
        registered["metadata"]["properties"],
        json!({ "checked": "yes", "owner": "payments", "tier": "1" })
    );
    assert_eq!(registered["ruleSet"]["domainRules"][0]["name"], "r");
    let again = register(&api, "s", &record("A", &[]), brought).await.1;
    assert_eq!((&again["id"], &again["version"]), (&registered["id"], &json!(1)));
    let elsewhere = register(&api, "t", &record("A", &[]), json!({})).await.1;
    assert!(elsewhere.get("metadata").is_none());
}

#[tokio::test]
async fn a_version_that_is_asked_for_is_named_in_the_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = |fields: &[&str]| record("A", fields);
    api.put("/config", json!({ "compatibility": "NONE" })).await;
    let first = register(&api, "s", &schema(&["a"]), json!({ "version": 1 }))
        .await
        .1;
    assert_eq!(first["metadata"]["properties"]["confluent:version"], "1");
    let found = api
        .post("/subjects/s", json!({ "schema": schema(&["a"]).to_string() }))
        .await;
    assert_eq!(
        (found.0, &found.1["version"]),
        (200, &json!(1)),
        "it is found without it"
    );
    let again = register(&api, "s", &schema(&["a"]), json!({})).await.1;
    assert_eq!((&again["id"], &again["version"]), (&first["id"], &json!(1)));
    let second = register(&api, "s", &schema(&["b"]), json!({})).await.1;
    assert_eq!(second["metadata"]["properties"]["confluent:version"], "2");
    let wrong = register(&api, "s", &schema(&["c"]), json!({ "version": 5 })).await;
    assert_eq!(
        wrong,
        (
            422,
            json!({ "error_code": 42201, "message": "Version is not one more than previous version" })
        )
    );
    let latest = register(&api, "s", &schema(&["a"]), json!({ "version": -1 }))
        .await
        .1;
    assert_eq!(
        latest["version"], 3,
        "-1 asks whether the newest is this one, and it is not"
    );
}

#[tokio::test]
async fn only_versions_of_one_compatibility_group_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put("/config/s", json!({ "compatibilityGroup": "major" }))
        .await;
    let of = |major: &str| json!({ "metadata": { "properties": { "major": major } } });
    let first = register(&api, "s", &record("A", &["a"]), of("1")).await;
    assert_eq!(first.0, 200);
    let breaking = record("A", &["b"]);
    assert_eq!(code(&register(&api, "s", &breaking, of("1")).await), (409, 409));
    assert_eq!(register(&api, "s", &breaking, of("2")).await.0, 200);
    let body = json!({ "schema": record("A", &["a", "c"]).to_string(), "metadata": of("3")["metadata"] });
    let compatible = api.post("/compatibility/subjects/s/versions", body).await.1;
    assert_eq!(compatible, json!({ "is_compatible": true }));
}

#[tokio::test]
async fn an_alias_is_the_subject_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let first = api.register("orders-value", &record("Order", &["a"])).await;
    assert_eq!(
        api.put("/config/short", json!({ "alias": "orders-value" }))
            .await
            .0,
        200
    );
    let shown = api.get("/subjects/short/versions/latest").await.1;
    assert_eq!(
        (&shown["subject"], &shown["id"]),
        (&json!("orders-value"), &json!(first))
    );
    assert_eq!(api.get("/subjects/short/versions").await.1, json!([1]));
    assert_eq!(
        api.get(&format!("/schemas/ids/{first}?subject=short")).await.1["subject"],
        "orders-value"
    );
    assert_eq!(api.register("short", &record("Order", &["a"])).await, first);
    assert_eq!(api.get("/subjects").await.1, json!(["orders-value"]));
    assert_eq!(
        code(&register(&api, "short", &record("Order", &["b"]), json!({})).await),
        (409, 409),
        "it is compared with that subject's versions"
    );
    let body = json!({ "schema": record("Order", &["b"]).to_string() });
    let compatible = api
        .post("/compatibility/subjects/short/versions/latest", body)
        .await
        .1;
    assert_eq!(compatible["is_compatible"], false);
    let listed = api.get("/schemas?aliases=true").await.1;
    assert_eq!(listed[0]["aliases"], json!(["short"]));
    assert_eq!(
        api.get("/config/short").await.1["alias"],
        "orders-value",
        "settings are its own"
    );
    // In a context the alias is one of that context.
    api.register(":.c:orders-value", &record("Other", &[])).await;
    api.put("/config/:.c:short", json!({ "alias": "orders-value" }))
        .await;
    let shown = api.get("/contexts/.c/subjects/short/versions/1").await.1;
    assert_eq!(shown["subject"], ":.c:orders-value");
    assert_eq!(api.delete("/subjects/short").await.1, json!([1]));
    assert_eq!(
        code(&api.get("/subjects/orders-value/versions").await),
        (404, 40401)
    );
}

#[tokio::test]
async fn a_normalised_text_is_one_schema_however_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let one = json!({ "type": "record", "name": "A", "namespace": "n", "fields": [{ "name": "a", "type": "string" }] });
    let other =
        json!({ "type": "record", "name": "n.A", "fields": [{ "name": "a", "type": { "type": "string" } }] });
    let post = async |query: &str, schema: &Value| {
        let body = json!({ "schema": schema.to_string() });
        api.post(&format!("/subjects/s/versions{query}"), body).await.1["id"].clone()
    };
    let id = post("?normalize=true", &one).await;
    assert_eq!(post("?normalize=true", &other).await, id);
    api.put("/config/s", json!({ "normalize": true })).await;
    assert_eq!(post("", &other).await, id, "as configured");
    let body = json!({ "schema": other.to_string() });
    assert_eq!(api.post("/subjects/s", body).await.1["id"], id);
}

/// Old and new schema, and whether the new one may follow under the strict and under the lenient policy: as Confluent's
/// `JsonSchema.isBackwardCompatible` of release 8.5 answers.
#[tokio::test]
async fn the_lenient_policy_lets_properties_of_json_schemas_come_and_go() {
    let object = |more: Value| {
        let mut schema = json!({ "type": "object" });
        schema
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        schema
    };
    let text = json!({ "a": { "type": "string" } });
    let cases = [
        (object(json!({})), object(json!({ "properties": text })), true),
        (
            object(json!({})),
            object(json!({ "properties": { "a": { "type": "string", "default": "x" } }, "required": ["a"] })),
            true,
        ),
        (
            object(json!({})),
            object(json!({ "properties": text, "required": ["a"] })),
            false,
        ),
        (
            object(json!({ "properties": text, "additionalProperties": false })),
            object(json!({ "properties": {}, "additionalProperties": false })),
            true,
        ),
        (
            object(json!({})),
            object(json!({ "additionalProperties": false })),
            true,
        ),
        (
            json!({ "oneOf": [object(json!({})), { "type": "string" }] }),
            json!({ "oneOf": [object(json!({ "properties": text })), { "type": "string" }] }),
            true,
        ),
        (
            object(json!({ "properties": text })),
            object(json!({ "properties": { "a": { "type": "integer" } } })),
            false,
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    for (number, (old, new, allowed)) in cases.into_iter().enumerate() {
        let kind = json!({ "schemaType": "JSON" });
        let subject = format!("s{number}");
        assert_eq!(register(&api, &subject, &old, kind.clone()).await.0, 200);
        for policy in ["STRICT", "LENIENT"] {
            let policy_of_subject = json!({ "compatibilityPolicy": policy });
            api.put(&format!("/config/{subject}"), policy_of_subject).await;
            let expected = if allowed && policy == "LENIENT" { 200 } else { 409 };
            let (status, answer) = register(&api, &subject, &new, kind.clone()).await;
            assert_eq!(status, expected, "{policy} {new}: {answer}");
        }
    }
}

#[tokio::test]
async fn reserved_names_stay_reserved_and_unused_where_fields_are_validated() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let reserving = |names: &str| json!({ "metadata": { "properties": { "confluent:reserved": names } } });
    let schema = record("A", &["a", "b"]);
    api.put("/config/a", json!({ "compatibility": "NONE" })).await;
    assert_eq!(
        register(&api, "a", &schema, reserving("a")).await.0,
        200,
        "not looked at"
    );
    api.put("/config/a", json!({ "validateFields": true })).await;
    assert_eq!(register(&api, "a", &schema, reserving("x, a")).await.0, 409);
    let (status, answer) = register(&api, "a", &schema, reserving(" b ,,c")).await;
    assert_eq!(status, 409);
    let said = answer["message"].as_str().unwrap();
    assert!(
        said.ends_with(
            "details: [The new schema has reserved field a removed from its metadata which is present in the old \
             schema's metadata., The new schema has field that conflicts with the reserved field b., \
             {validateFields: 'true', compatibility: 'NONE'}]"
        ),
        "{said}"
    );
    let (_, answer) = api
        .post(
            "/compatibility/subjects/a/versions?verbose=true",
            json!({ "schema": schema.to_string() }),
        )
        .await;
    assert_eq!(answer["messages"].as_array().unwrap().len(), 2, "{answer}");
    let free = record("A", &["b"]);
    assert_eq!(register(&api, "a", &free, reserving("a,c")).await.0, 200);

    // The other languages know their fields, too.
    api.put("/config", json!({ "validateFields": true })).await;
    let languages = [
        (
            "JSON",
            json!({ "type": "object", "properties": { "a": {} } }).to_string(),
        ),
        (
            "PROTOBUF",
            "syntax = \"proto3\"; message M { string a = 1; oneof o { string b = 2; } }".to_owned(),
        ),
    ];
    for (language, text) in languages {
        let versions = format!("/subjects/{language}/versions");
        for (names, expected) in [("a", 409), ("b", 200)] {
            let mut body = reserving(names);
            body["schema"] = json!(text);
            body["schemaType"] = json!(language);
            assert_eq!(api.post(&versions, body).await.0, expected, "{language} {names}");
        }
    }
    let mut body = json!({ "schemaType": "JSON" });
    body["schema"] = json!(json!({ "type": "object", "properties": { "$$a": {} } }).to_string());
    assert_eq!(
        code(&api.post("/subjects/b/versions", body.clone()).await),
        (422, 42201)
    );
    api.put("/config", json!({ "validateFields": false })).await;
    assert_eq!(api.post("/subjects/b/versions", body).await.0, 200);
}
