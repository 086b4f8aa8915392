//! The credentials provider, asked in a task of its own.

use heartline_client_core::{Input, RequestId};

use super::State;

impl State {
    pub(super) fn ask(&mut self, id: RequestId) {
        let (Some(shared), Some(provider)) = (self.me.upgrade(), self.provider.clone()) else {
            return;
        };
        self.login = Some((id, None));
        let limit = self.provider_timeout;
        let tasks = shared.tasks.clone();
        let asking = async move {
            let answer = tokio::select! {
                () = shared.closed.cancelled() => return,
                answer = tokio::time::timeout(limit, provider()) => answer,
            };
            let credentials = match answer {
                Ok(Ok(credentials)) => Some(credentials),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "no credentials for the login");
                    None
                }
                Err(_) => {
                    tracing::warn!("the credentials provider took too long");
                    None
                }
            };
            shared.with(|state| {
                // A later login may have been asked for meanwhile: its credentials must not be overwritten.
                if let Some((_, place)) = state.login.as_mut().filter(|(asked, _)| *asked == id) {
                    let ready = credentials.is_some();
                    *place = credentials;
                    let _ = state.handle(Input::Credentials { id, ready });
                }
            });
        };
        tasks.spawn_on(asking, &self.runtime);
    }
}
