//! A call that somebody else answers: tests of workflows, and replays of recorded runs. It is checked and its answer is
//! read as a real one's is; nothing is sent.

use std::time::Duration;

use cartwright_core::{Json, call::CallError};
use cartwright_woo::transport::{HttpAnswer, TransportFailure};

use super::{OutboundOptions, OutboundRequest, answer, redact::Redactor, spec};

impl OutboundRequest {
    /// Whether it would be sent at all, and how long it may take.
    pub(crate) fn check(&self) -> Result<Duration, CallError> {
        let prepared = spec::prepare(self, OutboundOptions::default().max_request_bytes)?;
        spec::granted(&prepared, self)?;
        Ok(prepared.timeout)
    }

    /// What it comes to that was answered with `given`.
    pub(crate) async fn rehearse(&self, given: Result<HttpAnswer, TransportFailure>) -> Result<Json, CallError> {
        let options = OutboundOptions::default();
        let prepared = spec::prepare(self, options.max_request_bytes)?;
        spec::granted(&prepared, self)?;
        let host = answer::host_of(&prepared.url);
        let redactor = Redactor::new(&self.secrets);
        let made = match given {
            Ok(given) => {
                let mut response = hyper::Response::builder().status(given.status);
                for (name, value) in &given.headers {
                    response = response.header(name, value);
                }
                let response = response.body(given.body);
                let response = response.map_err(|error| spec::invalid(format!("the answer of the test: {error}")))?;
                answer::read(response.into(), &prepared, self.repeatable, options.max_response_bytes).await
            }
            Err(failure) => Err(answer::unanswered(failure, &host, prepared.timeout, self.repeatable)),
        };
        match made {
            Ok(mut made) => {
                redactor.json(&mut made);
                Ok(made)
            }
            Err(error) => Err(CallError { message: redactor.excerpt(error.message), ..error }),
        }
    }
}
