//! Documents as people leave them: any indentation, comments everywhere, blanks at line ends; and files damaged in the
//! middle of an edit. All from a seed.

/// A document with `comments` comments `#c0`, `#c1`, … in this order.
pub(crate) struct Messy {
    pub(crate) text: String,
    pub(crate) comments: usize,
}

struct Writer {
    state: u64,
    text: String,
    comments: usize,
    keys: usize,
}

pub(crate) fn document(seed: u64) -> Messy {
    let mut writer = Writer { state: seed | 1, text: String::new(), comments: 0, keys: 0 };
    writer.lead(0);
    writer.map(0, 0, false);
    writer.lead(0);
    Messy { text: writer.text, comments: writer.comments }
}

impl Writer {
    fn dice(&mut self, sides: u64) -> u64 {
        // Marsaglia's xorshift.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % sides
    }

    fn pick(&mut self, texts: &[&str]) {
        let at = self.dice(texts.len() as u64) as usize;
        self.text += texts[at];
    }

    fn blanks(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
    }

    fn comment(&mut self) {
        let number = self.comments;
        self.comments += 1;
        self.text += &format!("#c{number}");
    }

    /// Ends a line, now and then with a comment or with blanks.
    fn end(&mut self) {
        match self.dice(6) {
            0 => {
                self.text.push(' ');
                self.comment();
            }
            1 => self.blanks(2),
            _ => {}
        }
        self.text.push('\n');
    }

    /// Blank lines and comments; those in front of the first entry stand at its column.
    fn lead(&mut self, column: usize) {
        for _ in 0..self.dice(3) {
            match self.dice(3) {
                0 => {
                    let stray = self.dice(3) as usize;
                    self.blanks(column + stray);
                    self.comment();
                    self.text.push('\n');
                }
                1 => self.text.push('\n'),
                _ => {}
            }
        }
    }

    fn map(&mut self, column: usize, depth: usize, mut continues: bool) {
        for _ in 0..=self.dice(3) {
            if !continues {
                self.lead(column);
                self.blanks(column);
            }
            continues = false;
            self.keys += 1;
            let key = self.keys;
            match self.dice(5) {
                0 => self.text += &format!("\"key {key}\":"),
                1 => self.text += &format!("'it''s {key}' :"),
                _ => self.text += &format!("key{key}:"),
            }
            self.value(column, depth, true);
        }
    }

    fn list(&mut self, column: usize, depth: usize, mut continues: bool) {
        for _ in 0..=self.dice(3) {
            if !continues {
                self.lead(column);
                self.blanks(column);
            }
            continues = false;
            self.text.push('-');
            self.value(column, depth, false);
        }
    }

    fn value(&mut self, column: usize, depth: usize, in_map: bool) {
        let further = column + 1 + self.dice(4) as usize;
        match self.dice(12) {
            0 | 1 if depth < 4 => {
                self.end();
                self.map(further, depth + 1, false);
            }
            2 | 3 if depth < 4 => {
                self.end();
                let column = if in_map && self.dice(2) == 0 { column } else { further };
                self.list(column, depth + 1, false);
            }
            4 if depth < 4 && !in_map => {
                let gap = 1 + self.dice(3) as usize;
                self.blanks(gap);
                self.map(column + 1 + gap, depth + 1, true);
            }
            5 => self.block_text(further),
            6 => {
                self.pick(&[
                    " [a,'b' , \"c d\",  1]",
                    " { a: 1,b: \"yes\", 'c': [x] }",
                    " []",
                    " {}",
                    " [ {a: b} , ~ ]",
                ]);
                self.end();
            }
            7 => {
                self.text += " words that go\n";
                self.blanks(further);
                self.text += "on  \n\n";
                self.blanks(further + 1);
                self.text += "below";
                self.end();
            }
            8 => {
                self.text += " \"one \\\n";
                self.blanks(further);
                self.text += "  two\\ \n";
                self.blanks(further);
                self.text += "three\"";
                self.end();
            }
            9 => {
                self.text += "   {\n";
                self.blanks(further + 2);
                self.text += "a: [1,\n";
                self.blanks(further + 5);
                self.text += "2], b: 'x'\n";
                self.blanks(further);
                self.text += "}";
                self.end();
            }
            _ => {
                self.pick(&[
                    " plain",
                    " \"plain\"",
                    " 'plain'",
                    " \"12\"",
                    " 12",
                    " ''",
                    " \"a: b\"",
                    " 'say \"hi\" #1'",
                    " \"no\"",
                    " héllo wörld",
                    " !!str 7",
                    " &anchor x",
                    "",
                    " 'back\\slash'",
                    " \"ü\\u00e9\"",
                    " \"${{ a }}\"",
                    " ~",
                    " \ttabbed",
                ]);
                self.end();
            }
        }
    }

    fn block_text(&mut self, indent: usize) {
        let header = [" |", " >", " |-", " |+", " >-"][self.dice(5) as usize];
        self.text += header;
        if self.dice(4) == 0 {
            self.text += if header.len() == 2 { "-" } else { "" };
        }
        self.end();
        for line in 0..=self.dice(3) {
            let more = if line > 0 { self.dice(3) as usize } else { 0 };
            self.blanks(indent + more);
            self.pick(&["text", "# no comment", "keep  ", "- x: y", "text\n"]);
            self.text.push('\n');
        }
    }
}

/// A file in the middle of edits: `(line, what)`.
pub(crate) fn damaged(source: &str, edits: &[(u16, u8)]) -> String {
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    for (line, what) in edits {
        if lines.is_empty() {
            break;
        }
        let at = usize::from(*line) % lines.len();
        match what {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.insert(at, "    # in between".to_owned()),
            3 => lines.insert(at, String::new()),
            4 => lines[at].insert_str(0, "  "),
            5 => lines[at] = lines[at].trim_start().to_owned(),
            6 => lines[at].push_str("  # behind"),
            _ => {
                let other = usize::from(*line) / 7 % lines.len();
                lines.swap(at, other);
            }
        }
    }
    lines.join("\n")
}
