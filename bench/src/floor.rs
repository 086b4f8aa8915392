//! The floor: a bare loop that sends one pre-framed message to every socket. No protocol, no buffers, no threads beside
//! the one that accepts; what this costs, nobody who sends one message per socket can undercut.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use anyhow::Result;

use crate::wire::plain;

/// Sockets come in at `port`. At `port + 1`, each byte sends the frame once to all of them.
pub fn run(port: u16, frame_bytes: usize) -> Result<()> {
    let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let control = TcpListener::bind(("127.0.0.1", port + 1))?;
    let accepted = Arc::clone(&sockets);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_nodelay(true);
            if let Ok(mut all) = accepted.lock() {
                all.push(stream);
            }
        }
    });
    let frame = plain(frame_bytes);
    for control in control.incoming() {
        let mut control = control?;
        let mut orders = [0; 64];
        while let Ok(1..) = control
            .read(&mut orders)
            .map(|got| send(&sockets, &frame, &orders[..got]))
        {}
    }
    Ok(())
}

fn send(sockets: &Mutex<Vec<TcpStream>>, frame: &[u8], orders: &[u8]) -> usize {
    let Ok(mut sockets) = sockets.lock() else {
        return 0;
    };
    for _ in orders {
        sockets.retain_mut(|socket| socket.write(frame).is_ok());
    }
    orders.len()
}
