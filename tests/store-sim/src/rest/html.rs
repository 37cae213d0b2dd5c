//! What WordPress lets through of HTML in names and descriptions, as far as test data needs it.

/// Tags that vanish; what stands between them stays.
const DROPPED: [&str; 6] = ["script", "style", "iframe", "object", "embed", "form"];

/// `wp_kses_post`: drops dangerous tags and event handlers, writes a lone `&` as `&amp;`.
pub(super) fn kses(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            kept.push_str(if entity(rest) { "&" } else { "&amp;" });
            rest = &rest[1..];
        } else if let Some(end) = rest.find('>') {
            kept.push_str(&tag(&rest[..=end]));
            rest = &rest[end + 1..];
        } else {
            kept.push_str("&lt;");
            rest = &rest[1..];
        }
    }
    kept.push_str(rest);
    kept
}

/// `wpautop`: what is no block becomes a paragraph, and a line break ends it.
pub(super) fn autop(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    if text.starts_with("<p") || text.starts_with("<div") || text.starts_with("<ul") || text.starts_with("<h") {
        return format!("{text}\n");
    }
    text.split("\n\n").map(|part| format!("<p>{}</p>\n", part.trim().replace('\n', "<br />\n"))).collect()
}

/// Whether `&…;` starts here.
fn entity(text: &str) -> bool {
    let name = text[1..].split(';').next().unwrap_or_default();
    text[1..].len() > name.len() && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
}

/// One tag without its event handlers; nothing of a dangerous one.
fn tag(tag: &str) -> String {
    let inner = tag.trim_start_matches(['<', '/']).trim_end_matches('>');
    let name = inner.split([' ', '/', '\t', '\n']).next().unwrap_or_default().to_ascii_lowercase();
    if DROPPED.contains(&name.as_str()) {
        return String::new();
    }
    match inner.find(" on") {
        Some(at) => format!("{}>", &tag[..tag.len() - inner.len() - 1 + at]),
        None => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_html_goes_and_the_rest_stays() {
        let check = |text: &str, expect: &str| assert_eq!(kses(text), expect);
        check("<script>alert(1)</script><p onclick=\"x()\">ok</p>", "alert(1)<p>ok</p>");
        check("<b>x</b> & \"q\" &amp; &#8211; &", "<b>x</b> &amp; \"q\" &amp; &#8211; &amp;");
        check("1 < 2", "1 &lt; 2");
        check("<", "&lt;");
    }

    #[test]
    fn plain_text_becomes_paragraphs() {
        assert_eq!(autop("Alpha Tee"), "<p>Alpha Tee</p>\n");
        assert_eq!(autop("<p>x</p>"), "<p>x</p>\n");
        assert_eq!(autop("a\nb\n\nc"), "<p>a<br />\nb</p>\n<p>c</p>\n");
        assert_eq!(autop(" "), "");
    }
}
