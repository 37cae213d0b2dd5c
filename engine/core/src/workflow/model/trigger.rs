//! What starts a workflow: triggers and all that belongs to them.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Expression, Span};
use crate::{Json, id::StoreId};

/// What starts a workflow.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// What it listens to.
    pub kind: TriggerKind,
    /// Its own `if`
    pub condition: Option<Expression>,
    /// What stands between its conditions and a run.
    pub gates: crate::workflow::Gates,
    /// `woo`, `event`, …; `woo.1` for the second of its kind.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of trigger.
#[derive(Debug, Clone)]
pub enum TriggerKind {
    /// Topics of stores: `order.created`, `order.*`, `*`.
    Woo {
        /// Patterns; `*` stands for one or more last segments.
        topics: Vec<String>,
        /// Which stores.
        stores: Vec<StoreSelector>,
    },
    /// Events that workflows emit or that the API brings.
    Event {
        /// Patterns, as for `woo`.
        topics: Vec<String>,
    },
    /// A time table.
    Schedule(Vec<Schedule>),
    /// A path below `/hooks/`.
    Http(HttpTrigger),
    /// A start by hand; any workflow can be started so, this one says that it is meant to be.
    Manual,
}

/// `"*"`, a store's id, or `tag:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSelector {
    /// `"*"`
    All,
    /// A store's id
    Store(StoreId),
    /// `tag:NAME`
    Tag(String),
}

/// One entry of a `schedule` trigger.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// When.
    pub cron: crate::workflow::CronExpression,
    /// The time zone's name, `UTC` when absent.
    pub timezone: chrono_tz::Tz,
    /// One run for each of these stores; empty: one run without a store.
    pub stores: Vec<StoreSelector>,
    /// What becomes of times that passed while no engine ran.
    pub catch_up: CatchUp,
    /// Each start is put off by a part of this, the same for the same occurrence and store.
    pub jitter: Duration,
}

/// What becomes of a schedule's times that passed while no engine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// Nothing.
    #[default]
    None,
    /// One run, for the last of them.
    One,
    /// A run for each of the last [`crate::workflow::CATCH_UP_MAX`].
    All,
}

/// An HTTP endpoint that starts a run.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// Without leading slash; segments of `A-Z a-z 0-9 - _ .`.
    pub path: String,
    /// Upper case; POST when absent.
    pub method: String,
    /// Who may call.
    pub auth: HttpAuth,
    /// When callers are answered.
    pub respond: Respond,
    /// The JSON Schema of the body (draft 2020-12).
    pub schema: Option<BodySchema>,
}

/// When the callers of an HTTP endpoint are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Respond {
    /// With 202 as soon as the event is on stable storage.
    #[default]
    Async,
    /// With what the run's `respond` step says, or with its output when it ends.
    Sync {
        /// How long a caller waits before it gets 202; the engine's own limit when absent.
        timeout: Option<Duration>,
    },
}

/// A JSON Schema with its place in the file.
#[derive(Clone)]
pub struct BodySchema {
    /// The schema.
    pub schema: Json,
    /// Where it stands.
    pub span: Span,
    /// The validator, made at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl fmt::Debug for BodySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodySchema({} @{:?})", self.schema, self.span)
    }
}

/// Who may call an HTTP endpoint. There is no default: a workflow that wants an open endpoint says `auth: none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAuth {
    /// Anyone.
    None,
    /// `Authorization: Bearer` with the value of this secret (`auth: bearer` means the secret `hook_token`).
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// A keyed hash over the raw body in a header.
    Hmac {
        /// The names of the secrets, any of which may sign (rotation).
        secrets: Vec<String>,
        /// The header that carries it, lower case.
        header: String,
        /// Hash function.
        algorithm: HmacAlgorithm,
        /// How the MAC is written.
        encoding: HmacEncoding,
        /// Text before the MAC in the header (`sha256=`), empty when absent.
        prefix: String,
    },
    /// A scheme that senders of webhooks share.
    Preset {
        /// Which.
        preset: AuthPreset,
        /// The names of the secrets, any of which may sign (rotation).
        secrets: Vec<String>,
        /// How far the time of a message may be from now, where the scheme has one.
        tolerance: Duration,
    },
}

impl HttpAuth {
    /// The names of the secrets that it needs.
    pub fn secrets(&self) -> &[String] {
        match self {
            Self::Bearer { secret } => std::slice::from_ref(secret),
            Self::Hmac { secrets, .. } | Self::Preset { secrets, .. } => secrets,
            Self::None => &[],
        }
    }
}

/// Schemes of signatures with a name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPreset {
    /// Standard Webhooks 1.0.0, also under Svix's names of its headers.
    StandardWebhooks,
    /// `X-WC-Webhook-Signature`
    Woocommerce,
    /// `X-Hub-Signature-256`
    Github,
    /// `Stripe-Signature`
    Stripe,
}

impl AuthPreset {
    /// As the file writes them.
    pub const WORDS: [&'static str; 4] = ["standard_webhooks", "woocommerce", "github", "stripe"];

    /// The preset a word means.
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::StandardWebhooks, Self::Woocommerce, Self::Github, Self::Stripe];
        Self::WORDS.iter().position(|known| *known == word).map(|at| all[at])
    }

    /// As the file writes it.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// Whether its messages tell when they were sent.
    pub fn has_time(self) -> bool {
        matches!(self, Self::StandardWebhooks | Self::Stripe)
    }
}

/// Hash functions for HMAC endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HmacAlgorithm {
    Sha256,
    Sha512,
}

/// How a MAC is written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HmacEncoding {
    Hex,
    Base64,
}

/// A cron expression of five fields with Unix meaning. Built only by its parser.
#[derive(Debug, Clone)]
pub struct CronExpression {
    /// As written.
    pub source: String,
    /// Both day fields restricted: either may match, so two schedules are merged.
    pub(crate) schedules: Vec<cron::Schedule>,
    /// The hour field starts with `*`: it follows the clock through shifts of daylight saving.
    pub(crate) every_hour: bool,
}
