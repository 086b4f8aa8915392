//! One section per scenario: its table, its plot, and the goals it answers.

use super::figures::{
    Figure, best_other, cpu_per_million, ms, own_per_million, ratio_to, slices_of, user_part,
    user_per_million,
};
use super::{Conditions, Report, svg};
use crate::agent::Growth;
use crate::fleet::Case;
use crate::scenario::{ELSEWHERE, FanOut, Memory};
use crate::slice::Slice;

impl Report {
    /// Idle memory.
    pub fn memory(&mut self, _: &mut Conditions, all: &[Memory]) {
        self.line("## Idle memory per logged-in connection\n\nBytes of resident memory above the server with its first 100 connections, by connection; each is another user's. \
            *Kernel* is the growth of slabs and page tables at the largest size, by connection, both ends together, and as coarse as that.\n");
        let sizes: Vec<usize> = all
            .iter()
            .map(|memory| memory.points.len())
            .max()
            .and_then(|most| {
                let longest = all.iter().find(|memory| memory.points.len() == most)?;
                Some(longest.points.iter().map(|point| point.0).collect())
            })
            .unwrap_or_default();
        let heads: Vec<String> = sizes.iter().map(|size| format!(" {size} |")).collect();
        self.line(&format!(
            "| peer | server with 100, MiB |{} after messages to all | kernel |",
            heads.concat()
        ));
        self.line(&format!(
            "|---|---:|{}---:|---:|",
            "---:|".repeat(sizes.len())
        ));
        for memory in all {
            let mut cells: Vec<String> = memory
                .points
                .iter()
                .map(|point| format!(" {:.0} |", point.1))
                .collect();
            cells.resize(sizes.len(), " – |".into());
            let after = memory
                .after_traffic
                .map_or("–".into(), |after| format!("{after:.0}"));
            let kernel = memory.points.last().map_or(0.0, |point| point.2);
            self.line(&format!(
                "| {} | {:.1} |{} {after} | {kernel:.0} |",
                memory.peer,
                memory.base as f64 / 1_048_576.0,
                cells.concat()
            ));
        }
        if let Some(ours) = all.iter().find(|memory| memory.peer == "heartline") {
            let (first, last) = (
                ours.points.first().map_or(0.0, |p| p.1),
                ours.points.last().map_or(0.0, |p| p.1),
            );
            let after = ours.after_traffic.unwrap_or(f64::NAN);
            let worst = ours
                .points
                .iter()
                .filter(|point| point.0 >= 10_000)
                .map(|point| point.1)
                .fold(0.0, f64::max);
            if worst > 0.0 {
                self.goal(
                    "at most 1,024 bytes at 10,000 and 19,000 (hoped for: 458)",
                    worst <= 1024.0,
                    &format!("{worst:.0}"),
                );
            }
            self.goal(
                "after traffic the same within 10%",
                after <= last * 1.1,
                &format!("{last:.0} → {after:.0}"),
            );
            self.goal(
                "at the largest size within 1.2 × of 1,000",
                last <= first * 1.2,
                &format!("{first:.0} → {last:.0}"),
            );
        }
        let rows: Vec<_> = all
            .iter()
            .map(|m| {
                (
                    m.peer.clone(),
                    m.points.iter().map(|p| (p.0 as f64, p.1)).collect(),
                )
            })
            .collect();
        self.plot(
            "memory",
            &svg::lines(
                "Idle memory per logged-in connection",
                "bytes above the empty server; connections",
                &rows,
            ),
        );
        self.line("\n![memory](plots/memory.svg)");
    }

