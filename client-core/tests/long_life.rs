//! A client that lives for months: its own 32-bit time starts again from zero several times, and nobody notices.

use heartline_client_core::{
    Client, Config, Epoch, Incoming, Input, Millis, Outgoing, Output, PayloadRef, Phase,
    RequestError, RequestId, RequestOptions, Unsent,
};

const DAY_MS: u64 = 86_400_000;

#[test]
fn heartbeats_and_timeouts_keep_their_time_for_a_hundred_days() {
    let origin = 1_790_000_000_000;
    let mut client = Client::new(Config::default(), 7, Millis(origin));
    let mut line = Line::up(&mut client, origin);
    let mut beats = 0u64;
    let mut asked_at = None;
    let mut timed_out = 0;
    while line.now < origin + 100 * DAY_MS {
        if asked_at.is_none() {
            let id = client.next_request_id();
            line.feed(&mut client, request(id, 20 * DAY_MS as u32));
            asked_at = Some(line.now);
        }
        let due = client
            .poll_timeout()
            .expect("a live line has a next deadline")
            .0;
        assert!(
            due > line.now && due <= line.now + 25_000,
            "{due} at {}",
            line.now
        );
        line.now = due;
        for output in line.feed(&mut client, Input::Timeout) {
            match output {
                Output::Send {
                    message: Outgoing::Ping { id },
                    ..
                } => {
                    beats += 1;
                    line.reply(&mut client, id);
                }
                Output::Settle {
                    result: Err(RequestError::TimedOut { sent: true }),
                    ..
                } => {
                    let waited = line.now - asked_at.take().expect("one was asked");
                    assert_eq!(waited, 20 * DAY_MS);
                    timed_out += 1;
                }
                Output::Release { .. } => {}
                other => panic!("{other:?} after {beats} beats"),
            }
        }
    }
    assert_eq!(beats, 100 * DAY_MS / 25_000);
    assert_eq!(timed_out, 5);
    assert_eq!(client.phase(), Phase::Ready);
}

#[test]
fn a_sleep_of_a_month_is_noticed_as_any_other() {
    let mut client = Client::new(Config::default(), 7, Millis(0));
    let mut line = Line::up(&mut client, 0);
    line.now += 30 * DAY_MS;
    let outputs = line.feed(&mut client, Input::Timeout);
    let probe = Output::Send {
        epoch: Epoch(1),
        message: Outgoing::Ping { id: RequestId(2) },
    };
    assert_eq!(outputs, [probe], "the line is probed, not declared dead");
    assert_eq!(client.poll_timeout(), Some(Millis(line.now + 3_000)));
}

struct Line {
    now: u64,
}

impl Line {
    /// A client that is logged in.
    fn up(client: &mut Client, now: u64) -> Self {
        let mut line = Self { now };
        line.feed(client, Input::Start);
        line.feed(client, Input::Identity { present: true });
        line.feed(client, Input::Opened { epoch: Epoch(1) });
        line.feed(
            client,
            Input::Credentials {
                id: RequestId(1),
                ready: true,
            },
        );
        line.reply(client, RequestId(1));
        assert_eq!(client.phase(), Phase::Ready);
        line
    }

    fn feed(&mut self, client: &mut Client, input: Input<'_>) -> Vec<Output> {
        client.handle(Millis(self.now), input).expect("no misuse");
        std::iter::from_fn(|| client.poll_output()).collect()
    }

    fn reply(&mut self, client: &mut Client, id: RequestId) {
        let frame = Incoming::Reply {
            id,
            ok: true,
            body: PayloadRef(0),
        };
        self.feed(
            client,
            Input::Frame {
                epoch: Epoch(1),
                frame,
            },
        );
    }
}

fn request(id: RequestId, timeout_ms: u32) -> Input<'static> {
    let options = RequestOptions {
        timeout_ms,
        unsent: Unsent::Fail,
        before_login: false,
        idempotent: false,
        bytes: 0,
    };
    Input::Request { id, options }
}
