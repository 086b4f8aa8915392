//! A reliable device and a publisher, written from the page about the wire and from nothing else.

use futures::{SinkExt, StreamExt};
use heartline_e2e::token_for;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// What a device remembers over its deaths.
#[derive(Clone, Debug)]
pub struct Login {
    user: String,
    device: String,
    /// Epoch, and the offset up to which everything was handled and saved.
    position: Option<(String, u32)>,
    /// The server has said where it stands.
    attached: Arc<AtomicBool>,
}

impl Login {
    pub fn new(user: &str, device: &str) -> Self {
        Self {
            user: user.to_owned(),
            device: device.to_owned(),
            position: None,
            attached: Arc::default(),
        }
    }

    fn frame(&self) -> String {
        let at = match &self.position {
            None => json!({}),
            Some((epoch, handled)) => json!({ &self.user: [epoch, handled, handled] }),
        };
        json!({"event":"login","uuid":"login","data":{
            "u": self.user, "token": token_for(&self.user), "$hl": {"v":1, "device": self.device, "at": at},
        }})
        .to_string()
    }
}

/// What becomes of a device with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Live,
    /// It dies with the message received, and the callback not called.
    BeforeCallback,
    /// It dies in the callback.
    InCallback,
    /// It dies when the callback has returned, and that was not saved.
    BeforeSaving,
}

/// One life of a device: until the connection ends, a message is its end, or everything up to `last` is handled. Answers the gaps.
pub fn session(
    address: SocketAddr,
    login: &mut Login,
    mut callback: impl FnMut(u32, &str) -> Fate,
    last: u32,
) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut gaps = Vec::new();
        let _ = live(
            address,
            login,
            &mut gaps,
            &mut |offset, msg| callback(offset, msg),
            Some(last),
            &AtomicBool::new(false),
        )
        .await;
        gaps
    })
}

/// See [`session`]; `None`: the connection could not be made, or broke.
async fn live(
    address: SocketAddr,
    login: &mut Login,
    gaps: &mut Vec<Value>,
    callback: &mut impl FnMut(u32, &str) -> Fate,
    last: Option<u32>,
    stop: &AtomicBool,
) -> Option<()> {
    let socket = tokio::net::TcpStream::connect(address).await.ok()?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/"), socket)
        .await
        .ok()?;
    socket.send(Message::text(login.frame())).await.ok()?;
    let mut unacked = 0;
    login.attached.store(false, Relaxed);
    while !stop.load(Relaxed) {
        let next = tokio::time::timeout(Duration::from_millis(50), socket.next()).await;
        let is_quiet = next.is_err();
        if let Ok(next) = next {
            let Message::Text(text) = next?.ok()? else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).expect("the server sends JSON");
            if frame["type"] == "ping" {
                socket
                    .send(Message::text(
                        json!({"event":"response","uuid":frame["uuid"]}).to_string(),
                    ))
                    .await
                    .ok()?;
            } else if let Some(at) = frame.get("at") {
                assert_eq!(at[0], login.user.as_str());
                let (epoch, offset) = (
                    at[1].as_str().expect("an epoch"),
                    at[2].as_u64().expect("an offset") as u32,
                );
                if let Some((known, handled)) = &login.position {
                    assert_eq!(
                        (known.as_str(), *handled),
                        (epoch, offset),
                        "a position is told as it was said"
                    );
                }
                login.position = Some((epoch.to_owned(), offset));
                login.attached.store(true, Relaxed);
            } else if let Some(gap) = frame.get("gap") {
                gaps.push(gap.clone());
                login.attached.store(true, Relaxed);
                login.position = Some((
                    gap[1].as_str().expect("an epoch").to_owned(),
                    gap[3].as_u64().expect("an offset") as u32,
                ));
            } else if let Some(place) = frame.get("$hl") {
                let offset = place[1].as_u64().expect("an offset") as u32;
                let (_, handled) = login
                    .position
                    .as_ref()
                    .expect("a position comes before any message");
                assert!(
                    offset > *handled,
                    "offset {offset} came again after {handled}"
                );
                let msg = frame["msg"]
                    .as_str()
                    .map_or_else(|| frame["msg"].to_string(), str::to_owned);
                if callback(offset, &msg) != Fate::Live {
                    return Some(());
                }
                login.position.as_mut().expect("seen above").1 = offset;
                unacked += 1;
            }
        }
        if let Some((_, handled)) = &login.position {
            if unacked >= 8 || (is_quiet && unacked > 0) {
                let ack = json!({"event":"$hl:ack","data":{ &login.user: handled }});
                socket.send(Message::text(ack.to_string())).await.ok()?;
                unacked = 0;
            }
            if unacked == 0
                && login.attached.load(Relaxed)
                && last.is_some_and(|last| *handled >= last)
            {
                return Some(());
            }
        }
    }
    Some(())
}

