//! Marks that stand for secrets, and for links that give a right, in texts until the moment of sending. Templates and scripts put marks in; only the
//! runner opens them, just before a call goes out; everything that is kept or shown holds the redacted form.
//!
//! A mark is `⟪secret:NAME:PROOF⟫` or `⟪link:STEP:PROOF⟫`. The proof is a hash of the name under a nonce that this process drew at start, so
//! text that comes from outside cannot be a mark, and a script that sees one mark cannot make one for another name.

use std::{collections::BTreeSet, fmt, sync::Arc};

use sha2::{Digest, Sha256};

use crate::Json;

const OPEN: &str = "⟪";
const CLOSE: &str = "⟫";
/// Longest secret name in bytes.
pub const SECRET_NAME_MAX_BYTES: usize = 100;
/// Longest path of a step that a link leads to, in bytes.
const LINK_PATH_MAX_BYTES: usize = 2_048;
const PROOF_HEX_DIGITS: usize = 32;

/// Makes, finds, opens and redacts the marks of this process. Cheap to clone.
#[derive(Clone)]
pub struct SecretMarks {
    nonce: Arc<[u8; 32]>,
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// The secret of this name.
    Secret(&'a str),
    /// The link with which whoever has it answers the `approve` step of this path.
    Link(&'a str),
}

impl Mark<'_> {
    const KINDS: [&'static str; 2] = ["secret", "link"];

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Secret(name) => (Self::KINDS[0], name),
            Self::Link(path) => (Self::KINDS[1], path),
        }
    }
}

/// A mark names a secret that has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` is not set; set it with `cartwright secret set {name}`")]
pub struct MissingSecret {
    /// Its name.
    pub name: String,
}

impl fmt::Debug for SecretMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretMarks(…)")
    }
}

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Mark(Mark<'a>),
}

impl SecretMarks {
    /// `nonce` comes from the engine's random source, once per process.
    pub fn new(nonce: [u8; 32]) -> Self {
        Self { nonce: Arc::new(nonce) }
    }

    /// The text that stands for the secret `name`.
    pub fn mark(&self, name: &str) -> String {
        self.text(Mark::Secret(name))
    }

    /// The text that stands for the link to the `approve` step of this path.
    pub fn link(&self, path: &str) -> String {
        self.text(Mark::Link(path))
    }

    fn text(&self, mark: Mark<'_>) -> String {
        let (kind, name) = mark.parts();
        format!("{OPEN}{kind}:{name}:{}{CLOSE}", self.proof(mark))
    }

    /// The names of all secrets that `text` holds marks of.
    pub fn names_in(&self, text: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.pieces(text, |piece| {
            if let Piece::Mark(Mark::Secret(name)) = piece {
                names.insert(name.to_owned());
            }
        });
        names
    }

    /// The names of all secrets that a value holds marks of, in keys as well.
    pub fn names_in_json(&self, value: &Json) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        visit_texts(value, &mut |text| names.extend(self.names_in(text)));
        names
    }

    /// The paths of all steps that a value holds links to, in keys as well.
    pub fn links_in_json(&self, value: &Json) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        visit_texts(value, &mut |text| {
            self.pieces(text, |piece| {
                if let Piece::Mark(Mark::Link(path)) = piece {
                    paths.insert(path.to_owned());
                }
            });
        });
        paths
    }

    /// `text` with every mark replaced by what it stands for.
    pub fn open(
        &self,
        text: &str,
        mut lookup: impl FnMut(Mark<'_>) -> Option<String>,
    ) -> Result<String, MissingSecret> {
        self.replace(text, &mut |mark| lookup(mark).ok_or_else(|| missing(mark)))
    }

    /// A value with every mark replaced by what it stands for, in keys as well.
    pub fn open_json(
        &self,
        value: &Json,
        mut lookup: impl FnMut(Mark<'_>) -> Option<String>,
    ) -> Result<Json, MissingSecret> {
        map_texts(value, &mut |text| self.replace(text, &mut |mark| lookup(mark).ok_or_else(|| missing(mark))))
    }

    /// `text` with every mark replaced by `${secret:NAME}` or `${link:STEP}`: what is kept, fingerprinted and shown.
    pub fn redact(&self, text: &str) -> String {
        let Ok(text) = self.replace::<std::convert::Infallible>(text, &mut |mark| {
            let (kind, name) = mark.parts();
            Ok(format!("${{{kind}:{name}}}"))
        });
        text
    }

    /// A value with every mark redacted, in keys as well.
    pub fn redact_json(&self, value: &Json) -> Json {
        let Ok(value) = map_texts::<std::convert::Infallible>(value, &mut |text| Ok(self.redact(text)));
        value
    }

    fn proof(&self, mark: Mark<'_>) -> String {
        let (kind, name) = mark.parts();
        let mut hash = Sha256::new();
        hash.update(*self.nonce);
        hash.update(kind);
        hash.update(":");
        hash.update(name);
        let mut proof = hex::encode(hash.finalize());
        proof.truncate(PROOF_HEX_DIGITS);
        proof
    }

    fn replace<E>(&self, text: &str, value: &mut impl FnMut(Mark<'_>) -> Result<String, E>) -> Result<String, E> {
        let mut result = Ok(String::with_capacity(text.len()));
        self.pieces(text, |piece| {
            let Ok(out) = &mut result else { return };
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Mark(mark) => match value(mark) {
                    Ok(value) => out.push_str(&value),
                    Err(error) => result = Err(error),
                },
            }
        });
        result
    }

    fn pieces<'a>(&self, text: &'a str, mut each: impl FnMut(Piece<'a>)) {
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let inside = &rest[at + OPEN.len()..];
            match self.mark_at(inside) {
                Some((mark, length)) => {
                    each(Piece::Text(&rest[..at]));
                    each(Piece::Mark(mark));
                    rest = &inside[length..];
                }
                None => {
                    each(Piece::Text(&rest[..at + OPEN.len()]));
                    rest = inside;
                }
            }
        }
        each(Piece::Text(rest));
    }

    /// The mark, and the bytes up to its end, when `inside` goes on as a mark of ours.
    fn mark_at<'a>(&self, inside: &'a str) -> Option<(Mark<'a>, usize)> {
        let (kind, max) = match inside {
            _ if inside.starts_with("secret:") => ("secret:", SECRET_NAME_MAX_BYTES),
            _ if inside.starts_with("link:") => ("link:", LINK_PATH_MAX_BYTES),
            _ => return None,
        };
        let named = &inside[kind.len()..];
        let colon = named.bytes().take(max + 1).position(|b| b == b':')?;
        let name = &named[..colon];
        let mark = if kind == "link:" { Mark::Link(name) } else { Mark::Secret(name) };
        let proof = named.get(colon + 1..colon + 1 + PROOF_HEX_DIGITS)?;
        let after = named.get(colon + 1 + PROOF_HEX_DIGITS..)?;
        (after.starts_with(CLOSE) && proof == self.proof(mark))
            .then_some((mark, kind.len() + colon + 1 + PROOF_HEX_DIGITS + CLOSE.len()))
    }
}

