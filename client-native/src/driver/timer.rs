//! The one timer of a client: it sleeps until the core's next deadline, and feeds `Timeout` when that comes.

use std::sync::Arc;
use std::time::Duration;

use heartline_client_core::{Input, Millis};

use super::Shared;

/// Runs until the client is closed.
pub(super) async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = shared.with(|state| {
            state.armed = state.core.poll_timeout();
            state.armed
        });
        let ring = async {
            match next {
                Some(Millis(ms)) => {
                    tokio::time::sleep_until(shared.origin + Duration::from_millis(ms)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shared.closed.cancelled() => return,
            () = shared.rearm.notified() => {}
            () = ring => shared.with(|state| {
                let _ = state.handle(Input::Timeout);
            }),
        }
    }
}
