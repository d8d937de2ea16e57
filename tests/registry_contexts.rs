//! Contexts are registries of their own in one: ids, references, settings and listings of one say nothing of another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use portcullis::contract::Presence;
use registry_api::{Api, code, open, record};
use serde_json::{Value, json};

fn body(schema: &Value) -> Value {
    json!({ "schema": schema.to_string() })
}

/// `orders` with id 1 in the default context, `orders` with id 1 and `bills` with id 2 in `.billing`.
async fn two_contexts(folder: &tempfile::TempDir) -> Api {
    let api = open(folder.path()).await;
    assert_eq!(api.register("orders", &record("Order", &["a"])).await, 1);
    assert_eq!(
        api.register(":.billing:orders", &record("Billed", &["a"])).await,
        1
    );
    assert_eq!(api.register(":.billing:bills", &record("Bill", &["a"])).await, 2);
    api
}

#[tokio::test]
async fn every_context_counts_its_own_ids() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    let text = |answer: (u16, Value)| answer.1["schema"].as_str().unwrap_or_default().to_owned();
    assert!(text(api.get("/schemas/ids/1").await).contains("Order"));
    assert!(text(api.get("/contexts/.billing/schemas/ids/1").await).contains("Billed"));
    assert!(text(api.get("/schemas/ids/1?subject=:.billing:orders").await).contains("Billed"));
    assert_eq!(
        code(&api.get("/schemas/ids/1?subject=:.billing:bills").await),
        (404, 40403)
    );
    assert_eq!(code(&api.get("/schemas/ids/2").await), (404, 40403));
    assert!(
        text(api.get("/schemas/ids/2?subject=bills").await).contains("Bill"),
        "a subject that only another context has is found there"
    );
    let max = api
        .get("/contexts/.billing/schemas/ids/1?fetchMaxId=true")
        .await
        .1;
    assert_eq!(
        (&max["maxId"], &max["subject"]),
        (&json!(2), &json!(":.billing:orders"))
    );

    let order = api.get("/schemas/ids/1").await.1;
    api.register(":.billing:copies", &record("Order", &["a"])).await;
    let guid = order["guid"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("/schemas/guids/{guid}/ids")).await.1,
        json!([{ "context": ".", "id": 1 }, { "context": ".billing", "id": 3 }])
    );
    assert_eq!(
        api.get("/contexts/.billing/schemas/ids/3/subjects").await.1,
        json!([":.billing:copies"])
    );
}

#[tokio::test]
async fn paths_below_a_context_are_those_of_its_subjects() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    for path in [
        "/contexts/.billing/subjects/orders/versions/1",
        "/contexts/billing/subjects/orders/versions/latest",
        "/contexts/:.billing:/subjects/orders/versions/-1",
        "/subjects/:.billing:orders/versions/1",
        "/contexts/.other/subjects/:.billing:orders/versions/1",
    ] {
        let (status, answer) = api.get(path).await;
        assert_eq!(
            (status, &answer["subject"]),
            (200, &json!(":.billing:orders")),
            "{path}"
        );
    }
    assert_eq!(
        api.get("/contexts/./subjects/orders/versions/1").await.1["subject"],
        "orders"
    );
    let (status, registered) = api
        .post(
            "/contexts/.billing/subjects/orders/versions",
            body(&record("Billed", &["a"])),
        )
        .await;
    assert_eq!((status, &registered["id"]), (200, &json!(1)));
    let found = api
        .post("/contexts/.billing/subjects/bills", body(&record("Bill", &["a"])))
        .await
        .1;
    assert_eq!(found["subject"], ":.billing:bills");
    let compatible = api
        .post(
            "/contexts/.billing/compatibility/subjects/bills/versions",
            body(&record("Bill", &["a", "b"])),
        )
        .await;
    assert_eq!(compatible, (200, json!({ "is_compatible": false })));
    assert_eq!(
        api.delete("/contexts/.billing/subjects/bills/versions/1").await,
        (200, json!(1))
    );
    let (status, refused) = api.get("/contexts/a:b/subjects").await;
    assert_eq!(
        (status, refused),
        (
            400,
            json!({ "error_code": 400, "message": "Context name 'a:b' cannot contain a colon" })
        )
    );
}

