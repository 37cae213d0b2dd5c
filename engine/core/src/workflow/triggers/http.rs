//! HTTP triggers: a path below `/hooks/` and who may call it.

use std::time::Duration;

use super::{
    super::{
        BodySchema, HttpTrigger, Respond, Template, codes,
        diagnostic::Diagnostic,
        node::{Node, shorten},
        reader::{Fields, Reader},
        registry::{Field, Shape, optional, required},
    },
    CONDITION, GATES,
    auth::AUTH,
};
use crate::Json;

/// Longest path below `/hooks/`.
const MAX_PATH_BYTES: usize = 200;
/// The longest that a workflow may let callers wait.
pub const MAX_SYNC_WAIT: Duration = Duration::from_secs(300);
/// How long a caller waits where neither the workflow nor the configuration says, in seconds.
pub const DEFAULT_SYNC_SECONDS: u64 = 30;

const RESPOND_WORDS: &[&str] = &["async", "sync"];
const METHODS: &[&str] = &["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE"];

/// Keys of `http`.
pub const HTTP_FIELDS: &[Field] = &[
    required("path", Shape::Text, "`/intake` answers at `/hooks/intake`."),
    optional("method", Shape::OneOf(METHODS), "POST when absent."),
    optional(
        "auth",
        AUTH,
        "Who may call: `none`, `bearer`, `standard_webhooks`, `woocommerce`, `github`, `stripe`, or one of them (or `hmac`) with a map of its own.",
    ),
    optional(
        "respond",
        Shape::OneOf(RESPOND_WORDS),
        "`async` (the default) answers 202 at once, `sync` with what the run says.",
    ),
    optional(
        "timeout",
        Shape::Duration,
        "How long a caller of `respond: sync` waits, at most 5m; then 202, and the run goes on.",
    ),
    CONDITION,
    optional("schema", Shape::Any, "The JSON Schema (draft 2020-12) that a body must fit before it is accepted."),
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

impl Reader<'_> {
    pub(super) fn http_trigger(&mut self, fields: &Fields<'_>) -> Option<HttpTrigger> {
        let path = fields.value("path").and_then(|node| self.hook_path(node));
        let method = fields.value("method").map_or(Some("POST"), |node| self.word("`method`", node, METHODS, &[]));
        let respond = self.respond_mode(fields);
        let schema = fields.value("schema").map(|node| self.body_schema(node));
        let auth = match fields.value("auth") {
            Some(node) => self.auth(node),
            None => {
                let help = "choose one: `auth: bearer` (the secret `hook_token`), `auth: { hmac: { secret: NAME, header: X-Signature } }`, or `auth: none` for anyone";
                self.error(codes::AUTH_MISSING, &fields.span, "this endpoint does not say who may call it", help);
                None
            }
        };
        let schema = match schema {
            Some(schema) => Some(schema?),
            None => None,
        };
        Some(HttpTrigger { path: path?, method: method?.to_owned(), auth: auth?, respond: respond?, schema })
    }

    fn respond_mode(&mut self, fields: &Fields<'_>) -> Option<Respond> {
        let word = match fields.value("respond") {
            Some(node) => self.word("`respond`", node, RESPOND_WORDS, &[])?,
            None => "async",
        };
        let timeout = match fields.value("timeout") {
            Some(node) => Some((self.timeout(node)?, node)),
            None => None,
        };
        match (word, timeout) {
            ("sync", Some((wait, node))) if wait > MAX_SYNC_WAIT => {
                let help = "what takes longer is better answered with 202: use `respond: async`";
                self.error(codes::DURATION, &node.span, "callers wait at most 5m", help);
                None
            }
            ("sync", timeout) => Some(Respond::Sync { timeout: timeout.map(|(wait, _)| wait) }),
            (_, Some((_, node))) => {
                let message = "`timeout` of `http` has no effect without `respond: sync`";
                let diagnostic = Diagnostic::warning(codes::NO_EFFECT, node.span.clone(), message);
                self.diagnostics
                    .push(diagnostic.help("callers are answered at once; remove it, or say `respond: sync`"));
                Some(Respond::Async)
            }
            _ => Some(Respond::Async),
        }
    }

    /// Whether it is a schema is looked at by whoever can use one.
    fn body_schema(&mut self, node: &Node) -> Option<BodySchema> {
        let before = self.diagnostics.len();
        let template = self.template(node);
        if self.diagnostics.len() > before {
            return None;
        }
        match template {
            Template::Literal(schema @ (Json::Object(_) | Json::Bool(_))) => {
                Some(BodySchema { schema, span: node.span.clone(), compiled: Default::default() })
            }
            Template::Literal(_) => {
                self.error(codes::WRONG_TYPE, &node.span, "`schema` is a map", "write `schema: { type: object }`");
                None
            }
            _ => {
                self.error(codes::NO_EXPRESSION_HERE, &node.span, "`schema` cannot hold expressions", "write it out");
                None
            }
        }
    }

    pub(super) fn hook_path(&mut self, node: &Node) -> Option<String> {
        let text = self.text("`path`", node)?;
        let path = text.strip_prefix('/').unwrap_or(&text);
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let segment =
            |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.chars().all(fine);
        if path.len() <= MAX_PATH_BYTES && path.split('/').all(segment) {
            return Some(path.to_owned());
        }
        let message = format!("`{}` cannot be a path", shorten(&text));
        self.error(
            codes::HTTP_PATH,
            &node.span,
            message,
            "use segments of a-z, A-Z, 0-9, `-`, `_` and `.`: `/intake`, `/shop/intake`",
        );
        None
    }
}
