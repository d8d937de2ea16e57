use super::*;

const SESSION: Duration = Duration::from_secs(8);
/// Between two heartbeats.
const BEAT: u64 = 2000;

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn join(id: &str) -> Step {
    Step::Ask(Ask::Join {
        member_id: id.into(),
        metadata: subscription("t"),
    })
}

fn heartbeat(generation: i32) -> Step {
    Step::Ask(Ask::Heartbeat {
        generation,
        member_id: "m".into(),
    })
}

fn joined(generation: i32, members: &[&str]) -> Answer {
    let members = members.iter().map(|id| ((*id).into(), subscription("t")));
    Answer::Joined {
        generation,
        member_id: "m".into(),
        members: Some(members.collect()),
    }
}

/// What the leader would send to `m` when the group has `members`.
fn share_of_m(members: &[&str]) -> Answer {
    let members: Vec<(Arc<str>, Vec<u8>)> = members
        .iter()
        .map(|id| ((*id).into(), subscription("t")))
        .collect();
    let shares = share(&members, "t", &[0, 1, 2, 3]);
    let own = shares.into_iter().find(|(id, _)| &**id == "m").unwrap();
    Answer::Synced { assignment: own.1 }
}

/// A member that owns all four partitions in `generation` at `now`, the next heartbeat a while ahead.
fn settled(now: Time, generation: i32) -> Member {
    let mut member = Member::new("t", SESSION);
    assert_eq!(member.step(now), Step::Find);
    member.answered(now, Answer::Found, &[]);
    assert_eq!(member.step(now), join(""));
    let required = Refusal::MemberIdRequired("m".into());
    member.answered(now, Answer::Refused(required), &[]);
    assert_eq!(member.step(now), join("m"));
    member.answered(now, joined(generation, &["m"]), &[0, 1, 2, 3]);
    let Step::Ask(Ask::Sync { assignments, .. }) = member.step(now) else {
        panic!("{member:?}")
    };
    assert_eq!(assignments.len(), 1);
    member.answered(now, share_of_m(&["m"]), &[]);
    assert_eq!(owned(&member), Some((generation, vec![0, 1, 2, 3])));
    assert_eq!(member.step(now), heartbeat(generation));
    member.answered(now, Answer::Beat, &[]);
    assert_eq!(member.step(now), Step::Wait(now + ms(BEAT)));
    member
}

fn owned(member: &Member) -> Option<(i32, Vec<i32>)> {
    let assigned = member.assigned()?;
    assert_eq!(&*assigned.member_id, "m");
    Some((assigned.generation, assigned.partitions.clone()))
}

fn refuse(member: &mut Member, now: Time, refusal: Refusal) {
    assert!(matches!(member.step(now), Step::Ask(_)), "{member:?}");
    member.answered(now, Answer::Refused(refusal), &[]);
}

#[test]
fn a_rebalance_revokes_and_the_member_joins_again_once_its_owner_has_stopped() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::Rebalancing);
    assert_eq!(owned(&member), None);
    assert_eq!(member.step(ms(BEAT)), Step::Wait(ms(2 * BEAT)));
    member.released(ms(BEAT + 10));
    assert_eq!(member.step(ms(BEAT + 10)), join("m"));
    member.answered(ms(2100), joined(2, &["a", "m"]), &[0, 1, 2, 3]);
    assert!(matches!(
        member.step(ms(2100)),
        Step::Ask(Ask::Sync { generation: 2, assignments, .. }) if assignments.len() == 2
    ));
    member.answered(ms(2200), share_of_m(&["a", "m"]), &[]);
    assert_eq!(owned(&member), Some((2, vec![2, 3])));
}

#[test]
fn an_owner_that_does_not_stop_holds_up_the_group_for_a_part_of_a_session_only() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::Rebalancing);
    assert_eq!(member.step(ms(2 * BEAT - 1)), Step::Wait(ms(2 * BEAT)));
    assert_eq!(member.step(ms(2 * BEAT)), join("m"));
}

#[test]
fn a_rebalance_in_the_middle_of_joining_is_joined_again_at_once() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::Rebalancing);
    member.released(ms(BEAT));
    assert_eq!(member.step(ms(BEAT)), join("m"));
    member.answered(ms(BEAT), joined(2, &["m", "n"]), &[0, 1, 2, 3]);
    refuse(&mut member, ms(BEAT), Refusal::Rebalancing);
    assert_eq!(member.step(ms(BEAT)), join("m"));
}

#[test]
fn who_was_put_out_owns_nothing_and_joins_as_somebody_new() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::UnknownMember);
    assert_eq!(owned(&member), None);
    assert_eq!(member.step(ms(BEAT)), Step::Wait(ms(BEAT + 50)));
    assert_eq!(member.step(ms(BEAT + 50)), join(""));

    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::IllegalGeneration);
    assert_eq!(owned(&member), None);
    assert_eq!(member.step(ms(BEAT + 50)), join("m"));
}