#[tokio::test]
async fn listings_show_all_contexts_or_one() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    let all = json!([":.billing:bills", ":.billing:orders", "orders"]);
    assert_eq!(api.get("/subjects").await.1, all);
    assert_eq!(api.get("/subjects?subjectPrefix=:*:").await.1, all);
    assert_eq!(
        api.get("/subjects?subjectPrefix=:*:ord").await.1,
        json!([":.billing:orders", "orders"])
    );
    assert_eq!(api.get("/subjects?subjectPrefix=").await.1, json!(["orders"]));
    assert_eq!(
        api.get("/contexts/.billing/subjects?subjectPrefix=b").await.1,
        json!([":.billing:bills"])
    );
    assert_eq!(api.get("/contexts/./subjects").await.1, json!(["orders"]));
    let subjects = |answer: (u16, Value)| -> Vec<String> {
        let listed = answer.1.as_array().unwrap().clone();
        listed
            .iter()
            .map(|s| s["subject"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(subjects(api.get("/schemas").await), ["orders"]);
    assert_eq!(
        subjects(api.get("/contexts/.billing/schemas").await),
        [":.billing:bills", ":.billing:orders"]
    );
    assert_eq!(subjects(api.get("/schemas?subjectPrefix=:*:").await).len(), 3);
    assert_eq!(
        api.get("/schemas?resourceType=topic").await.1,
        json!([]),
        "there are no associations"
    );
    assert_eq!(subjects(api.get("/schemas?lifecycle=NONE").await), ["orders"]);
}

#[tokio::test]
async fn a_context_is_listed_until_it_is_empty_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    api.register(":.audit:a", &record("A", &[])).await;
    assert_eq!(api.get("/contexts").await.1, json!([".", ".audit", ".billing"]));
    assert_eq!(api.get("/contexts?offset=1&limit=1").await.1, json!([".audit"]));
    assert_eq!(api.get("/contexts?contextPrefix=.b").await.1, json!([".billing"]));
    let (status, refused) = api.delete("/contexts/.audit").await;
    assert_eq!(
        (status, refused),
        (
            422,
            json!({ "error_code": 42211, "message": "The specified context ':.audit:' is not empty." })
        )
    );
    let api = api.restart(folder.path()).await;
    assert_eq!(api.delete("/contexts/.audit/subjects/a").await.0, 200);
    assert_eq!(
        api.delete("/contexts/.audit/subjects/a?permanent=true").await.0,
        200
    );
    assert_eq!(api.get("/contexts").await.1, json!([".", ".audit", ".billing"]));
    let deleted = api.raw_call("DELETE", "/contexts/.audit").await;
    assert_eq!((deleted.0, deleted.1.as_str()), (204, ""));
    assert_eq!(api.get("/contexts").await.1, json!([".", ".billing"]));
}

#[tokio::test]
async fn references_stand_in_their_schemas_context_unless_they_name_another() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register(":.a:address", &record("Address", &["street"])).await;
    let person = |subject: &str| {
        json!({
            "schema": json!({ "type": "record", "name": "Person", "fields": [{ "name": "home", "type": "Address" }] }).to_string(),
            "references": [{ "name": "Address", "subject": subject, "version": 1 }],
        })
    };
    let (status, refused) = api.post("/subjects/person/versions", person("address")).await;
    assert_eq!((status, &refused["error_code"]), (422, &json!(42201)));
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("No schema reference found for subject \"address\" and version 1")
    );
    assert_eq!(
        api.post("/subjects/:.a:person/versions", person("address"))
            .await
            .0,
        200
    );
    assert_eq!(
        api.post("/subjects/person/versions", person(":.a:address"))
            .await
            .0,
        200
    );
    let shown = api.get("/subjects/:.a:person/versions/1").await.1;
    assert_eq!(shown["references"][0]["subject"], "address");
    let qualified = api
        .get("/subjects/:.a:person/versions/1?referenceFormat=qualified")
        .await
        .1;
    assert_eq!(qualified["references"][0]["subject"], ":.a:address");
    assert_eq!(
        api.get("/subjects/:.a:address/versions/1/referencedby").await.1,
        json!([1, 2]),
        "id 1 of the default context and id 2 of the other"
    );
    let (status, refused) = api.delete("/subjects/:.a:address").await;
    assert_eq!(
        (status, refused),
        (
            422,
            json!({
                "error_code": 42206,
                "message": "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=:.a:address,version=1}."
            })
        )
    );
    for subject in [":.a:person", "person"] {
        assert_eq!(api.delete(&format!("/subjects/{subject}")).await.0, 200);
    }
    assert_eq!(
        api.delete("/subjects/:.a:address").await.0,
        200,
        "what is deleted refers no more"
    );
}

