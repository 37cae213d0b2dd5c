//! `auth` of an HTTP trigger: who may call, in short and long forms.

use std::time::Duration;

use super::super::{
    AuthPreset, HmacAlgorithm, HmacEncoding, HttpAuth, codes,
    node::{Entry, Node, Value, shorten},
    reader::{Fields, Reader},
    registry::{Field, Shape, optional, required},
};

/// The secret that `auth: bearer` means.
pub const DEFAULT_BEARER_SECRET: &str = "hook_token";
/// How far the time of a signed message may be from now.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// The most that may be asked for: senders sign each attempt anew, so older ones are replays.
const MAX_TOLERANCE: Duration = Duration::from_secs(24 * 3600);
/// Most secrets that may sign.
const MAX_SECRETS: usize = 10;

const SHORT: &[&str] = &["none", "bearer", "standard_webhooks", "woocommerce", "github", "stripe"];
const LONG: &[&str] = &["bearer", "hmac", "standard_webhooks", "woocommerce", "github", "stripe"];

const BEARER_FIELDS: &[Field] = &[required("secret", Shape::Text, "The name of the secret that callers send.")];

const SECRET: Field = optional("secret", Shape::Text, "The name of the secret that signs.");
const SECRETS: Field =
    optional("secrets", Shape::Texts, "Several names, any of which may sign, while one replaces the other.");

const HMAC_FIELDS: &[Field] = &[
    SECRET,
    SECRETS,
    required("header", Shape::Text, "The header that carries the signature: `X-Signature`."),
    optional("algorithm", Shape::OneOf(&["sha256", "sha512"]), "sha256 when absent."),
    optional("encoding", Shape::OneOf(&["hex", "base64"]), "hex when absent."),
    optional("prefix", Shape::Text, "Text before the signature in the header: `sha256=`."),
];

const PRESET_FIELDS: &[Field] = &[
    SECRET,
    SECRETS,
    optional("tolerance", Shape::Duration, "How far a message's time may be from now; 5m when absent. Not for all."),
];

/// What `auth` takes.
pub(super) const AUTH: Shape = Shape::Either(&[
    Shape::OneOf(SHORT),
    Shape::Map(&[
        optional("bearer", Shape::Map(BEARER_FIELDS), "The secret that callers send."),
        optional("hmac", Shape::Map(HMAC_FIELDS), "The secret that signs, and how."),
        optional("standard_webhooks", Shape::Map(PRESET_FIELDS), "Standard Webhooks, also as Svix sends them."),
        optional("woocommerce", Shape::Map(PRESET_FIELDS), "WooCommerce's own signature."),
        optional("github", Shape::Map(PRESET_FIELDS), "GitHub's signature."),
        optional("stripe", Shape::Map(PRESET_FIELDS), "Stripe's signature."),
    ]),
]);

impl Reader<'_> {
    pub(super) fn auth(&mut self, node: &Node) -> Option<HttpAuth> {
        if let Value::Scalar(_) = &node.value {
            return Some(match self.word("`auth`", node, SHORT, &[])? {
                "bearer" => HttpAuth::Bearer { secret: DEFAULT_BEARER_SECRET.to_owned() },
                word => AuthPreset::of(word).map_or(HttpAuth::None, |preset| HttpAuth::Preset {
                    preset,
                    secrets: vec![format!("{word}_secret")],
                    tolerance: DEFAULT_TOLERANCE,
                }),
            });
        }
        let entries = self.entries("`auth`", node)?;
        let [entry] = entries else {
            let help = "write `{ bearer: { secret: NAME } }`, `{ hmac: { … } }` or `{ stripe: { secret: NAME } }`";
            self.error(codes::AUTH, &node.span, "`auth` has one kind", help);
            return None;
        };
        match (entry.key.as_str(), AuthPreset::of(&entry.key)) {
            ("bearer", _) => {
                let fields = self.fields("`bearer`", &entry.value, &[BEARER_FIELDS])?;
                self.secret_name(fields.value("secret")?).map(|secret| HttpAuth::Bearer { secret })
            }
            ("hmac", _) => self.hmac(&entry.value),
            (_, Some(preset)) => self.preset(preset, entry),
            _ => {
                self.unknown_key("`auth`", entry, LONG);
                None
            }
        }
    }

    fn preset(&mut self, preset: AuthPreset, entry: &Entry) -> Option<HttpAuth> {
        let what = format!("`{}`", preset.word());
        let fields = self.fields(&what, &entry.value, &[PRESET_FIELDS])?;
        let secrets = self.secrets(&what, &fields);
        let mut tolerance = DEFAULT_TOLERANCE;
        if let Some(node) = fields.value("tolerance") {
            let given = self.duration("`tolerance`", node)?;
            if !preset.has_time() || given.is_zero() || given > MAX_TOLERANCE {
                let message = match preset.has_time() {
                    true => "`tolerance` is longer than nothing and at most a day".to_owned(),
                    false => format!("messages of {what} tell no time, so `tolerance` has no meaning"),
                };
                self.error(codes::AUTH, &node.span, message, "remove it, or write `5m`");
                return None;
            }
            tolerance = given;
        }
        Some(HttpAuth::Preset { preset, secrets: secrets?, tolerance })
    }

    /// `secret` or `secrets`; `None` when an error was reported.
    fn secrets(&mut self, what: &str, fields: &Fields<'_>) -> Option<Vec<String>> {
        let names: Vec<&Node> = match (fields.value("secret"), fields.value("secrets").map(|node| (node, &node.value)))
        {
            (Some(one), None) => vec![one],
            (None, Some((_, Value::List(items)))) if (1..=MAX_SECRETS).contains(&items.len()) => items.iter().collect(),
            (None, Some((node, Value::Scalar(_)))) => vec![node],
            _ => {
                let message = format!("{what} needs either `secret` or `secrets` (at most {MAX_SECRETS})");
                self.error(codes::AUTH, &fields.span, message, "name the secret that signs: `secret: hook_key`");
                return None;
            }
        };
        let named = names.len();
        let secrets: Vec<String> = names.into_iter().filter_map(|node| self.secret_name(node)).collect();
        (secrets.len() == named).then_some(secrets)
    }

    fn hmac(&mut self, node: &Node) -> Option<HttpAuth> {
        let fields = self.fields("`hmac`", node, &[HMAC_FIELDS])?;
        let secrets = self.secrets("`hmac`", &fields);
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
        Some(HttpAuth::Hmac { secrets: secrets?, header, algorithm, encoding, prefix })
    }
}