#[test]
fn a_session_without_an_answer_ends_what_is_owned_whatever_is_under_way() {
    let mut member = settled(ms(1000), 1);
    assert_eq!(member.deadline(), Some(ms(9000)));
    assert_eq!(member.step(ms(3000)), heartbeat(1));
    member.tick(ms(8999));
    assert!(owned(&member).is_some());
    member.tick(ms(9000));
    assert_eq!(owned(&member), None);
    // A late answer does not bring it back: the member joins again.
    member.answered(ms(9100), Answer::Beat, &[]);
    assert_eq!(member.step(ms(9100)), join("m"));
}

#[test]
fn the_session_is_counted_from_the_question_not_from_the_answer() {
    let mut member = settled(ms(0), 1);
    assert_eq!(member.step(ms(BEAT)), heartbeat(1));
    member.answered(ms(5000), Answer::Beat, &[]);
    assert_eq!(member.deadline(), Some(ms(BEAT) + SESSION));
}

#[test]
fn a_coordinator_that_moves_is_found_again_and_nothing_is_revoked() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::NotCoordinator);
    assert_eq!(member.step(ms(BEAT)), Step::Wait(ms(BEAT + 50)));
    assert_eq!(member.step(ms(BEAT + 50)), Step::Find);
    member.answered(ms(BEAT + 60), Answer::Failed, &[]);
    assert_eq!(member.step(ms(BEAT + 60)), Step::Wait(ms(BEAT + 160)));
    assert_eq!(member.step(ms(BEAT + 160)), Step::Find);
    member.answered(ms(BEAT + 170), Answer::Found, &[]);
    refuse(&mut member, ms(BEAT + 170), Refusal::Loading);
    assert_eq!(member.step(ms(BEAT + 220)), heartbeat(1));
    member.answered(ms(BEAT + 220), Answer::Beat, &[]);
    assert_eq!(owned(&member), Some((1, vec![0, 1, 2, 3])));
}

#[test]
fn a_refusal_that_lasts_is_told_and_tried_again_later() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::Other("not authorised".to_owned()));
    assert_eq!((owned(&member), member.trouble()), (None, Some("not authorised")));
    assert_eq!(member.step(ms(BEAT)), Step::Wait(ms(BEAT + 5000)));
    assert_eq!(member.step(ms(BEAT + 5000)), Step::Find);
}

#[test]
fn an_assignment_that_cannot_be_read_is_no_assignment() {
    let mut member = settled(ms(0), 1);
    refuse(&mut member, ms(BEAT), Refusal::Rebalancing);
    member.released(ms(BEAT));
    let _ = member.step(ms(BEAT));
    member.answered(ms(BEAT), joined(2, &["m"]), &[0]);
    let _ = member.step(ms(BEAT));
    let assignment = vec![0, 0, 0xff];
    member.answered(ms(BEAT), Answer::Synced { assignment }, &[]);
    assert_eq!(owned(&member), None);
    assert!(member.trouble().unwrap().contains("cannot be read"));
}

#[test]
fn a_member_leaves_once_even_when_it_has_to_find_its_coordinator_first() {
    let leave = Step::Ask(Ask::Leave {
        member_id: "m".into(),
    });
    let mut member = settled(ms(0), 1);
    member.end();
    assert_eq!(owned(&member), None);
    assert_eq!(member.step(ms(1)), leave);
    member.answered(ms(2), Answer::Failed, &[]);
    assert_eq!(member.step(ms(2)), Step::Done);

    let mut member = settled(ms(0), 1);
    assert_eq!(member.step(ms(BEAT)), heartbeat(1));
    member.end();
    member.answered(ms(BEAT), Answer::Failed, &[]);
    assert_eq!(member.step(ms(BEAT)), Step::Find);
    member.answered(ms(BEAT), Answer::Found, &[]);
    assert_eq!(member.step(ms(BEAT)), leave);
    member.answered(ms(BEAT), Answer::Left, &[]);
    assert_eq!(member.step(ms(BEAT)), Step::Done);

    let mut member = settled(ms(0), 1);
    assert_eq!(member.step(ms(BEAT)), heartbeat(1));
    member.end();
    member.answered(ms(BEAT), Answer::Failed, &[]);
    assert_eq!(member.step(ms(BEAT)), Step::Find);
    member.answered(ms(BEAT), Answer::Failed, &[]);
    assert_eq!(member.step(ms(BEAT)), Step::Done);

    let mut member = Member::new("t", SESSION);
    member.end();
    assert_eq!(member.step(ms(0)), Step::Done);
}
