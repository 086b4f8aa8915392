//! An honest world: dials succeed, providers and servers answer, the timer rings on time.

use crate::{operations::Op, oracle::World};
use heartline_client_core::*;

/// How the world gets better.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// The present line, if there is one, works again; else it stays silent for ever, as half-open ones do.
    pub old_line_lives: bool,
    /// The app starts and identifies anew; else only the platform says that all is well.
    pub app_helps: bool,
}

/// A generous bound for a line that nobody helps: the longest advice and the longest backoffs together.
const UNAIDED_MS: u64 = 900_000;
/// And for one that the app starts: a dial and a login, each timing out, and the longest backoff.
const AIDED_MS: u64 = 120_000;

/// By then a silent line that seemed ready is found out: a heartbeat, its grace, and some.
const FOUND_OUT_MS: u64 = 40_000;

/// Makes the world honest, and asserts that the line becomes ready and stays so.
pub fn recovers(world: &mut World, how: Recovery) {
    if world.destroyed {
        return;
    }
    // The wall clock is sane again, far from the end of time.
    world.play(&Op::ClockSays(2_000_000_000));
    let dead_up_to = if how.old_line_lives {
        Epoch(0)
    } else {
        world.latest_epoch()
    };
    let mut server = Server { dead_up_to };
    server.feed(world, &Op::Visibility(true));
    server.feed(world, &Op::Network(true));
    if how.app_helps {
        server.feed(world, &Op::Start);
        server.feed(world, &Op::Identity(true));
    } else if matches!(world.client.phase(), Phase::Idle | Phase::Closed { .. }) {
        return;
    }
    let begin = world.now;
    while world.now < begin + FOUND_OUT_MS {
        assert!(server.ring(world), "wedged in {:?}", world.client.phase());
    }
    let limit = begin + if how.app_helps { AIDED_MS } else { UNAIDED_MS };
    while world.client.phase() != Phase::Ready {
        assert!(server.ring(world), "wedged in {:?}", world.client.phase());
        assert!(world.now < limit, "still {:?}", world.client.phase());
    }
    let settled = world.now + 300_000;
    while world.now < settled {
        assert!(server.ring(world));
        assert_eq!(world.client.phase(), Phase::Ready, "lost a good line");
    }
}

struct Server {
    /// Sockets of these epochs stay silent.
    dead_up_to: Epoch,
}

impl Server {
    fn feed(&mut self, world: &mut World, op: &Op) {
        world.play(op);
        self.answer(world);
    }

    fn ring(&mut self, world: &mut World) -> bool {
        let rang = world.ring();
        self.answer(world);
        rang
    }

    /// Answers what the client has just asked for, until it asks for nothing more.
    fn answer(&mut self, world: &mut World) {
        let mut asked = std::mem::take(&mut world.fresh);
        while let Some(output) = asked.pop() {
            match output {
                Output::Open { epoch } => world.opened(epoch),
                Output::Credentials { id, .. } => world.answer_credentials(id, true),
                Output::Send { epoch, message } if epoch > self.dead_up_to => match message {
                    Outgoing::Login { id } | Outgoing::Ping { id } | Outgoing::Request { id } => {
                        world.reply(epoch, id, true)
                    }
                    Outgoing::Pong { .. }
                    | Outgoing::Ack { .. }
                    | Outgoing::Park
                    | Outgoing::Show => continue,
                },
                _ => continue,
            }
            asked.append(&mut world.fresh);
        }
    }
}
