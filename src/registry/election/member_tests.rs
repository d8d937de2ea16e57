use super::*;

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn identity(host: &str) -> Identity {
    Identity::new("http", host, 8081, true)
}

/// Brings `member` from its start to a generation that `leader` leads.
fn settled(member: &mut Member, member_id: &str, generation: i32, leader: (&str, &Identity), now: Time) {
    let mut step = member.step(now);
    if step == Step::Find {
        member.answered(now, Answer::Found);
        step = member.step(now);
    }
    assert!(matches!(step, Step::Ask(Ask::Join { .. })), "{step:?}");
    joined(member, member_id, generation, leader, now);
}

fn joined(member: &mut Member, member_id: &str, generation: i32, leader: (&str, &Identity), now: Time) {
    member.answered(
        now,
        Answer::Joined {
            generation,
            member_id: member_id.into(),
            members: None,
        },
    );
    assert!(matches!(member.step(now), Step::Ask(Ask::Sync { .. })));
    let members = [(leader.0.into(), leader.1.to_json())];
    let assignment = choose(&members).to_json();
    member.answered(now, Answer::Synced { assignment });
}

fn leading(now: Time) -> Member {
    let mut member = Member::new(identity("a"));
    settled(&mut member, "a-1", 1, ("a-1", &identity("a")), now);
    assert_eq!(*member.standing(), Standing::Leads { generation: 1 });
    member
}

fn following(now: Time) -> Member {
    let mut member = Member::new(identity("b"));
    settled(&mut member, "b-1", 1, ("a-1", &identity("a")), now);
    assert!(matches!(member.standing(), Standing::Follows(leader) if &*leader.member_id == "a-1"));
    member
}

#[test]
fn a_member_joins_again_with_the_id_that_the_coordinator_gives_it() {
    let mut member = Member::new(identity("a"));
    assert_eq!(member.step(ms(0)), Step::Find);
    member.answered(ms(1), Answer::Found);
    let first = member.step(ms(1));
    assert!(
        matches!(&first, Step::Ask(Ask::Join { member_id, metadata }) if member_id.is_empty() && *metadata == identity("a").to_json())
    );
    member.answered(ms(2), Answer::Refused(Refusal::MemberIdRequired("a-1".into())));
    assert!(matches!(member.step(ms(2)), Step::Ask(Ask::Join { member_id, .. }) if &*member_id == "a-1"));
}

#[test]
fn the_assigner_tells_every_member_the_same_leader() {
    let mut member = Member::new(identity("b"));
    let _ = member.step(ms(0));
    member.answered(ms(0), Answer::Found);
    let _ = member.step(ms(0));
    let members = ["b", "a"].map(|host| (Arc::from(format!("{host}-1")), identity(host).to_json()));
    let answer = Answer::Joined {
        generation: 4,
        member_id: "b-1".into(),
        members: Some(members.to_vec()),
    };
    member.answered(ms(1), answer);
    let Step::Ask(Ask::Sync {
        generation: 4,
        assignments,
        ..
    }) = member.step(ms(1))
    else {
        panic!("no assignment");
    };
    let leaders = assignments
        .iter()
        .map(|(_, json)| Assignment::from_json(json).unwrap().leader);
    assert_eq!(leaders.collect::<Vec<_>>(), vec![Some("a-1".into()); 2]);
}

#[test]
fn a_leader_leads_on_through_a_rebalance_and_says_so() {
    let mut member = leading(ms(0));
    assert_eq!(member.step(ms(100)), Step::Wait(HEARTBEAT_INTERVAL));
    assert!(matches!(
        member.step(ms(500)),
        Step::Ask(Ask::Heartbeat { generation: 1, .. })
    ));
    member.answered(ms(501), Answer::Refused(Refusal::Rebalancing));
    assert_eq!(*member.standing(), Standing::Leads { generation: 1 });
    let Step::Ask(Ask::Join { metadata, .. }) = member.step(ms(501)) else {
        panic!("does not join");
    };
    assert!(Identity::from_json(&metadata).unwrap().leader);
    joined(&mut member, "a-1", 2, ("a-1", &identity("a")), ms(600));
    assert_eq!(
        *member.standing(),
        Standing::Leads { generation: 1 },
        "the same reign"
    );
}

