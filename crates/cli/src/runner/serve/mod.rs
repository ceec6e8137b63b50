//! `hftok runner serve`: workers ask for their environment over HTTP, and are told when it changes.
//!
//! What must stay true: beyond this machine nothing is served without TLS unless somebody said that the network is private; what
//! strangers can make it hold is bounded (connections, headers, time, streams of a token, questions to Postgres); it stops when
//! it is told to, and lets go of nobody in the middle of an answer.
//!
//! HTTP runs on one thread, questions to Postgres on some others ([`questions`]), and one more hears of changes ([`changes`]).

mod answer;
mod changes;
mod connections;
mod questions;
mod silent;
mod streams;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;
use answer::Answers;
use changes::Changes;
use connections::Connections;
use questions::Questions;
use streams::Streams;
use tls::Certificates;

/// What `--help` shows below the options.
const EXAMPLES: &str = "\
Examples:
  hftok runner serve
  hftok runner serve --listen 10.0.0.5:8791 --tls-cert /etc/hftok/runner.crt --tls-key /etc/hftok/runner.key
  curl -H \"Authorization: Bearer $HFTOK_RUNNER_TOKEN\" http://127.0.0.1:8791/v1/environment

The database role needs hftok_service. SIGHUP reads the certificate again; SIGTERM stops.";

/// Files that are open beside connections: to Postgres, to the log, to the certificate.
const OTHER_FILES: u64 = 64;
/// Clients that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Serve workers their environment over HTTP, with a word when it changes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8791")]
    listen: SocketAddr,
    /// The certificate, and those between it and its authority, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM; nobody else may read it
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve without TLS beyond this machine, on a network that only we are on
    #[arg(long, conflicts_with = "tls_cert")]
    insecure_private_network: bool,
    /// Connections at a time; further ones are closed
    #[arg(long, value_name = "NUMBER", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_connections: u32,
}

impl Serve {
    /// Serves until a signal ends it.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let certificates = match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Some(Certificates::read(chain.clone(), key.clone())?),
            _ if self.listen.ip().is_loopback() || self.insecure_private_network => None,
            _ => {
                return Err(Failure::Usage(format!(
                    "{} is not on this machine alone: credentials would cross the network as they are. Give --tls-cert and --tls-key, or say --insecure-private-network",
                    self.listen
                )));
            }
        };
        let most = self.admitted(*screen);
        let streams = Arc::new(Streams::default());
        // Whoever cannot reach Postgres, or may not ask there, is told at once and not by the first worker.
        let changes = Changes::begin(connection, Arc::clone(&streams), *screen)?;
        let questions = Questions::begin(connection)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::io("the threads of HTTP"))?;
        let answers = Arc::new(Answers::new(questions, Arc::clone(&streams), changes.is_hearing()));
        let connections = Connections::new(answers, certificates, most);
        let served = runtime.block_on(self.serve(connections, &streams, *screen));
        // A question that is still open in Postgres is not waited for.
        runtime.shutdown_background();
        changes.end();
        served.map(|()| ExitCode::SUCCESS)
    }

    /// As many connections as are asked for, or as the system lets us have.
    fn admitted(&self, screen: Screen) -> u32 {
        let asked = u64::from(self.max_connections) + OTHER_FILES;
        let limit = getrlimit(Resource::Nofile);
        let has = |limit: Option<u64>| limit.is_none_or(|limit| limit >= asked);
        if !has(limit.current) {
            let current = limit.maximum.map_or(asked, |maximum| maximum.min(asked));
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
        }
        match getrlimit(Resource::Nofile).current {
            Some(limit) if limit < asked => {
                let most = u32::try_from(limit.saturating_sub(OTHER_FILES)).unwrap_or(1).max(1);
                screen.note(&format!(
                    "hftok: {most} connections at a time, not {}: a process may have {limit} open files here (ulimit -n)",
                    self.max_connections
                ));
                most
            }
            _ => self.max_connections,
        }
    }

    /// Accepts connections until a signal ends it.
    async fn serve(
        &self,
        mut connections: Connections,
        streams: &Streams,
        screen: Screen,
    ) -> Result<(), Failure> {
        let listener = self.bind()?;
        let address = listener.local_addr().map_err(Failure::io("the address"))?;
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let signals = || Failure::io("signals");
        let mut term = signal(SignalKind::terminate()).map_err(signals())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(signals())?;
        let mut hangup = signal(SignalKind::hangup()).map_err(signals())?;
        screen.answer(&json!({ "listening": url }), || format!("listening on {url}"))?;
        loop {
            tokio::select! {
                accepted = listener.accept() => connections.take(accepted).await,
                _ = hangup.recv() => if let Err(failure) = connections.read_certificates() {
                    // The certificate in use stays: a renewal that failed half way must not end the service.
                    screen.failure(&failure);
                },
                _ = term.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        drop(listener);
        streams.end_all();
        connections.end().await;
        Ok(())
    }

    /// Begins to listen.
    fn bind(&self) -> Result<TcpListener, Failure> {
        let socket = if self.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let bound = socket.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(self.listen)?;
            socket.listen(BACKLOG)
        });
        bound.map_err(Failure::io(format!("listening on {}", self.listen)))
    }
}
