//! Promise: what may follow which schema is what Java's `SchemaCompatibility` says, with its kinds, its places and its
//! words, in its order.

use crate::choices::Choices;
use crate::evolutions;
use crate::java::Java;
use crate::judge;
use crate::shapes;
use portcullis::schema::avro::{AvroSchema, compat};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

/// Reasons that we collect; Java has no limit.
const REASONS_MAX: usize = 100;
/// Disagreements that are shown before a run is given up.
const SHOWN: usize = 20;

#[test]
fn of_any_two_versions_we_say_what_javas_schema_compatibility_says() {
    let (cases, seed) = judge::cases_and_seed();
    // A pair is worth two payloads: 10,000 where nothing else is asked for.
    judge::with_stack(1 << 28, move || run(cases.div_ceil(2), seed));
}

fn run(pairs: u64, seed: u64) {
    let start = Instant::now();
    let mut java = Java::start();
    let (mut judged, mut incompatible, mut tried) = (0, 0, 0u64);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    while judged < pairs && wrong.len() < SHOWN {
        let mut choices = Choices::new(seed.wrapping_add(tried).wrapping_mul(0x9e37));
        tried += 1;
        assert!(
            tried < 50 * pairs + 1_000,
            "hardly any change leaves a schema: {judged} of {tried}"
        );
        let old = shapes::schema(&mut choices).text;
        let new = evolutions::evolved(&old, &mut choices);
        let old = if choices.once_in(4) {
            evolutions::evolved(&old, &mut choices)
        } else {
            old
        };
        let (old, new) = (old.to_string(), new.to_string());
        let (Ok(ours_old), Ok(ours_new)) = (AvroSchema::parse(&old, &[]), AvroSchema::parse(&new, &[]))
        else {
            continue;
        };
        let both = [
            (&new, &ours_new, &old, &ours_old),
            (&old, &ours_old, &new, &ours_new),
        ];
        for (reader, ours_reader, writer, ours_writer) in both {
            let ours: Vec<[String; 3]> = compat::incompatibilities(ours_reader, ours_writer)
                .into_iter()
                .map(|found| [found.kind.to_owned(), found.path, found.additional_info])
                .collect();
            let Some(theirs) = java.incompatibilities(reader, writer) else {
                // Whether a text is a schema is the other test's question.
                *counts.entry("no schema to Java".to_owned()).or_default() += 1;
                continue;
            };
            judged += 1;
            match theirs {
                Ok(theirs) if theirs == ours => {
                    incompatible += u64::from(!ours.is_empty());
                    for [kind, ..] in ours {
                        *counts.entry(kind).or_default() += 1;
                    }
                }
                Ok(theirs) if theirs.len() > REASONS_MAX && ours == theirs[..REASONS_MAX] => {
                    *counts
                        .entry("known: more reasons than we list".to_owned())
                        .or_default() += 1;
                }
                // Java throws, and Confluent's answer is the exception: incompatible. Ours names the field.
                Err(why)
                    if why.contains("matches multiple fields in writer record schema")
                        && ours.len() == 1
                        && ours[0][0] == "NAME_MISMATCH" =>
                {
                    *counts
                        .entry("known: an ambiguous alias, at which Java throws".to_owned())
                        .or_default() += 1;
                }
                // Java compares two equal definitions of one name apart, we once: the second has the first one's place.
                Ok(theirs) if defines_a_name_twice(reader) && differ_by_place_alone(&ours, &theirs) => {
                    *counts
                        .entry("known: a name that is defined twice, whose first place we tell".to_owned())
                        .or_default() += 1;
                }
                theirs => wrong.push(format!(
                    "ours {ours:?}\n  Java {theirs:?}\n  reader {reader}\n  writer {writer}"
                )),
            }
        }
    }
    println!(
        "{judged} pairs judged by both ({incompatible} incompatible), {tried} evolutions, in {:.1?}",
        start.elapsed()
    );
    for (what, count) in &counts {
        println!("{count:>9} {what}");
    }
    assert!(
        wrong.is_empty(),
        "{} disagreements, seed {seed}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        incompatible * 5 > judged && incompatible * 20 < judged * 19,
        "the changes are one-sided"
    );
}

fn differ_by_place_alone(ours: &[[String; 3]], theirs: &[[String; 3]]) -> bool {
    let without_place = |found: &[[String; 3]]| -> Vec<[String; 2]> {
        found
            .iter()
            .map(|[kind, _, information]| [kind.clone(), information.clone()])
            .collect()
    };
    without_place(ours) == without_place(theirs)
}

fn defines_a_name_twice(schema: &str) -> bool {
    fn walk<'s>(schema: &'s Value, names: &mut Vec<&'s str>) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| walk(item, names)),
            Value::Object(members) => {
                let of = members.get("type").and_then(Value::as_str);
                if let (Some("record" | "enum" | "fixed"), Some(name)) = (of, members.get("name")) {
                    names.extend(name.as_str());
                }
                members.values().for_each(|member| walk(member, names));
            }
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut names = Vec::new();
    walk(&schema, &mut names);
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    names.len() < all
}
