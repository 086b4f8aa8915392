//! How many files this process may have open, which bounds its connections.

use crate::config::Config;

/// Raises the soft limit to the hard one, and lowers `max_connections` to what then fits: with a warning if the
/// operator has `chosen` that number, else as a matter of course.
#[cfg(unix)]
pub(super) fn make_room(config: &mut Config, chosen: bool) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    let open_files = getrlimit(Resource::Nofile).current;
    let wanted = config.limits.max_connections;
    let Some(fitting) = fitting(wanted, open_files) else {
        return;
    };
    config.limits.max_connections = fitting;
    let open_files = open_files.unwrap_or(u64::MAX);
    if chosen {
        tracing::warn!(
            max_connections = fitting,
            configured = wanted,
            open_files,
            "{TOO_FEW_FILES}"
        );
    } else {
        tracing::info!(max_connections = fitting, open_files, "{TOO_FEW_FILES}");
    }
}

/// Elsewhere the system sets no limit that we know how to read.
#[cfg(not(unix))]
pub(super) fn make_room(_config: &mut Config, _chosen: bool) {}

/// How many connections fit, if that is fewer than wanted. `None` files means no limit.
fn fitting(wanted: usize, open_files: Option<u64>) -> Option<usize> {
    let possible = usize::try_from(open_files?)
        .unwrap_or(usize::MAX)
        .saturating_sub(RESERVED_FILES)
        .max(1);
    (possible < wanted).then_some(possible)
}

#[cfg(unix)]
const TOO_FEW_FILES: &str =
    "the limit of open files bounds the connections; raise it (ulimit -Hn, LimitNOFILE=) for more";

/// For listeners, pollers, wakers, Redis, standard streams, and connections that are being turned away.
const RESERVED_FILES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_by_the_files_that_may_be_open() {
        assert_eq!(fitting(100_000, Some(20_000)), Some(19_872));
        assert_eq!(fitting(1_000, Some(20_000)), None);
        assert_eq!(fitting(1_000, None), None);
        assert_eq!(fitting(1_000, Some(64)), Some(1));
    }
}
