//! What is said about addresses outside `/api/v1`.

use serde::Serialize;
use utoipa::ToSchema;

use cartwright_core::id::{EventId, RunId};

use super::about::{ABOUT as PLAIN, About, Gives, Takes, a, anything, gives, text};

/// What came of a webhook or a call to a hook. The answer itself is written by hand, for speed; a test holds it to this.
#[derive(Serialize, ToSchema)]
struct Taken {
    /// The event; null: it was the ping with which WooCommerce tries a new webhook.
    #[schema(required)]
    event: Option<EventId>,
    /// The event came before, and this is its id.
    duplicate: bool,
}

/// What came of a call to a hook. With `respond: sync` this is said where there is no answer to give.
#[derive(Serialize, ToSchema)]
struct HookTaken {
    /// The event; null: it was the ping with which WooCommerce tries a new webhook.
    #[schema(required)]
    event: Option<EventId>,
    /// The event came before, and this is its id.
    duplicate: bool,
    /// The run, which goes on; null: none has begun.
    run: Option<RunId>,
    /// Only where a caller waited: `running`, `parked`, `condition_false`, `condition_failed`, `loop_cut`,
    /// `duplicate`, `key_failed`, `dropped`, `nobody_listens`.
    status: Option<String>,
}

const fn plain(says: &'static str) -> Gives {
    Gives { status: 200, says, kind: "text/plain", shape: Some(text) }
}

/// A row for each address.
pub(super) const ABOUT: &[About] = &[
    About {
        method: "POST",
        path: "/webhooks/{store}",
        id: "receiveWebhook",
        summary: "A delivery of WooCommerce",
        text: "Signed with `X-WC-Webhook-Signature` (base64 of HMAC-SHA256 over the body). 200 means that the event is on stable \
               storage; the same delivery again is recognised.",
        takes: Some(Takes { kind: "application/json", shape: anything, required: true, example: "" }),
        gives: &[gives(200, "Kept, or known already.", a::<Taken>)],
        refuses: &[
            (400, "header_malformed"),
            (400, "body_empty"),
            (400, "body_not_text"),
            (400, "body_not_json"),
            (400, "body_too_deep"),
            (401, "signature_missing"),
            (401, "signature_wrong"),
            (404, "store_unknown"),
            (429, "rate_limited"),
            (503, "unavailable"),
        ],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/hooks/{*path}",
        shown: "/hooks/{path}",
        id: "callHook",
        summary: "A call that a workflow invites",
        text: "With the method and the credentials that the workflow's trigger names. With `Idempotency-Key`, or under the \
               sender's own id of a signed message, the same call again is recognised. Where the trigger says `respond: sync`, the \
               run's answer comes back, with any status, and its id in `Cartwright-Run`.",
        takes: Some(Takes { kind: "application/json", shape: anything, required: false, example: "" }),
        gives: &[
            gives(202, "Kept; the workflow's run follows.", a::<HookTaken>),
            gives(200, "A ping of WooCommerce; or what the run answers.", a::<HookTaken>),
        ],
        refuses: &[
            (400, "body_not_text"),
            (400, "body_not_json"),
            (400, "body_too_deep"),
            (400, "idempotency_key_malformed"),
            (401, "credentials_wrong"),
            (401, "signature_stale"),
            (404, "hook_unknown"),
            (405, "unknown_method"),
            (422, "body_unfit"),
            (429, "rate_limited"),
            (500, "run_failed"),
            (503, "stopped_waiting"),
            (503, "too_many_waiting"),
            (503, "unavailable"),
        ],
        ..PLAIN
    },
    About {
        path: "/healthz",
        id: "isAlive",
        summary: "Whether the process answers",
        gives: &[plain("It does.")],
        ..PLAIN
    },
    About {
        path: "/readyz",
        id: "isReady",
        summary: "Whether events sent now are kept",
        gives: &[plain("They are.")],
        refuses: &[(503, "unavailable")],
        ..PLAIN
    },
    About {
        path: "/metrics",
        id: "readMetrics",
        summary: "Figures for Prometheus",
        text: "Open on this machine; from elsewhere it takes the administrator's token, or one with `runs:read` and `events:read`.",
        gives: &[plain("Prometheus' text format.")],
        refuses: &[
            (401, "token_wrong"),
            (401, "session_over"),
            (403, "scope_missing"),
            (421, "host_unknown"),
            (429, "rate_limited"),
            (503, "unavailable"),
        ],
        ..PLAIN
    },
    About {
        path: "/docs",
        id: "readReference",
        summary: "This document for people",
        gives: &[
            Gives { status: 200, says: "A page.", kind: "text/html", shape: Some(text) },
            Gives { status: 304, says: "As `If-None-Match` knows it.", kind: "", shape: None },
        ],
        ..PLAIN
    },
    About {
        path: "/openapi.json",
        id: "readDescription",
        summary: "This document",
        gives: &[
            Gives { status: 200, says: "OpenAPI 3.1.", kind: "application/json", shape: Some(anything) },
            Gives { status: 304, says: "As `If-None-Match` knows it.", kind: "", shape: None },
        ],
        ..PLAIN
    },
];
