//! Texts: case, trimming, slugs, padding, regular expressions.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use rhai::{Dynamic, Engine, ImmutableString};

use crate::{
    error::{Failure, fail},
    limits::{REGEX_CACHE_ENTRIES, REGEX_INPUT_MAX_BYTES, REGEX_MAX_BYTES},
};

/// Most characters that padding may give.
const PAD_MAX_CHARS: i64 = 10_000;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("lower", |text: ImmutableString| text.to_lowercase())
        .register_fn("upper", |text: ImmutableString| text.to_uppercase())
        .register_fn("trim", |text: ImmutableString| ImmutableString::from(text.trim()))
        .register_fn("slug", |text: ImmutableString| slug(&text))
        .register_fn("pad_start", |text: ImmutableString, length: i64, with: ImmutableString| {
            pad(&text, length, &with, true)
        })
        .register_fn("pad_end", |text: ImmutableString, length: i64, with: ImmutableString| {
            pad(&text, length, &with, false)
        })
        // Rhai's replaces in place, which surprises in expressions and fails on constants.
        .register_fn("replace", |text: ImmutableString, from: ImmutableString, to: ImmutableString| {
            replace(&text, &from, &to)
        })
        .register_fn("repeat", |text: ImmutableString, count: i64| repeat(&text, count));

    let cache = Cache::default();
    let matching = cache.clone();
    engine.register_fn("matches", move |text: ImmutableString, pattern: ImmutableString| {
        matching.get(&text, &pattern).map(|regex| regex.is_match(&text))
    });
    engine.register_fn("captures", move |text: ImmutableString, pattern: ImmutableString| {
        let regex = cache.get(&text, &pattern)?;
        let Some(found) = regex.captures(&text) else { return Ok(Dynamic::UNIT) };
        let group = |part: Option<regex::Match<'_>>| part.map_or(Dynamic::UNIT, |part| part.as_str().into());
        Ok::<_, Failure>(Dynamic::from_array(found.iter().map(group).collect()))
    });
}

/// Compiled regular expressions by their text. When it is full it starts again from empty.
#[derive(Clone, Default)]
struct Cache(std::sync::Arc<Mutex<BTreeMap<String, Regex>>>);

impl Cache {
    fn get(&self, text: &str, pattern: &str) -> Result<Regex, Failure> {
        if text.len() > REGEX_INPUT_MAX_BYTES {
            return Err(fail(format!("the text is longer than the {REGEX_INPUT_MAX_BYTES} bytes that can be matched")));
        }
        if let Some(known) = self.0.lock().get(pattern) {
            return Ok(known.clone());
        }
        let built = RegexBuilder::new(pattern).size_limit(REGEX_MAX_BYTES).dfa_size_limit(REGEX_MAX_BYTES).build();
        let regex = built.map_err(|error| fail(format!("this is not a regular expression: {error}")))?;
        let mut all = self.0.lock();
        if all.len() >= REGEX_CACHE_ENTRIES {
            all.clear();
        }
        all.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// `Crème Brûlée, 2 kg` becomes `creme-brulee-2-kg`.
fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match ascii(letter) {
            Some(plain) => out.push_str(plain),
            None if letter.is_alphanumeric() => out.push(letter),
            None if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            None => {}
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// Latin letters with accents, as WordPress writes them in slugs.
fn ascii(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ķ' => "k",
        'ł' | 'ļ' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ő' => "o",
        'ö' | 'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'þ' => "th",
        '\'' | '’' => "",
        _ => return None,
    })
}

fn pad(text: &str, length: i64, with: &str, start: bool) -> Result<String, Failure> {
    if length > PAD_MAX_CHARS || with.is_empty() {
        return Err(fail(format!("pad to at most {PAD_MAX_CHARS} characters, with a text that is not empty")));
    }
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    let padding: String = with.chars().cycle().take(missing).collect();
    Ok(if start { padding + text } else { text.to_owned() + padding.as_str() })
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Failure> {
    if from.is_empty() {
        return Err(fail("what to replace must not be empty"));
    }
    let count = text.matches(from).count();
    bounded(text.len().saturating_add(count.saturating_mul(to.len())))?;
    Ok(text.replace(from, to))
}

fn repeat(text: &str, count: i64) -> Result<String, Failure> {
    let count = usize::try_from(count).map_err(|_| fail("the count must not be negative"))?;
    bounded(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

fn bounded(bytes: usize) -> Result<(), Failure> {
    const MAX_BYTES: usize = 1 << 20;
    if bytes > MAX_BYTES { Err(fail(format!("the text would be longer than {MAX_BYTES} bytes"))) } else { Ok(()) }
}