    /// Connect and login.
    pub fn connect(&mut self, conditions: &mut Conditions, all: &[(String, Vec<Growth>)]) {
        let _ = conditions;
        self.line("## Connect and log in\n\nUpgrade, login, answer; 64 under way; each round a fresh server, warmed by some hundred logins.\n");
        self.line("| peer | logins/s | server CPU, µs each | of it user space, µs | dial to logged in p50, ms | p99, ms | load generator CPU, µs each |\n|---|---:|---:|---:|---:|---:|---:|");
        let mut rows = Vec::new();
        for (name, growths) in all {
            let figure = |value: &dyn Fn(&Growth) -> f64| Figure::of(growths.iter().map(value));
            let cpu = figure(&|g| g.server_ns as f64 / 1e3 / g.count as f64);
            let (user, system) = growths.iter().fold((0, 0), |sum, g| {
                (sum.0 + g.server_ticks.0, sum.1 + g.server_ticks.1)
            });
            let part = user as f64 / (user + system).max(1) as f64;
            self.line(&format!(
                "| {name} | {} | {} | {:.0} | {} | {} | {:.0} |",
                figure(&|g| g.count as f64 / g.seconds).told(0),
                cpu.told(0),
                cpu.median * part,
                ms(figure(&|g| f64::from(g.p50)).median),
                ms(figure(&|g| f64::from(g.p99)).median),
                figure(&|g| g.own_ns as f64 / 1e3 / g.count as f64).median,
            ));
            if name == "heartline" {
                rows.insert(0, (name.clone(), cpu.median));
            } else {
                rows.push((name.clone(), cpu.median));
            }
        }
        if let Some((_, ours)) = rows.iter().find(|(name, _)| name == "heartline") {
            self.goal(
                "at most 50 µs of server CPU each",
                *ours <= 50.0,
                &format!("{ours:.0} µs"),
            );
        }
        self.plot(
            "connect",
            &svg::bars("Connect and log in", "µs of server CPU each", &rows),
        );
        self.line("\n![connect](plots/connect.svg)");
    }

    /// Fan-out.
    pub fn fanout(&mut self, conditions: &mut Conditions, all: &[FanOut]) {
        self.line("## Fan-out\n\n184-byte frames to N connections; *ratio* is server CPU per delivery to that of the floor with one message in flight at the same N.");
        let mut at_first = None;
        for FanOut {
            recipients: size,
            in_flight,
            case,
            split,
        } in all
        {
            conditions.note(case);
            let same = all
                .iter()
                .find(|one| one.recipients == *size && one.in_flight == 1);
            let floor = same.map_or(&[][..], |one| slices_of(&one.case, "floor"));
            self.line(&format!("\n### {size} recipients, {in_flight} in flight\n"));
            self.line("| peer | ratio to the floor | CPU-s per million | of it user space | deliveries/s | p50, ms | p99, ms | load generator, CPU-s per million |\n|---|---:|---:|---:|---:|---:|---:|---:|");
            let mut rows = Vec::new();
            for (name, slices) in case {
                let figure = |value: &dyn Fn(&Slice) -> f64| Figure::of(slices.iter().map(value));
                let ratio = ratio_to(floor, slices);
                rows.push((name.clone(), ratio.median));
                self.line(&format!(
                    "| {name} | {} | {} | {:.2} | {:.0} | {} | {} | {:.2} |",
                    ratio.told(2),
                    figure(&cpu_per_million).told(2),
                    user_part(slices_of(split, name)) * figure(&cpu_per_million).median,
                    figure(&|s| s.deliveries as f64 / s.seconds).median,
                    ms(figure(&|s| f64::from(s.push.p50)).median),
                    ms(figure(&|s| f64::from(s.push.p99)).median),
                    figure(&own_per_million).median,
                ));
            }
            let ours = slices_of(case, "heartline");
            if ours.is_empty() || floor.is_empty() {
                self.line("\nOurs or the floor is missing: no goal can be judged.");
                continue;
            }
            let ratio = ratio_to(floor, ours).median;
            if *in_flight == 1 {
                self.goal(
                    "at most 1.10 × the floor",
                    ratio <= 1.10,
                    &format!("{ratio:.2}"),
                );
                let user = user_part(slices_of(split, "heartline"))
                    * Figure::of(ours.iter().map(cpu_per_million)).median;
                self.goal(
                    "at most 0.45 s of user space per million",
                    user <= 0.45,
                    &format!("{user:.2}"),
                );
            } else {
                self.goal(
                    "at most 0.2 of the floor each",
                    ratio <= 0.2,
                    &format!("{ratio:.2}"),
                );
            }
            let cpu = Figure::of(ours.iter().map(cpu_per_million)).median;
            if let Some((other, best)) = best_other(case, cpu_per_million) {
                self.goal(
                    "CPU below every peer",
                    cpu < best,
                    &format!("{cpu:.2} beside {best:.2} of {other}"),
                );
            }
            self.p99_goal("push", case, |slice| f64::from(slice.push.p99));
            if *in_flight == 1 {
                match at_first {
                    None => at_first = Some((*size, cpu, ratio)),
                    Some((first, cpu_before, ratio_before)) => self.goal(
                        &format!("CPU per delivery within 1.2 × of that at {first}"),
                        cpu <= cpu_before * 1.2,
                        &format!("{cpu_before:.2} → {cpu:.2} CPU-s per million, {ratio_before:.2} → {ratio:.2} of the floor"),
                    ),
                }
            }
            let title = format!("Fan-out to {size}, {in_flight} in flight");
            self.plot(
                &format!("fanout-{size}-{in_flight}"),
                &svg::bars(
                    &title,
                    "server CPU per delivery, as a ratio to a bare send",
                    &rows,
                ),
            );
            self.line(&format!(
                "\n![fan-out](plots/fanout-{size}-{in_flight}.svg)"
            ));
        }
    }

