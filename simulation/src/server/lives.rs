//! The server's lives: it is killed, drained, started again; its disk loses what was not synced, is full, or is a new one.

use super::{Place, Server, device_number, name};
use crate::event::{DeviceEvent, Event, News};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::LinkId;
use crate::rng::Rng;
use crate::stage::Stage;
use heartline_protocol::CloseCode;
use heartline_server::delivery::Acks;
use heartline_server::hub::Registry;
use heartline_server::store::{
    CrashDisk, EmbeddedStore, Entropy, Offset, Options, PageLimits, Store, Write,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

impl Server {
    /// One of the faults of a server.
    pub fn suffers(&mut self, stage: &mut Stage, fault: Fault) {
        if !self.is_up {
            return;
        }
        stage.tell(|| format!("server: {fault:?}"));
        match fault {
            Fault::ServerCrash => self.dies(stage, false),
            Fault::CommitCrash => self.crashes_in_commit = true,
            Fault::DiskFails => self.fails_in_commit = true,
            Fault::DeletedFolder => self.dies(stage, true),
            Fault::Drain => self.drains(stage),
            Fault::DiskFull => {
                if let Place::Disk(disk) = &self.place {
                    disk.set_full(true);
                    let delay = stage.rng.within((100, 3_000));
                    stage.after(delay, Event::DiskHasRoom);
                }
            }
            _ => {}
        }
    }

    /// The disk has room again.
    pub fn has_room(&mut self) {
        if let Place::Disk(disk) = &self.place {
            disk.set_full(false);
        }
    }

    /// The process is killed, and its folder deleted or not. It starts again later.
    pub(super) fn dies(&mut self, stage: &mut Stage, loses_folder: bool) {
        stage.count(if loses_folder {
            "folders deleted"
        } else {
            "server crashes"
        });
        let links: Vec<LinkId> = self.connections.keys().copied().collect();
        for id in links {
            let Some(link) = stage.network.link(id) else {
                continue;
            };
            let (device, life, epoch) = (link.device, link.life, link.epoch);
            stage.network.cut(id, &mut stage.rng);
            stage.network.server_leaves(id);
            stage.oracle.flight_begins(id);
            if stage.rng.chance(85) {
                let delay = stage.rng.below(2_000);
                let news = if stage.rng.chance(50) {
                    News::Closed
                } else {
                    News::Failed
                };
                stage.device_after(delay, device, life, DeviceEvent::Socket(id, epoch, news));
            }
        }
        self.connections.clear();
        self.hub = Registry::new(usize::MAX);
        if let Place::Disk(disk) = &self.place {
            // What the store does when it is dropped is not what a power cut leaves.
            disk.freeze();
            self.store = None;
            disk.crash(stage.rng.bits());
            disk.set_full(false);
        }
        if loses_folder {
            self.folders += 1;
            self.store = None;
            if let Place::Disk(disk) = &mut self.place {
                *disk = CrashDisk::default();
            }
            stage.oracle.deleted();
        }
        self.stops(stage);
    }

    /// Clean: what was accepted is written, and each client is told when to come back.
    fn drains(&mut self, stage: &mut Stage) {
        stage.count("drains");
        let links: Vec<LinkId> = self.connections.keys().copied().collect();
        for link in links {
            let advice = stage.rng.below(1_500) as u32;
            self.close(stage, link, CloseCode::Drain, Some(advice));
        }
        self.write_acks(stage);
        if !self.waiting.is_empty() {
            self.crashes_in_commit = false;
            self.commit(stage);
        }
        if matches!(self.place, Place::Disk(_)) {
            self.store = None;
        }
        self.stops(stage);
    }

    fn stops(&mut self, stage: &mut Stage) {
        self.is_up = false;
        self.life += 1;
        self.waiting.clear();
        self.unregistered.clear();
        self.is_committing = false;
        self.questions.clear();
        self.is_looking = false;
        self.shards = Default::default();
        self.acks = Acks::default();
        self.crashes_in_commit = false;
        self.fails_in_commit = false;
        self.is_unsure = false;
        let delay = stage.rng.within((50, 3_000));
        stage.after(delay, Event::ServerStarts);
    }

    /// The server starts again, on what its disk has.
    pub fn starts(&mut self, stage: &mut Stage) {
        if self.is_up {
            return;
        }
        self.is_up = true;
        self.open(stage);
        stage.tell(|| "server: starts".into());
        self.compare_all(stage);
    }

    /// A commit has failed, and what of it is there after all nobody knows: looks, as soon as the store can be read again.
    pub(super) fn is_sure(&mut self, stage: &mut Stage) {
        // This changes nothing, but has the store write, and so open its file again.
        let nothing = Write::Fired {
            push: "nobody's".into(),
            at_ms: 0,
        };
        if self.is_unsure
            && let Some(store) = &self.store
            && store.commit(self.now(stage), &[nothing]).is_ok()
        {
            self.is_unsure = false;
            self.compare_all(stage);
        }
    }

    pub(super) fn compare_all(&mut self, stage: &mut Stage) {
        for stream in 0..stage.plan.devices.len() {
            self.compare(stage, stream);
        }
    }

    /// Opens the store, unless it is still there: memory outlives a killed process here, as a file's cache would.
    pub(super) fn open(&mut self, stage: &mut Stage) {
        if self.store.is_some() {
            return;
        }
        let seed = if stage.is(Mutant::ReusedEpoch) {
            0
        } else {
            stage.rng.bits()
        };
        let mut options = Options::new(stage.plan.retention, entropy(seed));
        options.cache_bytes = 512 * 1024;
        let opened = match &self.place {
            Place::Memory => EmbeddedStore::in_memory(options),
            Place::Disk(disk) => EmbeddedStore::on_crash_disk(disk.clone(), options),
        };
        match opened {
            Ok(store) => self.store = Some(store),
            Err(error) => stage
                .oracle
                .fail(format!("the store cannot be opened: {error}")),
        }
    }

    /// Tells the oracle what the store holds after a restart.
    fn compare(&mut self, stage: &mut Stage, stream: usize) {
        let Some(store) = &self.store else { return };
        let name = name(stream);
        let everything = PageLimits {
            messages: u32::MAX,
            bytes: usize::MAX,
        };
        // At time 0 nothing has expired.
        let found = store.stream(&name).and_then(|state| {
            let page = store.read(&name, Offset(0), everything, 0)?;
            Ok(state.zip(page))
        });
        match found {
            Ok(Some((state, page))) => {
                let entries: Vec<(u32, u32)> = page
                    .entries
                    .iter()
                    .map(|(offset, body)| (offset.0, crate::publisher::number_of(body)))
                    .collect();
                let facts = (state.epoch.0, state.head.0, state.trimmed.0);
                stage.oracle.found(stream, facts, &entries);
                for (device, known) in store.devices(&name, usize::MAX).unwrap_or_default() {
                    if let Some(device) = device_number(&device) {
                        stage.oracle.registered(device, facts.0, known.since.0);
                    }
                }
            }
            Ok(None) => stage.oracle.not_found(stream),
            Err(error) => stage
                .oracle
                .fail(format!("the store cannot be read: {error}")),
        }
    }
}

/// Numbers of which epochs are made: with the same seed, the same ones.
fn entropy(seed: u64) -> Entropy {
    let count = AtomicU64::new(0);
    Box::new(move || match seed {
        0 => 0x5eed,
        _ => Rng::new(seed ^ count.fetch_add(1, Relaxed)).bits(),
    })
}
