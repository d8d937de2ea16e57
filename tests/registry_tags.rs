//! Tags inside a schema's own text are added, removed, propagated and found as Confluent's registry does it.
//! `tests/golden/schema-tags.jsonl` holds what its own classes answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use portcullis::schema::tags::{Entity, EntityKind, TagChanges, Tagged};
use portcullis::schema::{ReferencedSchema, Schema, SchemaType};
use registry_api::{Api, code, open};
use serde_json::{Value, json};
use std::fmt::Write as _;

const GOLDEN: &str = include_str!("golden/schema-tags.jsonl");

struct Case {
    line: Value,
    schema_type: SchemaType,
    references: Vec<ReferencedSchema>,
    changes: TagChanges,
}

fn tags(value: &Value) -> Vec<Tagged> {
    serde_json::from_value::<Option<_>>(value.clone())
        .unwrap()
        .unwrap_or_default()
}

impl Case {
    fn of(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap();
        let schema_type = match line["type"].as_str().unwrap() {
            "AVRO" => SchemaType::Avro,
            "JSON" => SchemaType::Json,
            _ => SchemaType::Protobuf,
        };
        let references = line["references"].as_object().into_iter().flatten();
        Self {
            schema_type,
            references: references
                .map(|(name, text)| ReferencedSchema {
                    name: name.clone(),
                    text: text.as_str().unwrap().to_owned(),
                })
                .collect(),
            changes: TagChanges {
                add: tags(&line["add"]),
                remove: tags(&line["remove"]),
            },
            line,
        }
    }

    fn name(&self) -> &str {
        self.line["name"].as_str().unwrap()
    }

    fn schema(&self) -> Schema {
        self.parsed(self.line["schema"].as_str().unwrap()).unwrap()
    }

    fn parsed(&self, text: &str) -> Result<Schema, portcullis::schema::SchemaError> {
        Schema::parse(self.schema_type, text, &self.references)
    }

    fn changed(&self, schema: &Schema, changes: &TagChanges) -> Option<Schema> {
        let text = schema.retagged(changes).ok()?;
        self.parsed(&text).ok()
    }
}

fn cases() -> Vec<Case> {
    GOLDEN.lines().map(Case::of).collect()
}

/// Tagged entities as they are to be compared: those of JSON Schema come out of a Java hash map.
fn in_order(case: &Case, found: &Value) -> Value {
    let mut found = found.clone();
    if let Some(list) = found
        .as_array_mut()
        .filter(|_| case.schema_type == SchemaType::Json)
    {
        list.sort_by_key(Value::to_string);
    }
    found
}

#[test]
fn tags_are_changed_and_found_as_confluents_own_classes_do_it() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let schema = case.schema();
        let changed = case.changed(&schema, &case.changes);
        let found = |schema: Option<&Schema>| schema.map(|schema| schema.tagged().unwrap());
        let text = changed.as_ref().map(Schema::canonical);
        let mut hold = |what: &str, ours: Value, theirs: &Value| {
            if ours != *theirs {
                wrong.push(format!(
                    "{}: {what}\n  ours   {ours}\n  theirs {theirs}",
                    case.name()
                ));
            }
        };
        // A member of a composition that refers cannot be tagged there, nor one beside it: its tags are not lost here.
        if case.line["refused"] != "SchemaException" {
            hold("text", json!(text), &case.line["text"]);
            let after = in_order(case, &case.line["after"]);
            hold("after", in_order(case, &json!(found(changed.as_ref()))), &after);
        }
        let before = in_order(case, &case.line["before"]);
        hold("before", in_order(case, &json!(found(Some(&schema)))), &before);
    }
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_is_added_is_found_added_once_and_gone_when_removed() {
    let mut held = 0;
    // What Confluent itself does not find again is not asked for.
    for case in cases().iter().filter(|case| case.line["after"] != json!([])) {
        let schema = case.schema();
        for entity in case.changes.add.iter().map(|tagged| &tagged.entity) {
            let tag = vec![Tagged {
                entity: entity.clone(),
                tags: vec!["of this test".to_owned()],
            }];
            let add = TagChanges {
                add: tag.clone(),
                remove: vec![],
            };
            let remove = TagChanges {
                add: vec![],
                remove: tag,
            };
            let Some(with) = case.changed(&schema, &add) else {
                continue;
            };
            let again = case.changed(&with, &add).unwrap();
            // Protobuf's options may change places, as in a Java hash map.
            assert_eq!(again.normalized(), with.normalized(), "{}", case.name());
            let found = with.tagged().unwrap();
            // A definition of a later draft is found below `$defs`, too.
            let is_found = found
                .iter()
                .any(|found| found.tags.contains(&"of this test".to_owned()));
            assert!(is_found, "{}: {found:?}", case.name());
            let nothing = case.changed(&schema, &remove).unwrap();
            let without = case.changed(&with, &remove).unwrap();
            // Protobuf's options lose a dot before their names.
            assert_eq!(without.normalized(), nothing.normalized(), "{}", case.name());
            held += 1;
        }
    }
    assert!(held > 100, "{held}");
}

