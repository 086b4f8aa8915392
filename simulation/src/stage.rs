//! What everybody on the stage shares: the clock and its calendar, chance, the network, the oracle, the story.

use crate::event::{DeviceEvent, Event, ServerEvent};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::{Frame, LinkId, Network, Way};
use crate::oracle::Oracle;
use crate::plan::{Plan, Span};
use crate::queue::Queue;
use crate::rng::Rng;
use crate::story::Story;

/// See the module's page.
#[derive(Debug)]
pub struct Stage {
    /// What the seed stands for.
    pub plan: Plan,
    /// The mistake that was put in.
    pub mutant: Option<Mutant>,
    /// Milliseconds since the beginning.
    pub now: u64,
    /// No more faults: the world is honest.
    pub is_honest: bool,
    /// Chance.
    pub rng: Rng,
    /// The calendar.
    pub queue: Queue<Event>,
    /// The connections.
    pub network: Network,
    /// Who watches.
    pub oracle: Oracle,
    /// What happened.
    pub story: Story,
}

impl Stage {
    /// An empty stage.
    pub fn new(plan: Plan, mutant: Option<Mutant>, story: Story) -> Self {
        Self {
            rng: Rng::new(plan.seed),
            oracle: Oracle::new(
                plan.devices.iter().map(|count| usize::from(*count)).sum(),
                plan.retention.max_age_ms,
            ),
            plan,
            mutant,
            now: 0,
            is_honest: false,
            queue: Queue::default(),
            network: Network::default(),
            story,
        }
    }

    /// Whether this mistake was put in.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether this fault strikes here, so many times in a hundred.
    pub fn strikes(&mut self, fault: Fault, percent: u64) -> bool {
        !self.is_honest && self.plan.faults.has(fault) && self.rng.chance(percent)
    }

    /// A duration from this span.
    pub fn span(&mut self, span: Span) -> u64 {
        self.rng.within(span)
    }

    /// Has an event happen after so long.
    pub fn after(&mut self, delay_ms: u64, event: Event) {
        self.queue.put(self.now + delay_ms, event);
    }

    /// The same for a device, in this life of its app.
    pub fn device_after(&mut self, delay_ms: u64, device: usize, life: u32, event: DeviceEvent) {
        self.after(delay_ms, Event::Device(device, life, event));
    }

    /// The same for the server, in this life.
    pub fn server_after(&mut self, delay_ms: u64, life: u32, event: ServerEvent) {
        self.after(delay_ms, Event::Server(life, event));
    }

    /// Hands a frame to the network.
    pub fn send(&mut self, id: LinkId, way: Way, frame: Frame) {
        let delay = self.rng.within(self.plan.wire);
        let (network, queue) = (&mut self.network, &mut self.queue);
        network.send((id, way), frame, self.now, delay, queue);
    }

    /// Something happened that is worth counting.
    pub fn count(&mut self, what: &'static str) {
        self.oracle.tally.count(what);
    }

    /// Adds a line to the story.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        self.story.tell(self.now, line);
    }
}
