//! A TCP proxy inside the test: a network that can be cut, or fall silent, at a word.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Forwards connections to one address until it is told to harm them.
#[derive(Debug)]
pub struct CuttableProxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: Mutex<Vec<TcpStream>>,
    accepted: AtomicUsize,
    silent: AtomicBool,
    ended: AtomicBool,
}

impl CuttableProxy {
    /// A proxy in front of `upstream`, on a port of the system's choice.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(far) = TcpStream::connect(upstream) else {
                    continue;
                };
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                shared.forward(near, far);
            }
        });
        Self { address, state }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came so far.
    pub fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Ends every connection; new ones are welcome.
    pub fn cut(&self) {
        for stream in self
            .state
            .streams
            .lock()
            .expect("no poisoned lock")
            .drain(..)
        {
            // Already closed by its owner: as cut as can be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Swallows every byte from now on, both ways, without closing anything: a half-open link.
    pub fn fall_silent(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }

    /// Forwards again; what was swallowed stays lost.
    pub fn speak(&self) {
        self.state.silent.store(false, Ordering::SeqCst);
    }
}

impl Drop for CuttableProxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the accept loop so that it sees the end.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(200));
    }
}

impl State {
    fn forward(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        let copies =
            [&near, &far].map(|stream| stream.try_clone().expect("a second handle of a socket"));
        self.streams
            .lock()
            .expect("no poisoned lock")
            .extend(copies);
        for (mut from, mut to) in [
            (
                near.try_clone().expect("a second handle"),
                far.try_clone().expect("a second handle"),
            ),
            (far, near),
        ] {
            let state = Arc::clone(self);
            std::thread::spawn(move || {
                let mut buffer = [0; 16 * 1024];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    if !state.silent.load(Ordering::SeqCst)
                        && to.write_all(&buffer[..count]).is_err()
                    {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }
}
