//! Which call is meant: `POST https://hooks.slack.com/*`.

use std::fmt;

use crate::{
    Json,
    woo::{WooMethod, bare_path},
};

/// A text in which `*` stands for any text, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// From its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` fits. Takes time in proportion to both lengths' product at most.
    pub fn fits(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut rest = rest;
        let mut last = None;
        for part in parts {
            if let Some(middle) = last.replace(part) {
                let Some(at) = rest.find(middle) else { return false };
                rest = &rest[at + middle.len()..];
            }
        }
        match last {
            None => rest.is_empty(),
            Some(last) => rest.ends_with(last),
        }
    }
}

/// A call, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// An outbound call.
    Http {
        /// Upper case; any when absent.
        method: Option<String>,
        /// The address; without its query unless it has a `?`.
        url: Glob,
    },
    /// A call to a store.
    Woo {
        /// Any when absent.
        method: Option<WooMethod>,
        /// Below `/wp-json/wc/v3/`.
        path: Glob,
    },
    /// A command inside WordPress.
    Command(Glob),
    /// A plugin's function.
    Plugin(Glob),
    /// A workflow that is called.
    Workflow(Glob),
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Pattern {
    /// The keys that name calls.
    pub const KEYS: [&'static str; 5] = ["http", "woo", "command", "plugin", "workflow"];

    /// From a key and its text; the error is text for people.
    pub fn parse(key: &str, text: &str) -> Result<Self, String> {
        let (method, rest) = match text.trim().split_once(char::is_whitespace) {
            Some((method, rest)) => (Some(method.to_ascii_uppercase()), rest.trim()),
            None => (None, text.trim()),
        };
        if rest.is_empty() || rest.contains(char::is_whitespace) && matches!(key, "http" | "woo") {
            return Err(format!("`{text}` is not `METHOD {}`", if key == "woo" { "path" } else { "URL" }));
        }
        let unknown = |method: &String| !METHODS.contains(&method.as_str());
        Ok(match key {
            "command" => Self::Command(Glob::new(text.trim())),
            // `fraud-score` is each of its functions.
            "plugin" if text.contains(['/', '*']) => Self::Plugin(Glob::new(text.trim())),
            "plugin" => Self::Plugin(Glob::new(format!("{}/*", text.trim()))),
            "workflow" => Self::Workflow(Glob::new(text.trim())),
            _ if method.as_ref().is_some_and(unknown) => {
                return Err(format!("there is no method `{}`", method.unwrap_or_default()));
            }
            "woo" => {
                let method = method.map(|text| {
                    WooMethod::parse(&text).ok_or(format!("stores know GET, POST, PUT and DELETE, not `{text}`"))
                });
                let path = bare_path(rest).trim_end_matches('/');
                Self::Woo { method: method.transpose()?, path: Glob::new(path) }
            }
            _ => Self::Http { method, url: Glob::new(rest) },
        })
    }

    /// Its key in a test file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Woo { .. } => "woo",
            Self::Command(_) => "command",
            Self::Plugin(_) => "plugin",
            Self::Workflow(_) => "workflow",
        }
    }

    /// Whether it means this call.
    pub fn fits(&self, request: &super::Request) -> bool {
        if self.key() != request.kind {
            return false;
        }
        match self {
            Self::Http { method, url } => {
                let whole = request.target.as_str();
                let address = if url.as_str().contains('?') { whole } else { without_query(whole) };
                method.as_ref().is_none_or(|method| *method == request.method) && url.fits(address)
            }
            Self::Woo { method, path } => {
                method.is_none_or(|method| method.as_str() == request.method) && path.fits(&request.target)
            }
            Self::Command(name) | Self::Plugin(name) | Self::Workflow(name) => name.fits(&request.target),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { method: Some(method), url } => write!(f, "{method} {}", url.as_str()),
            Self::Woo { method: Some(method), path } => write!(f, "{} {}", method.as_str(), path.as_str()),
            Self::Http { url: glob, .. }
            | Self::Woo { path: glob, .. }
            | Self::Command(glob)
            | Self::Plugin(glob)
            | Self::Workflow(glob) => f.write_str(glob.as_str()),
        }
    }
}

fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(address, _)| address)
}

/// A matcher for `null`, where a member is not given.
pub(super) fn or_null(value: Option<&Json>) -> &Json {
    value.unwrap_or(&Json::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (glob, text, fits) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "a", false),
            ("a*a", "a", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "acb", false),
            ("a**c", "axc", true),
            ("*b*", "abc", true),
            ("abc", "abcd", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(Glob::new(glob).fits(text), fits, "{glob} and {text}");
        }
    }

    #[test]
    fn calls_are_named_as_in_workflows() {
        let shown = |key: &str, text: &str| Pattern::parse(key, text).map(|pattern| pattern.to_string());
        assert_eq!(shown("http", "post https://a.example/*").as_deref(), Ok("POST https://a.example/*"));
        assert_eq!(shown("woo", "/wp-json/wc/v3/orders/").as_deref(), Ok("orders"));
        assert_eq!(shown("woo", "PATCH orders/1").as_deref(), Ok("PUT orders/1"));
        assert_eq!(shown("command", "coupon.*").as_deref(), Ok("coupon.*"));
        for (key, text) in [("http", "FETCH https://a"), ("http", "GET a b"), ("woo", "HEAD orders"), ("http", "")] {
            assert!(Pattern::parse(key, text).is_err(), "{key}: {text}");
        }
    }
}
