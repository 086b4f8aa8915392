//! Traces as values: what they refuse, what a difference looks like, and that they stay within their bound.

use heartline_client_core::{Client, Config, Input, Millis};
use heartline_trace::{Argument, Outcome, Recorder, Trace};

/// A short life, as JSON.
const LIFE: &str = r#"{"heartline":1,"lives":[{"engine":"wasm","dropped":0,"calls":[
    ["create",[7,1000],0,[]],
    ["feed",[0,1000,0,0,0,0],-1,[]],
    ["feed",[4,1000,1,0,0,0],10000,[0,1,0,0,10,1,0,0]]]}]}"#;

fn replay(text: &str) -> Outcome {
    let trace = Trace::parse(text).expect("a trace");
    trace.lives[0].replay().outcome
}

#[test]
fn a_life_is_lived_again_however_its_host_shows_its_numbers() {
    assert_eq!(replay(LIFE), Outcome::Identical);
    assert_eq!(
        replay(&LIFE.replace("],-1,[", "],4294967295,[")),
        Outcome::Identical
    );
}

#[test]
fn a_difference_is_shown_where_it_is() {
    for (from, to) in [
        ("10000,[", "10001,["),
        ("[0,1,0,0,", "[0,2,0,0,"),
        (",10,1,0,0]", "]"),
    ] {
        let Outcome::Diverged(difference) = replay(&LIFE.replace(from, to)) else {
            panic!("{to} passed for the same");
        };
        assert_eq!(difference.at, 2);
        assert!(
            difference
                .to_string()
                .starts_with("call 2 went another way")
        );
    }
}

#[test]
fn what_is_no_trace_is_refused() {
    for (text, says) in [
        ("", "this is no trace"),
        ("[]", "this is no trace"),
        (
            r#"{"heartline":2,"lives":[]}"#,
            "the trace is of version 2; 1 is read here",
        ),
    ] {
        let error = Trace::parse(text).expect_err("no trace").to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn nonsense_in_a_trace_harms_nobody() {
    for call in [
        r#"["fly",[],0,[]]"#,
        r#"["feed",["text"],0,[]]"#,
        r#"["feed",[255,-1,-1,-1,-1,-1],0,[]]"#,
        r#"["feed",[9223372036854775807],0,[]]"#,
        r#"["listen",[],0,[]]"#,
        r#"["feed",[25,1000,1,4294967295,9,9],0,[]]"#,
    ] {
        let text = LIFE.replace("]]}]}", &format!("],{call}]}}]}}"));
        assert!(matches!(replay(&text), Outcome::Diverged(_)), "{call}");
    }
}

#[test]
fn a_record_is_bounded_and_says_what_it_let_go() {
    let config = Config::default();
    let mut client = Client::new(config.clone(), 1, Millis(0));
    let mut recorder = Recorder::new(100, &config, 1, Millis(0));
    for ms in 0..1_000 {
        let (now, input) = (Millis(ms), Input::Timeout);
        recorder.input(now, &input);
        let answer = client.handle(now, input);
        recorder.answer(&client, now, answer.map(|()| None));
    }
    let life = &recorder.trace().lives[0];
    assert!(life.calls.len() <= 100);
    assert_eq!(life.dropped + life.calls.len() as u64, 1_000 + 1 + 16);
    assert_eq!(
        life.calls.last().map(|call| &call.1[1]),
        Some(&Argument::Number(999))
    );
    assert_eq!(life.replay().outcome, Outcome::Truncated);
}
