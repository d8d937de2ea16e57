//! A batch that lost records, or whose records got something more, means to another library what it means to us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod batches;

use batches::{Content, LIMITS, codecs, contents, decoded, encoded, stamps, theirs_of};
use portcullis::wire::batch::{Batch, Header};
use portcullis::wire::batch_rewrite::{
    Addition, RecordEdit, RewriteError, rewrite_batch, with_base_sequence,
};
use portcullis::wire::batch_writer::ProducerStamp;
use portcullis::wire::compression::Decompressor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const VIOLATION: Header<'static> = Header {
    key: b"__portcullis.violation",
    value: Some(b"PC-201 value: field \"amount\" is missing"),
};
/// Confluent's framing: magic 0 and a schema id, and the message indexes of Protobuf.
const FRAME: &[u8] = &[0, 0, 0, 1, 7, 0];

/// What a policy has done to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Done {
    Nothing,
    Dropped,
    Marked,
    Framed,
}

impl Done {
    fn edit(self) -> RecordEdit<'static> {
        match self {
            Self::Nothing => RecordEdit::Keep,
            Self::Dropped => RecordEdit::Drop,
            Self::Marked => RecordEdit::Add(Addition {
                header: Some(VIOLATION),
                ..Addition::default()
            }),
            Self::Framed => RecordEdit::Add(Addition {
                key_prefix: FRAME,
                value_prefix: FRAME,
                header: None,
            }),
        }
    }

    fn of(self, mut content: Content) -> Option<Content> {
        match self {
            Self::Nothing => {}
            Self::Dropped => return None,
            Self::Marked => {
                let value = VIOLATION.value.map(<[u8]>::to_vec);
                content
                    .headers
                    .push((String::from_utf8(VIOLATION.key.to_vec()).unwrap(), value));
            }
            Self::Framed => {
                let framed = |bytes: Vec<u8>| [FRAME, &bytes].concat();
                content.key = content.key.map(framed);
                content.value = content.value.map(framed);
            }
        }
        Some(content)
    }
}

fn done() -> impl Strategy<Value = Done> {
    select(vec![Done::Nothing, Done::Dropped, Done::Marked, Done::Framed])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn another_library_reads_what_is_left_of_its_batch_from_the_new_base_sequence_on(
        contents in contents(), done in vec(done(), 40), codec in codecs(), stamp in stamps(), base_sequence in 0..1 << 30,
    ) {
        let bytes = encoded(&theirs_of(&contents, stamp), codec);
        let batch = Batch::read(&bytes).unwrap();
        let mut decompressor = Decompressor::default();
        let plain = decompressor.decompress(codec, batch.records, LIMITS).unwrap();
        let mut out = Vec::new();
        let edit = |index: u32| done[index as usize].edit();
        let written = rewrite_batch(&batch, plain, base_sequence, usize::MAX, edit, &mut out);

        let left: Vec<Content> = contents.into_iter().zip(&done).filter_map(|(content, done)| done.of(content)).collect();
        if left.is_empty() {
            prop_assert_eq!(written, Err(RewriteError::NothingKept));
            return Ok(());
        }
        prop_assert_eq!(written.unwrap().length, out.len());
        let stamp = ProducerStamp { base_sequence, ..stamp };
        prop_assert_eq!(decoded(&out, codec), theirs_of(&left, stamp));
    }

    #[test]
    fn another_library_reads_the_same_records_under_another_base_sequence(
        contents in contents(), codec in codecs(), stamp in stamps(), base_sequence in 0..1 << 30,
    ) {
        let bytes = encoded(&theirs_of(&contents, stamp), codec);
        let mut out = Vec::new();
        with_base_sequence(&bytes, base_sequence, &mut out);
        let stamp = ProducerStamp { base_sequence, ..stamp };
        prop_assert_eq!(decoded(&out, codec), theirs_of(&contents, stamp));
    }
}
