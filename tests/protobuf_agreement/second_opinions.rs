//! A million times: a random schema, a payload of it, and three verdicts. Where they differ, a rule in which the libraries
//! differ must explain it, and is counted.

use super::choices::Choices;
use super::google::{self, Google};
use super::model::{self, Rules, Verdict};
use super::payloads::{self, Freedom};
use super::prost;
use super::schemas::{Texts, random_schema};
use super::tables::Tables;
use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::protobuf::validate::{MessageId, ProtobufValidator};
use portcullis::schema::{Mismatch, MismatchKind, UnknownFields};
use prost_reflect::MessageDescriptor;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

/// Payloads of one schema.
const BATCH: usize = 100;

/// Google's protobuf for Python and C, which is upb.
pub const GOOGLE: Rules = Rules {
    other_wire_type_is_unknown: true,
    extra_bits_are_dropped: true,
    ten_byte_tags: false,
    five_byte_lengths: true,
    number_zero_in_what_is_empty: true,
    unknown_in_what_is_replaced_is_gone: true,
    map_in_any_wire_type: false,
    entries_do_not_nest: false,
    proto2_strings_are_utf8: false,
    unnamed_number_counts: false,
    entry_with_unknown_is_unknown: true,
};

/// Why another library says something else: each a row of `docs/validation-protobuf.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    OtherWireType,
    BitsBeyondThe64th,
    LongTag,
    LongLength,
    NumberZeroInWhatIsEmpty,
    MapInAnyWireType,
    EntriesDoNotNest,
    Proto2StringNotUtf8,
    UnnamedNumberOfARequiredEnum,
    EntryWithUnknown,
}

type SetRule = fn(&mut Rules);

const REASONS: [(Reason, SetRule); 10] = [
    (Reason::OtherWireType, |rules| {
        rules.other_wire_type_is_unknown = true;
    }),
    (Reason::BitsBeyondThe64th, |rules| {
        rules.extra_bits_are_dropped = true;
    }),
    (Reason::LongTag, |rules| {
        rules.ten_byte_tags = true;
    }),
    (Reason::LongLength, |rules| {
        rules.five_byte_lengths = true;
    }),
    (Reason::NumberZeroInWhatIsEmpty, |rules| {
        rules.number_zero_in_what_is_empty = true;
    }),
    (Reason::MapInAnyWireType, |rules| {
        rules.map_in_any_wire_type = true;
    }),
    (Reason::EntriesDoNotNest, |rules| {
        rules.entries_do_not_nest = true;
    }),
    (Reason::Proto2StringNotUtf8, |rules| {
        rules.proto2_strings_are_utf8 = true;
    }),
    (Reason::UnnamedNumberOfARequiredEnum, |rules| {
        rules.unnamed_number_counts = true;
    }),
    (Reason::EntryWithUnknown, |rules| {
        rules.entry_with_unknown_is_unknown = true;
    }),
];

/// A schema, ready for all who judge by it.
pub struct Subject {
    pub texts: Texts,
    pub schema: ProtobufSchema,
    pub validator: ProtobufValidator,
    pub id: MessageId,
    pub descriptor: MessageDescriptor,
    pub tables: Tables,
}

impl Subject {
    pub fn new(texts: Texts) -> Self {
        let schema = ProtobufSchema::parse(&texts.root, &texts.references)
            .unwrap_or_else(|error| panic!("{error}\n{}", spell(&texts)));
        let validator = schema.validator().unwrap();
        let id = validator.message([0]).unwrap();
        let descriptor = schema.descriptor().messages().next().unwrap();
        let tables = Tables::of(&descriptor);
        Self {
            texts,
            schema,
            validator,
            id,
            descriptor,
            tables,
        }
    }
}

pub fn spell(texts: &Texts) -> String {
    let mut all = texts.root.clone();
    for reference in &texts.references {
        write!(all, "\n// {}\n{}", reference.name, reference.text).unwrap();
    }
    all
}

