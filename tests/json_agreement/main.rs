//! The promise: of any schema and any payload we say what the `jsonschema` crate and Python's jsonschema say, and call the same
//! texts JSON as `serde_json` and Python, but for the differences that `docs/validation-json.md` names.
//!
//! `PORTCULLIS_CASES` is how many payloads are judged, `PORTCULLIS_SEED` repeats a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../choices/mod.rs"]
mod choices;
mod json;
#[path = "../judge/mod.rs"]
mod judge;
mod known;
mod payloads;
#[path = "../support/places.rs"]
#[allow(dead_code, reason = "only where things are, not what listens")]
mod places;
mod python;
mod schemas;

use choices::Choices;
use json::{Draft, Json};
use known::Reason;
use payloads::Sampler;
use portcullis::schema::json::JsonSchema;
use portcullis::schema::json::validate::JsonValidator;
use portcullis::schema::{Mismatch, MismatchKind};
use python::{Frame, Python};
use schemas::Schemas;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// Payloads of one schema, and schemas of one frame.
const PAYLOADS: usize = 25;
const SCHEMAS: usize = 40;
/// Disagreements that are shown before a run is given up.
const SHOWN: usize = 20;

#[test]
fn of_any_schema_and_any_payload_we_say_what_the_crate_and_python_say() {
    let (cases, seed) = judge::cases_and_seed();
    // The crate goes as deep as schemas refer.
    judge::with_stack(256 << 20, move || Run::new(seed).until(cases));
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Valid,
    Invalid,
    NotJson,
    /// Over a limit of ours; no value to `serde_json`; no answer from Python.
    None,
    /// Of the crate alone.
    Panics,
}

impl Verdict {
    /// A byte of Python's.
    fn of_reply(reply: u8) -> Self {
        match reply {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::NotJson,
            _ => Self::None,
        }
    }

    fn of(outcome: &Result<(), Mismatch>) -> Self {
        match outcome.as_ref().map_err(|mismatch| mismatch.kind) {
            Ok(()) => Self::Valid,
            Err(MismatchKind::Payload) => Self::Invalid,
            Err(MismatchKind::NotJson) => Self::NotJson,
            Err(MismatchKind::OverLimit) => Self::None,
        }
    }
}

struct Subject {
    draft: Draft,
    schema: Json,
    text: String,
    /// As the others get it, and its text.
    translated: Option<Json>,
    peers_text: String,
    validator: JsonValidator,
    payloads: Vec<Vec<u8>>,
    ours: Vec<Result<(), Mismatch>>,
    crates: Vec<Verdict>,
}

impl Subject {
    /// As the others get it.
    fn peers_schema(&self) -> Json {
        self.translated.clone().unwrap_or_else(|| self.schema.clone())
    }
}

