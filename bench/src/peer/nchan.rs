//! `nchan` in nginx: one channel per user, nothing stored, published by HTTP.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Publisher, Step, Tools, filler};
use crate::wire::{self, PING};

/// Debian's nginx with its nchan module, one worker.
pub struct Nchan;

impl Peer for Nchan {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let folder = tools.scratch.join(format!("nchan-{port}"));
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("nginx.conf");
        let at = folder.display();
        // With less than a sixteenth of its connections free nginx ends those that have asked nothing yet; so they are
        // more than it could ever have files for.
        std::fs::write(
            &file,
            format!(
                "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n\
                 daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {at}/pid; error_log {at}/error.log crit;\n\
                 events {{ worker_connections 24000; }}\n\
                 http {{\n\
                 access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; nchan_max_reserved_memory 512M;\n\
                 client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
                 uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
                 server {{ listen 127.0.0.1:{port} backlog=4096;\n\
                 location ~ ^/sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1; \
                 nchan_subscriber_first_message newest; }}\n\
                 location ~ ^/pub/(.+)$ {{ nchan_publisher; nchan_channel_id $1; nchan_store_messages off; }}\n\
                 }} }}\n"
            ),
        )?;
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(folder.join("error.log"));
        Ok(command)
    }

    fn upgrade(&self, user: u32) -> Option<Vec<u8>> {
        Some(wire::upgrade(&format!("/sub/u{user}"), None))
    }

    fn login(&self, _: u32, _: u32) -> Vec<Step> {
        Vec::new()
    }

    fn publisher(&self) -> Publisher {
        Publisher::Http
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let body = filler(filler_bytes);
        let length = body.len();
        format!("POST /pub/u{user} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(wire::masked(PING, b"p"))
    }
}
