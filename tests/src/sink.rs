//! A receiver of outbound calls on loopback that counts effects exactly: what the engine does to the world is what
//! arrives here. It answers as programmed, path by path: late, wrongly, half, or not at all.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::wire::{content_length, head_end};

/// How one request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With a status and a JSON body. The effect happens when the status is below 300.
    Json(u16, Value),
    /// 429 or 503 with `Retry-After` in seconds; no effect.
    RetryAfter(u16, u64),
    /// The effect happens, then the connection ends without an answer.
    CutAfterEffect,
    /// No effect, and the connection ends without an answer.
    CutBeforeEffect,
    /// The effect happens; the answer stops in the middle of its body.
    HalfBody,
    /// As the other one, after a while.
    Late(Duration, Box<Answer>),
    /// These bytes, whatever they are; no effect.
    Raw(Vec<u8>),
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`.
    pub query: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it had an effect here: false for refusals and for repeats that were recognised by their key.
    pub effect: bool,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The `Idempotency-Key`.
    pub fn key(&self) -> &str {
        self.header("idempotency-key").unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How a sink treats `Idempotency-Key`, and what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// A repeated key gets the first answer again and has no second effect.
    Honoured,
    /// Every request has its effect.
    Ignored,
    /// As `Ignored`, and requests are only counted: for benchmarks.
    Uncounted,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    count: u64,
    answers: HashMap<String, VecDeque<Answer>>,
    always: HashMap<String, Answer>,
    seen: HashMap<String, Answer>,
}

/// The receiver; stops when dropped.
pub struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Sink {
    /// Listens on a free port of 127.0.0.1, on a thread of its own.
    ///
    /// # Panics
    /// When the machine has no free port.
    pub fn start(keys: Keys) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = state.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let _ = tell.send(listener.local_addr().expect("an address"));
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve(stream, shared.clone(), keys));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        let address = told.recv().expect("the sink starts");
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path (with its leading slash).
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests for `path` so, one after another; then as always.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().answers.entry(path.to_owned()).or_default().extend(answers);
    }

    /// Answers all requests for `path` so, where nothing else is programmed. Without it: 200 and `{"ok":true}`.
    pub fn answer_always(&self, path: &str, answer: Answer) {
        self.state.lock().always.insert(path.to_owned(), answer);
    }

    /// Everything that arrived, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().received.clone()
    }

    /// How many requests arrived.
    pub fn count(&self) -> u64 {
        self.state.lock().count
    }

    /// How often each effect happened, named by `label`.
    pub fn effects(&self, label: impl Fn(&Received) -> String) -> BTreeMap<String, u64> {
        let mut effects = BTreeMap::new();
        for received in self.state.lock().received.iter().filter(|received| received.effect) {
            *effects.entry(label(received)).or_default() += 1;
        }
        effects
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, keys: Keys) {
    let _ = stream.set_nodelay(true);
    let _ = talk(&mut stream, &state, keys).await;
}

async fn talk(stream: &mut TcpStream, state: &Mutex<State>, keys: Keys) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let (head, end) = loop {
            if let Some(head) = head_end(&buffer) {
                let end = head + content_length(&buffer[..head]).unwrap_or(0);
                if buffer.len() >= end {
                    break (head, end);
                }
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        if keys == Keys::Uncounted {
            state.lock().count += 1;
            buffer.drain(..end);
            stream.write_all(OK).await?;
            continue;
        }
        let request = parse(&buffer[..head], &buffer[head..end]);
        buffer.drain(..end);
        let mut answer = plan(&state.lock(), &request).clone();
        while let Answer::Late(wait, then) = answer {
            tokio::time::sleep(wait).await;
            answer = *then;
        }
        if !reply(stream, state, keys, request, answer).await? {
            return Ok(());
        }
    }
}

/// What is programmed next, without using it up; [`settle`] does that together with the effect.
fn plan(state: &State, request: &Received) -> Answer {
    let next = state.answers.get(&request.path).and_then(|queue| queue.front());
    next.or_else(|| state.always.get(&request.path)).cloned().unwrap_or_else(ok)
}

fn ok() -> Answer {
    Answer::Json(200, serde_json::json!({ "ok": true }))
}

/// Records the request and its effect, and says what to answer: all at once, so that a repeat sees it.
fn settle(state: &mut State, keys: Keys, mut request: Received, answer: Answer) -> Answer {
    state.count += 1;
    let key = format!("{} {}", request.path, request.key());
    let first = if keys == Keys::Honoured && !request.key().is_empty() { state.seen.get(&key).cloned() } else { None };
    if let Some(first) = first {
        state.received.push(request);
        return first;
    }
    if let Some(queue) = state.answers.get_mut(&request.path) {
        queue.pop_front();
    }
    request.effect = match &answer {
        Answer::Json(status, _) => *status < 300,
        Answer::CutAfterEffect | Answer::HalfBody => true,
        Answer::RetryAfter(..) | Answer::CutBeforeEffect | Answer::Raw(_) | Answer::Late(..) => false,
    };
    if request.effect {
        // A repeat of a cut answer gets the answer that the first should have had.
        let kept = if matches!(answer, Answer::Json(..)) { answer.clone() } else { ok() };
        state.seen.insert(key, kept);
    }
    state.received.push(request);
    answer
}

async fn reply(
    stream: &mut TcpStream,
    state: &Mutex<State>,
    keys: Keys,
    request: Received,
    answer: Answer,
) -> io::Result<bool> {
    let answer = settle(&mut state.lock(), keys, request, answer);
    let bytes = match answer {
        Answer::Json(status, body) => {
            let body = body.to_string();
            let length = body.len();
            format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
                .into()
        }
        Answer::RetryAfter(status, seconds) => {
            format!("HTTP/1.1 {status} X\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        }
        Answer::CutAfterEffect | Answer::CutBeforeEffect | Answer::Late(..) => return Ok(false),
        Answer::HalfBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":").await?;
            return Ok(false);
        }
        Answer::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            return Ok(false);
        }
    };
    stream.write_all(&bytes).await?;
    Ok(true)
}

fn parse(head: &[u8], body: &[u8]) -> Received {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (path, query) = (path.to_owned(), query.to_owned());
    Received { method, path, query, headers, body: body.to_vec(), effect: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Request, once};

    fn post(sink: &Sink, key: &str) -> io::Result<u16> {
        let request = Request::new("POST", "/a").header("Idempotency-Key", key).body("{}");
        once(sink.address(), &request).map(|response| response.status)
    }

    #[test]
    fn a_repeated_key_has_one_effect_only_where_keys_are_honoured() {
        for (keys, expect) in [(Keys::Honoured, 1), (Keys::Ignored, 2)] {
            let sink = Sink::start(keys);
            assert_eq!(post(&sink, "k").unwrap(), 200);
            assert_eq!(post(&sink, "k").unwrap(), 200);
            assert_eq!(sink.effects(|one| one.key().to_owned())["k"], expect);
        }
    }

    #[test]
    fn a_cut_answer_had_its_effect_and_a_refusal_had_none() {
        let sink = Sink::start(Keys::Honoured);
        sink.answer("/a", [Answer::RetryAfter(503, 1), Answer::CutBeforeEffect, Answer::CutAfterEffect]);
        assert_eq!(post(&sink, "k").unwrap(), 503);
        assert!(post(&sink, "k").is_err());
        assert!(sink.effects(|one| one.path.clone()).is_empty());
        assert!(post(&sink, "k").is_err());
        assert_eq!(post(&sink, "k").unwrap(), 200);
        assert_eq!(sink.effects(|one| one.path.clone())["/a"], 1);
    }
}