/// What a device has seen in all its lives.
#[derive(Debug, Default)]
pub struct Record {
    pub device: String,
    pub callbacks: Vec<(u32, String)>,
    pub gaps: Vec<Value>,
    pub epochs: BTreeSet<String>,
}

/// A device that comes back whenever its connection ends, on a thread of its own.
pub struct Device {
    user: String,
    state: Arc<Mutex<(Login, Record)>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Device {
    /// `restless`: it also drops its connection by itself every now and then, as this seed decides.
    pub fn start(address: SocketAddr, login: Login, restless: Option<u64>) -> Self {
        let (user, stop) = (login.user.clone(), Arc::new(AtomicBool::new(false)));
        let device = login.device.clone();
        let state = Arc::new(Mutex::new((
            login,
            Record {
                device,
                ..Record::default()
            },
        )));
        let (of_thread, ends) = (state.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let mut seed = restless.unwrap_or(0) | 1;
            while !ends.load(Relaxed) {
                let mut login = of_thread.lock().expect("no panic").0.clone();
                let mut gaps = Vec::new();
                let mut left = u64::MAX;
                if restless.is_some() {
                    seed = seed
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    left = 1 + (seed >> 33) % 40;
                }
                let mut callbacks = Vec::new();
                runtime.block_on(live(
                    address,
                    &mut login,
                    &mut gaps,
                    &mut |offset, msg| {
                        left -= 1;
                        if left == 0 {
                            return Fate::BeforeCallback;
                        }
                        callbacks.push((offset, msg.to_owned()));
                        // What others wait for is seen at once.
                        of_thread
                            .lock()
                            .expect("no panic")
                            .1
                            .callbacks
                            .push((offset, msg.to_owned()));
                        Fate::Live
                    },
                    None,
                    &ends,
                ));
                let mut state = of_thread.lock().expect("no panic");
                state.1.gaps.extend(gaps);
                state
                    .1
                    .epochs
                    .extend(login.position.iter().map(|(epoch, _)| epoch.clone()));
                state.0 = login;
                drop(state);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            user,
            state,
            stop,
            thread,
        }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// The server has said where it stands.
    pub fn is_attached(&self) -> bool {
        self.state
            .lock()
            .expect("no panic")
            .0
            .attached
            .load(Relaxed)
    }

    /// The last offset that its callback got.
    pub fn handled(&self) -> u32 {
        let state = self.state.lock().expect("no panic");
        state.1.callbacks.last().map_or(0, |(offset, _)| *offset)
    }

    pub fn stop(self) -> Record {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the device did not panic");
        let mut state = self.state.lock().expect("no panic");
        std::mem::take(&mut state.1)
    }
}

/// A push that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub msg: String,
    pub places: Vec<(String, u32)>,
    pub asked_at: Instant,
    pub answered_at: Instant,
}

/// Pushes one after another, each under an id of its own, until it is told to stop; what is not answered is asked again.
pub struct Publisher(JoinHandle<Vec<Answered>>);

impl Publisher {
    pub fn start(
        address: SocketAddr,
        number: usize,
        users: &'static [&'static str],
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self(std::thread::spawn(move || {
            let mut answered = Vec::new();
            for n in 0.. {
                if stop.load(Relaxed) {
                    break;
                }
                let msg = format!("{number}-{n}");
                let to: Vec<_> = users
                    .iter()
                    .cycle()
                    .skip(n)
                    .take(1 + n % users.len())
                    .collect();
                let body = json!({"to": to, "event": "chat1", "msg": msg, "id": msg});
                let asked_at = Instant::now();
                let receipt = loop {
                    match try_push(address, &body) {
                        Some((200, receipt)) => break receipt,
                        Some((status, problem)) => assert!(status >= 500, "{status} {problem}"),
                        None => {}
                    }
                    std::thread::sleep(Duration::from_millis(5));
                };
                let recipients = receipt["recipients"].as_array().expect("recipients");
                let place = |recipient: &Value| {
                    let to = recipient["to"].as_str().expect("a user").to_owned();
                    (to, recipient["offset"].as_u64().expect("an offset") as u32)
                };
                answered.push(Answered {
                    msg,
                    places: recipients.iter().map(place).collect(),
                    asked_at,
                    answered_at: Instant::now(),
                });
            }
            answered
        }))
    }

    pub fn join(self) -> Vec<Answered> {
        self.0.join().expect("the publisher did not panic")
    }
}

/// One push; `None` when no answer came.
pub fn try_push(address: SocketAddr, body: &Value) -> Option<(u16, Value)> {
    let body = body.to_string();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let head = format!(
        "POST /api/v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((
        head.get(9..12)?.parse().ok()?,
        serde_json::from_str(body).ok()?,
    ))
}

