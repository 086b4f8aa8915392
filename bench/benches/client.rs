//! What the client core costs per message, natively: a push to one listener, a round trip, a whole way from nothing to
//! ready. The driver's part (sockets, JSON) is not in it.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use heartline_client_core::{
    Client, Config, Epoch, Incoming, Input, ListenMode, Millis, Output, PayloadRef, Phase,
    RequestOptions, Unsent,
};

const NOW: Millis = Millis(100);
const EPOCH: Epoch = Epoch(1);

/// A client that is logged in, and its next request.
fn ready() -> Client {
    let mut client = Client::new(Config::default(), 42, Millis(0));
    for input in [
        Input::Start,
        Input::Identity { present: true },
        Input::Opened { epoch: EPOCH },
    ] {
        client.handle(Millis(0), input).unwrap();
    }
    while let Some(output) = client.poll_output() {
        if let Output::Credentials { id, .. } = output {
            client
                .handle(Millis(0), Input::Credentials { id, ready: true })
                .unwrap();
            let reply = Incoming::Reply {
                id,
                ok: true,
                body: PayloadRef(1),
            };
            client
                .handle(
                    Millis(0),
                    Input::Frame {
                        epoch: EPOCH,
                        frame: reply,
                    },
                )
                .unwrap();
        }
    }
    assert_eq!(client.phase(), Phase::Ready);
    client
}

fn drain(client: &mut Client) -> usize {
    let mut outputs = 0;
    while let Some(output) = client.poll_output() {
        black_box(output);
        outputs += 1;
    }
    outputs
}

fn messages(c: &mut Criterion) {
    let mut client = ready();
    let event = client.intern("chat1").unwrap();
    let listener = client.next_listener_id();
    client
        .handle(
            NOW,
            Input::Listen {
                listener,
                pattern: "chat*",
                mode: ListenMode::Add,
            },
        )
        .unwrap();
    drain(&mut client);
    c.bench_function("client core: a push to one listener", |b| {
        b.iter(|| {
            let frame = Incoming::Push {
                event: black_box(event),
                body: PayloadRef(7),
            };
            client
                .handle(
                    NOW,
                    Input::Frame {
                        epoch: EPOCH,
                        frame,
                    },
                )
                .unwrap();
            assert_eq!(drain(&mut client), 2);
        });
    });
    c.bench_function("client core: a request and its reply", |b| {
        b.iter(|| {
            let id = client.next_request_id();
            let options = RequestOptions {
                timeout_ms: 5_000,
                unsent: Unsent::Fail,
                before_login: false,
                idempotent: false,
                bytes: 64,
            };
            client.handle(NOW, Input::Request { id, options }).unwrap();
            let reply = Incoming::Reply {
                id,
                ok: true,
                body: PayloadRef(8),
            };
            client
                .handle(
                    NOW,
                    Input::Frame {
                        epoch: EPOCH,
                        frame: reply,
                    },
                )
                .unwrap();
            assert!(drain(&mut client) >= 2);
        });
    });
}

fn life(c: &mut Criterion) {
    c.bench_function("client core: from new to ready", |b| {
        b.iter_batched(|| (), |()| ready(), BatchSize::SmallInput)
    });
}

criterion_group!(benches, messages, life);
criterion_main!(benches);
