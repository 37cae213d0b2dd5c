//! A test case's stubs, answering.

use std::sync::Arc;

use async_trait::async_trait;
use cartwright_core::{
    Json,
    call::{CallError, CallOutcome, ErrorClass},
    event::{Event, Source},
    run::child::CALL_FUNCTION,
    testing::{Answer, ExpectCall, MadeCall, NoAnswer, Request, Stub, step_id},
};
use cartwright_woo::transport::{HttpAnswer, TransportFailure};
use parking_lot::Mutex;

use super::stand_in::{Asked, Child, Given, Stands};

/// The code of the failure of a call that no stub answers.
const NOT_STUBBED: &str = "not_stubbed";

/// Answers calls as a case says, and remembers them.
pub struct Stubs {
    /// The case's, then the file's.
    stubs: Vec<Stub>,
    /// How many of them are the case's.
    own: usize,
    expected: Vec<ExpectCall>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// How often each stub answered.
    used: Vec<u32>,
    /// Which expected calls were answered.
    answered: Vec<bool>,
    made: Vec<MadeCall>,
}

/// How often a stub answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Whether it is the case's own; else the file's.
    pub own: bool,
    /// Its number among those.
    pub index: usize,
    /// How often.
    pub times: u32,
}

impl Stubs {
    /// The stubs of a case and of its file; `expected` are the calls that the case expects.
    pub fn new(own: &[Stub], file: &[Stub], expected: &[ExpectCall]) -> Arc<Self> {
        let stubs: Vec<Stub> = own.iter().chain(file).cloned().collect();
        let memory = Memory { used: vec![0; stubs.len()], answered: vec![false; expected.len()], made: Vec::new() };
        Arc::new(Self { stubs, own: own.len(), expected: expected.to_vec(), memory: Mutex::new(memory) })
    }

    /// Every call so far, in order.
    pub fn made(&self) -> Vec<MadeCall> {
        self.memory.lock().made.clone()
    }

    /// How often each stub answered.
    pub fn used(&self) -> Vec<Used> {
        let memory = self.memory.lock();
        let used = memory.used.iter().enumerate().map(|(index, times)| {
            let own = index < self.own;
            Used { own, index: if own { index } else { index - self.own }, times: *times }
        });
        used.collect()
    }

    /// The answer to a call, which is remembered. `None`: nobody knows of it.
    fn find(&self, asked: &Asked) -> Option<Answer> {
        let mut memory = self.memory.lock();
        let found = self.choose(asked, &mut memory);
        memory.made.push(MadeCall {
            step: asked.path.to_string(),
            store: asked.store.as_ref().map(ToString::to_string),
            request: asked.request.clone(),
            unstubbed: found.is_none(),
        });
        found
    }

    /// The answer in place of something that is done for real where there is none.
    fn stubbed(&self, asked: Asked) -> Option<Answer> {
        let mut memory = self.memory.lock();
        let answer = self.choose(&asked, &mut memory)?;
        let (step, request) = (asked.path.to_string(), asked.request);
        memory.made.push(MadeCall { step, store: None, request, unstubbed: false });
        Some(answer)
    }

    fn choose(&self, asked: &Asked, memory: &mut Memory) -> Option<Answer> {
        let (own, file) = self.stubs.split_at(self.own);
        self.from(own, 0, asked, memory)
            .or_else(|| self.expected_answer(asked, memory, true))
            .or_else(|| self.from(file, self.own, asked, memory))
            .or_else(|| self.expected_answer(asked, memory, false))
    }

    fn from(&self, stubs: &[Stub], first: usize, asked: &Asked, memory: &mut Memory) -> Option<Answer> {
        for (index, stub) in stubs.iter().enumerate() {
            let used = &mut memory.used[first + index];
            if stub.times.is_none_or(|times| *used < times) && fits(stub, asked) {
                let answer = stub.answers.get(*used as usize).or(stub.answers.last());
                *used += 1;
                return answer.cloned();
            }
        }
        None
    }