#[test]
fn a_leader_that_was_put_out_steps_down_and_joins_as_a_new_member_that_claims_nothing() {
    let mut member = leading(ms(0));
    let _ = member.step(ms(500));
    member.answered(ms(501), Answer::Refused(Refusal::UnknownMember));
    assert_eq!(*member.standing(), Standing::Unknown);
    let Step::Ask(Ask::Join { member_id, metadata }) = member.step(ms(501)) else {
        panic!("does not join");
    };
    assert!(member_id.is_empty() && !Identity::from_json(&metadata).unwrap().leader);
}

#[test]
fn a_leader_that_does_not_hear_of_the_coordinator_steps_down_after_a_session() {
    let mut member = leading(ms(0));
    assert_eq!(member.deadline(), Some(SESSION_TIMEOUT));
    let _ = member.step(ms(500));
    member.answered(ms(3_500), Answer::Failed);
    assert_eq!(*member.standing(), Standing::Leads { generation: 1 });
    member.tick(ms(5_999));
    assert_eq!(*member.standing(), Standing::Leads { generation: 1 });
    member.tick(ms(6_000));
    assert_eq!(*member.standing(), Standing::Unknown);

    // The coordinator was away itself and has noticed nothing.
    settled(&mut member, "a-1", 1, ("a-1", &identity("a")), ms(6_100));
    assert_eq!(*member.standing(), Standing::Leads { generation: 1 });
}

#[test]
fn a_lost_connection_is_made_again_without_a_rebalance() {
    let mut member = leading(ms(0));
    let _ = member.step(ms(500));
    member.answered(ms(510), Answer::Failed);
    let Step::Wait(until) = member.step(ms(510)) else {
        panic!("does not wait");
    };
    assert_eq!(member.step(until), Step::Find);
    member.answered(until, Answer::Failed);
    let Step::Wait(later) = member.step(until) else {
        panic!("does not wait");
    };
    assert!(
        later.abs_diff(until) > until.abs_diff(ms(510)),
        "longer each time"
    );
    assert_eq!(member.step(later), Step::Find);
    member.answered(later, Answer::Found);
    assert!(matches!(
        member.step(later),
        Step::Ask(Ask::Heartbeat { generation: 1, .. })
    ));
}

#[test]
fn a_fenced_leader_leaves_and_joins_anew_each_time_later() {
    let mut member = leading(ms(0));
    let mut now = ms(100);
    let mut pauses = Vec::new();
    for generation in 2..6 {
        member.fenced(now);
        assert_eq!(*member.standing(), Standing::Unknown);
        member.fenced(now);
        assert_eq!(
            member.step(now),
            Step::Ask(Ask::Leave {
                member_id: "a-1".into()
            })
        );
        member.answered(now, Answer::Left);
        let before = now;
        if let Step::Wait(until) = member.step(now) {
            now = until;
        }
        pauses.push(now.abs_diff(before));
        settled(&mut member, "a-1", generation, ("a-1", &identity("a")), now);
        assert_eq!(*member.standing(), Standing::Leads { generation });
    }
    assert_eq!(pauses, [ms(0), ms(100), ms(200), ms(400)]);
}

#[test]
fn a_leader_that_abdicates_follows_its_successor() {
    let mut member = leading(ms(0));
    member.abdicate(ms(10));
    assert_eq!(*member.standing(), Standing::Unknown);
    assert_eq!(
        member.step(ms(10)),
        Step::Ask(Ask::Leave {
            member_id: "a-1".into()
        })
    );
    member.answered(ms(11), Answer::Left);
    let Step::Ask(Ask::Join { member_id, metadata }) = member.step(ms(11)) else {
        panic!("does not join");
    };
    let identity = Identity::from_json(&metadata).unwrap();
    assert!(member_id.is_empty() && !identity.eligible && !identity.leader);
    joined(&mut member, "a-2", 2, ("b-1", &self::identity("b")), ms(400));
    assert!(matches!(member.standing(), Standing::Follows(leader) if &*leader.member_id == "b-1"));
}

