//! A raw HTTP/1.1 sender: every byte of a request is the test's own, every header of an answer is seen.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer may take unless the test says otherwise.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// One TCP connection that speaks HTTP.
#[derive(Debug)]
pub struct HttpConnection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// An answer, as it came.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in order, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub body: Vec<u8>,
}

impl HttpConnection {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends raw bytes. A peer that closed meanwhile is no failure here: the answer tells.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    /// Sends raw bytes, or says that the peer no longer takes them.
    ///
    /// # Errors
    /// What the socket said.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Posts a urlencoded body to `/` and reads the answer.
    pub fn post_form(&mut self, body: &str) -> Response {
        self.post("application/x-www-form-urlencoded", body.as_bytes(), "")
    }

    /// Posts a body to `/` with further header lines (each ending in CRLF) and reads the answer.
    pub fn post(&mut self, content_type: &str, body: &[u8], further_headers: &str) -> Response {
        self.send(request("POST", "/", content_type, body, further_headers));
        self.response()
    }

    /// The next answer.
    ///
    /// # Panics
    /// When none comes in time, or the connection ends first.
    pub fn response(&mut self) -> Response {
        self.response_within(ANSWER_WITHIN).expect("an HTTP answer")
    }

    /// The next answer, interim ones (`100 Continue`) included.
    ///
    /// # Errors
    /// `TimedOut`, or `UnexpectedEof` when the connection ended first.
    pub fn response_within(&mut self, within: Duration) -> io::Result<Response> {
        let deadline = Instant::now() + within;
        let head_end = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill(deadline)?;
        };
        let head = String::from_utf8_lossy(&self.unread[..head_end]).into_owned();
        self.unread.drain(..head_end);
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if status >= 200 {
            response.body = self.body(&response, deadline)?;
        }
        Ok(response)
    }

    fn body(&mut self, head: &Response, deadline: Instant) -> io::Result<Vec<u8>> {
        if let Some(length) = head.header("content-length") {
            let length: usize = length.parse().expect("Content-Length is a number");
            while self.unread.len() < length {
                self.fill(deadline)?;
            }
            return Ok(self.unread.drain(..length).collect());
        }
        if head
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            let mut body = Vec::new();
            loop {
                let line_end = loop {
                    match find(&self.unread, b"\r\n") {
                        Some(at) => break at,
                        None => self.fill(deadline)?,
                    }
                };
                let size = String::from_utf8_lossy(&self.unread[..line_end]).into_owned();
                let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
                while self.unread.len() < line_end + 2 + size + 2 {
                    self.fill(deadline)?;
                }
                body.extend_from_slice(&self.unread[line_end + 2..line_end + 2 + size]);
                self.unread.drain(..line_end + 2 + size + 2);
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        // Neither: the end of the connection is the end of the body.
        while self.fill(deadline).is_ok() {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Whether the server ends this connection within a time, whatever it still says.
    pub fn ends_within(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            match self.fill(deadline) {
                Ok(()) => self.unread.clear(),
                Err(error) => return error.kind() != io::ErrorKind::TimedOut,
            }
        }
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        }
    }
}

impl Response {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The bytes of a request with a body.
pub(crate) fn request(
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
    further: &str,
) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{further}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `application/x-www-form-urlencoded`, as PHP's `http_build_query` writes it.
pub fn form_body(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
        .collect();
    pairs.join("&")
}

/// `multipart/form-data`, as PHP's curl writes an array; returns the content type and the body.
pub fn multipart_body(fields: &[(&str, &str)]) -> (String, Vec<u8>) {
    let boundary = "------------------------d74496d66958873e";
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{boundary}--\r\n");
    (
        format!("multipart/form-data; boundary={boundary}"),
        body.into_bytes(),
    )
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
