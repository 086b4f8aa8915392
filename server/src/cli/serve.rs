//! `serve`: runs the server until it is told to stop.

use std::io::Write as _;
use std::process::ExitCode;

use clap::ArgMatches;

use super::{load_or_say, open_files};
use crate::config::{Config, Secret};
use crate::logs;
use crate::{Server, StartError};

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let loaded = match load_or_say(matches) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    logs::start(&loaded.settings.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut config = loaded.settings.config;
    if config.roles.is_empty()
        && let Err(error) = make_key(&mut config)
    {
        eprintln!(
            "the system gives no randomness to make a key from ({error}); give one with --role-key user=KEY"
        );
        return ExitCode::FAILURE;
    }
    let chosen = loaded.origins.contains_key("limits.max_connections");
    open_files::make_room(&mut config, chosen);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the server cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> ExitCode {
    let listen = config.listen;
    // Before the port opens: a signal that comes as soon as we are ready must find us listening for it.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("the server cannot listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            match &error {
                StartError::Listen { .. } => {
                    eprintln!("the server cannot start on {listen}: {error}")
                }
                _ => eprintln!("the server cannot start: {error}"),
            }
            return ExitCode::FAILURE;
        }
    };
    let address = server.local_addr();
    let (scheme, speaks) = match server.speaks_tls() {
        true => ("https", "wss and https"),
        false => ("http", "ws and http"),
    };
    let access = server.push_access();
    for sentence in access.describe(address, server.push_addr()) {
        match access.is_closed() {
            false => tracing::info!("{sentence}"),
            true => tracing::warn!("{sentence}"),
        }
    }
    // Whoever started us may have closed our stdout; that is no reason to stop.
    let _ = writeln!(
        std::io::stdout(),
        "heartline-server listening on {scheme}://{address} ({speaks})"
    );
    if let Some(address) = server.push_addr() {
        let _ = writeln!(
            std::io::stdout(),
            "heartline-server taking pushes on http://{address} (http)"
        );
    }
    let name = loop {
        match signals.next().await {
            HANGUP => match server.reload_tls() {
                Ok(true) => tracing::info!("the certificate was read again"),
                Ok(false) => tracing::info!(
                    "SIGHUP changes nothing: it reads a certificate again, and this port speaks no TLS"
                ),
                Err(error) => tracing::error!(%error, "the former certificate stays"),
            },
            name => break name,
        }
    };
    tracing::info!(signal = name, "stopping; once more stops at once");
    tokio::select! {
        () = server.shutdown() => ExitCode::SUCCESS,
        name = signals.next_to_stop() => {
            tracing::warn!(signal = name, "stopped at once");
            ExitCode::FAILURE
        }
    }
}

/// Makes a key for the role `user`, and prints it: the one secret that is ever shown, for nobody knows it yet.
fn make_key(config: &mut Config) -> std::io::Result<()> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)?;
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    eprintln!(
        "No role key is configured, so one was made for the role user, for this run only: {key}\n\
         Give it to the backend that makes login tokens (token = md5(ID + KEY)), or make one by hand:\n    \
         heartline-server token --role-key user={key} user:1\n\
         To keep a key, start with --role-key user=KEY, or write it into heartline.toml below [roles]."
    );
    config.roles.insert("user".into(), Secret::new(key));
    Ok(())
}

/// Read the certificate again.
const HANGUP: &str = "SIGHUP";

impl Signals {
    /// The next that is not [`HANGUP`].
    async fn next_to_stop(&mut self) -> &'static str {
        loop {
            match self.next().await {
                HANGUP => {}
                name => return name,
            }
        }
    }
}

/// What tells a server to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => HANGUP,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) -> &'static str {
        // An error means that no such signal can come; then only the process's end ends us.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
