//! What a refused caller reads: `application/problem+json` (RFC 9457) with a stable code and a line that helps.
//!
//! Every refusal of the door becomes one of these, and the code is what the metrics count it under.

use std::num::NonZeroU32;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cartwright_core::workflow::inputs;
use serde::Serialize;
use utoipa::ToSchema;

use crate::describe::codes;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// A stable word that programs rely on.
    pub code: &'static str,
    /// What went wrong this time. Never holds a secret or a body.
    pub detail: String,
    /// What to do next.
    pub help: Option<Box<str>>,
    /// After how many seconds trying again makes sense.
    pub retry_after: Option<NonZeroU32>,
    /// The methods that the address takes, where another one was used.
    pub allow: Option<Box<str>>,
    /// What is wrong in the body, place by place.
    pub errors: Vec<Fault>,
    /// Whom it concerns, for the log only: a store's or a workflow's id.
    pub about: Option<Box<str>>,
}

impl Problem {
    /// A refusal without further help.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            help: None,
            retry_after: None,
            allow: None,
            errors: Vec::new(),
            about: None,
        }
    }

    /// With a line that says what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }

    /// With whom it concerns, for the log.
    pub fn about(mut self, whom: &impl ToString) -> Self {
        self.about = Some(whom.to_string().into());
        self
    }

    /// With `Retry-After`, rounded up to at least a second.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX)).or(Some(NonZeroU32::MIN));
        self
    }

    /// 400 for a request that can never succeed as it is.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 422 for inputs that do not fit; `at` is where they stand in the body.
    pub fn inputs(at: &str, problems: &[inputs::Problem]) -> Self {
        let fault = |problem: &inputs::Problem| {
            let name = problem.name.as_deref().map(|name| format!("/{}", pointer_part(name))).unwrap_or_default();
            Fault { pointer: format!("{at}{name}"), detail: problem.to_string() }
        };
        let errors = problems.iter().map(fault).collect();
        let detail = inputs::in_one_line(problems);
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "inputs_invalid", detail) }
    }

    /// 404
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 413 for a body over `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("the body is larger than {limit} bytes"))
            .help("Send less, or raise the body limit in the configuration.")
    }

    /// 429
    pub fn too_many(seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests").retry_after(seconds)
    }

    /// 503 for what storage cannot keep now. Nothing was accepted.
    pub fn unavailable(detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .help("Nothing was accepted; send it again. `cartwright doctor` says what is wrong with storage.")
            .retry_after(seconds)
    }
}

/// Something wrong at one place of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// A JSON pointer into the body (RFC 6901); empty: the whole.
    pub pointer: String,
    /// In words for people.
    pub detail: String,
}

/// `a/b` as a part of a JSON pointer.
pub(crate) fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body<'a> {
    /// `urn:cartwright:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// A stable word that programs rely on.
    code: &'a str,
    /// What went wrong this time.
    detail: &'a str,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    /// What is wrong in the body, all of it.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        debug_assert!(
            !codes::says(self.status.as_u16(), self.code).is_empty(),
            "a refusal that is not in describe/codes.rs: {} {}",
            self.status,
            self.code
        );
        let body = Body {
            r#type: format!("urn:cartwright:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Refused"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            help: self.help.as_deref(),
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).expect("texts and numbers always become JSON");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.get()));
        }
        if let Some(methods) = self.allow.and_then(|methods| methods.parse().ok()) {
            headers.insert(header::ALLOW, methods);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The metrics layer reads the code from here; bodies are not parsed again to count them.
        response.extensions_mut().insert(Refused(self.code));
        response
    }
}

/// Marks a refused response with its code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_tells_programs_and_people() {
        let problem = Problem::unavailable("the disk is full", 0);
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "1");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("json");
        assert_eq!(body["type"], "urn:cartwright:problem:unavailable");
        assert_eq!(body["status"], 503);
        assert_eq!(body["title"], "Service Unavailable");
        assert_eq!(body["detail"], "the disk is full");
        assert!(body["help"].as_str().expect("help").contains("send it again"));
    }
}