#[tokio::test]
async fn an_unqualified_subject_is_found_in_the_context_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    let found = api.get("/subjects/bills/versions/latest").await;
    assert_eq!((found.0, &found.1["subject"]), (200, &json!(":.billing:bills")));
    let found = api.post("/subjects/bills", body(&record("Bill", &["a"]))).await;
    assert_eq!((found.0, &found.1["subject"]), (200, &json!(":.billing:bills")));
    assert_eq!(code(&api.get("/subjects/bills/versions").await), (404, 40401));
    assert_eq!(code(&api.delete("/subjects/bills").await), (404, 40401));
    assert_eq!(
        code(&api.get("/contexts/.other/subjects/bills/versions/1").await),
        (404, 40401)
    );
    assert_eq!(api.source.subject("orders"), Presence::Present);
    assert_eq!(
        api.source.subject("bills"),
        Presence::Absent,
        "the gateway looks at the default context"
    );
}

#[tokio::test]
async fn a_contexts_settings_hold_for_its_subjects_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let api = two_contexts(&folder).await;
    let level = async |path: &str| api.get(path).await.1["compatibilityLevel"].clone();
    assert_eq!(code(&api.get("/contexts/.billing/config").await), (404, 40408));
    let set = api
        .put("/contexts/.billing/config", json!({ "compatibility": "FORWARD" }))
        .await;
    assert_eq!(set, (200, json!({ "compatibility": "FORWARD" })));
    assert_eq!(level("/config/:.billing:").await, "FORWARD");
    assert_eq!(
        level("/config/:.billing:orders?defaultToGlobal=true").await,
        "FORWARD"
    );
    assert_eq!(level("/config/orders?defaultToGlobal=true").await, "BACKWARD");
    api.put("/config", json!({ "compatibility": "NONE" })).await;
    assert_eq!(
        level("/config/:.billing:orders?defaultToGlobal=true").await,
        "FORWARD"
    );
    assert_eq!(
        level("/config/:.audit:a?defaultToGlobal=true").await,
        "BACKWARD",
        "the default context's level is not the others'"
    );
    api.put("/config/:.__GLOBAL:", json!({ "compatibility": "FULL" }))
        .await;
    assert_eq!(level("/config/:.audit:a?defaultToGlobal=true").await, "FULL");
    assert_eq!(level("/config/:.:").await, "NONE");

    assert_eq!(
        api.put("/contexts/.billing/mode", json!({ "mode": "READONLY" }))
            .await
            .0,
        200
    );
    let (status, refused) = api
        .post("/subjects/:.billing:orders/versions", body(&record("New", &[])))
        .await;
    assert_eq!(
        (status, &refused["message"]),
        (
            422,
            &json!("Subject :.billing:orders in context :.billing: is in read-only mode")
        )
    );
    assert_eq!(
        api.get("/mode/:.billing:orders?defaultToGlobal=true").await.1,
        json!({ "mode": "READONLY" })
    );
    api.register("orders", &record("Other", &[])).await;
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/mode/:.billing:").await.1, json!({ "mode": "READONLY" }));
    assert_eq!(
        api.get("/config/:.billing:").await.1,
        json!({ "compatibilityLevel": "FORWARD" })
    );
}

#[tokio::test]
async fn a_subject_that_may_not_be_is_refused_where_it_would_come_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = body(&record("A", &[]));
    for subject in [":.__GLOBAL:a", "__GLOBAL", ":.c:__EMPTY", "a%00", ":.:"] {
        let answer = api
            .post(&format!("/subjects/{subject}/versions"), schema.clone())
            .await;
        assert_eq!(code(&answer), (422, 42208), "{subject}");
    }
    for setting in ["/config/__GLOBAL", "/mode/a%00", "/config/:.c:__EMPTY"] {
        let value = json!({ "compatibility": "NONE", "mode": "READONLY" });
        assert_eq!(code(&api.put(setting, value).await), (422, 42208), "{setting}");
    }
    for subject in [":.c:a%2Fb", ":.c:gr%C3%B6%C3%9Fe", ":.c:a:b", ":a"] {
        let path = format!("/subjects/{subject}/versions");
        assert_eq!(api.post(&path, schema.clone()).await.0, 200, "{subject}");
        assert_eq!(api.get(&path).await.1, json!([1]), "{subject}");
    }
}
