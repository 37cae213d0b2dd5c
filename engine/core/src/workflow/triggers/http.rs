//! HTTP triggers: a path below `/hooks/` and who may call it.

use super::{
    super::{
        HmacAlgorithm, HmacEncoding, HttpAuth, HttpTrigger, codes,
        node::{Node, Value, shorten},
        reader::{Fields, Reader},
        registry::{Field, Shape, later, optional, required},
    },
    CONDITION, GATES,
};

/// Longest path below `/hooks/`.
const MAX_PATH_BYTES: usize = 200;
/// The secret that `auth: bearer` means.
pub const DEFAULT_BEARER_SECRET: &str = "hook_token";

const METHODS: &[&str] = &["POST", "GET", "PUT", "PATCH", "DELETE"];

/// Keys of `http`.
pub const HTTP_FIELDS: &[Field] = &[
    required("path", Shape::Text, "`/intake` answers at `/hooks/intake`."),
    optional("method", Shape::OneOf(METHODS), "POST when absent."),
    optional("auth", AUTH, "Who may call: `none`, `bearer`, `{ bearer: { secret } }` or `{ hmac: { … } }`."),
    optional("respond", Shape::OneOf(&["async"]), "Answers 202 at once."),
    CONDITION,
    later("schema", "The JSON Schema of the body."),
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

const AUTH: Shape = Shape::Either(&[
    Shape::OneOf(&["none", "bearer"]),
    Shape::Map(&[
        optional("bearer", Shape::Map(BEARER_FIELDS), "The secret that callers send."),
        optional("hmac", Shape::Map(HMAC_FIELDS), "The secret that signs, and how."),
    ]),
]);

const BEARER_FIELDS: &[Field] = &[required("secret", Shape::Text, "The name of the secret that callers send.")];

const HMAC_FIELDS: &[Field] = &[
    optional("secret", Shape::Text, "The name of the secret that signs."),
    optional("secrets", Shape::Texts, "Several names, any of which may sign, while one replaces the other."),
    required("header", Shape::Text, "The header that carries the signature: `X-Signature`."),
    optional("algorithm", Shape::OneOf(&["sha256", "sha512"]), "sha256 when absent."),
    optional("encoding", Shape::OneOf(&["hex", "base64"]), "hex when absent."),
    optional("prefix", Shape::Text, "Text before the signature in the header: `sha256=`."),
];

const PRESETS: &[&str] = &["standard_webhooks", "woocommerce", "github", "stripe"];

impl Reader<'_> {
    pub(super) fn http_trigger(&mut self, fields: &Fields<'_>) -> Option<HttpTrigger> {
        let path = fields.value("path").and_then(|node| self.hook_path(node));
        let method = fields.value("method").map_or(Some("POST"), |node| self.word("`method`", node, METHODS, &[]));
        if let Some(node) = fields.value("respond") {
            self.word("`respond`", node, &["async"], &["sync"]);
        }
        let auth = match fields.value("auth") {
            Some(node) => self.auth(node),
            None => {
                let help = "choose one: `auth: bearer` (the secret `hook_token`), `auth: { hmac: { secret: NAME, header: X-Signature } }`, or `auth: none` for anyone";
                self.error(codes::AUTH_MISSING, &fields.span, "this endpoint does not say who may call it", help);
                None
            }
        };
        Some(HttpTrigger { path: path?, method: method?.to_owned(), auth: auth? })
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

    fn auth(&mut self, node: &Node) -> Option<HttpAuth> {
        if let Value::Scalar(_) = &node.value {
            return match self.word("`auth`", node, &["none", "bearer"], PRESETS)? {
                "bearer" => Some(HttpAuth::Bearer { secret: DEFAULT_BEARER_SECRET.to_owned() }),
                _ => Some(HttpAuth::None),
            };
        }
        let entries = self.entries("`auth`", node)?;
        let [entry] = entries else {
            self.error(
                codes::AUTH,
                &node.span,
                "`auth` has one kind",
                "write `{ bearer: { secret: NAME } }` or `{ hmac: { … } }`",
            );
            return None;
        };
        match entry.key.as_str() {
            "bearer" => {
                let fields = self.fields("`bearer`", &entry.value, &[BEARER_FIELDS])?;
                self.secret_name(fields.value("secret")?).map(|secret| HttpAuth::Bearer { secret })
            }
            "hmac" => self.hmac(&entry.value),
            key if PRESETS.contains(&key) => {
                self.later_key("`auth`", entry);
                None
            }
            _ => {
                self.unknown_key("`auth`", entry, &["bearer", "hmac"]);
                None
            }
        }
    }

    fn hmac(&mut self, node: &Node) -> Option<HttpAuth> {
        let fields = self.fields("`hmac`", node, &[HMAC_FIELDS])?;
        let names: Vec<&Node> = match (fields.value("secret"), fields.value("secrets").map(|node| (node, &node.value)))
        {
            (Some(one), None) => vec![one],
            (None, Some((_, Value::List(items)))) if !items.is_empty() => items.iter().collect(),
            (None, Some((node, Value::Scalar(_)))) => vec![node],
            _ => {
                self.error(
                    codes::AUTH,
                    &fields.span,
                    "`hmac` needs either `secret` or `secrets`",
                    "name the secret that signs: `secret: hook_key`",
                );
                Vec::new()
            }
        };
        let named = names.len();
        let secrets: Vec<String> = names.into_iter().filter_map(|node| self.secret_name(node)).collect();
        let algorithm =
            match fields.value("algorithm").map(|node| self.word("`algorithm`", node, &["sha256", "sha512"], &[])) {
                Some(Some("sha512")) => HmacAlgorithm::Sha512,
                _ => HmacAlgorithm::Sha256,
            };
        let encoding = match fields.value("encoding").map(|node| self.word("`encoding`", node, &["hex", "base64"], &[]))
        {
            Some(Some("base64")) => HmacEncoding::Base64,
            _ => HmacEncoding::Hex,
        };
        let prefix = fields.value("prefix").and_then(|node| self.text("`prefix`", node)).unwrap_or_default();
        let node = fields.value("header")?;
        let header = self.text("`header`", node)?;
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if header.is_empty() || header.len() > 100 || !header.bytes().all(fine) {
            let message = format!("`{}` is not a header's name", shorten(&header));
            self.error(codes::AUTH, &node.span, message, "write a name such as `X-Signature`");
            return None;
        }
        let header = header.to_ascii_lowercase();
        (named > 0 && secrets.len() == named).then_some(HttpAuth::Hmac { secrets, header, algorithm, encoding, prefix })
    }
}
