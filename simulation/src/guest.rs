//! A guest: a bare connection, without the client's core, that logs in as one user after the other, now in the classic form and now as a
//! device that names itself. On the wire there is one rule for it: what it is sent belongs to the login that was answered last.

use crate::event::Event;
use crate::network::{Frame, LinkId, Way};
use crate::publisher::number_of;
use crate::rng::Rng;
use crate::server::{KEY, name};
use crate::stage::Stage;
use heartline_client_core::Epoch;
use heartline_protocol::{
    LoginExtension, ServerFrame, classic_token, decode_server, encode_login_data,
    encode_login_extended, encode_request,
};

/// See the module's page.
pub struct Guest {
    /// Its place among the guests, and among all that have connections.
    at: usize,
    index: usize,
    /// Its own chance, so that what it does changes nothing of others' plans.
    rng: Rng,
    link: Option<LinkId>,
    /// The users of its logins on this connection, by their number.
    logins: Vec<usize>,
    /// The last of them that was answered.
    answered: Option<usize>,
}

/// Between two things that it does.
const PAUSE: (u64, u64) = (20, 700);

impl Guest {
    /// The guest at this place, behind so many devices.
    pub fn new(devices: usize, at: usize, stage: &mut Stage) -> Self {
        stage.after(100, Event::Guest(at));
        Self {
            at,
            index: devices + at,
            rng: Rng::new(stage.plan.seed ^ 0x4755_4553 ^ (at as u64 + 1)),
            link: None,
            logins: Vec::new(),
            answered: None,
        }
    }

    /// Connects, leaves, or logs in.
    pub fn acts(&mut self, stage: &mut Stage) {
        if stage.is_honest {
            return;
        }
        let pause = self.rng.within(PAUSE);
        stage.after(pause, Event::Guest(self.at));
        match self.link {
            None => self.connects(stage),
            Some(_) if self.rng.chance(5) => self.leaves(stage),
            Some(link) => self.logs_in(stage, link),
        }
    }

    fn connects(&mut self, stage: &mut Stage) {
        let link = stage.network.connect(self.index, 0, Epoch(0));
        stage.after(0, Event::Accepted(link));
        self.link = Some(link);
        self.logins.clear();
        self.answered = None;
    }

    fn logs_in(&mut self, stage: &mut Stage, link: LinkId) {
        let users = stage.plan.devices.len() as u64;
        let user = self.rng.below(users) as usize;
        let (full, token) = (name(user), classic_token(&user.to_string(), KEY));
        let data = if self.rng.chance(50) {
            encode_login_data(&full, &token)
        } else {
            let extension = LoginExtension {
                device: format!("guest-{}", self.at).into(),
                positions: Vec::new(),
            };
            encode_login_extended(&full, &token, &extension)
        };
        let text = encode_request("login", Some(&data), &format!("g-{}", self.logins.len()));
        self.logins.push(user);
        stage.send(link, Way::Up, Frame::Text(text));
    }

    /// It leaves, or its connection is gone.
    pub fn leaves(&mut self, stage: &mut Stage) {
        if let Some(link) = self.link.take() {
            let frame = Frame::Close {
                code: Some(1000),
                retry_ms: None,
            };
            stage.send(link, Way::Up, frame);
            stage.network.client_leaves(link);
        }
    }

    /// The next frame of a connection is here.
    pub fn arrives(&mut self, stage: &mut Stage, link: LinkId) {
        let frame = match stage.network.arrive(link, Way::Down, stage.now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(until) => return stage.queue.put(until, Event::Down(link)),
        };
        if self.link != Some(link) {
            return;
        }
        let Frame::Text(text) = frame else {
            return self.leaves(stage);
        };
        stage.tell(|| format!("guest {}: on {link} gets {text}", self.at));
        match decode_server(text.as_bytes()) {
            Ok(ServerFrame::Respon {
                event, ok: true, ..
            }) => {
                let login = event.get().trim_matches('"').strip_prefix("g-");
                let login: Option<usize> = login.and_then(|login| login.parse().ok());
                self.answered = login.map(|login| self.logins[login]).or(self.answered);
                stage.count("logins of guests");
            }
            Ok(ServerFrame::Push { whole, .. }) => {
                let n = number_of(whole.get().as_bytes());
                match self.answered {
                    Some(user) => stage.oracle.shows(user, n),
                    None => stage
                        .oracle
                        .fail(format!("a guest is nobody yet and gets push {n}")),
                }
            }
            _ => {}
        }
    }
}
