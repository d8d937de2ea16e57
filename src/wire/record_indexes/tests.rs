use super::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn set(indexes: &[u32]) -> RecordIndexes {
    indexes.iter().copied().collect()
}

#[test]
fn neighbours_are_one_range_in_text() {
    for (indexes, text) in [
        (&[][..], ""),
        (&[0], "0"),
        (&[0, 1], "0-1"),
        (&[0, 3, 4, 5, 6, 7, 12], "0,3-7,12"),
        (&[u32::MAX - 1, u32::MAX], "4294967294-4294967295"),
    ] {
        assert_eq!(set(indexes).to_string(), text);
    }
}

#[test]
fn an_index_that_closes_a_gap_joins_both_ranges() {
    let mut indexes = set(&[1, 2, 4, 5, 9]);
    indexes.insert(3);
    assert_eq!(indexes.to_string(), "1-5,9");
    assert_eq!(indexes, set(&[9, 5, 4, 3, 2, 1]));
    assert_eq!((indexes.len(), indexes.is_empty()), (6, false));
}

#[test]
fn only_what_would_be_printed_is_parsed() {
    for text in [
        " ",
        ",",
        "1,",
        ",1",
        "1,,3",
        "a",
        "+1",
        "-1",
        "1-",
        "01",
        "1-03",
        "00",
        "3-3",
        "4-3",
        "1 -3",
        "1-3-5",
        "4294967296",
        "١",
    ] {
        let refused = RecordIndexes::parse(text, u32::MAX);
        assert!(
            matches!(refused, Err(RecordIndexesError::NoRange(_))),
            "{text:?}: {refused:?}"
        );
    }
    for text in ["3,3", "3,1", "3,4", "0-3,2-5", "0-3,4-5", "7,0-9"] {
        let refused = RecordIndexes::parse(text, u32::MAX);
        assert!(
            matches!(refused, Err(RecordIndexesError::OutOfOrder(_))),
            "{text:?}: {refused:?}"
        );
    }
}

#[test]
fn no_index_reaches_past_the_batch() {
    assert_eq!(
        RecordIndexes::parse("0,3-9", 10),
        Ok(set(&[0, 3, 4, 5, 6, 7, 8, 9]))
    );
    for (text, index) in [("0,3-10", 10), ("10", 10), ("0-4294967295", u32::MAX)] {
        assert_eq!(
            RecordIndexes::parse(text, 10),
            Err(RecordIndexesError::PastTheEnd {
                index,
                record_count: 10
            })
        );
    }
    assert!(RecordIndexes::parse("0", 0).is_err());
    assert_eq!(RecordIndexes::parse("", 0), Ok(RecordIndexes::default()));
}

proptest! {
    #[test]
    fn it_is_the_set_that_was_put_in_whatever_the_order(
        indexes in vec(prop_oneof![0..40_u32, u32::MAX - 3..=u32::MAX], 0..60),
    ) {
        let set = set(&indexes);
        let expected: std::collections::BTreeSet<u32> = indexes.iter().copied().collect();
        prop_assert!(set.iter().eq(expected.iter().copied()));
        prop_assert_eq!(set.len() as usize, expected.len());
        for index in 0..42 {
            prop_assert_eq!(set.contains(index), expected.contains(&index));
        }
        let again: RecordIndexes = expected.iter().copied().collect();
        prop_assert_eq!(&set, &again);
    }

    #[test]
    fn its_text_is_read_back(indexes in btree_set(0..200_u32, 0..100)) {
        let set: RecordIndexes = indexes.into_iter().collect();
        let text = set.to_string();
        let needed = set.iter().last().map_or(0, |last| last + 1);
        prop_assert_eq!(RecordIndexes::parse(&text, needed), Ok(set));
        prop_assert!(needed == 0 || RecordIndexes::parse(&text, needed - 1).is_err());
    }

    #[test]
    fn any_text_is_refused_or_printed_as_it_was(
        text in prop_oneof!["[0-9,-]{0,30}", "[0-9]{1,3}([,-][0-9]{1,3}){0,5}", any::<String>()],
        record_count in any::<u32>(),
    ) {
        if let Ok(set) = RecordIndexes::parse(&text, record_count) {
            prop_assert_eq!(set.to_string(), text);
            prop_assert!(set.ranges.iter().all(|range| range.first <= range.last && range.last < record_count));
        }
    }
}