#[test]
fn thousands_of_statements_of_one_option_are_merged_in_time() {
    let mut text = "syntax = \"proto3\";\npackage p;\nmessage M {\n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(text, "  option (confluent.message_meta).tags = \"t{number}\";");
    }
    text.push_str("  string a = 1;\n}\n");
    let schema = Schema::parse(SchemaType::Protobuf, &text, &[]).unwrap();
    let started = std::time::Instant::now();
    let entity = Entity {
        path: "M".to_owned(),
        kind: EntityKind::Record,
    };
    let add = vec![Tagged {
        entity,
        tags: vec!["new".to_owned()],
    }];
    let changes = TagChanges { add, remove: vec![] };
    assert!(schema.retagged(&changes).unwrap().contains("\"new\""));
    assert_eq!(schema.tagged().unwrap()[0].tags.len(), 20_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

fn order(tags: &Value) -> Value {
    let mut schema = json!({ "type": "record", "name": "Order", "namespace": "com.example", "fields": [
        { "name": "id", "type": "string" }, { "name": "email", "type": "string" }
    ]});
    if let Some(tags) = tags.as_array() {
        schema["fields"][1]["confluent:tags"] = json!(tags);
    }
    schema
}

fn field(path: &str, tags: &[&str]) -> Value {
    json!({ "schemaEntity": { "entityPath": path, "entityType": "sr_field" }, "tags": tags })
}

fn schema_of(answer: &Value) -> Value {
    serde_json::from_str(answer["schema"].as_str().unwrap()).unwrap()
}

async fn register(api: &Api, subject: &str, body: Value) -> (u16, Value) {
    api.post(&format!("/subjects/{subject}/versions"), body).await
}

#[tokio::test]
async fn a_registration_adds_and_removes_tags_and_says_which_version_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let body = json!({
        "schema": order(&json!(["OLD"])).to_string(),
        "schemaTagsToAdd": [field("com.example.Order.email", &["PII"])],
        "schemaTagsToRemove": [field("Order.email", &["NEW"]), field("com.example.Order.email", &["OLD"])],
    });
    let (status, answer) = register(&api, "a", body.clone()).await;
    assert_eq!((status, &answer["version"]), (200, &json!(1)), "{answer}");
    assert_eq!(schema_of(&answer), order(&json!(["PII"])));
    assert_eq!(
        answer["metadata"]["properties"],
        json!({ "confluent:version": "1" })
    );
    // As at Confluent's, asking for tags is asking for a new version.
    let (_, again) = register(&api, "a", body).await;
    assert_eq!((&again["version"], &again["id"]), (&json!(2), &json!(2)));
    // The text with its tags is what is registered.
    let plain = json!({ "schema": order(&json!(["PII"])).to_string() });
    assert_eq!(register(&api, "a", plain.clone()).await.1["version"], json!(2));
    assert_eq!(api.post("/subjects/a", plain).await.1["version"], json!(2));
    let untagged = json!({ "schema": order(&Value::Null).to_string() });
    assert_eq!(code(&api.post("/subjects/a", untagged).await), (404, 40403));
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_no_schema() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = order(&Value::Null).to_string();
    let body = json!({ "schema": schema, "schemaTagsToAdd": [field("Order.nobody", &["PII"])] });
    let refused = register(&api, "a", body.clone()).await;
    assert_eq!(code(&refused), (422, 42201));
    assert_eq!(
        refused.1["message"],
        "No matching path 'Order.nobody' found in the schema"
    );
    assert_eq!(code(&api.get("/subjects/a/versions").await), (404, 40401));
    // Only a registration looks at tags.
    let compatible = api.post("/compatibility/subjects/a/versions", body).await;
    assert_eq!(compatible, (200, json!({ "is_compatible": true })));
    let kind = json!({ "schemaEntity": { "entityPath": "Order", "entityType": "sr_file" }, "tags": [] });
    let body = json!({ "schema": schema, "schemaTagsToAdd": [kind] });
    assert_eq!(register(&api, "a", body).await.0, 400);
    let body = json!({ "schema": schema, "schemaTagsToAdd": null, "schemaTagsToRemove": [], "propagateSchemaTags": null });
    assert_eq!(register(&api, "a", body).await.0, 200);
}