struct Run {
    seed: u64,
    choices: Choices,
    python: Python,
    cases: u64,
    schemas: u64,
    loops: u64,
    verdicts: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<(&'static str, Reason), u64>,
    wrong: Vec<String>,
    times: [Duration; 3],
}

fn compile(schema: &str) -> Option<JsonValidator> {
    match JsonSchema::parse(schema, &[]).and_then(|schema| schema.validator()) {
        Ok(validator) => Some(validator),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("refers to itself"), "{error}: {schema}");
            None
        }
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            choices: Choices::new(seed),
            python: Python::start(),
            cases: 0,
            schemas: 0,
            loops: 0,
            verdicts: BTreeMap::new(),
            reasons: BTreeMap::new(),
            wrong: Vec::new(),
            times: [Duration::ZERO; 3],
        }
    }

    fn until(mut self, cases: u64) {
        let started = Instant::now();
        while self.cases < cases && self.wrong.len() < SHOWN {
            self.batch();
        }
        let mut report = format!(
            "{} cases of {} schemas in {:.1} s ({} more schemas refer to themselves for the same value)\nours: {:?}\n",
            self.cases,
            self.schemas,
            started.elapsed().as_secs_f64(),
            self.loops,
            self.verdicts
        );
        let [ours, crates, python] = self.times.map(|time| time.as_secs_f64());
        let _ = writeln!(
            report,
            "seconds: ours {ours:.1}, the crate {crates:.1}, waiting for Python {python:.1}"
        );
        for ((peer, reason), count) in &self.reasons {
            let _ = writeln!(report, "{peer}: {reason:?}: {count}");
        }
        println!("{report}");
        assert!(
            self.wrong.is_empty(),
            "PORTCULLIS_SEED={}\n{}",
            self.seed,
            self.wrong.join("\n\n")
        );
        let valid = self.verdicts.get("Valid").copied().unwrap_or(0);
        assert!(
            valid * 5 > self.cases,
            "too few payloads are valid: the test says little"
        );
    }

    fn batch(&mut self) {
        let mut subjects = Vec::new();
        let mut frame = Frame::to_judge();
        while subjects.len() < SCHEMAS {
            let Some(subject) = self.subject() else {
                self.loops += 1;
                continue;
            };
            frame.push(subject.draft, &subject.peers_text, &subject.payloads);
            subjects.push(subject);
        }
        self.python.send(&frame);
        let started = Instant::now();
        for subject in &mut subjects {
            subject.crates = ask_the_crate(subject.draft, &subject.peers_text, &subject.payloads);
        }
        self.times[1] += started.elapsed();
        let started = Instant::now();
        let replies = self.python.receive();
        self.times[2] += started.elapsed();
        assert_eq!(
            replies.len(),
            SCHEMAS * PAYLOADS,
            "Python's answer has a byte a payload"
        );
        for (subject, replies) in subjects.iter().zip(replies.chunks(PAYLOADS)) {
            self.schemas += 1;
            for (index, reply) in replies.iter().enumerate() {
                self.compare(subject, index, Verdict::of_reply(*reply));
            }
        }
    }

    /// A schema with payloads, and what we say; `None` when the schema would have no end.
    fn subject(&mut self) -> Option<Subject> {
        let draft = self.choices.pick(&Draft::ALL);
        let schema = Schemas {
            choices: &mut self.choices,
            draft,
        }
        .document();
        let text = schema.to_string();
        let validator = compile(&text)?;
        let later = draft >= Draft::Draft201909;
        let translated = later.then(|| known::without_dependencies(&schema)).flatten();
        if translated.is_some() {
            self.count("both (schemas)", Reason::DependenciesInALaterDraft);
        }
        let payloads: Vec<Vec<u8>> = (0..PAYLOADS).map(|_| self.payload(&schema)).collect();
        let started = Instant::now();
        let ours = payloads
            .iter()
            .map(|payload| validator.validate(payload))
            .collect();
        self.times[0] += started.elapsed();
        Some(Subject {
            draft,
            peers_text: translated.as_ref().map_or_else(|| text.clone(), Json::to_string),
            translated,
            schema,
            text,
            validator,
            payloads,
            ours,
            crates: Vec::new(),
        })
    }

    fn payload(&mut self, schema: &Json) -> Vec<u8> {
        let how = self.choices.below(20);
        let mut value = if how < 15 {
            Sampler {
                choices: &mut self.choices,
                root: schema,
            }
            .sample()
        } else {
            payloads::arbitrary(&mut self.choices, 3)
        };
        if (9..14).contains(&how) {
            for _ in 0..=self.choices.below(2) {
                payloads::change(&mut self.choices, &mut value);
            }
        }
        let mut text = payloads::spell(&mut self.choices, &value);
        if how == 14 || how == 19 {
            payloads::damage(&mut self.choices, &mut text);
        }
        text
    }

    fn count(&mut self, peer: &'static str, reason: Reason) {
        *self.reasons.entry((peer, reason)).or_default() += 1;
    }

    fn compare(&mut self, subject: &Subject, index: usize, python: Verdict) {
        let payload = &subject.payloads[index];
        let outcome = &subject.ours[index];
        let ours = Verdict::of(outcome);
        self.cases += 1;
        let name = match ours {
            Verdict::Valid => "Valid",
            Verdict::Invalid => "Invalid",
            Verdict::NotJson => "NotJson",
            Verdict::None | Verdict::Panics => "OverLimit",
        };
        *self.verdicts.entry(name).or_default() += 1;
        if let Err(mismatch) = outcome
            && (!mismatch.path.starts_with('$') || mismatch.expected == "expected what the schema says")
        {
            self.complain("no reason", subject, index, &format!("{mismatch:?}"));
        }
        let crates = subject.crates[index];
        let mut agreed = crates;
        if crates != ours {
            match why_the_crate_differs(subject, payload, ours, crates, python) {
                Some(reason) => {
                    agreed = ours;
                    self.count("the crate", reason);
                }
                None => self.complain("the crate", subject, index, &format!("{crates:?}")),
            }
        }
        if python != ours {
            if let Some(reason) = self.why_python_differs(subject, payload, ours, agreed, python) {
                self.count("Python", reason);
            } else {
                let words = self.python.explain(subject.draft, &subject.peers_text, payload);
                self.complain("Python", subject, index, &format!("{python:?}: {words}"));
            }
        }
    }

    fn why_python_differs(
        &mut self,
        subject: &Subject,
        payload: &[u8],
        ours: Verdict,
        crates: Verdict,
        python: Verdict,
    ) -> Option<Reason> {
        if python == Verdict::None {
            if has_long_exponent(payload) {
                return Some(Reason::PythonGaveUp);
            }
            if let Some(schema) = known::items_without_booleans(&subject.peers_schema())
                && subject.draft < Draft::Draft202012
            {
                let python = self.python.verdict(subject.draft, &schema, payload);
                return (python == ours).then_some(Reason::BooleanItemsInPython);
            }
            return None;
        }
        if ours == Verdict::NotJson || python == Verdict::NotJson {
            return None;
        }
        let raw: Box<RawValue> = serde_json::from_slice(payload).ok()?;
        if let Some(kept) = known::last_of_each_name(&raw)
            && Verdict::of(&subject.validator.validate(kept.as_bytes())) == python
        {
            return Some(Reason::NameTwice);
        }
        let schema = subject.peers_schema();
        let mut agrees = |schema: &Json| self.python.verdict(subject.draft, schema, payload) == ours;
        let patterns = known::patterns_for_python(&schema);
        if patterns.as_ref().is_some_and(&mut agrees) {
            return Some(Reason::PatternInPython);
        }
        let schema = patterns.unwrap_or(schema);
        let apart = known::contains_apart(&schema).filter(|_| subject.draft == Draft::Draft201909);
        if apart.is_some_and(|schema| agrees(&schema)) {
            return Some(Reason::ContainsIn2019);
        }
        // Two against one, and nothing but these keywords makes the difference.
        let without = known::without_unevaluated(&schema)?;
        let plain = compile(&known::without_unevaluated(&subject.schema)?.to_string())?;
        let python = self.python.verdict(subject.draft, &without, payload);
        let agrees = python == Verdict::of(&plain.validate(payload));
        (agrees && crates == ours).then_some(Reason::UnevaluatedInPython)
    }

    fn complain(&mut self, who: &str, subject: &Subject, index: usize, verdict: &str) {
        // One payload a schema is enough to see why.
        if self
            .wrong
            .last()
            .is_some_and(|wrong| wrong.contains(&subject.text))
        {
            return;
        }
        self.wrong.push(format!(
            "{who}: {verdict}\nours: {:?}\n{:?}\nschema:  {}\npayload: {:?}",
            subject.ours[index],
            subject.draft,
            subject.text,
            String::from_utf8_lossy(&subject.payloads[index])
        ));
    }
}

