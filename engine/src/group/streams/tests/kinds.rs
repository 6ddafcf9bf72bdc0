//! One group, one kind: what becomes of requests of other protocols, and which groups may change theirs.

use super::*;
use crate::group::{DeleteGroup, JoinGroup, ListGroups, Protocol};

fn classic(member: Option<&str>) -> Request {
    Request::JoinGroup(JoinGroup {
        group: GroupId::new("g"),
        member: member.map(MemberId::new),
        instance: None,
        client_id: String::new(),
        client_host: String::new(),
        session_timeout: Millis(10_000),
        rebalance_timeout: Millis(10_000),
        protocol_type: "consumer".to_owned(),
        protocols: vec![Protocol { name: "p".to_owned(), metadata: bytes::Bytes::new() }],
        reason: None,
        unique: codec::Uuid([1; 16]),
        member_id_required: false,
        skip_assignment_supported: false,
    })
}

fn listed(node: &mut Node) -> Vec<(&'static str, &'static str)> {
    let reply = node.ask(Request::ListGroups(ListGroups::default()));
    let Reply::ListGroups(listed) = reply else { panic!("{reply:?}") };
    listed.iter().map(|one| (one.kind.name(), one.state)).collect()
}

#[test]
fn a_streams_group_with_members_takes_no_classic_one() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    let Reply::JoinGroup(Err(refused)) = node.ask(classic(None)) else { panic!() };
    assert_eq!(refused.error, GroupError::InconsistentGroupProtocol);
    assert_eq!(listed(&mut node), [("streams", "Stable")]);
}

#[test]
fn an_empty_streams_group_becomes_a_classic_one_and_back() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    node.beat(leaving("a")).unwrap();
    node.input(Input::Request { id: RequestId(2), request: classic(None) });
    let kind = listed(&mut node)[0].0;
    assert_eq!(kind, "classic");
    node.restart();
    assert_eq!(listed(&mut node), [("classic", "Empty")]);
    node.join("a", &word_count()).unwrap();
    assert_eq!(listed(&mut node), [("streams", "Stable")]);
    node.restart();
    assert_eq!(listed(&mut node), [("streams", "Stable")]);
}

#[test]
fn a_change_of_kind_that_could_not_be_stored_has_not_happened() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    node.beat(leaving("a")).unwrap();
    node.is_failing = true;
    node.input(Input::Request { id: RequestId(2), request: classic(None) });
    node.is_failing = false;
    assert_eq!(listed(&mut node), [("streams", "Empty")]);
}

#[test]
fn a_group_is_deleted_only_without_members_and_leaves_nothing() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    let delete = || Request::DeleteGroup(DeleteGroup { group: GroupId::new("g") });
    assert_eq!(node.ask(delete()), Reply::DeleteGroup(Err(GroupError::NonEmptyGroup)));
    node.beat(leaving("a")).unwrap();
    assert_eq!(node.ask(delete()), Reply::DeleteGroup(Ok(())));
    assert_eq!(listed(&mut node), []);
    node.restart();
    assert_eq!(listed(&mut node), []);
}
