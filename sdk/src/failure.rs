//! Why something failed: comes from host calls or from the plugin itself, goes to the engine, which decides by its kind
//! whether to try again and shows its text to people.

use std::{
    fmt,
    num::{ParseFloatError, ParseIntError},
    time::Duration,
};

/// Why a host call or the plugin itself failed.
///
/// Give a host call's failure back as it came (with `?`): the engine then knows which call it was, and the step's retry
/// rules apply to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The workflow's grants do not allow it; holds the grant to add, as YAML.
    Denied(String),
    /// No answer came in time, and it is certain or harmless that nothing happened.
    Timeout,
    /// The other side asks for patience.
    RateLimited {
        /// How long, in milliseconds; 0 when it did not say.
        wait_ms: u64,
    },
    /// The other side answered with an error.
    Rejected {
        /// HTTP status.
        status: u16,
        /// What it said, at most 1,000 characters.
        body: String,
    },
    /// The arguments, or the input, cannot be right; the text says why. Trying again cannot help.
    Invalid(String),
    /// It may have happened, and nobody can say.
    Unknown,
    /// Anything else, in words for people.
    Other(String),
}

impl Failure {
    /// Anything else, in words for people: `.map_err(Failure::other)`.
    pub fn other(text: impl fmt::Display) -> Self {
        Self::Other(text.to_string())
    }

    /// The input cannot be right: `return Err(Failure::invalid("quantity must not be negative"))`.
    pub fn invalid(text: impl fmt::Display) -> Self {
        Self::Invalid(text.to_string())
    }

    /// The HTTP status that the other side answered with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Rejected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the other side asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { wait_ms } if *wait_ms > 0 => Some(Duration::from_millis(*wait_ms)),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(grant) => write!(f, "the workflow does not allow this; add to its grants: {grant}"),
            Self::Timeout => f.write_str("no answer came in time"),
            Self::RateLimited { wait_ms: 0 } => f.write_str("the other side asks to be called less often"),
            Self::RateLimited { wait_ms } => {
                write!(f, "the other side asks to be called less often: again in {} s", wait_ms.div_ceil(1_000))
            }
            Self::Rejected { status, body } if body.is_empty() => write!(f, "the other side answered {status}"),
            Self::Rejected { status, body } => write!(f, "the other side answered {status}: {body}"),
            Self::Unknown => f.write_str("it may have happened, and nobody can say"),
            Self::Invalid(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Other(text.to_owned())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(format!("JSON is not as expected: {error}"))
    }
}

impl From<ParseIntError> for Failure {
    fn from(error: ParseIntError) -> Self {
        Self::Other(format!("a text is no whole number: {error}"))
    }
}

impl From<ParseFloatError> for Failure {
    fn from(error: ParseFloatError) -> Self {
        Self::Other(format!("a text is no number: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_a_merchant_can_do_or_know() {
        let rows = [
            (Failure::Denied("http: [a.example]".into()), "add to its grants: http: [a.example]"),
            (Failure::Timeout, "in time"),
            (Failure::RateLimited { wait_ms: 0 }, "less often"),
            (Failure::RateLimited { wait_ms: 1_001 }, "again in 2 s"),
            (Failure::Rejected { status: 503, body: String::new() }, "answered 503"),
            (Failure::Rejected { status: 404, body: "no such order".into() }, "answered 404: no such order"),
            (Failure::invalid("too many"), "too many"),
            (Failure::Unknown, "nobody can say"),
            (Failure::other(7), "7"),
        ];
        for (failure, expected) in rows {
            let text = failure.to_string();
            assert!(text.ends_with(expected), "{text} lacks {expected}");
        }
    }

    #[test]
    fn foreign_errors_become_failures_with_a_question_mark() {
        fn parse(text: &str) -> Result<i64, Failure> {
            let number: i64 = text.parse()?;
            let again: i64 = serde_json::from_str(text)?;
            if number == again { Ok(number) } else { Err("they differ".into()) }
        }
        assert_eq!(parse("7"), Ok(7));
        assert!(parse("x").unwrap_err().to_string().contains("no whole number"));
        assert!(parse("+7").unwrap_err().to_string().contains("JSON is not as expected"));
    }

    #[test]
    fn details_can_be_asked_for() {
        assert_eq!(Failure::Rejected { status: 404, body: String::new() }.status(), Some(404));
        assert_eq!(Failure::Timeout.status(), None);
        assert_eq!(Failure::RateLimited { wait_ms: 1_500 }.wait(), Some(Duration::from_millis(1_500)));
        assert_eq!(Failure::RateLimited { wait_ms: 0 }.wait(), None);
    }
}
