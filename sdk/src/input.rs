//! Reads a call's input: JSON text from the engine becomes the function's own type, or a failure that says where in the
//! text the trouble is.

use serde::de::DeserializeOwned;

use crate::Failure;

/// The function's input.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::Invalid(explain(text, &error)))
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let place = format!(" at line {line} column {column}");
    let what = full.strip_suffix(&place).unwrap_or(&full);
    let path = path_at(before(text, line, column));
    let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    format!("the input does not fit{at}: {what} (line {line}, column {column})")
}

/// What was read when the error was found. Lines count from 1, columns are bytes.
fn before(text: &str, line: usize, column: usize) -> &[u8] {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = start.saturating_add(column).min(text.len());
    &text.as_bytes()[..end]
}

/// One open object or list.
enum Open {
    Object { key: Option<String> },
    List { at: usize },
}

/// The path of the value that the text ends in or behind: `items[2].price`. The text is JSON as far as it goes.
fn path_at(text: &[u8]) -> String {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' => open.push(Open::Object { key: None }),
            b'[' => open.push(Open::List { at: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Open::Object { key }) => *key = None,
                Some(Open::List { at }) => *at += 1,
                None => {}
            },
            b'"' => {
                let end = end_of_string(text, at);
                // Whoever waits for a key takes this one; what follows the colon is a value.
                if let Some(Open::Object { key: key @ None }) = open.last_mut() {
                    *key = Some(String::from_utf8_lossy(&text[at..end]).into_owned());
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for part in open {
        match part {
            Open::Object { key: Some(key) } if path.is_empty() => path = key,
            Open::Object { key: Some(key) } => path = format!("{path}.{key}"),
            Open::Object { key: None } => {}
            Open::List { at } => path = format!("{path}[{at}]"),
        }
    }
    path
}

/// Where the string that starts at `at` ends: its closing quote, or the end of the text.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Order {
        id: u32,
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Item {
        price: String,
        count: u8,
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let rows = [
            (r#"{"id":"x","items":[]}"#, "at `id`: invalid type: string \"x\", expected u32 (line 1, column 9)"),
            (r#"{"id":1,"items":[{"price":"1","count":1},{"price":2,"count":1}]}"#, "at `items[1].price`"),
            ("{\"id\":1,\n\"items\":[{\"price\":\"a\\\"}\",\n\"count\":300}]}", "at `items[0].count`: invalid value"),
            (r#"{"id":1,"items":[{"price":"1"}]}"#, "at `items[0]`: missing field `count`"),
            (r#"{"id":1}"#, "not fit: missing field `items`"),
            (r#"{"id":1,"items":[{"price":"#, "at `items[0].price`: EOF"),
            ("", "not fit: EOF while parsing a value (line 1, column 0)"),
            ("[]", "not fit: invalid length 0"),
            ("{\"id\":\"\u{e9}", "at `id`: EOF"),
            ("{\"i\\", "EOF"),
        ];
        for (text, expected) in rows {
            let failure = read::<Order>(text).expect_err(text);
            assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
            assert!(failure.to_string().contains(expected), "{failure} lacks {expected}");
        }
        assert_eq!(read::<Order>(r#"{"id":1,"items":[]}"#).expect("it fits").id, 1);
    }
}