#[tokio::test]
async fn tags_of_the_version_before_are_propagated_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let tagged = json!({ "schema": order(&json!(["PII"])).to_string() });
    let wider = |tags: &Value| {
        let mut schema = order(tags);
        let note = json!({ "name": "note", "type": "string", "default": "" });
        schema["fields"].as_array_mut().unwrap().push(note);
        schema
    };
    let propagate = |schema: &Value| json!({ "schema": schema.to_string(), "propagateSchemaTags": true });
    let (_, first) = register(&api, "a", propagate(&order(&json!(["PII"])))).await;
    assert_eq!(
        register(&api, "a", tagged).await.1["id"],
        first["id"],
        "nothing to propagate"
    );
    let (_, second) = register(&api, "a", propagate(&wider(&Value::Null))).await;
    assert_eq!(second["version"], 2);
    assert_eq!(schema_of(&second), wider(&json!(["PII"])));
    let (_, again) = register(&api, "a", propagate(&wider(&Value::Null))).await;
    assert_eq!(
        (&again["version"], &again["id"]),
        (&second["version"], &second["id"])
    );
    // What had a tag is not there any more.
    let mut narrower = order(&Value::Null);
    narrower["fields"].as_array_mut().unwrap().pop();
    assert_eq!(
        code(&register(&api, "a", propagate(&narrower)).await),
        (422, 42201)
    );
    let without = json!({ "schema": narrower.to_string() });
    assert_eq!(register(&api, "a", without).await.1["version"], 3);
}

#[tokio::test]
async fn a_version_is_made_of_another_with_other_tags_metadata_and_rules() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let rule = |name: &str, expr: &str| json!({ "name": name, "type": "CEL", "mode": "WRITE", "expr": expr });
    let names = |answer: &Value| -> Vec<String> {
        let rules = answer["ruleSet"]["domainRules"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        rules
            .iter()
            .map(|rule| rule["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let body = json!({
        "schema": order(&Value::Null).to_string(),
        "metadata": { "properties": { "owner": "sales" } },
        "ruleSet": { "domainRules": [rule("a", "1"), rule("b", "1")] },
    });
    register(&api, "a", body).await;
    let path = "/subjects/a/versions/latest/tags";
    let add = json!({ "newVersion": 2, "tagsToAdd": [field("Order.email", &["PII"])] });
    let (status, answer) = api.post(path, add.clone()).await;
    assert_eq!((status, &answer["version"]), (200, &json!(2)), "{answer}");
    assert_eq!(schema_of(&answer), order(&json!(["PII"])));
    let properties = json!({ "owner": "sales", "confluent:version": "2" });
    assert_eq!(answer["metadata"]["properties"], properties);
    assert_eq!(names(&answer), ["a", "b"]);
    let stale = api.post(path, add).await;
    assert_eq!(code(&stale), (422, 42201));
    assert_eq!(
        stale.1["message"],
        "Version is not one more than previous version"
    );

    let rules = json!({ "rulesToMerge": { "domainRules": [rule("b", "2"), rule("c", "2")] }, "rulesToRemove": ["a"] });
    let (status, answer) = api.post("/subjects/a/versions/1/tags", rules.clone()).await;
    assert_eq!((status, &answer["version"]), (200, &json!(3)), "{answer}");
    assert_eq!(names(&answer), ["b", "c"]);
    assert_eq!(answer["ruleSet"]["domainRules"][0]["expr"], "2");
    assert_eq!(
        schema_of(&answer),
        order(&Value::Null),
        "of the version that was named"
    );
    assert_eq!(answer["metadata"]["properties"]["confluent:version"], "3");

    let metadata = json!({ "metadata": { "properties": { "owner": "tax" } }, "ruleSet": { "domainRules": [rule("z", "1")] } });
    let (_, answer) = api.post("/subjects/a/versions/2/tags", metadata).await;
    let properties = json!({ "owner": "tax", "confluent:version": "4" });
    assert_eq!(answer["metadata"]["properties"], properties);
    assert_eq!(names(&answer), ["z"]);

    let mut both = rules;
    both["ruleSet"] = json!({});
    assert_eq!(code(&api.post(path, both).await), (422, 42210));
    let none = json!({ "rulesToMerge": { "domainRules": [rule("1", "1")] } });
    assert_eq!(code(&api.post(path, none).await), (422, 42210));
    assert_eq!(
        code(&api.post("/subjects/a/versions/9/tags", json!({})).await),
        (404, 40402)
    );
    assert_eq!(
        code(&api.post("/subjects/b/versions/1/tags", json!({})).await),
        (404, 40401)
    );
    assert_eq!(
        code(&api.post("/subjects/a/versions/x/tags", json!({})).await),
        (422, 42202)
    );
    assert_eq!(
        code(&api.post("/subjects/__GLOBAL/versions/1/tags", json!({})).await),
        (422, 42208)
    );
    let in_context = api
        .post("/contexts/.c/subjects/a/versions/1/tags", json!({}))
        .await;
    assert_eq!(code(&in_context), (404, 40401));
}

#[tokio::test]
async fn tags_are_found_by_their_names_or_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let mut schema = order(&json!(["PII", "MAIL"]));
    schema["fields"][0]["confluent:tags"] = json!(["KEY"]);
    schema["confluent:tags"] = json!(["TOP"]);
    api.register("a", &schema).await;
    let top = json!({
        "schemaEntity": { "entityPath": "com.example.Order", "entityType": "sr_record" }, "tags": ["TOP"]
    });
    let key = field("com.example.Order.id", &["KEY"]);
    let mail = field("com.example.Order.email", &["PII", "MAIL"]);
    let cases = [
        ("findTags=*", json!([top, key, mail])),
        ("findTags=MAIL", json!([mail])),
        ("findTags=TOP&findTags=KEY", json!([top, key])),
        ("findTags=nothing", Value::Null),
        ("", Value::Null),
    ];
    for (query, expected) in cases {
        for path in [
            "/subjects/a/versions/1",
            "/subjects/a/versions/latest",
            "/schemas/ids/1",
        ] {
            let (status, answer) = api.get(&format!("{path}?{query}")).await;
            assert_eq!(
                (status, &answer["schemaTags"]),
                (200, &expected),
                "{path}?{query}"
            );
        }
    }
    let (_, text) = api.raw_call("GET", "/subjects/a/versions/1?findTags=TOP").await;
    let order: Vec<_> = ["\"schema\":", "\"schemaTags\":", "\"ts\":"]
        .iter()
        .map(|key| text.find(key).unwrap())
        .collect();
    assert!(order.is_sorted(), "{text}");
}

