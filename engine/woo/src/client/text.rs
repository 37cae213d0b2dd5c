//! Text that WordPress wrote for browsers, for people who read it elsewhere: tags and entities out.

/// Entities that WordPress and WooCommerce write.
const ENTITIES: [(&str, &str); 14] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("euro", "€"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
];
/// Of an entity's name, in bytes.
const ENTITY_BYTES_MAX: usize = 8;

/// One line without tags and entities, at most so many characters.
pub(super) fn plain(html: &str, chars_max: usize) -> String {
    let text = unescape(&strip_tags(html));
    let mut words = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        // No more than needed of a page of megabytes; a character has at most four bytes.
        if words.len() > chars_max.saturating_mul(4) {
            break;
        }
    }
    match words.char_indices().nth(chars_max) {
        None => words,
        Some(_) => words.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A `<` that begins no tag stays (`a < b`).
fn strip_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len().min(4096));
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        let is_tag = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match inner.find('>') {
            Some(end) if is_tag => {
                out.push(' ');
                rest = &inner[end + 1..];
            }
            // Without an end nothing behind it is a tag.
            None if is_tag => return out,
            _ => {
                out.push('<');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(ENTITY_BYTES_MAX + 1).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[..end])?, end))) {
            Some((character, end)) => {
                out.push_str(&character);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).map(String::from);
    }
    ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
}
