//! What the projector's group commits for a partition of the log: how far its dead letters are in their topics, and
//! where the next owner has to begin to read to know of every decision that is not settled by then, and of transactions
//! that ended not long before.
//!
//! ```text
//! log        … │ decision 17 │ … │ decision 40 │ … │ confirmed 40 │ confirmed 17 │ …
//!                ▲ replay                                          ▲ cursor: 40 is projected, 17 is not
//! offset     the cursor: outcomes that entries and markers at or behind it bring are still to be projected
//! metadata   "v1 replay=17"
//! ```

/// Both are offsets at which an entry begins, or the end of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub cursor: i64,
    pub replay: i64,
}

const PREFIX: &str = "v1 replay=";

impl Position {
    #[must_use]
    pub fn at(offset: i64) -> Self {
        Self {
            cursor: offset,
            replay: offset,
        }
    }

    #[must_use]
    pub fn metadata(self) -> String {
        format!("{PREFIX}{}", self.replay)
    }

    /// What was committed. `None`: the metadata is not the projector's, as when somebody has reset the offsets.
    #[must_use]
    pub fn read(offset: i64, metadata: &str) -> Option<Self> {
        let replay = metadata.strip_prefix(PREFIX)?.parse().ok()?;
        (0..=offset).contains(&replay).then_some(Self {
            cursor: offset,
            replay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_committed() {
        let position = Position {
            cursor: 90,
            replay: 17,
        };
        assert_eq!(position.metadata(), "v1 replay=17");
        assert_eq!(Position::read(90, &position.metadata()), Some(position));
        for other in ["", "v2 replay=17", "v1 replay=", "v1 replay=91", "v1 replay=-1"] {
            assert_eq!(Position::read(90, other), None, "{other}");
        }
    }
}
