//! Any bytes as a push. The first byte chooses: a JSON body, or a form whose pairs are split at `&` and `=`.
//! No panic; a push that is accepted has recipients and a frame that is JSON.
#![no_main]

use heartline_protocol::{Limits, PushForm, decode_push_json};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let limits = Limits::default();
    let push = if kind % 2 == 0 {
        decode_push_json(body, &limits)
    } else {
        let pairs = body.split(|byte| *byte == b'&').map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (&pair[..at], pair.get(at + 1..).unwrap_or_default())
        });
        PushForm::from_pairs(pairs, &limits)
    };
    match push {
        Ok(form) => {
            assert!(!form.recipients().is_empty());
            serde_json::from_str::<&RawValue>(form.frame()).expect("the frame is JSON");
        }
        Err(error) => assert!((400..500).contains(&error.status())),
    }
});