    /// Round trips.
    pub fn ping(&mut self, conditions: &mut Conditions, all: &[(usize, Case)]) {
        self.line("## Ping round trips\n\nEach connection asks again as soon as it is answered (the classic `ping`, or what the peer has: mosquitto and nchan answer a bare control packet without looking into it).");
        for (size, case) in all {
            conditions.note(case);
            self.line(&format!("\n### {size} connections\n"));
            self.line("| peer | p50, ms | p99, ms | round trips/s | server CPU, µs each |\n|---|---:|---:|---:|---:|");
            let mut rows = Vec::new();
            for (name, slices) in case {
                let figure = |value: &dyn Fn(&Slice) -> f64| Figure::of(slices.iter().map(value));
                let p99 = figure(&|s| f64::from(s.ping.p99) / 1e3);
                rows.push((name.clone(), p99.median));
                self.line(&format!(
                    "| {name} | {} | {} | {:.0} | {} |",
                    figure(&|s| f64::from(s.ping.p50) / 1e3).told(2),
                    p99.told(2),
                    figure(&|s| s.pings as f64 / s.seconds).median,
                    figure(&|s| s.server_ns as f64 / 1e3 / s.pings as f64).told(1),
                ));
            }
            self.p99_goal("ping", case, |slice| f64::from(slice.ping.p99));
            self.plot(
                &format!("ping-{size}"),
                &svg::bars(&format!("Ping p99 at {size} connections"), "ms", &rows),
            );
            self.line(&format!("\n![ping](plots/ping-{size}.svg)"));
        }
    }

    /// One user's devices.
    pub fn devices(&mut self, conditions: &mut Conditions, case: &Case) {
        conditions.note(case);
        self.line("## One push to one user's 500 devices\n");
        self.push_table(case);
        self.p99_goal("push", case, |slice| f64::from(slice.push.p99));
    }

    /// Random pushes.
    pub fn users(&mut self, conditions: &mut Conditions, users: u32, case: &Case) {
        conditions.note(case);
        self.line(&format!(
            "## Random pushes to {users} users with 3 devices each\n\n16 pushes under way. (10,000 users with 3 devices are more files than a process may open here.)\n"
        ));
        self.push_table(case);
        self.p99_goal("push", case, |slice| f64::from(slice.push.p99));
    }

    /// Others beside a flooded room.
    pub fn flood(
        &mut self,
        conditions: &mut Conditions,
        room: usize,
        (quiet, flooded): &(Case, Case),
    ) {
        self.line(&format!(
            "## Others, while one room of {room} is flooded\n\n32 connections ping every 20 ms, in quiet and while 10 messages a second go to {room} others. Whoever pings has a thread \
            that comes first on the machine, and the flood's reader one that comes last, as if they had processors of their own. *{ELSEWHERE}*: the \
            room is flooded by one process, and the pings go to another that has nothing else to do: what the machine itself does to them.\n"
        ));
        self.line("| peer | quiet p50, ms | quiet p99, ms | flooded p50, ms | flooded p99, ms | p99 flooded ÷ quiet |\n|---|---:|---:|---:|---:|---:|");
        self.two(conditions, quiet, flooded, |slice| &slice.ping);
        if slices_of(quiet, "heartline").is_empty() || slices_of(flooded, "heartline").is_empty() {
            self.line("\nOurs is missing: no goal can be judged.");
            return;
        }
        let p99 = |case: &Case| {
            Figure::of(
                slices_of(case, "heartline")
                    .iter()
                    .map(|s| f64::from(s.ping.p99)),
            )
            .median
        };
        let (before, after) = (p99(quiet), p99(flooded));
        self.goal(
            "ping p99 at most 2 × of quiet",
            after <= before * 2.0,
            &format!("{} → {} ms", ms(before), ms(after)),
        );
        self.p99_goal("ping", flooded, |slice| f64::from(slice.ping.p99));
    }

