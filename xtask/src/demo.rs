//! The main job, shown: builds the server, the wasm client and the h5 demo page, starts them, and says how to
//! make a message appear.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::relay::Relay;
use crate::run::{leashed, program, root, run, say, target_dir};
use crate::{needs, npm, test};

/// Where to serve.
#[derive(clap::Args)]
pub struct DemoArgs {
    /// Port of the Heartline server (0: any free one).
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Port of the demo page (0: any free one).
    #[arg(long, default_value_t = 5180)]
    pub page_port: u16,
    /// Start, push once from here, see it answered, and stop: what the test of this command does.
    #[arg(long)]
    pub check: bool,
}

/// The chore. Runs until it is interrupted.
pub fn run_demo(args: &DemoArgs) -> Result<()> {
    say("demo 1/4: the server (cargo build --release; a few minutes the first time)");
    let binary = test::server_binary()?;
    say("demo 2/4: the wasm client and the npm package");
    npm::run()?;
    say("demo 3/4: the h5 page (uni-app from npm; about a minute the first time)");
    needs::npm_ci("examples/uniapp")?;
    run(program("npm", "examples/uniapp").args(["run", "--silent", "build:h5"]))?;

    say("demo 4/4: starting");
    let keys = Keys {
        user: random_key()?,
        push: random_key()?,
    };
    let mut server = Server::start(&binary, args.port, &keys)?;
    let listener = TcpListener::bind(("127.0.0.1", args.page_port)).with_context(|| {
        format!(
            "port {} for the page is taken: choose another with --page-port",
            args.page_port
        )
    })?;
    let page = listener.local_addr()?;
    let relay = Relay {
        files: root().join("examples/uniapp/dist/build/h5"),
        server: server.address,
        user_key: keys.user,
        push_key: keys.push.clone(),
    };
    std::thread::spawn(move || relay.serve(listener));
    println!("{}", invitation(server.address, page, &keys.push));
    if args.check {
        return check(server.address, page, &keys.push);
    }
    let status = server.process.wait()?;
    bail!("the server ended: {status}")
}

fn invitation(server: SocketAddr, page: SocketAddr, push_key: &str) -> String {
    format!(
        "
  Open   http://{page}/
  Log in as user 6 (any id works here), then, from another terminal:

    KEY='Authorization: Bearer {push_key}'
    curl http://{server}/ -H \"$KEY\" -d to=user:6 -d type=app -d event=chat1 -d 'msg=你好, from the shell'
    curl http://{server}/ -H \"$KEY\" -d to=user:6 -d type=app -d event=user_tabbar -d msg=3
    curl http://{server}/api/v1/push -H \"$KEY\" -d '{{\"to\":\"user:6\",\"event\":\"chat1\",\"msg\":\"stored before it is answered\"}}'

  Ctrl-C ends the demo."
    )
}

/// Sees that the page, the token and the push are there.
fn check(server: SocketAddr, page: SocketAddr, push_key: &str) -> Result<()> {
    let get = |url: String, words: &[&str]| -> Result<String> {
        let out = Command::new("curl")
            .args(["-sS", "--fail", "--max-time", "10"])
            .args(words)
            .arg(&url)
            .output()?;
        if !out.status.success() {
            bail!("curl {url}: {}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    // As it is opened: without the addresses, which the backend adds.
    let html = get(format!("http://{page}/"), &["--location"])?;
    let token = get(format!("http://{page}/api/token?u=user:6"), &[])?;
    let bearer = format!("Authorization: Bearer {push_key}");
    let form = [
        "-d",
        "to=user:6",
        "-d",
        "type=app",
        "-d",
        "event=chat1",
        "-d",
        "msg=hello",
    ];
    let direct = get(
        format!("http://{server}/"),
        &[&["-H", &bearer], &form[..]].concat(),
    )?;
    let relayed = get(format!("http://{page}/api/push"), &form)?;
    let stored = get(
        format!("http://{server}/api/v1/push"),
        &[
            "-H",
            &bearer,
            "-d",
            r#"{"to":"user:6","event":"chat1","msg":"kept"}"#,
        ],
    )?;
    if !html.contains("<div id=\"app\"")
        || !token.contains("\"token\"")
        || direct != "ok"
        || relayed != "ok"
        || !stored.contains(r#""stored":true"#)
    {
        bail!(
            "the demo does not answer as it should: page {} bytes, token {token}, push {direct}, relayed {relayed}, stored {stored}",
            html.len()
        );
    }
    println!("demo: page, token, push and relayed push answered as they should");
    Ok(())
}

/// The demo's secrets, made anew for each run.
struct Keys {
    user: String,
    push: String,
}

struct Server {
    process: Child,
    /// Ends the server when this process is killed, and nothing of it runs any more.
    _leash: Option<ChildStdin>,
    address: SocketAddr,
}

impl Server {
    fn start(binary: &std::path::Path, port: u16, keys: &Keys) -> Result<Self> {
        // The embedded store, where `cargo clean` finds it; one per port, as two demos may run side by side.
        let store = target_dir().join(format!("demo/heartline-data-{port}"));
        if port == 0 {
            // A port of no number has nothing to come back to.
            let _ = std::fs::remove_dir_all(&store);
        }
        let mut process = leashed(binary)
            .args([
                "serve",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--store-path",
            ])
            .arg(store)
            .env("HEARTLINE_ROLE_KEYS", format!("user={}", keys.user))
            .env("HEARTLINE_PUSH_KEYS", &keys.push)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let leash = process.stdin.take();
        let mut lines =
            BufReader::new(process.stdout.take().context("the server has no output")?).lines();
        let ready = lines
            .next()
            .context("the server ended before it was ready: it says why above")??;
        println!("{ready}");
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| println!("{line}"))
        });
        let address = ready
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("no address in the server's first line: {ready}"))?;
        Ok(Self {
            process,
            _leash: leash,
            address,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn random_key() -> Result<String> {
    let mut bytes = [0u8; 16];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
