//! `grants`: what a workflow asks to be allowed.

use super::{
    GrantPlace, GrantedStores, Grants, HttpGrant, codes,
    node::{Node, shorten},
    reader::Reader,
    registry::{Field, Shape, later, optional},
    topic,
};

/// Longest name of a secret.
const MAX_SECRET_NAME_BYTES: usize = 100;

/// Keys of `grants`.
pub const GRANT_FIELDS: &[Field] = &[
    optional(
        "http",
        Shape::Texts,
        "Hosts: `hooks.slack.com`, `\"*.example.com\"`, `POST hooks.slack.com`, `127.0.0.1:9797`.",
    ),
    optional("secrets", Shape::Texts, "Names of secrets."),
    optional("emit", Shape::Texts, "Topics it may emit; patterns such as `stock.*`."),
    optional("stores", Shape::Texts, "`self`, ids, `tag:NAME`, `\"*\"`."),
    optional("woo", Shape::Texts, "`orders.read`, `products.write`."),
    later("commands", "Commands inside WordPress."),
    later("mirror", "What it may ask the mirror."),
    later("batch", "What it may write in batches."),
];

impl Reader<'_> {
    /// The map `grants`.
    pub(crate) fn grants(&mut self, node: &Node) -> Grants {
        let mut grants = Grants::default();
        let Some(fields) = self.fields("`grants`", node, &[GRANT_FIELDS]) else { return grants };
        let mut texts = |key: &str| fields.value(key).map(|node| self.grant_texts(key, node)).unwrap_or_default();
        let (http, secrets, emit, stores, woo) =
            (texts("http"), texts("secrets"), texts("emit"), texts("stores"), texts("woo"));
        for (text, node) in http {
            match http_grant(&text) {
                Ok(grant) => {
                    self.granted("http", grants.http.len(), &text, node);
                    grants.http.push(grant);
                }
                Err(message) => {
                    let help = "write a host, with a method or a port if wanted: `hooks.slack.com`, `\"*.example.com\"`, `POST hooks.slack.com`";
                    self.error(codes::GRANT, &node.span, message, help);
                }
            }
        }
        for (text, node) in secrets {
            if self.check_secret_name(&text, node) {
                self.granted("secrets", grants.secrets.len(), &text, node);
                grants.secrets.push(text);
            }
        }
        for (text, node) in emit {
            match topic::check_pattern(&text) {
                Ok(()) => {
                    self.granted("emit", grants.emit.len(), &text, node);
                    grants.emit.push(text);
                }
                Err(message) => {
                    self.error(codes::TOPIC, &node.span, message, "write a topic such as `stock.low`, or `stock.*`");
                }
            }
        }
        for (text, node) in stores {
            let granted = match text.as_str() {
                "self" => Some(GrantedStores::Own),
                _ => self.store(&text, node).map(GrantedStores::Selected),
            };
            if let Some(granted) = granted {
                self.granted("stores", grants.stores.len(), &text, node);
                grants.stores.push(granted);
            }
        }
        for (text, node) in woo {
            let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            match text.split_once('.') {
                Some((resource, "read" | "write")) if !resource.is_empty() && resource.bytes().all(fine) => {
                    self.granted("woo", grants.woo.len(), &text, node);
                    grants.woo.push(text);
                }
                _ => {
                    let message = format!("`{}` is not a grant for the store's API", shorten(&text));
                    self.error(
                        codes::GRANT,
                        &node.span,
                        message,
                        "write the first segment of the path and the direction: `orders.read`, `products.write`",
                    );
                }
            }
        }
        grants
    }

    fn granted(&mut self, list: &'static str, at: usize, text: &str, node: &Node) {
        self.grant_places.push(GrantPlace { list, at, text: text.to_owned(), span: node.span.clone() });
    }

    /// Names; an empty list grants nothing and is fine.
    fn grant_texts<'n>(&mut self, key: &str, node: &'n Node) -> Vec<(String, &'n Node)> {
        match &node.value {
            super::node::Value::List(items) if items.is_empty() => Vec::new(),
            _ => self.texts(&format!("`{key}`"), node),
        }
    }

    /// The name of a secret.
    pub(crate) fn secret_name(&mut self, node: &Node) -> Option<String> {
        let name = self.text("`secret`", node)?;
        self.check_secret_name(&name, node).then_some(name)
    }

    fn check_secret_name(&mut self, name: &str, node: &Node) -> bool {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let ok = (1..=MAX_SECRET_NAME_BYTES).contains(&name.len()) && name.bytes().all(fine);
        if !ok {
            let message = format!("`{}` is not a secret's name", shorten(name));
            self.error(
                codes::GRANT,
                &node.span,
                message,
                "names use a-z, A-Z, 0-9, `_` and `-`; never write a secret itself into a workflow",
            );
        }
        ok
    }
}

/// `[METHOD ]HOST[:PORT]`
pub(super) fn http_grant(text: &str) -> Result<HttpGrant, String> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let shown = shorten(text);
    let (method, rest) = match text.trim().split_once(char::is_whitespace) {
        None => (None, text.trim()),
        Some((method, rest)) => {
            let method = method.to_ascii_uppercase();
            if !METHODS.contains(&method.as_str()) {
                return Err(format!("`{shown}` does not begin with a method"));
            }
            (Some(method), rest.trim())
        }
    };
    if rest.contains("://") || rest.contains('/') {
        return Err(format!("`{shown}` is an address; a grant names only the host"));
    }
    let (host, port) = match rest.rsplit_once(':') {
        // An IPv6 address without port ends with its bracket.
        Some((host, port)) if !rest.ends_with(']') => {
            let port = port.parse::<u16>().ok().filter(|port| *port > 0);
            (host, Some(port.ok_or_else(|| format!("`{shown}` has no valid port after its `:`"))?))
        }
        _ => (rest, None),
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .is_some_and(|name| name.parse::<std::net::Ipv6Addr>().is_ok());
    if !v6 && (name.len() > 253 || !name.split('.').all(label)) {
        return Err(format!("`{shown}` does not name a host"));
    }
    Ok(HttpGrant { method, host: host.to_lowercase(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_grants() {
        let grant = |method: Option<&str>, host: &str, port| HttpGrant {
            method: method.map(str::to_owned),
            host: host.to_owned(),
            port,
        };
        for (text, expect) in [
            ("hooks.slack.com", grant(None, "hooks.slack.com", None)),
            ("Hooks.Slack.com:443", grant(None, "hooks.slack.com", Some(443))),
            ("post hooks.slack.com", grant(Some("POST"), "hooks.slack.com", None)),
            ("*.example.com", grant(None, "*.example.com", None)),
            ("[::1]:80", grant(None, "[::1]", Some(80))),
            ("[::1]", grant(None, "[::1]", None)),
            ("GET 127.0.0.1:9797", grant(Some("GET"), "127.0.0.1", Some(9797))),
        ] {
            assert_eq!(http_grant(text), Ok(expect), "{text}");
        }
        for text in [
            "",
            "*",
            "https://a.com",
            "a.com/b",
            "a.com:",
            "a.com:0",
            "a.com:99999",
            "FETCH a.com",
            "a..com",
            "a.*.com",
            "*.*",
            "u@a.com",
            "[::g]",
        ] {
            assert!(http_grant(text).is_err(), "{text}");
        }
    }
}