    /// Others beside frozen readers.
    pub fn frozen(
        &mut self,
        conditions: &mut Conditions,
        readers: usize,
        (before, after): &(Case, Case),
    ) {
        self.line(&format!(
            "## Others, while 1% read nothing\n\n8,192-byte messages, 25 a second, to {readers} connections, before and after {} of them stop reading; 32 others ping every 20 ms.\n\nPings:\n",
            readers / 100
        ));
        let heads = "| peer | before p50, ms | before p99, ms | after p50, ms | after p99, ms | p99 after ÷ before |\n|---|---:|---:|---:|---:|---:|";
        self.line(heads);
        self.two(conditions, before, after, |slice| &slice.ping);
        self.line(&format!("\nMessages to the rest of the room:\n\n{heads}"));
        self.two(conditions, before, after, |slice| &slice.push);
        if slices_of(before, "heartline").is_empty() || slices_of(after, "heartline").is_empty() {
            self.line("\nOurs is missing: no goal can be judged.");
            return;
        }
        for (what, value) in [
            (
                "ping",
                (|s: &Slice| f64::from(s.ping.p99)) as fn(&Slice) -> f64,
            ),
            ("push", |s| f64::from(s.push.p99)),
        ] {
            let figure = |case: &Case| Figure::of(slices_of(case, "heartline").iter().map(value));
            let (one, other) = (figure(before), figure(after));
            // Within noise: the rounds before and after overlap, or the median has not risen by a quarter.
            let held = other.least <= one.greatest || other.median <= one.median * 1.25;
            self.goal(
                &format!("{what} p99 unchanged within noise"),
                held,
                &format!("{} → {} ms", ms(one.median), ms(other.median)),
            );
        }
    }

    fn two(
        &mut self,
        conditions: &mut Conditions,
        one: &Case,
        other: &Case,
        spread: impl Fn(&Slice) -> &crate::slice::Spread,
    ) {
        conditions.note(one);
        conditions.note(other);
        for (name, slices) in one {
            let value = |slices: &[Slice], p99: bool| {
                Figure::of(
                    slices
                        .iter()
                        .map(|s| f64::from(if p99 { spread(s).p99 } else { spread(s).p50 }) / 1e3),
                )
            };
            let later = slices_of(other, name);
            let (before, after) = (value(slices, true), value(later, true));
            self.line(&format!(
                "| {name} | {:.2} | {} | {:.2} | {} | {:.1} |",
                value(slices, false).median,
                before.told(2),
                value(later, false).median,
                after.told(2),
                after.median / before.median,
            ));
        }
    }

    fn push_table(&mut self, case: &Case) {
        self.line("| peer | p50, ms | p99, ms | deliveries/s | CPU-s per million | of it user space |\n|---|---:|---:|---:|---:|---:|");
        for (name, slices) in case {
            let figure = |value: &dyn Fn(&Slice) -> f64| Figure::of(slices.iter().map(value));
            self.line(&format!(
                "| {name} | {} | {} | {:.0} | {} | {:.2} |",
                figure(&|s| f64::from(s.push.p50) / 1e3).told(2),
                figure(&|s| f64::from(s.push.p99) / 1e3).told(2),
                figure(&|s| s.deliveries as f64 / s.seconds).median,
                figure(&cpu_per_million).told(2),
                user_per_million(slices),
            ));
        }
    }

    fn p99_goal(&mut self, what: &str, case: &Case, value: impl Fn(&Slice) -> f64) {
        let slices = slices_of(case, "heartline");
        if slices.is_empty() {
            return;
        }
        let ours = Figure::of(slices.iter().map(&value)).median;
        if let Some((other, best)) = best_other(case, &value) {
            self.goal(
                &format!("{what} p99 at most every peer's"),
                ours <= best,
                &format!("{} beside {} ms of {other}", ms(ours), ms(best)),
            );
        }
    }

    pub(super) fn goal(&mut self, goal: &str, held: bool, measured: &str) {
        let verdict = if held { "held" } else { "**missed**" };
        self.line(&format!("\nGoal, {goal}: {verdict}: {measured}."));
    }
}
