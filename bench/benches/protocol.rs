//! What the wire costs per message, without sockets: decode what a client sends, route a push to its recipients, encode
//! what devices get.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use heartline_protocol::{
    EventPatterns, Limits, PushForm, classic_token, decode_client, decode_server, encode_ping,
    encode_respon, recipients,
};

const LOGIN: &[u8] = br#"{"event":"login","data":{"u":"user:6","token":"0123456789abcdef0123456789abcdef"},"uuid":"k3x-1"}"#;
const PING: &[u8] = br#"{"event":"ping","data":{},"uuid":"k3x-2"}"#;
const PUSH: &[u8] = br#"{"event":"chat1","msg":{"from":7,"text":"a typical message of a chat, about as long as this"},"to":"user:6","type":"app"}"#;

fn decode(c: &mut Criterion) {
    c.bench_function("decode a client's ping", |b| {
        b.iter(|| decode_client(black_box(PING)).unwrap())
    });
    c.bench_function("decode a client's login", |b| {
        b.iter(|| decode_client(black_box(LOGIN)).unwrap())
    });
    c.bench_function("decode a push at the client", |b| {
        b.iter(|| decode_server(black_box(PUSH)).unwrap())
    });
    c.bench_function("decode the form of a push", |b| {
        let limits = Limits::default();
        let pairs = [
            ("to", "user:6"),
            ("type", "app"),
            ("event", "chat1"),
            ("msg", r#"{"from":7,"text":"hello"}"#),
        ];
        b.iter(|| PushForm::from_pairs(black_box(pairs), &limits).unwrap());
    });
}

fn route(c: &mut Criterion) {
    let patterns = EventPatterns::new(["user_tabbar", "chat*"]);
    c.bench_function("decide whether an event may be pushed", |b| {
        b.iter(|| patterns.allows(black_box("chat1")))
    });
    let list: String = (0..1_000).map(|id| format!("user:{id},")).collect();
    c.bench_function("read a list of 1,000 recipients", |b| {
        b.iter(|| recipients([black_box(list.as_str())]))
    });
}

fn encode(c: &mut Criterion) {
    let frame = decode_client(PING).unwrap();
    c.bench_function("encode a reply", |b| {
        b.iter(|| encode_respon(black_box(frame.uuid), 0, "PING检查连接可用"))
    });
    c.bench_function("encode the server's ping", |b| {
        b.iter(|| encode_ping(black_box(1_700_000_000_001)))
    });
    c.bench_function("make a classic token", |b| {
        b.iter(|| classic_token(black_box("6"), "key"))
    });
}

criterion_group!(benches, decode, route, encode);
criterion_main!(benches);
