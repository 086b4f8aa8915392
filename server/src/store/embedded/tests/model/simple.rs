//! What a simple store would hold, and what it would be asked by chance.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const STREAMS: u64 = 3;
const DEVICES: u64 = 3;

#[derive(Clone, Debug)]
struct Message {
    at_ms: u64,
    expires_ms: u64,
    key: u64,
    body: String,
}

#[derive(Default, Debug)]
struct Stream {
    epoch: Option<Epoch>,
    head: u32,
    trimmed: u32,
    messages: BTreeMap<u32, Message>,
    devices: BTreeMap<u64, DeviceState>,
}

#[derive(Debug)]
struct Known {
    fingerprint: u64,
    at_ms: u64,
    places: Vec<(u64, u32)>,
}

/// What a simple store would hold.
#[derive(Default, Debug)]
pub(super) struct Model {
    streams: BTreeMap<u64, Stream>,
    pushes: BTreeMap<u64, Known>,
    deadlines: BTreeSet<(u64, String)>,
}

/// What a write must be answered, as far as it says something.
#[derive(Debug)]
pub(super) enum Wanted {
    Pushed(bool, Vec<u32>),
    Conflict,
    Registered(u32, DeviceState),
    Done,
}

fn name(stream: u64) -> Box<str> {
    format!("user:{stream}").into()
}

fn device(device: u64) -> Box<str> {
    format!("device {device}").into()
}

impl Model {
    /// A random write, carried out here, and what the store must answer.
    pub(super) fn write(&mut self, random: &mut Random, now_ms: u64) -> (Write, Wanted) {
        let stream = random.below(STREAMS);
        match random.below(12) {
            0..=6 => self.push(random, now_ms),
            7 | 8 => {
                let of_device = random.below(DEVICES);
                let held = self.streams.entry(stream).or_default();
                let begin = Offset(held.head);
                let state = held.devices.entry(of_device).or_insert(DeviceState {
                    since: begin,
                    acked: begin,
                    seen_ms: now_ms,
                });
                state.seen_ms = now_ms;
                let write = Write::Register {
                    stream: name(stream),
                    device: device(of_device),
                    keep: Vec::new(),
                };
                (write, Wanted::Registered(held.head, *state))
            }
            9 | 10 => self.ack(random, now_ms, stream),
            _ => {
                let first = self.deadlines.first().cloned();
                let (at_ms, id) = first.unwrap_or((1, "nobody's".into()));
                self.deadlines.remove(&(at_ms, id.clone()));
                let push = id.into();
                (Write::Fired { push, at_ms }, Wanted::Done)
            }
        }
    }

    fn push(&mut self, random: &mut Random, now_ms: u64) -> (Write, Wanted) {
        let id = random.below(60);
        let mut streams = vec![random.below(STREAMS)];
        if random.below(4) == 0 {
            streams.push(random.below(STREAMS));
        }
        let key = random.below(4);
        let ttl_ms = (random.below(3) == 0).then(|| 1 + random.below(300));
        let undelivered_ms = (random.below(4) == 0).then(|| 1 + random.below(400));
        let body = "x".repeat(random.below(40) as usize);
        let fingerprint = random.below(4);
        let write = Write::Push(Push {
            id: id.to_string().into(),
            fingerprint,
            streams: streams.iter().map(|stream| name(*stream)).collect(),
            body: body.clone().into(),
            ttl_ms,
            collapse_key: (key > 0).then(|| key.to_string().into()),
            undelivered_ms,
        });
        if let Some(known) = self.pushes.get(&id) {
            let offsets = known.places.iter().map(|(_, offset)| *offset).collect();
            return match known.fingerprint == fingerprint {
                true => (write, Wanted::Pushed(true, offsets)),
                false => (write, Wanted::Conflict),
            };
        }
        let message = Message {
            at_ms: now_ms,
            expires_ms: ttl_ms.map_or(0, |ttl_ms| now_ms + ttl_ms),
            key,
            body,
        };
        let mut places: Vec<(u64, u32)> = Vec::new();
        for stream in streams {
            let again = places.iter().find(|(named, _)| *named == stream).copied();
            places.push(again.unwrap_or_else(|| {
                let held = self.streams.entry(stream).or_default();
                (stream, held.append(now_ms, message.clone()))
            }));
        }
        if let Some(after_ms) = undelivered_ms {
            self.deadlines.insert((now_ms + after_ms, id.to_string()));
        }
        let offsets = places.iter().map(|(_, offset)| *offset).collect();
        let known = Known {
            fingerprint,
            at_ms: now_ms,
            places,
        };
        self.pushes.insert(id, known);
        (write, Wanted::Pushed(false, offsets))
    }

