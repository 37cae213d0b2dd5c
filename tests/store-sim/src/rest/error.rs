//! Errors in WordPress's shape: `{"code", "message", "data"}`, where `data` is nearly always an object with `status`.

use std::borrow::Cow;

use serde_json::{Value, json};

/// One refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct RestError {
    /// `woocommerce_rest_product_invalid_id`
    pub code: Cow<'static, str>,
    /// As WordPress words it, HTML-escaped where it is.
    pub message: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// An object with `status`, or whatever the original puts there.
    pub data: Value,
    /// Found while permissions were asked: the answer has no `Allow`.
    pub before_permission: bool,
}

impl RestError {
    /// The usual error: `data` holds the status.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>, status: u16) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
            data: json!({"status": status}),
            before_permission: false,
        }
    }

    /// Adds one entry to `data`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(data) = &mut self.data {
            data.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Replaces `data` as a whole: refunds answer with a bare integer.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// The same, found while permissions were asked.
    #[must_use]
    pub fn before_permission(self) -> Self {
        Self { before_permission: true, ..self }
    }

    /// PHP gave up in the middle of the request.
    pub fn critical() -> Self {
        let message = "<p>There has been a critical error on this website.</p>";
        Self::new("internal_server_error", message, 500)
    }

    /// No such route, method or numeric id.
    pub fn no_route() -> Self {
        Self::new("rest_no_route", "No route was found matching the URL and request method.", 404)
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "message": self.message, "data": self.data});
        if self.code == "internal_server_error" {
            body["additional_errors"] = json!([]);
        }
        body
    }

    /// Status and body.
    pub fn into_parts(self) -> (u16, Value) {
        (self.status, self.body())
    }
}
