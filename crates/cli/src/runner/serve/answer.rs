//! What a request is answered.
//!
//! What must stay true: a value goes to whoever shows a token that hftok takes, and is in no error; of a token that is wrong,
//! revoked or over the answer is one and the same; nothing of an answer is stored on the way.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use hftok_core::runner_token;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::questions::{Questions, Unanswered};
use super::streams::{Stream, Streams, Told};
use crate::connection::Argument;
use crate::failure::{Failure, Refusal};
use crate::runner::listening::states_of;

/// Between two changes a stream says that it is there.
const COMMENT: Duration = Duration::from_secs(15);
/// The longest name of a provider or a model that strangers may ask for.
const NAME_MAX: usize = 256;

/// Questions of strangers that may wait at a time: they must not take the places of workers.
const STRANGERS: usize = 32;

/// The body of an answer.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub struct Answer {
    /// As HTTP has it.
    pub response: Response<Body>,
    /// Whether it goes on for as long as the worker listens.
    pub is_stream: bool,
}

/// What answers are made of.
pub struct Answers {
    /// Asks Postgres.
    questions: Questions,
    /// Workers that wait for changes.
    streams: Arc<Streams>,
    /// Whether changes are heard of just now.
    hears: Arc<AtomicBool>,
    /// A place for each question of a stranger.
    strangers: Semaphore,
}

/// Why there is no answer but an error.
struct Trouble {
    /// The status.
    status: StatusCode,
    /// The reason, without a value.
    reason: String,
}

/// What DETAIL says where a credential cannot be used.
#[derive(Deserialize)]
struct Unusable {
    /// The level that has it.
    level: String,
    /// Why.
    outcome: String,
}

impl Answers {
    /// Answers by these.
    pub fn new(questions: Questions, streams: Arc<Streams>, hears: Arc<AtomicBool>) -> Self {
        Self { questions, streams, hears, strangers: Semaphore::new(STRANGERS) }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answered = match (request.method(), request.uri().path()) {
            (&Method::GET, "/v1/environment") if request.headers().contains_key(AUTHORIZATION) => {
                self.environment(&request).await
            }
            (&Method::GET, "/v1/environment") => self.provided(request.uri().query().unwrap_or("")).await,
            (&Method::GET, "/v1/events") => self.events(&request).await,
            (&Method::GET | &Method::HEAD, "/health") => Ok(self.health()),
            (_, "/v1/environment" | "/v1/events" | "/health") => {
                Err(trouble(StatusCode::METHOD_NOT_ALLOWED, "ask by GET"))
            }
            _ => Err(trouble(StatusCode::NOT_FOUND, "there is /v1/environment, /v1/events and /health")),
        };
        answered.unwrap_or_else(|trouble| trouble.answer())
    }

    /// The environment that a token stands for.
    async fn environment(&self, request: &Request<Incoming>) -> Result<Answer, Trouble> {
        let token = token(request)?;
        let asked = self.questions.ask(move |database| {
            database.call("runner_environment", &[Argument::text("p_runner_token", Some(&token))])
        });
        let environment = asked.await.map_err(Trouble::from)?;
        let mut text = Zeroizing::new(Vec::with_capacity(environment.len() + 20));
        for part in ["{\"environment\":", environment.as_str(), "}"] {
            text.extend_from_slice(part.as_bytes());
        }
        // The body wipes what it sent.
        Ok(json_answer(StatusCode::OK, Bytes::from_owner(text)))
    }

    /// Whether the installation has a credential for everybody.
    async fn provided(&self, query: &str) -> Result<Answer, Trouble> {
        let (mut provider, mut model) = ("huggingface".to_owned(), None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).filter(|value| value.len() <= NAME_MAX);
            match (name, value) {
                ("provider", Some(value)) => provider = value,
                ("model", Some(value)) => model = Some(value),
                _ => return Err(trouble(StatusCode::BAD_REQUEST, "the query has provider and model")),
            }
        }
        let Ok(_place) = self.strangers.try_acquire() else {
            return Err(trouble(StatusCode::SERVICE_UNAVAILABLE, "too many ask without a token: ask again"));
        };
        let levels = ["global_model", "global"].map(str::to_owned);
        let asked = self.questions.ask(move |database| {
            let arguments = [
                Argument::text("p_provider", Some(&provider)),
                Argument::text("p_model", model.as_deref()),
                Argument::texts("p_levels", Some(&levels)),
                Argument::text("p_unknown", Some("none")),
            ];
            let text = database.call("token_provided", &arguments)?;
            Ok(*text == "true")
        });
        let provided = asked.await.map_err(Trouble::from)?;
        Ok(told(StatusCode::OK, &json!({ "token_provided": provided })))
    }

    /// A stream of the changes that concern a token.
    async fn events(&self, request: &Request<Incoming>) -> Result<Answer, Trouble> {
        let token = token(request)?;
        if !self.hears.load(Ordering::SeqCst) {
            return Err(trouble(StatusCode::SERVICE_UNAVAILABLE, "changes cannot be heard of just now"));
        }
        let asked = self.questions.ask(move |database| {
            let text = database.call("check_runner_token", &[Argument::text("p_runner_token", Some(&token))]);
            serde_json::from_str::<String>(&text?)
                .map_err(|_| Failure::Answer { function: "check_runner_token" })
        });
        let id = asked.await.map_err(Trouble::from)?;
        // The place is taken before the state is asked for: a change in between is told, not missed.
        let Some(stream) = self.streams.enter(&id) else {
            return Err(trouble(StatusCode::TOO_MANY_REQUESTS, "this token has too many streams already"));
        };
        let ids = [id.clone()];
        let asked = self.questions.ask(move |database| states_of(database, &ids));
        match asked.await.map_err(Trouble::from)?.remove(&id) {
            Some(state) => self.streams.begin(&id, state),
            None => return Err(unauthorized()),
        }
        Ok(Answer { response: streamed(stream), is_stream: true })
    }

    /// How the server is.
    fn health(&self) -> Answer {
        let ok = self.hears.load(Ordering::SeqCst);
        let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        told(status, &json!({ "ok": ok }))
    }
}