#[tokio::test]
async fn tags_of_all_languages_are_added_propagated_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let proto =
        |more: &str| format!("syntax = \"proto3\";\npackage p;\nmessage M {{ string a = 1; {more} }}\n");
    let object = |more: Value| json!({ "type": "object", "properties": more }).to_string();
    let texts = [
        ("PROTOBUF", "M.a", proto(""), proto("string b = 2;")),
        (
            "JSON",
            "object.a",
            object(json!({ "a": { "type": "string" } })),
            object(json!({ "a": { "type": "string" }, "b": { "type": "string" } })),
        ),
    ];
    for (language, path, old, new) in texts {
        api.put(&format!("/config/{language}"), json!({ "compatibility": "NONE" }))
            .await;
        let body =
            json!({ "schemaType": language, "schema": old, "schemaTagsToAdd": [field(path, &["PII"])] });
        let (status, first) = register(&api, language, body).await;
        assert_eq!(status, 200, "{first}");
        let body = json!({ "schemaType": language, "schema": new, "propagateSchemaTags": true });
        let (status, second) = register(&api, language, body).await;
        assert_eq!((status, &second["version"]), (200, &json!(2)), "{second}");
        let change =
            json!({ "tagsToAdd": [field(path, &["MAIL"])], "tagsToRemove": [field(path, &["PII"])] });
        let (status, third) = api
            .post(&format!("/subjects/{language}/versions/2/tags"), change)
            .await;
        assert_eq!((status, &third["version"]), (200, &json!(3)), "{third}");
        for (version, tag) in [(1, "PII"), (2, "PII"), (3, "MAIL")] {
            let (_, found) = api
                .get(&format!("/subjects/{language}/versions/{version}?findTags=*"))
                .await;
            assert_eq!(
                found["schemaTags"],
                json!([field(path, &[tag])]),
                "{language} {version}"
            );
        }
        // What was stored reads again, also as references do.
        let body = json!({ "schemaType": language, "schema": third["schema"] });
        assert_eq!(
            api.post(&format!("/subjects/{language}"), body).await.1["version"],
            3
        );
    }
}
