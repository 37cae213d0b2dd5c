//! Outbound HTTP. Grant: `http: ["api.example.com"]`.
//!
//! ```no_run
//! use cartwright_plugin::{Failure, http};
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize)]
//! struct Rate {
//!     euro: String,
//! }
//!
//! fn rate() -> Result<Rate, Failure> {
//!     http::get("https://api.example.com/rates").query("base", "USD").header("accept", "application/json").send()?.json()
//! }
//!
//! fn tell(text: &str) -> Result<(), Failure> {
//!     http::post("https://hooks.example.com/1").json(&json!({ "text": text })).send()?;
//!     Ok(())
//! }
//! ```

use std::{fmt::Write as _, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, host};

/// A request; [`Request::send`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    /// GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.
    pub method: String,
    /// An absolute http or https address.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Text.
    pub body: Option<String>,
    /// For the whole exchange.
    pub timeout: Option<Duration>,
    /// Statuses that are an answer and not a failure; 2xx when empty.
    pub expect: Vec<String>,
    /// Repeating it is harmless; decided by the method when absent.
    pub idempotent: Option<bool>,
    /// Why the body could not be made; told when it is sent.
    pub(crate) broken: Option<Failure>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Text; bytes that are no UTF-8 are replaced.
    pub body: String,
}

/// Fetches.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// Sends a body.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// Sends a body that replaces.
pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

/// Sends a body that changes.
pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

/// Removes.
pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// Any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        timeout: None,
        expect: Vec::new(),
        idempotent: None,
        broken: None,
    }
}

impl Request {
    /// Adds a header. An `Idempotency-Key` travels with every request by itself.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `authorization: Bearer …`.
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Adds `name=value` to the address, encoded.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        encode(name, &mut self.url);
        self.url.push('=');
        encode(&value.to_string(), &mut self.url);
        self
    }

    /// Sets a text as the body; say what it is with a `content-type` header.
    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.body = Some(text.into());
        self
    }

    /// Sets a JSON body and its `content-type`.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => self.header("content-type", "application/json").body(text),
            Err(error) => Self { broken: Some(Failure::Invalid(format!("the body is no JSON: {error}"))), ..self },
        }
    }

    /// Sets the fields of a form as the body and its `content-type`.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (name, value) in fields {
            if !text.is_empty() {
                text.push('&');
            }
            encode(name, &mut text);
            text.push('=');
            encode(value, &mut text);
        }
        self.header("content-type", "application/x-www-form-urlencoded").body(text)
    }

    /// Limits the whole exchange; the engine's own limit stays.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Takes another status for an answer, such as `404`, `2xx` or `200-204`. Once said, only those that were said are.
    pub fn expect(mut self, status: impl ToString) -> Self {
        self.expect.push(status.to_string());
        self
    }

    /// Says whether repeating it is harmless, when the method does not say it right.
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }

    /// Sends it, once: what was answered before is not sent again when the plugin is executed again.
    pub fn send(self) -> Result<Response, Failure> {
        match self.broken {
            Some(failure) => Err(failure),
            None => host::http_send(&self),
        }
    }
}

impl Response {
    /// An answer with a text, for tests.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let wrong = |error| Failure::Other(format!("the answer (status {}) is not as expected: {error}", self.status));
        serde_json::from_str(&self.body).map_err(wrong)
    }
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_forms_are_encoded() {
        let request = get("https://a.example/x").query("q", "50 % & more").query("ü", 7);
        assert_eq!(request.url, "https://a.example/x?q=50%20%25%20%26%20more&%C3%BC=7");
        let request = post("https://a.example/").form(&[("a", "1=2"), ("b", "é")]);
        assert_eq!(request.body.as_deref(), Some("a=1%3D2&b=%C3%A9"));
    }

    #[test]
    fn a_body_that_is_no_json_is_told_when_it_is_sent() {
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        let failure = post("https://a.example/").json(&keys).send().expect_err("a list is no key");
        assert!(failure.to_string().starts_with("the body is no JSON"), "{failure}");
    }

    #[test]
    fn answers_are_read() {
        let answer = Response { headers: vec![("x-total".into(), "7".into())], ..Response::text(200, "[1]") };
        assert_eq!(answer.header("X-Total"), Some("7"));
        assert_eq!(answer.json::<Vec<u8>>(), Ok(vec![1]));
        let failure = answer.json::<String>().expect_err("a list is no text");
        assert!(failure.to_string().contains("(status 200) is not as expected"), "{failure}");
    }
}
