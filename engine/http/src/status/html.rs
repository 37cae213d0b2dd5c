//! Pages put together so that nothing from outside can become markup: fixed text is `&'static str`, everything else is
//! escaped on its way in.

use std::fmt::{Display, Write};

/// A page in the making.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Fixed markup.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A value as text or as part of a quoted attribute.
    pub(crate) fn text(&mut self, value: impl Display) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = write!(Escaped(&mut self.0), "{value}");
        self
    }

    /// The page.
    pub(crate) fn into_page(self) -> String {
        self.0
    }
}

/// Writes text with the five characters that mean something to HTML replaced.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Nothing invisible may reorder what people read.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\0' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_never_become_markup() {
        let mut html = Html::default();
        html.raw("<b title=\"").text("\" onload='x'").raw("\">").text("<script>&\u{202e}").raw("</b>");
        assert_eq!(html.into_page(), "<b title=\"&quot; onload=&#39;x&#39;\">&lt;script&gt;&amp;\u{fffd}</b>");
    }
}
