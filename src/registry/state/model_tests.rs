//! Random commands against a model that keeps plain lists, and against the log folded anew.

use super::tests::{carry_out, content, register};
use super::*;
use crate::schema::{CompatibilityLevel, Version};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// `a` and `b` are in the default context, the others in one of their own.
const SUBJECTS: [&str; 4] = ["a", "b", ":.x:a", ":.x:c"];
const TEXTS: [&str; 4] = ["A", "B", "C", "D"];

#[derive(Clone, Debug)]
enum Step {
    Register(usize, usize),
    DeleteVersion(usize, u32, bool),
    DeleteSubject(usize, bool),
    Level(Option<usize>, Option<CompatibilityLevel>),
    ReadOnly(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let subject = 0..SUBJECTS.len();
    prop_oneof![
        6 => (subject.clone(), 0..TEXTS.len()).prop_map(|(s, t)| Step::Register(s, t)),
        3 => (subject.clone(), 1..6u32, any::<bool>()).prop_map(|(s, v, p)| Step::DeleteVersion(s, v, p)),
        2 => (subject.clone(), any::<bool>()).prop_map(|(s, p)| Step::DeleteSubject(s, p)),
        1 => (proptest::option::of(subject), any::<bool>()).prop_map(|(s, set)| {
            Step::Level(s, set.then_some(CompatibilityLevel::Full))
        }),
        1 => prop::bool::weighted(0.2).prop_map(Step::ReadOnly),
    ]
}

/// Subject → version → (text, soft-deleted).
#[derive(Default)]
struct Model {
    subjects: BTreeMap<usize, BTreeMap<u32, (usize, bool)>>,
    /// By context and text.
    ids: BTreeMap<(bool, usize), u32>,
    id_max: [u32; 2],
    read_only: bool,
}

fn in_context(subject: usize) -> bool {
    SUBJECTS[subject].starts_with(":.")
}

impl Model {
    /// What the registry should do, or `None` for a refusal.
    fn step(&mut self, step: &Step) -> Option<()> {
        match *step {
            Step::Register(subject, text) => {
                let versions = self.subjects.entry(subject).or_default();
                if versions.values().any(|(t, deleted)| *t == text && !deleted) {
                    return Some(());
                }
                if self.read_only {
                    return None;
                }
                let next = versions.keys().last().map_or(1, |newest| newest + 1);
                versions.retain(|_, (t, _)| *t != text);
                versions.insert(next, (text, false));
                let named = in_context(subject);
                let id_max = &mut self.id_max[usize::from(named)];
                self.ids.entry((named, text)).or_insert_with(|| {
                    *id_max += 1;
                    *id_max
                });
            }
            Step::DeleteVersion(subject, version, permanent) => {
                let deleted = self.subjects.get(&subject)?.get(&version)?.1;
                if self.read_only || deleted != permanent {
                    return None;
                }
                let versions = self.subjects.get_mut(&subject)?;
                if permanent {
                    versions.remove(&version);
                } else {
                    versions.get_mut(&version)?.1 = true;
                }
            }
            Step::DeleteSubject(subject, permanent) => {
                let versions = self
                    .subjects
                    .get_mut(&subject)
                    .filter(|versions| !versions.is_empty())?;
                let live = versions.values().any(|(_, deleted)| !deleted);
                if self.read_only || live == permanent {
                    return None;
                }
                if permanent {
                    versions.clear();
                } else {
                    for version in versions.values_mut() {
                        version.1 = true;
                    }
                }
            }
            Step::Level(..) if self.read_only => return None,
            Step::Level(..) => {}
            Step::ReadOnly(read_only) => self.read_only = read_only,
        }
        // An id without versions is gone; its number is not.
        let used: Vec<(bool, usize)> = self
            .subjects
            .iter()
            .flat_map(|(subject, v)| v.values().map(|(text, _)| (in_context(*subject), *text)))
            .collect();
        self.ids.retain(|id, _| used.contains(id));
        Some(())
    }
}

fn command(state: &State, step: &Step) -> Command {
    match *step {
        Step::Register(subject, text) => register(state, SUBJECTS[subject], content(TEXTS[text], &[])),
        Step::DeleteVersion(subject, version, permanent) => Command::DeleteVersion {
            subject: SUBJECTS[subject].into(),
            version: VersionId::Number(Version(version)),
            permanent,
        },
        Step::DeleteSubject(subject, permanent) => Command::DeleteSubject {
            subject: SUBJECTS[subject].into(),
            permanent,
        },
        Step::Level(subject, level) => Command::SetConfig {
            subject: subject.map(|subject| SUBJECTS[subject].into()),
            update: Box::new(ConfigUpdate {
                compatibility: level.map_or(Change::Clear, Change::Set),
                ..ConfigUpdate::default()
            }),
        },
        Step::ReadOnly(read_only) => Command::SetMode {
            subject: Some(":.__GLOBAL:".into()),
            mode: Some(if read_only {
                Mode::ReadOnly
            } else {
                Mode::ReadWrite
            }),
            force: false,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_registry_does_what_the_model_does_and_its_log_says_the_same(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut state = State::new(CompatibilityLevel::Backward);
        let mut model = Model::default();
        let mut log = Vec::new();
        for step in &steps {
            let command = command(&state, step);
            if let Ok(decision) = decide(&state, &command) {
                log.extend(decision.records.iter().map(|record| record.encode().unwrap()));
            }
            let done = carry_out(&mut state, &command);
            prop_assert_eq!(done.is_ok(), model.step(step).is_some(), "{:?}: {:?}", step, done);
            let mut live = 0;
            for (index, subject) in SUBJECTS.iter().enumerate() {
                let shown: Vec<_> = state
                    .subject(subject)
                    .into_iter()
                    .flat_map(|s| &s.versions)
                    .map(|(n, v)| (n.0, v.content.text.to_string(), v.id.0, v.deleted))
                    .collect();
                let expected: Vec<_> = model
                    .subjects
                    .get(&index)
                    .into_iter()
                    .flatten()
                    .map(|(n, (text, deleted))| (*n, TEXTS[*text].to_owned(), model.ids[&(in_context(index), *text)], *deleted))
                    .collect();
                live += expected.iter().filter(|version| !version.3).count();
                prop_assert_eq!(shown, expected);
            }
            prop_assert_eq!(state.live_versions(), live);
            prop_assert_eq!(state.ids(".").count() + state.ids(".x").count(), model.ids.len());
        }
        let mut folded = State::new(CompatibilityLevel::Backward);
        for (key, value) in log {
            let record = Record::decode(&key, value.as_deref());
            folded.apply(record, 1_000, &mut Touched::default());
        }
        prop_assert_eq!(folded, state);
    }
}
