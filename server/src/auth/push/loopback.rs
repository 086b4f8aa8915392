//! Whether programs of this machine may push without a key, now. Once a proxy was seen, they may
//! not, also in the next runs: a file in the store's folder says so until the operator removes it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::signs::Sign;

/// The file's name in the store's folder.
const MARKER: &str = "loopback-push-off.txt";

/// The switch.
#[derive(Debug)]
pub(super) struct LoopbackPush {
    asked_for: bool,
    open: AtomicBool,
    marker: Option<PathBuf>,
}

impl LoopbackPush {
    /// Open where it is asked for and no proxy was seen in an earlier run. Without a folder nothing
    /// is remembered.
    pub(super) fn new(asked_for: bool, folder: Option<&Path>) -> Self {
        let marker = folder.map(|folder| folder.join(MARKER));
        // A marker that cannot be looked for may be there.
        let is_marked =
            (marker.as_deref()).is_some_and(|marker| marker.try_exists().unwrap_or(true));
        Self {
            asked_for,
            open: AtomicBool::new(asked_for && !is_marked),
            marker,
        }
    }

    pub(super) fn is_asked_for(&self) -> bool {
        self.asked_for
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// The file that keeps it off in the next runs.
    pub(super) fn marker(&self) -> Option<&Path> {
        self.marker.as_deref()
    }

    /// Ends pushing without a key. The first call logs why, and writes the marker before it
    /// returns: once a request was refused for it, a crash does not forget it. That is one small
    /// file in the life of a server.
    pub(super) fn close(&self, sign: &Sign) {
        if !self.open.swap(false, Relaxed) {
            return;
        }
        let again = match &self.marker {
            None => {
                "it stays so until this server is started again (nothing is kept on disk)".into()
            }
            Some(marker) => match write(marker, sign) {
                Ok(()) => format!("to allow it again, remove {} and restart", marker.display()),
                Err(error) => format!(
                    "it stays so in this run only, for {} cannot be written ({error})",
                    marker.display()
                ),
            },
        };
        tracing::error!(
            event = "loopback_push_off",
            %sign,
            "pushing without a key has ended: a proxy on this machine passes on what others send, so no request from \
             loopback can be trusted. Give backends a key (--push-key), or a port that no proxy reaches \
             (--push-listen); {again}"
        );
    }
}

/// The file is its own explanation.
fn write(path: &Path, sign: &Sign) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    writeln!(
        file,
        "Pushing without a key is off, because a proxy on this machine was seen: {sign}.\n\
         Give backends a key (--push-key), or a port that no proxy reaches (--push-listen).\n\
         To allow pushing without a key again, remove this file and restart the server."
    )?;
    file.sync_all()
}
