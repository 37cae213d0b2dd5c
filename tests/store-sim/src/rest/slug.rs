//! `sanitize_title`: what a name looks like in an address.

/// Letters WordPress writes without their accents; the rest of Unicode is percent-encoded.
const ACCENTS: &[(char, &str)] = &[
    ('\u{e4}', "a"),
    ('\u{f6}', "o"),
    ('\u{fc}', "u"),
    ('\u{df}', "s"),
    ('\u{e0}', "a"),
    ('\u{e1}', "a"),
    ('\u{e2}', "a"),
    ('\u{e5}', "a"),
    ('\u{e6}', "ae"),
    ('\u{e7}', "c"),
    ('\u{e8}', "e"),
    ('\u{e9}', "e"),
    ('\u{ea}', "e"),
    ('\u{eb}', "e"),
    ('\u{ed}', "i"),
    ('\u{ee}', "i"),
    ('\u{ef}', "i"),
    ('\u{f1}', "n"),
    ('\u{f3}', "o"),
    ('\u{f4}', "o"),
    ('\u{f8}', "o"),
    ('\u{fa}', "u"),
    ('\u{fb}', "u"),
];

/// The name in an address: `Tasse ☕ <b>x</b> & "q"` is `tasse-%e2%98%95-x-q`.
pub fn slugged(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    let mut in_tag = false;
    for c in without_entities(name).chars().flat_map(char::to_lowercase) {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            'a'..='z' | '0'..='9' | '_' => slug.push(c),
            '-' | '.' | '/' => dash(&mut slug),
            c if c.is_whitespace() || ('\u{2010}'..='\u{2015}').contains(&c) => dash(&mut slug),
            c if c.is_ascii() => {}
            c => match ACCENTS.iter().find(|(accented, _)| *accented == c) {
                Some((_, plain)) => slug.push_str(plain),
                None => c.to_string().bytes().for_each(|byte| slug.push_str(&format!("%{byte:02x}"))),
            },
        }
    }
    slug.trim_matches('-').to_owned()
}

/// `&amp;` and its like leave nothing behind.
fn without_entities(name: &str) -> String {
    let mut parts = name.split('&');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '#';
        match part.split_once(';') {
            Some((entity, rest)) if !entity.is_empty() && entity.chars().all(inner) => text.push_str(rest),
            _ => {
                text.push('&');
                text.push_str(part);
            }
        }
    }
    text
}

/// A slug as it is shown to people: percent signs decoded where they mean a text.
pub fn readable(slug: &str) -> String {
    let mut bytes = Vec::with_capacity(slug.len());
    let mut rest = slug.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| slug.to_owned())
}

fn dash(slug: &mut String) {
    if !slug.ends_with('-') {
        slug.push('-');
    }
}

/// The slug itself, or with the first number behind it that makes it free.
pub fn free(slug: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{slug}-{number}"));
    std::iter::once(slug.to_owned()).chain(numbered).find(|slug| !taken(slug)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        assert_eq!(slugged("Alpha Tee"), "alpha-tee");
        assert_eq!(slugged("Tasse \u{2615} <b>x</b> & \"q\" \u{2028}"), "tasse-%e2%98%95-x-q");
        assert_eq!(slugged("Gr\u{f6}\u{df}e 2.5 / L"), "grose-2-5-l");
        assert_eq!(slugged("Tasse &amp; Teller & Tee; R&D"), "tasse-teller-tee-rd");
        assert_eq!(slugged("<b"), "");
        assert_eq!(readable("tasse-%e2%98%95-50%"), "tasse-\u{2615}-50%");
        assert_eq!(readable("%ff"), "%ff", "no text");
        assert_eq!(free("product", |slug| slug == "product" || slug == "product-2"), "product-3");
    }
}
