//! The table over the REST API: what each level makes of it.

use super::registry_api::{Api, open};
use super::{Case, cases, text_of};
use serde_json::{Value, json};

fn body(case: &Case, number: usize, text: &str, reference_version: u32) -> Value {
    let subject = format!("r{number}");
    let references = match case.old_reference {
        Some(_) => json!([{ "name": "r.json", "subject": subject, "version": reference_version }]),
        None => json!([]),
    };
    json!({ "schema": text_of(case.drafts[0], text), "schemaType": "JSON", "references": references })
}

async fn is_compatible(api: &Api, subject: &str, level: &str, new: &Value) -> bool {
    let path = format!("/config/{subject}");
    api.put(&path, json!({ "compatibility": level })).await;
    let path = format!("/compatibility/subjects/{subject}/versions?verbose=true");
    let (status, answer) = api.post(&path, new.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let messages = answer["messages"].as_array().unwrap();
    assert_eq!(
        messages.is_empty(),
        answer["is_compatible"].as_bool().unwrap(),
        "{answer}"
    );
    messages.is_empty()
}

#[tokio::test]
async fn full_is_backward_and_forward_and_none_takes_everything() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put("/config", json!({ "compatibility": "NONE" })).await;
    for (number, case) in cases().iter().enumerate() {
        let subject = format!("s{number}");
        for text in [case.old_reference, case.new_reference].into_iter().flatten() {
            // Two versions, also of one text: each has an owner of its own.
            let part = json!({
                "schema": text_of(case.drafts[0], text),
                "schemaType": "JSON",
                "metadata": { "properties": { "of": format!("{:p}", text) } },
            });
            let versions = format!("/subjects/r{number}/versions");
            assert_eq!(api.post(&versions, part).await.0, 200, "{}", case.name);
        }
        let old = body(case, number, case.old, 1);
        let (status, answer) = api.post(&format!("/subjects/{subject}/versions"), old).await;
        assert_eq!(status, 200, "{}: {answer}", case.name);
        let new = body(case, number, case.new, 2);
        let (backward, forward) = (case.backward == "compatible", case.forward == "compatible");
        for (level, expected) in [
            ("NONE", true),
            ("BACKWARD", backward),
            ("BACKWARD_TRANSITIVE", backward),
            ("FORWARD", forward),
            ("FORWARD_TRANSITIVE", forward),
            ("FULL", backward && forward),
            ("FULL_TRANSITIVE", backward && forward),
        ] {
            let compatible = is_compatible(&api, &subject, level, &new).await;
            assert_eq!(compatible, expected, "{} {level}", case.name);
        }
    }
}
