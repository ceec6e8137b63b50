//! Connections of workers: how many there may be, and how long each may take.
//!
//! What must stay true: whoever connects and says nothing, or says it slowly, or does not read, is let go soon; one over the
//! limit is closed at once; no machine keeps all places by saying nothing; each connection is for one request.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answer::Answers;
use super::silent::{Place, Silent};
use super::tls::Certificates;
use crate::failure::Failure;

/// The head of a request comes within this time.
const HEAD: Duration = Duration::from_secs(5);
/// A request and its answer take no longer, unless the answer is a stream.
const WHOLE: Duration = Duration::from_secs(30);
/// A worker that takes nothing for this long is gone, in milliseconds.
const UNREAD: u32 = 30_000;
/// The bytes of a head.
const HEAD_MAX: usize = 16 * 1024;
/// The headers of a head.
const HEADERS_MAX: usize = 64;
/// At the end, answers that are being given are waited for.
const END: Duration = Duration::from_secs(10);

/// All connections.
pub struct Connections {
    /// What each is answered.
    answers: Arc<Answers>,
    /// The certificate, where there is TLS.
    certificates: Option<Certificates>,
    /// One place each.
    places: Arc<Semaphore>,
    /// How many places there are.
    most: u32,
    /// Those that have asked nothing yet.
    silent: Arc<Silent>,
}

impl Connections {
    /// Room for as many.
    pub fn new(answers: Arc<Answers>, certificates: Option<Certificates>, most: u32) -> Self {
        let places = Arc::new(Semaphore::new(most.try_into().unwrap_or(Semaphore::MAX_PERMITS)));
        // Half is left to others.
        let silent = Arc::new(Silent::new(most.div_ceil(2)));
        Self { answers, certificates, places, most, silent }
    }

    /// Takes a connection that was accepted, or closes it.
    pub async fn take(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let Ok((tcp, peer)) = accepted else {
            // No file is free, say: the next may be.
            sleep(Duration::from_millis(50)).await;
            return;
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let silent = Silent::place(&self.silent, peer.ip());
        let id = silent.id();
        // Where the system has no such limits, the others hold.
        let _ = tcp.set_nodelay(true);
        let _ = set_tcp_user_timeout(&tcp, UNREAD);
        let answers = Arc::clone(&self.answers);
        let acceptor = self.certificates.as_ref().map(Certificates::acceptor);
        let task = tokio::spawn(async move {
            match acceptor {
                None => serve(tcp, answers, silent).await,
                Some(acceptor) => {
                    if let Ok(Ok(tls)) = timeout(HEAD, acceptor.accept(tcp)).await {
                        serve(tls, answers, silent).await;
                    }
                }
            }
            drop(place);
        });
        // It has not run yet: all of this is on one thread.
        self.silent.count(id, task.abort_handle());
    }

    /// Reads the certificate again; further connections are shown that.
    pub fn read_certificates(&mut self) -> Result<(), Failure> {
        if let Some(certificates) = &mut self.certificates {
            *certificates = certificates.again()?;
        }
        Ok(())
    }

    /// Waits for answers that are being given.
    pub async fn end(&self) {
        let _ = timeout(END, self.places.acquire_many(self.most)).await;
    }
}

/// Answers the one request of a connection.
async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answers: Arc<Answers>,
    silent: Place,
) {
    let is_stream = Arc::new(AtomicBool::new(false));
    let marked = Arc::clone(&is_stream);
    let silent = Cell::new(Some(silent));
    let service = service_fn(move |request| {
        // It has asked.
        drop(silent.take());
        let (answers, marked) = (Arc::clone(&answers), Arc::clone(&marked));
        async move {
            let answer = answers.answer(request).await;
            marked.store(answer.is_stream, Ordering::SeqCst);
            Ok::<_, Infallible>(answer.response)
        }
    });
    let mut protocol = http1::Builder::new();
    protocol
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX);
    let mut served = pin!(protocol.serve_connection(TokioIo::new(io), service));
    // How a connection broke off concerns nobody here: the worker sees it.
    if timeout(WHOLE, &mut served).await.is_err() && is_stream.load(Ordering::SeqCst) {
        let _ = served.await;
    }
}
