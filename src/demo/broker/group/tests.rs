#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_mins(1);

/// A group, and the time that the test wants it to be.
struct Scene {
    group: Group,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            group: Group::default(),
            now: Instant::now(),
        }
    }

    fn join_as(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        protocols: &[&str],
    ) -> oneshot::Receiver<JoinAnswer> {
        let (answer, answered) = oneshot::channel();
        let join = Join {
            member_id: text(member_id),
            instance_id: instance_id.map(text),
            client_id: text("client"),
            client_host: text("/127.0.0.1"),
            session_timeout: SESSION,
            rebalance_timeout: REBALANCE,
            protocol_type: text("consumer"),
            protocols: protocols
                .iter()
                .map(|name| (text(name), Bytes::from((*name).to_owned())))
                .collect(),
            member_id_required: true,
        };
        self.group.join(join, answer, self.now);
        answered
    }

    /// Joins as every client since KIP-394: once without an id, then with the one that was given out.
    fn join(&mut self) -> (StrBytes, oneshot::Receiver<JoinAnswer>) {
        let Err((ResponseError::MemberIdRequired, id)) =
            self.join_as("", None, &["range"]).try_recv().unwrap()
        else {
            panic!("a first join is sent back for its member id")
        };
        let answered = self.join_as(&id, None, &["range"]);
        (id, answered)
    }

    fn sync(&mut self, id: &StrBytes, assignments: Vec<(StrBytes, Bytes)>) -> oneshot::Receiver<SyncAnswer> {
        let (answer, answered) = oneshot::channel();
        let identity = Identity {
            member_id: id,
            instance_id: None,
        };
        let generation = self.group.generation;
        self.group
            .sync(&identity, generation, assignments, answer, self.now);
        answered
    }

    fn heartbeat(&mut self, id: &StrBytes, generation: i32) -> Result<(), ResponseError> {
        self.group.heartbeat(
            &Identity {
                member_id: id,
                instance_id: None,
            },
            generation,
            self.now,
        )
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
    }

    /// A stable group of two: the leader's id and the follower's.
    fn two() -> (Self, StrBytes, StrBytes) {
        let mut scene = Self::new();
        let (leader, mut joined) = scene.join();
        joined.try_recv().unwrap().unwrap();
        let (follower, mut follower_joined) = scene.join();
        let mut leader_joined = scene.join_as(&leader, None, &["range"]);
        assert_eq!(leader_joined.try_recv().unwrap().unwrap().members.len(), 2);
        assert!(follower_joined.try_recv().unwrap().unwrap().members.is_empty());
        let mut waiting = scene.sync(&follower, Vec::new());
        assert!(waiting.try_recv().is_err());
        let assignments = vec![
            (leader.clone(), Bytes::from_static(b"a")),
            (follower.clone(), Bytes::from_static(b"b")),
        ];
        assert_eq!(
            scene.sync(&leader, assignments).try_recv().unwrap(),
            Ok(Bytes::from_static(b"a"))
        );
        assert_eq!(waiting.try_recv().unwrap(), Ok(Bytes::from_static(b"b")));
        assert_eq!(scene.group.state, State::Stable);
        (scene, leader, follower)
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn error(answer: Result<JoinAnswer, oneshot::error::TryRecvError>) -> ResponseError {
    answer.unwrap().err().unwrap().0
}

#[test]
fn two_members_share_a_generation_and_each_gets_the_leaders_assignment() {
    let (scene, leader, _) = Scene::two();
    assert_eq!(scene.group.generation, 2);
    assert_eq!(scene.group.leader, Some(leader));
}

#[test]
fn a_join_makes_the_others_heartbeats_ask_them_to_join_again() {
    let (mut scene, leader, follower) = Scene::two();
    let (_, mut third) = scene.join();
    assert_eq!(
        scene.heartbeat(&leader, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    let mut first = scene.join_as(&leader, None, &["range"]);
    assert!(third.try_recv().is_err(), "one has not joined yet");
    let _second = scene.join_as(&follower, None, &["range"]);
    assert_eq!(third.try_recv().unwrap().unwrap().generation, 3);
    assert_eq!(first.try_recv().unwrap().unwrap().members.len(), 3);
}

#[test]
fn who_does_not_join_again_in_time_is_left_behind() {
    let (mut scene, leader, follower) = Scene::two();
    let mut joined = scene.join_as(&leader, None, &["range", "sticky"]);
    // The follower keeps beating, but never joins.
    for _ in 0..9 {
        scene.pass(Duration::from_secs(7));
        let _ = scene.heartbeat(&follower, 2);
    }
    assert_eq!(joined.try_recv().unwrap().unwrap().members.len(), 1);
    assert_eq!(scene.heartbeat(&follower, 2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_silent_member_is_dropped_after_its_session_timeout() {
    let (mut scene, leader, follower) = Scene::two();
    scene.pass(Duration::from_secs(6));
    scene.heartbeat(&leader, 2).unwrap();
    scene.pass(Duration::from_secs(6));
    assert_eq!(
        scene.heartbeat(&leader, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    assert!(!scene.group.members.contains_key(&follower));
}

#[test]
fn who_waits_for_an_answer_is_not_silent() {
    let (mut scene, leader, follower) = Scene::two();
    let mut joined = scene.join_as(&leader, None, &["range", "sticky"]);
    scene.pass(Duration::from_secs(6));
    scene.heartbeat(&follower, 2).unwrap_err();
    scene.pass(Duration::from_secs(6));
    assert!(scene.group.members.contains_key(&leader));
    let _follower = scene.join_as(&follower, None, &["range"]);
    assert_eq!(joined.try_recv().unwrap().unwrap().members.len(), 2);
}

#[test]
fn a_leader_that_never_assigns_is_dropped_with_its_generation() {
    let mut scene = Scene::new();
    let (leader, mut joined) = scene.join();
    joined.try_recv().unwrap().unwrap();
    for _ in 0..9 {
        scene.pass(Duration::from_secs(7));
        let _ = scene.heartbeat(&leader, 1);
    }
    assert_eq!(scene.group.state, State::Empty);
}

#[test]
fn the_last_to_leave_leaves_an_empty_group() {
    let (mut scene, leader, follower) = Scene::two();
    for id in [&leader, &follower] {
        scene
            .group
            .leave(
                &Identity {
                    member_id: id,
                    instance_id: None,
                },
                scene.now,
            )
            .unwrap();
    }
    assert_eq!(scene.group.state, State::Empty);
    assert!(scene.group.is_empty());
}

#[test]
fn another_generations_heartbeat_and_commit_are_refused() {
    let (mut scene, leader, _) = Scene::two();
    assert_eq!(scene.heartbeat(&leader, 1), Err(ResponseError::IllegalGeneration));
    let identity = Identity {
        member_id: &leader,
        instance_id: None,
    };
    assert_eq!(
        scene.group.may_commit(&identity, 1, scene.now),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(scene.group.may_commit(&identity, 2, scene.now), Ok(()));
    // Somebody outside the group may commit only while it is empty.
    let outside = Identity {
        member_id: &StrBytes::new(),
        instance_id: None,
    };
    assert_eq!(
        scene.group.may_commit(&outside, -1, scene.now),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_member_without_a_common_protocol_is_refused() {
    let (mut scene, _, _) = Scene::two();
    assert_eq!(
        error(scene.join_as("", Some("other"), &["sticky"]).try_recv()),
        ResponseError::InconsistentGroupProtocol
    );
}

#[test]
fn a_follower_that_changed_nothing_is_told_its_generation_again() {
    let (mut scene, _, follower) = Scene::two();
    assert_eq!(
        scene
            .join_as(&follower, None, &["range"])
            .try_recv()
            .unwrap()
            .unwrap()
            .generation,
        2
    );
    assert_eq!(scene.group.state, State::Stable);
}

#[test]
fn a_member_id_that_was_never_given_out_is_unknown() {
    let mut scene = Scene::new();
    assert_eq!(
        error(scene.join_as("made-up", None, &["range"]).try_recv()),
        ResponseError::UnknownMemberId
    );
}

#[test]
fn a_static_member_that_is_back_fences_its_former_self() {
    let mut scene = Scene::new();
    let first = scene
        .join_as("", Some("a"), &["range"])
        .try_recv()
        .unwrap()
        .unwrap()
        .member_id;
    let second = scene
        .join_as("", Some("a"), &["range"])
        .try_recv()
        .unwrap()
        .unwrap()
        .member_id;
    assert_ne!(first, second);
    assert_eq!(scene.group.members.len(), 1);
    let instance = text("a");
    let former = Identity {
        member_id: &first,
        instance_id: Some(&instance),
    };
    assert_eq!(
        scene.group.heartbeat(&former, 1, scene.now),
        Err(ResponseError::FencedInstanceId)
    );
}

#[test]
fn a_member_id_given_out_and_not_used_holds_the_generation_up_only_for_a_session() {
    let mut scene = Scene::new();
    scene
        .join_as("", None, &["range"])
        .try_recv()
        .unwrap()
        .err()
        .unwrap();
    let (_, mut joined) = scene.join();
    assert!(joined.try_recv().is_err());
    scene.pass(SESSION + Duration::from_secs(1));
    assert_eq!(joined.try_recv().unwrap().unwrap().members.len(), 1);
}
