//! Any bytes as a server's frame: no panic; pings are echoed to the byte; a push is read the same from its own text.
#![no_main]

use heartline_protocol::{ServerFrame, decode_client, decode_server, encode_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match decode_server(bytes) {
    Ok(ServerFrame::Ping { uuid }) => {
        let answer = encode_response(uuid);
        let frame = decode_client(answer.as_bytes()).expect("our own answer is a frame");
        assert_eq!(frame.uuid.map(|echo| echo.get()), Some(uuid.get()));
    }
    Ok(ServerFrame::Push { event, whole, .. }) => match decode_server(whole.get().as_bytes()) {
        Ok(ServerFrame::Push { event: again, .. }) => assert_eq!(again, event),
        other => panic!("read again as {other:?}"),
    },
    _ => {}
});