    /// Of a stream or a device that may be unknown, of an epoch that may be another, and beyond the head.
    fn ack(&mut self, random: &mut Random, now_ms: u64, stream: u64) -> (Write, Wanted) {
        let (of_device, offset) = (random.below(DEVICES + 1), random.below(20) as u32);
        let is_right = random.below(3) > 0;
        let mut epoch = Epoch(1);
        if let Some(held) = self.streams.get_mut(&stream) {
            let head = held.head;
            // Where the epoch is not known yet, it can only be a wrong one.
            let known = held.epoch.filter(|_| is_right);
            epoch = known.unwrap_or(epoch);
            if let Some(state) = held.devices.get_mut(&of_device) {
                state.seen_ms = now_ms;
                if known.is_some() {
                    state.acked = state.acked.max(Offset(offset.min(head)));
                }
            }
        }
        let write = Write::Ack {
            stream: name(stream),
            device: device(of_device),
            epoch,
            offset: Offset(offset),
        };
        (write, Wanted::Done)
    }

    pub(super) fn trim(&mut self, now_ms: u64) {
        let before_ms = now_ms.saturating_sub(SMALL.max_age_ms);
        for held in self.streams.values_mut() {
            held.messages.retain(|_, message| !message.is_over(now_ms));
            while let Some(first) = held.messages.first_entry()
                && first.get().at_ms < before_ms
            {
                held.trimmed = *first.key();
                first.remove();
            }
        }
        self.pushes.retain(|_, known| known.at_ms >= before_ms);
    }

    /// All that the store says is what is held here.
    pub(super) fn check(&mut self, random: &mut Random, store: &EmbeddedStore, now_ms: u64) {
        for (stream, held) in &mut self.streams {
            let told = store.stream(&name(*stream)).unwrap().unwrap();
            assert_eq!(*held.epoch.get_or_insert(told.epoch), told.epoch);
            let bytes: u64 = held.messages.values().map(|m| m.body.len() as u64).sum();
            assert_eq!(
                (told.head.0, told.trimmed.0, told.messages, told.bytes),
                (held.head, held.trimmed, held.messages.len() as u64, bytes)
            );
            let after = random.below(u64::from(held.head) + 1) as u32;
            let messages = [1, 3, 100][random.below(3) as usize];
            held.check_pages(store, *stream, after, messages, now_ms);
            let devices = store.devices(&name(*stream), 99).unwrap();
            let wanted = held.devices.iter().map(|(of, state)| (device(*of), *state));
            assert_eq!(devices, wanted.collect::<Vec<_>>());
        }
        for id in 0..60 {
            let told = store.push(&id.to_string()).unwrap().map(|told| {
                let places = told.places.iter().map(|(name, _, at)| (name.clone(), at.0));
                (told.fingerprint, told.at_ms, places.collect::<Vec<_>>())
            });
            let wanted = self.pushes.get(&id).map(|known| {
                let places = known.places.iter().map(|(stream, at)| (name(*stream), *at));
                (known.fingerprint, known.at_ms, places.collect::<Vec<_>>())
            });
            assert_eq!(told, wanted);
        }
        let due = store.due(now_ms, 999).unwrap();
        let due: Vec<_> = due.iter().map(|due| (due.at_ms, &*due.push)).collect();
        let wanted = self.deadlines.iter().filter(|(at_ms, _)| *at_ms <= now_ms);
        let wanted = wanted.map(|(at_ms, id)| (*at_ms, &**id));
        assert_eq!(due, wanted.collect::<Vec<_>>());
    }
}

impl Message {
    fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms > 0 && self.expires_ms <= now_ms
    }
}

impl Stream {
    fn append(&mut self, now_ms: u64, message: Message) -> u32 {
        self.head += 1;
        let key = message.key;
        self.messages.retain(|_, held| key == 0 || held.key != key);
        self.messages.insert(self.head, message);
        let bytes = |held: &BTreeMap<u32, Message>| -> u64 {
            held.values().map(|message| message.body.len() as u64).sum()
        };
        while self.messages.len() > 1
            && (self.messages.len() as u64 > SMALL.max_messages
                || bytes(&self.messages) > SMALL.max_bytes)
            && let Some((offset, first)) = self.messages.pop_first()
        {
            if !first.is_over(now_ms) {
                self.trimmed = offset;
            }
        }
        self.head
    }

    /// Page after page there is all that is left, once and in order, whatever the limits.
    fn check_pages(
        &self,
        store: &EmbeddedStore,
        stream: u64,
        after: u32,
        messages: u32,
        now_ms: u64,
    ) {
        let left =
            |(offset, message): &(&u32, &Message)| **offset > after && !message.is_over(now_ms);
        let wanted: Vec<(u32, String)> = self
            .messages
            .iter()
            .filter(left)
            .map(|(offset, message)| (*offset, message.body.clone()))
            .collect();
        let limits = PageLimits {
            messages,
            bytes: 30,
        };
        let (mut at, mut got) = (Offset(after), Vec::new());
        while at.0 < self.head {
            let page = store.read(&name(stream), at, limits, now_ms);
            let page = page.unwrap().unwrap();
            assert!(page.through > at && page.entries.len() <= messages as usize);
            at = page.through;
            got.extend(
                page.entries
                    .iter()
                    .map(|(offset, body)| (offset.0, String::from_utf8_lossy(body).into_owned())),
            );
        }
        assert_eq!(got, wanted);
    }
}
