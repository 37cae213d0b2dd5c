"""Plain text of what shops write: no markup, no shortcodes, one space between words, cut where words end."""

import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav "
    "ol p pre section table td th tr ul".split()
)
#: What stands inside these is no text.
HIDDEN = frozenset(("script", "style", "template", "noscript"))
#: Of WordPress, WooCommerce and the common page builders; other square brackets belong to the text.
SHORTCODE = re.compile(
    r"\[/?(?:gallery|caption|audio|video|embed|playlist|products?|product_\w+|add_to_cart\w*|vc_\w+|et_pb_\w+|fusion_\w+|su_\w+)"
    r"(?:\s[^\[\]]*)?/?\]"
)
#: Invisible characters that feeds refuse: controls, zero-width spaces, marks of order and of direction.
INVISIBLE = re.compile("[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]")


class _Text(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.hidden = 0

    def handle_starttag(self, tag, attrs):
        if tag in HIDDEN:
            self.hidden += 1
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag, attrs):
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def plain(markup, lines=False):
    """Text without markup; with `lines` blocks stay apart as lines."""
    parser = _Text()
    parser.feed(SHORTCODE.sub(" ", markup))
    parser.close()
    text = INVISIBLE.sub("", "".join(parser.parts))
    rows = (" ".join(row.split()) for row in text.split("\n"))
    return ("\n" if lines else " ").join(row for row in rows if row)


def cut(text, max_chars):
    """The text, or its whole words that fit with an ellipsis."""
    if len(text) <= max_chars:
        return text
    room = text[: max_chars - 1]
    words = room.rsplit(None, 1)[0] if not text[max_chars - 1].isspace() and len(room.split()) > 1 else room
    return words.rstrip(" ,;:-–") + "…"


def shouts(text):
    """Whether a title is all capitals; short ones may be names."""
    letters = [one for one in text if one.isalpha()]
    return len(letters) > 10 and all(one.isupper() for one in letters)