/// One connection of a classic device: since when it was logged in, and what it heard.
#[derive(Debug)]
pub struct Session {
    pub since: Instant,
    pub heard: BTreeSet<String>,
}

/// A classic device that comes back whenever its connection ends.
pub struct Classic {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Session>>,
}

pub fn classic_device(address: SocketAddr, user: &'static str) -> Classic {
    let stop = Arc::new(AtomicBool::new(false));
    let ends = stop.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut sessions = Vec::new();
        while !ends.load(Relaxed) {
            runtime.block_on(classic_session(address, user, &mut sessions, &ends));
            std::thread::sleep(Duration::from_millis(10));
        }
        sessions
    });
    Classic { stop, thread }
}

async fn classic_session(
    address: SocketAddr,
    user: &str,
    sessions: &mut Vec<Session>,
    stop: &AtomicBool,
) -> Option<()> {
    let socket = tokio::net::TcpStream::connect(address).await.ok()?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{address}/"), socket)
        .await
        .ok()?;
    let login =
        json!({"event":"login","uuid":"login","data":{"u": user, "token": token_for(user)}});
    socket.send(Message::text(login.to_string())).await.ok()?;
    let Message::Text(_) = socket.next().await?.ok()? else {
        return None;
    };
    sessions.push(Session {
        since: Instant::now(),
        heard: BTreeSet::new(),
    });
    while !stop.load(Relaxed) {
        let Ok(next) = tokio::time::timeout(Duration::from_millis(50), socket.next()).await else {
            continue;
        };
        let Message::Text(text) = next?.ok()? else {
            continue;
        };
        let frame: Value = serde_json::from_str(&text).expect("the server sends JSON");
        assert!(
            frame.get("$hl").is_none(),
            "a classic device is told nothing new: {text}"
        );
        if let Some(msg) = frame["msg"].as_str() {
            sessions
                .last_mut()
                .expect("just pushed")
                .heard
                .insert(msg.to_owned());
        }
    }
    Some(())
}

impl Classic {
    pub fn stop(self) -> Vec<Session> {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the device did not panic")
    }
}