/// Of four digits and more.
fn has_long_exponent(payload: &[u8]) -> bool {
    payload
        .split(|byte| matches!(byte, b'e' | b'E'))
        .skip(1)
        .any(|exponent| {
            let digits = exponent
                .strip_prefix(b"+")
                .or(exponent.strip_prefix(b"-"))
                .unwrap_or(exponent);
            digits.iter().take_while(|byte| byte.is_ascii_digit()).count() >= 4
        })
}

fn ask_the_crate(draft: Draft, schema: &str, payloads: &[Vec<u8>]) -> Vec<Verdict> {
    let schema: serde_json::Value = match serde_json::from_str(schema) {
        Ok(schema) => schema,
        Err(_) => return vec![Verdict::None; payloads.len()],
    };
    let theirs = jsonschema::options()
        .with_draft(draft.peers())
        .should_validate_formats(false)
        .build(&schema)
        .unwrap_or_else(|error| panic!("{error}: {schema}"));
    let judge = |payload: &Vec<u8>| {
        if std::str::from_utf8(payload).is_err() || serde_json::from_slice::<IgnoredAny>(payload).is_err() {
            return Verdict::NotJson;
        }
        let Ok(value) = serde_json::from_slice(payload) else {
            return Verdict::None;
        };
        match std::panic::catch_unwind(AssertUnwindSafe(|| theirs.is_valid(&value))) {
            Ok(true) => Verdict::Valid,
            Ok(false) => Verdict::Invalid,
            Err(_) => Verdict::Panics,
        }
    };
    payloads.iter().map(judge).collect()
}