    /// The next expected call that this is: answered with its own answer, or with an empty success.
    fn expected_answer(&self, asked: &Asked, memory: &mut Memory, with_answer: bool) -> Option<Answer> {
        let is_meant = |call: &ExpectCall| {
            call.call.fits(&asked.request)
                && call.step.as_ref().is_none_or(|step| is_at(step, asked))
                && call.store.as_ref().is_none_or(|store| asked.store.as_ref() == Some(store))
        };
        let mut open = self.expected.iter().enumerate().filter(|(index, _)| !memory.answered[*index]);
        let (index, call) = open.find(|(_, call)| call.answers.is_empty() != with_answer && is_meant(call))?;
        memory.answered[index] = true;
        Some(call.answers.first().cloned().unwrap_or_default())
    }
}

fn fits(stub: &Stub, asked: &Asked) -> bool {
    let fits = &stub.fits;
    fits.step.as_ref().is_none_or(|step| is_at(&step.value, asked))
        && fits.call.as_ref().is_none_or(|call| call.fits(&asked.request))
        && fits.store.as_ref().is_none_or(|store| asked.store.as_ref() == Some(store))
}

fn is_at(step: &str, asked: &Asked) -> bool {
    let path = asked.path.as_str();
    path == step || step_id(path) == step
}

#[async_trait]
impl Stands for Stubs {
    async fn answer(&self, asked: Asked) -> Given {
        let Some(answer) = self.find(&asked) else {
            // The run rests here, so that nothing more is blamed on the missing stub.
            let message = format!("the test has no stub for {}", asked.request.line());
            let error = CallError { class: ErrorClass::Park, ..CallError::r#final(NOT_STUBBED, message) };
            return Given::Outcome(CallOutcome::Err(error));
        };
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        given(answer, asked.store.is_some())
    }

    async fn child(&self, event: &Event) -> Child {
        let Source::Call { run, step, workflow, .. } = &event.source else { return Child::Runs };
        let with = serde_json::from_str(event.data.get()).unwrap_or_default();
        let asked = Asked {
            run: run.clone(),
            workflow: workflow.clone(),
            path: step.clone(),
            index: 0,
            function: CALL_FUNCTION.to_owned(),
            fingerprint: event.id.to_string(),
            store: event.store.clone(),
            request: Request::workflow(workflow.as_str(), with),
        };
        // Whom nobody answers for runs.
        match self.stubbed(asked) {
            None => Child::Runs,
            Some(answer) => Child::Ended(come_to(answer, "call_failed", workflow.as_str()).await),
        }
    }

    async fn plugin(&self, asked: Asked) -> Option<CallOutcome> {
        let name = asked.request.target.clone();
        Some(come_to(self.stubbed(asked)?, "plugin_failed", &name).await)
    }
}

/// What a stub says of a called workflow or of a plugin.
async fn come_to(answer: Answer, code: &str, name: &str) -> CallOutcome {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    match answer.failed {
        None => CallOutcome::Ok(answer.body.unwrap_or_default()),
        Some(why) => CallOutcome::Err(CallError::r#final(code, format!("`{name}` failed: {why}"))),
    }
}

fn given(answer: Answer, is_store: bool) -> Given {
    if let Some(error) = answer.error {
        return Given::Nothing(match error {
            NoAnswer::Connection => TransportFailure::Connect,
            NoAnswer::Timeout => TransportFailure::Timeout,
            NoAnswer::Lost => TransportFailure::Lost,
            NoAnswer::Dns => TransportFailure::Dns,
            NoAnswer::Tls => TransportFailure::Tls,
        });
    }
    let (body, kind) = match answer.body {
        // What a store answers to an empty success is an empty object.
        None if is_store && answer.status != 204 => ("{}".to_owned(), "application/json"),
        None => (String::new(), "application/json"),
        Some(Json::String(text)) if !is_store => (text, "text/plain; charset=utf-8"),
        Some(body) => (body.to_string(), "application/json"),
    };
    let mut headers = answer.headers;
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".into(), kind.into()));
    }
    Given::Answer(HttpAnswer { status: answer.status, headers, body: body.into() })
}