fn missing(mark: Mark<'_>) -> MissingSecret {
    MissingSecret { name: mark.parts().1.to_owned() }
}

fn visit_texts(value: &Json, each: &mut impl FnMut(&str)) {
    match value {
        Json::String(text) => each(text),
        Json::Array(items) => items.iter().for_each(|item| visit_texts(item, each)),
        Json::Object(map) => map.iter().for_each(|(key, value)| {
            each(key);
            visit_texts(value, each);
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn map_texts<E>(value: &Json, each: &mut impl FnMut(&str) -> Result<String, E>) -> Result<Json, E> {
    Ok(match value {
        Json::String(text) => Json::String(each(text)?),
        Json::Array(items) => Json::Array(items.iter().map(|item| map_texts(item, each)).collect::<Result<_, _>>()?),
        Json::Object(map) => Json::Object(
            map.iter().map(|(key, value)| Ok((each(key)?, map_texts(value, each)?))).collect::<Result<_, E>>()?,
        ),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marks() -> SecretMarks {
        SecretMarks::new([7; 32])
    }

    fn lookup(mark: Mark<'_>) -> Option<String> {
        match mark {
            Mark::Secret("slack") => Some("T0/B1".to_owned()),
            Mark::Link("each[0]/ask") => Some("https://x/approve/t".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn links_are_marks_of_their_own() {
        let marks = marks();
        let text = format!("<{}|{}>", marks.link("each[0]/ask"), marks.mark("slack"));
        assert_eq!(marks.open(&text, lookup).as_deref(), Ok("<https://x/approve/t|T0/B1>"));
        assert_eq!(marks.redact(&text), "<${link:each[0]/ask}|${secret:slack}>");
        let value = json!({ "a": [text] });
        assert_eq!(marks.links_in_json(&value), BTreeSet::from(["each[0]/ask".to_owned()]));
        assert_eq!(marks.names_in_json(&value), BTreeSet::from(["slack".to_owned()]));
        // The proof of one kind is none of the other.
        for forged in [marks.mark("slack").replace("secret:", "link:"), marks.link("slack").replace("link:", "secret:")]
        {
            assert_eq!(marks.redact(&forged), forged);
        }
    }

    #[test]
    fn marks_open_and_redact_anywhere_in_a_text() {
        let marks = marks();
        let url = format!("https://hooks/{}?x={}", marks.mark("slack"), marks.mark("slack"));
        assert_eq!(marks.open(&url, lookup).as_deref(), Ok("https://hooks/T0/B1?x=T0/B1"));
        assert_eq!(marks.redact(&url), "https://hooks/${secret:slack}?x=${secret:slack}");
        assert_eq!(marks.names_in(&url), BTreeSet::from(["slack".to_owned()]));
        assert_eq!(marks.open(&marks.mark("gone"), lookup), Err(MissingSecret { name: "gone".into() }));
    }

    #[test]
    fn values_are_walked_with_their_keys() {
        let marks = marks();
        let value = json!({ (marks.mark("slack")): [1, { "a": marks.mark("slack") }] });
        assert_eq!(marks.open_json(&value, lookup), Ok(json!({ "T0/B1": [1, { "a": "T0/B1" }] })));
        assert_eq!(marks.redact_json(&value), json!({ "${secret:slack}": [1, { "a": "${secret:slack}" }] }));
        assert_eq!(marks.names_in_json(&value).len(), 1);
    }

    #[test]
    fn a_forged_or_foreign_mark_stays_text() {
        let marks = marks();
        let foreign = SecretMarks::new([8; 32]).mark("slack");
        let renamed = marks.mark("other").replace("other", "slack");
        let cut = marks.mark("slack").replace('⟫', "");
        for text in
            [foreign.as_str(), &renamed, &cut, "⟪secret:", "⟪secret:slack:é⟫", "⟪secret:⟪secret:", "é⟪secret:ü:"]
        {
            assert_eq!(marks.open(text, lookup).as_deref(), Ok(text), "{text}");
            assert_eq!(marks.redact(text), text);
            assert!(marks.names_in(text).is_empty());
        }
        let nested = format!("⟪secret:{}", marks.mark("slack"));
        assert_eq!(marks.open(&nested, lookup).as_deref(), Ok("⟪secret:T0/B1"));
    }
}
