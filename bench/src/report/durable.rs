//! The section on durable delivery.

use super::figures::{Figure, ms};
use super::{Conditions, Report};
use crate::durable::{Durable, KEPT, Kept, Published, Resumed};

impl Report {
    /// Durable delivery.
    pub fn durable(&mut self, _: &mut Conditions, all: &Durable) {
        self.line(
            "## Durable delivery\n\nHeartline alone. Pushes by `POST /api/v1/push`, each to one of 64 users whose device is there and acknowledges; servers for \
             the three kinds run side by side and are measured in turn. *Not stored* is `transient`; *process* and *power* are `store.durability`.\n",
        );
        self.line("| under way | kind | answers/s | p50, ms | p99, ms | server CPU, µs each | p99 to not stored |\n|---:|---|---:|---:|---:|---:|---:|");
        for (under_way, kinds) in &all.published {
            for (kept, slices) in KEPT.into_iter().zip(kinds) {
                let figure =
                    |value: &dyn Fn(&Published) -> f64| Figure::of(slices.iter().map(value));
                let ratio = Figure::of(
                    slices
                        .iter()
                        .zip(&kinds[0])
                        .map(|(slice, plain)| slice.p99 / plain.p99),
                );
                let name = match kept {
                    Kept::Transient => "not stored",
                    Kept::Process => "process",
                    Kept::Power => "power",
                };
                self.line(&format!(
                    "| {under_way} | {name} | {} | {} | {} | {:.0} | {} × |",
                    figure(&|p| p.per_second).told(0),
                    ms(figure(&|p| p.p50).median),
                    ms(figure(&|p| p.p99).median),
                    figure(&|p| p.cpu).median,
                    ratio.told(2),
                ));
            }
        }
        let (count, took) = &all.replayed;
        let seconds = Figure::of(took.iter().copied());
        self.line(&format!(
            "\n**Coming back.** {count} missed messages reach one device within {} s of its dial: {:.0} messages/s.",
            seconds.told(2),
            f64::from(*count) / seconds.median
        ));
        let (devices, each) = all.resuming;
        let figure = |value: &dyn Fn(&Resumed) -> f64| Figure::of(all.resumed.iter().map(value));
        let done = figure(&|r| r.done);
        self.line(&format!(
            "\n{devices} devices that have missed {each} each dial at the same moment: all are logged in after {} s and have everything after {} s, {:.0} messages/s. \
             Beside it, {} stored pushes a second go on to 50 others; their p99, from the request to the device:\n",
            figure(&|r| r.logged_in).told(2),
            done.told(2),
            f64::from(devices * each) / done.median,
            250
        ));
        self.line("| before | beside as many logins that bring nothing | during | during to before |\n|---:|---:|---:|---:|");
        let ratio = figure(&|r| r.during / r.before);
        self.line(&format!(
            "| {} ms | {} ms | {} ms | {} × |",
            ms(figure(&|r| r.before).median),
            ms(figure(&|r| r.beside_logins).median),
            ms(figure(&|r| r.during).median),
            ratio.told(2)
        ));
        self.goal(
            "the live traffic's p99 within 2 × of before",
            ratio.median <= 2.0,
            &ratio.told(2),
        );
        let ((classic, reliable), (memory, disk, streams)) = (all.connection, all.stream);
        self.line(&format!(
            "\n**Idle.** A connection: {classic:.0} bytes of memory if it is classic, {reliable:.0} if it is reliable. A stream with one message, of {streams} \
             without a connection: {memory:.0} bytes of memory, {disk:.0} on the disk."
        ));
    }
}