fn why_the_crate_differs(
    subject: &Subject,
    payload: &[u8],
    ours: Verdict,
    crates: Verdict,
    python: Verdict,
) -> Option<Reason> {
    if crates == Verdict::Panics {
        return (python == ours).then_some(Reason::Panics);
    }
    let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text);
    if crates == Verdict::None {
        let error = value(subject.text.as_bytes())
            .err()
            .or(value(payload).err())?
            .to_string();
        if error.contains("number out of range") {
            return Some(Reason::NumberThatIsNoDouble);
        }
        return error.contains("hex escape").then_some(Reason::HalfASurrogatePair);
    }
    if ours == Verdict::NotJson || crates == Verdict::NotJson || ours == Verdict::None {
        return None;
    }
    let raw: Box<RawValue> = serde_json::from_slice(payload).ok()?;
    let kept = known::last_of_each_name(&raw)?;
    if Verdict::of(&subject.validator.validate(kept.as_bytes())) == crates {
        return Some(Reason::NameTwice);
    }
    for all in [false, true] {
        let rounded = compile(&known::as_doubles(subject.text.as_bytes(), all)?)?;
        if Verdict::of(&rounded.validate(known::as_doubles(payload, all)?.as_bytes())) == crates {
            return Some(Reason::NumberThatIsNoDouble);
        }
    }
    if subject.draft == Draft::Draft201909
        && let Some(apart) = known::contains_apart(&subject.peers_schema())
        && ask_the_crate(subject.draft, &apart.to_string(), &[payload.to_vec()]) == [ours]
    {
        return Some(Reason::ContainsIn2019);
    }
    // Its division rounds too: two against one, on a number of more digits than a double has, and by this keyword alone.
    let long = payload
        .split(|byte| !byte.is_ascii_digit())
        .any(|digits| digits.len() > 15);
    if python == ours && long && subject.text.contains("\"multipleOf\"") {
        return Some(Reason::NumberThatIsNoDouble);
    }
    // The same numbers, whole ones without fraction and exponent: all, or those that the crate takes for integers.
    let mut spellings = [0.0, 9e15]
        .into_iter()
        .filter_map(|from| known::whole_from(payload, from));
    let agrees = spellings.any(|text| Verdict::of(&subject.validator.validate(text.as_bytes())) == crates);
    (subject.draft == Draft::Draft4 && agrees).then_some(Reason::WholeNumberInDraft4)
}
