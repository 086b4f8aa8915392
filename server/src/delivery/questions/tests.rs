//! Turns, places and bounds of the questions for the store.

use super::*;
use crate::hub::ConnectionRef;
use crate::store::{Offset, PageLimits};

fn user(name: &str) -> User {
    User::parse(name).expect("a user")
}

/// A question of the connection in this slot; `number` tells it from others.
fn question(name: &str, slot: usize, number: u32) -> (Subject, Ask) {
    let subject = Subject {
        at: ConnectionRef::new(0, slot, 1).reliable(true),
        turn: number,
        stream: user(name),
        device: "phone".into(),
    };
    let limits = PageLimits {
        messages: 1,
        bytes: 1,
    };
    (subject, Ask::Page(Offset(number), limits))
}

fn ask(questions: &mut Questions, name: &str, slot: usize, number: u32) {
    let (subject, ask) = question(name, slot, number);
    questions.ask(subject, ask);
}

/// The next question, as `user/number`.
fn next(questions: &mut Questions) -> Option<String> {
    let (subject, _) = questions.next()?;
    Some(format!("{}/{}", subject.stream, subject.turn))
}

fn all(questions: &mut Questions) -> Vec<String> {
    std::iter::from_fn(|| next(questions)).collect()
}

#[test]
fn one_who_asks_much_waits_for_himself() {
    let mut questions = Questions::default();
    for slot in 0..1_000 {
        ask(&mut questions, "user:evil", slot, slot as u32);
    }
    ask(&mut questions, "user:a", 2_000, 1);
    ask(&mut questions, "user:b", 2_001, 2);
    ask(&mut questions, "user:a", 2_002, 3);
    let order = all(&mut questions);
    assert_eq!(order.len(), 1_003);
    let first = [
        "user:evil/0",
        "user:a/1",
        "user:b/2",
        "user:evil/1",
        "user:a/3",
        "user:evil/2",
    ];
    assert_eq!(order[..6], first);
    assert!(
        order[3..]
            .iter()
            .filter(|one| one.contains("evil"))
            .is_sorted_by_key(|one| {
                one.rsplit_once('/')
                    .and_then(|(_, number)| number.parse::<u32>().ok())
            })
    );
    assert!(questions.users.is_empty() && questions.turns.is_empty());
}

#[test]
fn a_connection_has_one_question_and_none_once_it_is_withdrawn() {
    let mut questions = Questions::default();
    for number in 0..100_000 {
        ask(&mut questions, "user:1", 7, number);
    }
    ask(&mut questions, "user:1", 8, 5);
    assert_eq!(questions.len(), 2);
    assert_eq!(all(&mut questions), ["user:1/99999", "user:1/5"]);

    for round in 0..1_000 {
        ask(&mut questions, "user:1", 7, round);
        questions.withdraw(&question("user:1", 7, round).0);
    }
    ask(&mut questions, "user:2", 9, 1);
    assert_eq!(questions.len(), 1);
    assert_eq!(questions.turns.len(), 2, "a turn for each user at most");
    assert_eq!(all(&mut questions), ["user:2/1"]);
    assert!(questions.users.is_empty());
}

#[test]
fn a_user_registers_one_device_at_a_time_and_holds_up_nobody_else() {
    let mut questions = Questions::default();
    for number in 1..=3 {
        ask(&mut questions, "user:1", number as usize, number);
    }
    assert_eq!(next(&mut questions).as_deref(), Some("user:1/1"));
    assert!(questions.may_register(&user("user:1"), 0));
    ask(&mut questions, "user:2", 9, 9);
    assert_eq!(
        all(&mut questions),
        ["user:2/9"],
        "user:1 waits for its registration"
    );
    ask(&mut questions, "user:1", 4, 4);
    assert_eq!(next(&mut questions), None);
    questions.registered(&user("user:1"));
    assert_eq!(all(&mut questions), ["user:1/2", "user:1/3", "user:1/4"]);

    // Nothing waits: the registration is all there is of the user, and then nothing.
    assert!(questions.may_register(&user("user:1"), 0));
    questions.registered(&user("user:1"));
    questions.registered(&user("user:3"));
    assert!(questions.users.is_empty());
}

#[test]
fn new_devices_of_a_user_are_bounded_and_those_of_others_are_not_touched() {
    let mut questions = Questions::default();
    let evil = user("user:evil");
    let mut register = |user: &User, now_ms| {
        let may = questions.may_register(user, now_ms);
        questions.registered(user);
        may
    };
    for _ in 0..MAX_REGISTRATIONS {
        assert!(register(&evil, 1_000));
    }
    assert!(!register(&evil, 1_000));
    assert!(!register(&evil, 1_000 + REGISTRATION_MS - 1));
    assert!(register(&evil, 1_000 + REGISTRATION_MS));
    assert!(!register(&evil, 1_000 + REGISTRATION_MS));
    for number in 0..10_000 {
        assert!(register(&user(&format!("user:{number}")), 2_000 + number));
    }
    let known = questions.registrations.len();
    assert!(
        known <= 4 * FEW,
        "{known} allowances, nearly all of them whole again"
    );
    assert!(questions.registrations.contains_key(&evil));
}