/// The fewest rules of `theirs` that together make the difference to ours.
fn reasons(tables: &Tables, payload: &[u8], theirs: Rules, ours: bool) -> Vec<Reason> {
    let is_theirs = |set: &SetRule| {
        let mut with = theirs;
        set(&mut with);
        with == theirs
    };
    let candidates: Vec<_> = REASONS.iter().filter(|(_, set)| is_theirs(set)).collect();
    let mut subsets: Vec<u32> = (1..1 << candidates.len()).collect();
    subsets.sort_by_key(|subset| subset.count_ones());
    for subset in subsets {
        let chosen = || {
            (0..candidates.len())
                .filter(|index| subset & 1 << index != 0)
                .map(|index| candidates[index])
        };
        let mut rules = Rules::default();
        chosen().for_each(|(_, set)| set(&mut rules));
        if model::judge(tables, payload, rules).is_valid() != ours {
            return chosen().map(|(reason, _)| *reason).collect();
        }
    }
    unreachable!("all rules of theirs give their verdict")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[derive(Default)]
struct Counts {
    valid: usize,
    refused: usize,
    not_by_google: usize,
    unknown_in_what_is_replaced: usize,
    google: BTreeMap<Vec<Reason>, usize>,
    prost: BTreeMap<Vec<Reason>, usize>,
}

/// Judges `cases` payloads by all; panics at the first difference that no rule explains.
pub fn compare(cases: usize, seed: u64) {
    let began = Instant::now();
    let mut google = Google::start();
    let mut counts = Counts::default();
    let mut judged = 0;
    let mut round = 0;
    while judged < cases {
        let mut choices = Choices::new(Choices::new(seed).next().wrapping_add(round));
        let subject = Subject::new(random_schema(&mut choices));
        let batch: Vec<_> = (0..BATCH.min(cases - judged))
            .map(|_| payload(&mut choices, &subject.tables))
            .collect();
        let files = subject.descriptor.parent_pool().encode_to_vec();
        let accepted = google.schema(subject.descriptor.full_name(), &files);
        if let Err(why) = &accepted {
            // upb's own limit is 63 in a message: prost-reflect alone is asked about these.
            assert!(
                why.contains("Too many required fields"),
                "{why}\n{}",
                spell(&subject.texts)
            );
            counts.not_by_google += batch.len();
        } else {
            google.send_payloads(&batch);
        }
        // Both work at the same time.
        let here: Vec<_> = batch.iter().map(|payload| verdicts(&subject, payload)).collect();
        let theirs = if accepted.is_ok() {
            google.verdicts()
        } else {
            Vec::new()
        };
        assert!(accepted.is_err() || theirs.len() == batch.len());
        for (index, (payload, here)) in batch.iter().zip(&here).enumerate() {
            if let Err(why) = agree(&subject, payload, here, theirs.get(index).copied(), &mut counts) {
                let said = if accepted.is_ok() {
                    google.explain(payload)
                } else {
                    "nothing".to_owned()
                };
                panic!(
                    "seed {seed}, schema {round}:\n{}\npayload {}\n\
                     Portcullis: {:?}\nprost-reflect: {}\nGoogle: {said}\n{why}",
                    spell(&subject.texts),
                    hex(payload),
                    here.ours,
                    here.prost.1
                );
            }
        }
        judged += batch.len();
        round += 1;
    }
    println!(
        "{judged} cases of {round} schemas, seed {seed}, in {:.1} s: {} valid, {} refused ({} not judged by Google); \
         differences from Google {:?}, from prost-reflect {:?}, \
         unknown fields that only we see {}",
        began.elapsed().as_secs_f64(),
        counts.valid,
        counts.refused,
        counts.not_by_google,
        counts.google,
        counts.prost,
        counts.unknown_in_what_is_replaced
    );
    assert!(
        cases < 10_000 || (counts.valid > cases / 5 && counts.refused > cases / 5),
        "one-sided"
    );
}

fn payload(choices: &mut Choices, tables: &Tables) -> Vec<u8> {
    let strict = Freedom {
        loose: false,
        unknown: false,
        wrong_wire_types: 0,
    };
    let loose = Freedom {
        loose: true,
        unknown: true,
        wrong_wire_types: 0,
    };
    match choices.below(20) {
        0..4 => payloads::random_payload(choices, tables, strict),
        4..10 => payloads::random_payload(choices, tables, loose),
        10..12 => payloads::random_payload(
            choices,
            tables,
            Freedom {
                wrong_wire_types: 4,
                ..loose
            },
        ),
        12 => payloads::tower(choices, tables),
        13 => payloads::noise(choices),
        what => {
            let freedom = if what < 17 { strict } else { loose };
            let mut payload = payloads::random_payload(choices, tables, freedom);
            payloads::damage(choices, &mut payload);
            payload
        }
    }
}

/// What is said in this process.
struct Here {
    ours: Result<(), Mismatch>,
    /// Under the policy that refuses unknown fields.
    strictly: Result<(), Mismatch>,
    prost: (bool, String),
}

fn verdicts(subject: &Subject, payload: &[u8]) -> Here {
    Here {
        ours: subject.validator.validate(subject.id, payload),
        strictly: subject
            .validator
            .validate_with(subject.id, payload, UnknownFields::Reject),
        prost: prost::verdict(&subject.descriptor, payload),
    }
}

fn agree(
    subject: &Subject,
    payload: &[u8],
    here: &Here,
    theirs: Option<google::Verdict>,
    counts: &mut Counts,
) -> Result<(), String> {
    let tables = &subject.tables;
    let ours = here.ours.is_ok();
    if let Err(mismatch) = &here.ours
        && (!mismatch.path.starts_with('$') || mismatch.expected.is_empty())
    {
        return Err("a refusal says neither where nor what".into());
    }
    let by_our_rules = model::judge(tables, payload, Rules::default());
    if by_our_rules.is_valid() != ours {
        return Err(format!(
            "Portcullis does not keep to its own rules, by which it is {by_our_rules:?}"
        ));
    }
    let has_unknown = by_our_rules == Verdict::Valid { unknown: true };
    if here.strictly.is_ok() != (ours && !has_unknown) {
        return Err(format!(
            "with unknown fields refused: {:?}, by the rules {by_our_rules:?}",
            here.strictly
        ));
    }
    // Now and then, what prost-reflect makes of a valid payload is valid again (but where it keeps an enum's unnamed
    // number instead of the named one before it; and a map entry without its value is written with one, a level deeper).
    if by_our_rules == (Verdict::Valid { unknown: false })
        && payload.len().is_multiple_of(8)
        && let Some(rewritten) = prost::rewrite(&subject.descriptor, payload)
        && let Err(mismatch) = subject.validator.validate(subject.id, &rewritten)
        && !(mismatch.kind == MismatchKind::OverLimit && rewritten.len() > payload.len())
    {
        return Err(format!(
            "not valid when prost-reflect writes it: {mismatch:?} in {}",
            hex(&rewritten)
        ));
    }
    let by_prosts = model::judge(tables, payload, prost::RULES);
    if by_prosts.is_valid() != here.prost.0 {
        return Err(format!(
            "no known rule explains prost-reflect, by whose rules it is {by_prosts:?}"
        ));
    }
    if let Some(theirs) = theirs {
        agree_with_google(tables, payload, here, theirs, counts)?;
    }
    *if ours {
        &mut counts.valid
    } else {
        &mut counts.refused
    } += 1;
    if here.prost.0 != ours {
        *counts
            .prost
            .entry(reasons(tables, payload, prost::RULES, ours))
            .or_default() += 1;
    }
    Ok(())
}

fn agree_with_google(
    tables: &Tables,
    payload: &[u8],
    here: &Here,
    theirs: google::Verdict,
    counts: &mut Counts,
) -> Result<(), String> {
    let ours = here.ours.is_ok();
    let said = match theirs {
        google::Verdict { parsed: false, .. } => Verdict::Malformed,
        google::Verdict {
            initialized: false, ..
        } => Verdict::Incomplete,
        google::Verdict { unknown, .. } => Verdict::Valid { unknown },
    };
    let by_rules = model::judge(tables, payload, GOOGLE);
    if by_rules != said {
        return Err(format!(
            "no known rule explains Google, by whose rules it is {by_rules:?}, not {said:?}"
        ));
    }
    if said.is_valid() != ours {
        *counts
            .google
            .entry(reasons(tables, payload, GOOGLE, ours))
            .or_default() += 1;
    }
    match (said, ours, here.strictly.is_ok()) {
        (Verdict::Valid { unknown: true }, true, true) => return Err("Google finds an unknown field".into()),
        // A oneof's member or a map's value that another replaced: no unknown field is left of it.
        (Verdict::Valid { unknown: false }, true, false) => counts.unknown_in_what_is_replaced += 1,
        _ => {}
    }
    Ok(())
}
