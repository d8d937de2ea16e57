//! What changed from one text to another, line by line. Pure.

/// The table of a longest common subsequence has at most this many cells; larger texts are told as replaced.
const CELLS_MAX: usize = 4_000_000;
/// Lines around a change that are shown with it.
const AROUND: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

pub fn changes<'a>(old: &'a str, new: &'a str) -> Vec<Change<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let equal = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let start = old.iter().zip(&new).take_while(equal).count();
    let rest = old.len().min(new.len()) - start;
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(rest)
        .take_while(equal)
        .count();
    let middle = |lines: &[&'a str]| lines.get(start..lines.len() - end).unwrap_or_default().to_vec();
    let mut all: Vec<Change<'a>> = old.iter().take(start).map(|line| Change::Same(line)).collect();
    all.extend(between(&middle(&old), &middle(&new)));
    all.extend(old.iter().skip(old.len() - end).map(|line| Change::Same(line)));
    all
}

fn between<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Change<'a>> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS_MAX {
        let gone = old.iter().map(|line| Change::Gone(line));
        return gone.chain(new.iter().map(|line| Change::New(line))).collect();
    }
    // Cell (i, j): the length of what old[i..] and new[j..] have in common.
    let mut table = vec![0_u32; (old.len() + 1) * width];
    let cell = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, old) in old.iter().enumerate().rev() {
        for (j, new) in new.iter().enumerate().rev() {
            let value = if old == new {
                cell(&table, i + 1, j + 1) + 1
            } else {
                cell(&table, i + 1, j).max(cell(&table, i, j + 1))
            };
            if let Some(place) = table.get_mut(i * width + j) {
                *place = value;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut all = Vec::with_capacity(old.len() + new.len());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                all.push(Change::Same(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), other) if other.is_none() || cell(&table, i + 1, j) >= cell(&table, i, j + 1) => {
                all.push(Change::Gone(a));
                i += 1;
            }
            (_, Some(b)) => {
                all.push(Change::New(b));
                j += 1;
            }
            (_, None) => return all,
        }
    }
}

/// Changes with the lines around them, as `diff -u` prints them; `…` where lines are left out.
pub fn hunks(changes: &[Change<'_>]) -> String {
    let mut shown = vec![false; changes.len()];
    for (at, change) in changes.iter().enumerate() {
        if !matches!(change, Change::Same(_)) {
            let from = at.saturating_sub(AROUND);
            shown
                .iter_mut()
                .take(at + AROUND + 1)
                .skip(from)
                .for_each(|shown| *shown = true);
        }
    }
    let mut text = String::new();
    let mut skipping = false;
    for (change, shown) in changes.iter().zip(shown) {
        if !shown {
            if !skipping {
                text.push_str("…\n");
            }
            skipping = true;
            continue;
        }
        skipping = false;
        let (mark, line) = match change {
            Change::Same(line) => (' ', line),
            Change::Gone(line) => ('-', line),
            Change::New(line) => ('+', line),
        };
        text.push(mark);
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_changed_line_is_shown_with_those_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\n";
        assert_eq!(
            hunks(&changes(old, new)),
            "…\n b\n c\n d\n-e\n+E\n f\n g\n h\n+i\n"
        );
        assert_eq!(hunks(&changes("x\n", "x\n")), "…\n");
    }

    proptest! {
        #[test]
        fn the_changes_make_the_one_text_of_the_other(old in "[ab\n]{0,40}", new in "[ab\n]{0,40}") {
            let changes = changes(&old, &new);
            let of = |is: fn(&Change<'_>) -> bool| -> Vec<String> {
                changes.iter().filter(|change| is(change)).map(|change| match change {
                    Change::Same(line) | Change::Gone(line) | Change::New(line) => (*line).to_owned(),
                }).collect()
            };
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(of(|change| !matches!(change, Change::New(_))), lines(&old));
            prop_assert_eq!(of(|change| !matches!(change, Change::Gone(_))), lines(&new));
        }
    }
}