#[test]
fn a_leader_whose_port_is_gone_is_put_out_once() {
    let mut member = following(ms(0));
    member.leader_is_gone("z-9");
    assert!(
        matches!(member.standing(), Standing::Follows(_)),
        "another's news"
    );
    member.leader_is_gone("a-1");
    assert_eq!(*member.standing(), Standing::Unknown);
    assert_eq!(
        member.step(ms(10)),
        Step::Ask(Ask::Leave {
            member_id: "a-1".into()
        })
    );
    // Another follower was faster.
    member.answered(ms(12), Answer::Refused(Refusal::UnknownMember));
    assert!(matches!(member.step(ms(12)), Step::Ask(Ask::Join { member_id, .. }) if &*member_id == "b-1"));
    joined(&mut member, "b-1", 2, ("b-1", &identity("b")), ms(20));
    assert_eq!(*member.standing(), Standing::Leads { generation: 2 });
}

#[test]
fn a_member_that_could_not_put_a_leader_out_asks_again_who_leads() {
    let mut member = following(ms(0));
    member.leader_is_gone("a-1");
    let _ = member.step(ms(10));
    member.answered(ms(20), Answer::Failed);
    let Step::Wait(until) = member.step(ms(20)) else {
        panic!("does not wait");
    };
    assert_eq!(member.step(until), Step::Find);
    settled(&mut member, "b-1", 1, ("a-1", &identity("a")), until);
    assert!(matches!(member.standing(), Standing::Follows(_)));
}

#[test]
fn a_member_that_ends_leaves_wherever_it_was() {
    let mut member = leading(ms(0));
    member.end();
    assert_eq!(*member.standing(), Standing::Unknown);
    assert_eq!(
        member.step(ms(10)),
        Step::Ask(Ask::Leave {
            member_id: "a-1".into()
        })
    );
    member.answered(ms(11), Answer::Left);
    assert_eq!(member.step(ms(11)), Step::Done);

    // Its request under way was given up.
    let mut member = following(ms(0));
    let _ = member.step(ms(500));
    member.answered(ms(510), Answer::Failed);
    member.end();
    assert_eq!(member.step(ms(510)), Step::Find);
    member.answered(ms(512), Answer::Found);
    assert_eq!(
        member.step(ms(512)),
        Step::Ask(Ask::Leave {
            member_id: "b-1".into()
        })
    );
    member.answered(ms(600), Answer::Failed);
    assert_eq!(member.step(ms(600)), Step::Done);

    let mut member = Member::new(identity("c"));
    member.end();
    assert_eq!(member.step(ms(0)), Step::Done);
}

#[test]
fn what_the_group_cannot_agree_on_is_said_in_words() {
    let mut member = following(ms(0));
    let _ = member.step(ms(500));
    member.answered(ms(501), Answer::Refused(Refusal::Rebalancing));
    let _ = member.step(ms(501));
    let answer = Answer::Joined {
        generation: 2,
        member_id: "b-1".into(),
        members: Some(vec![
            ("b-1".into(), identity("b").to_json()),
            ("b-2".into(), identity("b").to_json()),
        ]),
    };
    member.answered(ms(502), answer);
    let Step::Ask(Ask::Sync { assignments, .. }) = member.step(ms(502)) else {
        panic!("no assignment");
    };
    let assignment = assignments[0].1.clone();
    member.answered(ms(503), Answer::Synced { assignment });
    assert_eq!(*member.standing(), Standing::Unknown);
    assert!(member.trouble().unwrap().contains("advertised_host"));

    let mut alone = Member::new(Identity::new("http", "c", 8081, false));
    settled(
        &mut alone,
        "c-1",
        1,
        ("c-1", &Identity::new("http", "c", 8081, false)),
        ms(0),
    );
    assert_eq!(*alone.standing(), Standing::NobodyEligible);

    let refused = Answer::Refused(Refusal::Other("GroupAuthorizationFailed".to_owned()));
    let _ = alone.step(ms(500));
    alone.answered(ms(501), refused);
    assert_eq!(alone.step(ms(501)), Step::Wait(ms(501) + REFUSED_PAUSE));
    assert_eq!(alone.trouble(), Some("GroupAuthorizationFailed"));
}
