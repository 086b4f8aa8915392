//! The process that is measured: starting it, ending it, and what the kernel says of its CPU and memory.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A server under measurement with all its child processes. It is stopped when this is dropped.
pub struct Measured {
    child: Child,
    pids: Vec<u32>,
}

/// CPU time since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// What the scheduler counted, in nanoseconds.
    pub total_ns: u64,
    /// The same in clock ticks, told apart.
    pub user_ticks: u64,
    /// In the kernel.
    pub system_ticks: u64,
}

impl Measured {
    /// Starts a server and waits until its port answers.
    pub fn start(mut command: Command, port: u16, log: &Path) -> Result<Self> {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            bail!("port {port} is taken: another run of this seems to be going on");
        }
        let out = fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let mut this = Self {
            child,
            pids: Vec::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = this.child.try_wait()? {
                bail!("it ended before it was ready ({status}): {}", tail(log));
            }
            if Instant::now() > deadline {
                bail!("its port did not answer within 30 s: {}", tail(log));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        this.pids = with_children(this.child.id());
        Ok(this)
    }

    /// CPU of all its processes.
    pub fn cpu(&self) -> Cpu {
        self.pids
            .iter()
            .map(|pid| cpu_of(&pid.to_string()))
            .fold(Cpu::default(), Cpu::plus)
    }

    /// Resident memory of all its processes, in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.pids.iter().map(|pid| resident_of(*pid)).sum()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if !self.is_alive() {
            return;
        }
        // A master ends its workers when it is asked, not when it is killed.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline && self.is_alive() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cpu {
    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self {
            total_ns: self.total_ns + other.total_ns,
            user_ticks: self.user_ticks + other.user_ticks,
            system_ticks: self.system_ticks + other.system_ticks,
        }
    }

    /// What was used since.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }
}

/// CPU of this process.
pub fn own_cpu() -> Cpu {
    cpu_of("self")
}

/// Ticks in which any CPU of the machine did anything.
pub fn machine_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|at| fields.get(*at))
        .sum()
}

/// Memory of the kernel that grows with sockets, in bytes: slabs, page tables, socket buffers.
pub fn kernel_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    (kib("Slab:") + kib("PageTables:") + kib("KernelStack:")) * 1024
}

fn cpu_of(pid: &str) -> Cpu {
    let mut cpu = Cpu::default();
    for task in fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let line = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        cpu.total_ns += line
            .split_whitespace()
            .next()
            .and_then(|ns| ns.parse::<u64>().ok())
            .unwrap_or(0);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything, blanks too.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse().ok())
            .unwrap_or(0)
    };
    cpu.user_ticks = ticks(11);
    cpu.system_ticks = ticks(12);
    cpu
}

fn resident_of(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .context("a process of it is gone")?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Rss:"))
        .context("no Rss in smaps_rollup")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("an empty Rss")?
        .parse()?;
    Ok(kib * 1024)
}

fn with_children(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    for task in fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            all.extend(with_children(child));
        }
    }
    all
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
