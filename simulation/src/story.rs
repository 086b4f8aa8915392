//! What happened, one line for each event: the last of them are printed with a failure. Nothing is written down until a run that failed
//! is played again.

use std::collections::VecDeque;

/// See the module's page.
#[derive(Debug, Default)]
pub struct Story {
    /// How many lines are kept; 0: none are made.
    keeps: usize,
    lines: VecDeque<String>,
}

impl Story {
    /// A story of the last `keeps` events.
    pub fn new(keeps: usize) -> Self {
        Self {
            keeps,
            lines: VecDeque::new(),
        }
    }

    /// Adds a line, if anybody will read it.
    pub fn tell(&mut self, now_ms: u64, line: impl FnOnce() -> String) {
        if self.keeps == 0 {
            return;
        }
        if self.lines.len() == self.keeps {
            self.lines.pop_front();
        }
        let mut line = format!("{now_ms:>7} ms  {}", line());
        if let Some((end, _)) = line.char_indices().nth(MAX_LINE) {
            line.truncate(end);
            line.push('…');
        }
        self.lines.push_back(line);
    }

    /// The lines.
    pub fn lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// Characters of a line.
const MAX_LINE: usize = 220;