/// The token that a request shows, if it has the form of one.
fn token(request: &Request<Incoming>) -> Result<Zeroizing<String>, Trouble> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = shown.and_then(|shown| shown.split_once(' ')).unwrap_or_default();
    let token = token.trim();
    let is_token = scheme.eq_ignore_ascii_case("bearer") && runner_token::hash_of(token).is_some();
    if is_token { Ok(Zeroizing::new(token.to_owned())) } else { Err(unauthorized()) }
}

/// The stream of a worker, as server-sent events.
fn streamed(stream: Stream) -> Response<Body> {
    let events = unfold(Some((stream, true)), |held| async {
        let (mut stream, is_first) = held?;
        if is_first {
            return Some((": hftok\nretry: 1000\n\n".to_owned(), Some((stream, false))));
        }
        let heard = match timeout(COMMENT, stream.heard.changed()).await {
            Err(_) => return Some((":\n\n".to_owned(), Some((stream, false)))),
            Ok(Err(_)) => return None,
            Ok(Ok(())) => *stream.heard.borrow_and_update(),
        };
        match heard {
            // The data is there because clients leave an event without any out.
            Told::Changes(count) => {
                Some((format!("id: {count}\nevent: changed\ndata: {{}}\n\n"), Some((stream, false))))
            }
            Told::Over => Some(("event: revoked\ndata: {}\n\n".to_owned(), None)),
            Told::Stop => None,
        }
    });
    let frames =
        futures_util::StreamExt::map(events, |text| Ok::<_, Infallible>(Frame::data(Bytes::from(text))));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    headers(&mut response, "text/event-stream");
    response
}

/// An answer in JSON that holds no value.
fn told(status: StatusCode, value: &serde_json::Value) -> Answer {
    json_answer(status, Bytes::from(value.to_string()))
}

/// An answer in JSON.
fn json_answer(status: StatusCode, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    headers(&mut response, "application/json");
    Answer { response, is_stream: false }
}

/// The headers that every answer has.
fn headers(response: &mut Response<Body>, kind: &'static str) {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (hyper::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
}

/// A trouble with a reason.
fn trouble(status: StatusCode, reason: &str) -> Trouble {
    Trouble { status, reason: reason.to_owned() }
}

/// The one answer to a token that hftok does not take.
fn unauthorized() -> Trouble {
    trouble(StatusCode::UNAUTHORIZED, "this is no runner token, or it was revoked, or its time is over")
}

impl Trouble {
    /// As it is told.
    fn answer(self) -> Answer {
        let mut answer = told(self.status, &json!({ "error": self.reason }));
        let headers = answer.response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET"));
        }
        answer
    }
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Self {
        let failure = match unanswered {
            Unanswered::Busy => {
                return trouble(StatusCode::SERVICE_UNAVAILABLE, "too many workers ask: ask again");
            }
            Unanswered::Failed(failure) => failure,
        };
        match failure {
            Failure::Refused(refusal) => refused(&refusal),
            Failure::Unreachable { .. } => {
                trouble(StatusCode::SERVICE_UNAVAILABLE, "Postgres cannot be reached just now")
            }
            failure => trouble(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
        }
    }
}

/// What the server refused, as a worker is told it.
fn refused(refusal: &Refusal) -> Trouble {
    match refusal.code.as_str() {
        "PT404" => unauthorized(),
        "PT422" => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            let reason = match serde_json::from_str(detail) {
                Ok(Unusable { level, outcome }) => {
                    format!(
                        "a credential that this token stands for cannot be used: {outcome} at level {level}"
                    )
                }
                Err(_) => "a credential that this token stands for cannot be used".to_owned(),
            };
            Trouble { status: StatusCode::UNPROCESSABLE_ENTITY, reason }
        }
        "42501" => trouble(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this server's own role may not ask: it needs hftok_service",
        ),
        code if code.starts_with("53") || code.starts_with("57") || code.starts_with("08") => {
            trouble(StatusCode::SERVICE_UNAVAILABLE, &refusal.message)
        }
        _ => trouble(StatusCode::INTERNAL_SERVER_ERROR, &refusal.message),
    }
}

/// A value of a query, if it is text.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, more) = rest.split_first_chunk::<2>()?;
                rest = more;
                let digit =
                    |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(digits[0])? * 16 + digit(digits[1])?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn a_query_is_decoded_or_refused() {
        assert_eq!(decoded("meta-llama%2FLlama%203").as_deref(), Some("meta-llama/Llama 3"));
        assert_eq!(decoded("%c3%a9").as_deref(), Some("é"));
        for wrong in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
