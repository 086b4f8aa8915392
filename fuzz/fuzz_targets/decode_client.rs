//! Any bytes as a client's frame: no panic, and the id comes back to the byte.
#![no_main]

use heartline_protocol::{Login, ServerFrame, decode_client, decode_server, encode_respon};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = decode_client(bytes) else { return };
    let _ = Login::decode(frame.data);
    let reply = encode_respon(frame.uuid, 0, frame.event.as_deref().unwrap_or(""));
    match decode_server(reply.as_bytes()) {
        Ok(ServerFrame::Respon { event, ok: true, .. }) => {
            assert_eq!(event.get(), frame.uuid.map_or("null", RawValue::get));
        }
        other => panic!("{reply} was read as {other:?}"),
    }
});
