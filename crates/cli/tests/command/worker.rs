//! Workers as the tests play them: plain HTTP over a socket, so that every byte of an answer is seen.

#![allow(dead_code, reason = "not every test plays all of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Longer than anything takes that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `hftok runner serve`.
pub struct Serving {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub address: String,
    /// Its output stays open.
    _out: BufReader<ChildStdout>,
}

impl Serving {
    /// Starts it, and waits until it says where it listens.
    pub fn start(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let address = line.trim().rsplit('/').next().expect("an address").to_owned();
        if address.is_empty() {
            let mut err = String::new();
            child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
            panic!("it does not listen: {err}");
        }
        Self { child, address, _out: out }
    }

    /// A connection to it.
    pub fn connect(&self) -> TcpStream {
        self.connect_from("127.0.0.1")
    }

    /// A connection of another machine, as Linux gives each loopback address to whoever binds it.
    pub fn connect_from(&self, address: &str) -> TcpStream {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        let here: SocketAddrV4 = format!("{address}:0").parse().expect("an address");
        bind(&socket, &here).expect("an address of ours");
        let there: SocketAddrV4 = self.address.parse().expect("an address");
        connect(&socket, &there).expect("it listens");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream
    }

    /// The status, the headers and the body that a request is answered with.
    pub fn get(&self, path: &str, token: Option<&str>) -> (u16, String, String) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: worker\r\n{}\r\n", authorization(token)))
    }

    /// The same for a request that is written as it is.
    pub fn send(&self, request: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        // It may have answered, and closed, before all was sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// A stream of events, once it has begun.
    pub fn events(&self, token: &str) -> Events {
        let mut stream = self.connect();
        let request =
            format!("GET /v1/events HTTP/1.1\r\nHost: worker\r\n{}\r\n", authorization(Some(token)));
        stream.write_all(request.as_bytes()).expect("sent");
        let mut events = Events(BufReader::new(stream));
        assert!(events.line().contains("200"), "a stream");
        while !events.line().starts_with("retry:") {}
        events
    }

    /// Tells it to stop, and waits: its exit code, and what it said.
    pub fn stop(mut self) -> (Option<i32>, String) {
        hftok_tests::cluster::signal(self.child.id(), "TERM");
        let mut err = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
        (self.child.wait().expect("it ends").code(), err)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The header that shows a token.
fn authorization(token: Option<&str>) -> String {
    token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default()
}

/// A worker that waits for changes.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// The next line; empty where the stream has ended.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line
    }

    /// The next event with its number; none where the stream has ended.
    pub fn next(&mut self) -> Option<(String, Option<u64>)> {
        let mut number = None;
        loop {
            let line = self.line();
            if line.is_empty() {
                return None;
            }
            if let Some(id) = line.strip_prefix("id: ") {
                number = id.trim().parse().ok();
            }
            if let Some(event) = line.strip_prefix("event: ") {
                return Some((event.trim().to_owned(), number));
            }
        }
    }
}
