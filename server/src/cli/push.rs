//! `push`: one HTTP push, as a backend would make it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::ASKED_WRONGLY;
use super::tls::Trust;
use crate::config::{escaped, shown_path, text_of};

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let push = match Push::read(matches) {
        Ok(push) => push,
        Err(trouble) => {
            eprintln!("{trouble}");
            return ExitCode::from(ASKED_WRONGLY);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| {
            runtime.block_on(async {
                let within = tokio::time::timeout(ANSWER_WITHIN, push.send()).await;
                within.unwrap_or_else(|_| {
                    Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))
                })
            })
        });
    match answer {
        Ok((StatusCode::OK, body)) if body == "ok" => {
            println!("ok");
            ExitCode::SUCCESS
        }
        Ok((StatusCode::OK, body)) if body == "fail" => {
            eprintln!(
                "fail: the server does not allow the event {:?} to be pushed (push.events)",
                push.event
            );
            ExitCode::FAILURE
        }
        Ok((status, body)) => {
            let reason = escaped(body.trim());
            eprintln!("the server refused the push: {status}: {reason}");
            ExitCode::FAILURE
        }
        Err(trouble) => {
            let (host, port) = (&push.host, push.port);
            // The rest of the URL may hold a token.
            eprintln!("the push could not be made to {host} port {port}: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// One push, ready to be sent.
struct Push {
    url: Uri,
    host: String,
    port: u16,
    event: String,
    form: String,
    authorization: Option<hyper::header::HeaderValue>,
    tls: Option<Trust>,
}

impl Push {
    fn read(matches: &ArgMatches) -> Result<Self, String> {
        let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
        let many = |name: &str| {
            matches
                .get_many::<String>(name)
                .into_iter()
                .flatten()
                .cloned()
        };
        let url: Uri = text("url")
            .parse()
            .map_err(|_| "--url is not a URL: write http://HOST:PORT/ or https://HOST:PORT/")?;
        match url.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err("--url: write http://HOST:PORT/ or https://HOST:PORT/".into()),
        }
        if url
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(
                "--url: write it without USER:PASSWORD@; the key to push with is given by --key-file, --key or \
                 HEARTLINE_PUSH_KEY"
                    .into(),
            );
        }
        let is_secure = url.scheme_str() == Some("https");
        let ca_file = matches.get_one::<PathBuf>("ca-file");
        if ca_file.is_some() && !is_secure {
            return Err("--ca-file goes with a --url that begins with https".into());
        }
        let tls = is_secure
            .then(|| Trust::from(ca_file.map(PathBuf::as_path)))
            .transpose()?;
        let host = url
            .host()
            .ok_or("--url: write http://HOST:PORT/")?
            .trim_matches(['[', ']'])
            .to_owned();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("event", &text("event"))
            .append_pair("msg", &text("msg"));
        form.append_pair("to", &many("to").collect::<Vec<_>>().join(","))
            .append_pair("type", "app");
        for field in many("field") {
            let (name, value) = field.split_once('=').ok_or("--field: write NAME=VALUE")?;
            form.append_pair(name, value);
        }
        let key = match matches.get_one::<PathBuf>("key-file") {
            Some(path) => {
                let text = text_of(path)
                    .map_err(|reason| format!("--key-file {}: {reason}", shown_path(path)))?;
                Some(text.trim().to_owned())
            }
            None => matches.get_one::<String>("key").cloned(),
        };
        let authorization = key
            .map(|key| {
                format!("Bearer {key}")
                    .parse()
                    .map_err(|_| "the push key holds what an HTTP header cannot carry")
            })
            .transpose()?;
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self {
            host,
            port,
            event: text("event"),
            form: form.finish(),
            authorization,
            tls,
            url,
        })
    }

    async fn send(&self) -> Result<(StatusCode, String), String> {
        let say = |error: &dyn std::error::Error| error.to_string();
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| say(&error))?;
        match &self.tls {
            None => self.exchange(stream).await,
            Some(tls) => {
                let stream = tls.connect(&self.host, stream).await?;
                self.exchange(stream).await
            }
        }
    }

    /// Sends the push over a stream, and reads the answer.
    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<(StatusCode, String), String> {
        let say = |error: &dyn std::error::Error| error.to_string();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| say(&error))?;
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let authority = self
            .url
            .authority()
            .map_or("", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(Bytes::from(self.form.clone())))
            .map_err(|error| say(&error))?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| say(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let body = body
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        tokio::pin!(exchange);
        // The connection must be polled for the exchange to go on; its own end is told by the exchange.
        let drive = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = &mut exchange => answer,
            () = drive => unreachable!("driving never ends"),
        }
    }
}

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
