//! What keeps no metadata is recognised by what it is: notes by their text, webhooks and tax rates by their fields, terms
//! by the name or slug that WooCommerce keeps unique.

use cartwright_core::{Json, call::CallError};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    marked::cut,
    probe::{Finding, Probe, ids},
    window::Made,
};

/// `POST orders/ID/notes`. No mark is put into the text: people read it, and customers get it by mail.
pub(super) async fn note(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let path = &probe.request.path;
    // The list of notes knows no pages: all of the order's come at once.
    let Json::Array(notes) = probe.get(path, json!({"context": "edit"})).await? else { return Ok(Finding::Nothing) };
    let wanted = words(probe.text("note").unwrap_or_default());
    let to_customer = probe.field("customer_note").is_some_and(is_true);
    let same = |note: &&Json| {
        words(note.get("note").and_then(Json::as_str).unwrap_or_default()) == wanted
            && note.get("customer_note").is_some_and(is_true) == to_customer
    };
    let same: Vec<&Json> = notes.iter().filter(same).collect();
    dated(probe, path, &same, "notes with this text").await
}

/// `POST webhooks`.
pub(super) async fn webhook(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let listing = probe.list("webhooks", json!({"orderby": "id", "order": "desc"})).await?;
    let same = |hook: &&Json| {
        ["name", "topic", "delivery_url"]
            .iter()
            .all(|field| probe.text(field).is_none_or(|wanted| hook.get(*field).and_then(Json::as_str) == Some(wanted)))
    };
    let same: Vec<&Json> = listing.items.iter().filter(same).collect();
    if same.is_empty() && listing.is_cut {
        return Ok(Finding::Doubt(cut("webhooks")));
    }
    dated(probe, "webhooks", &same, "webhooks like this one").await
}

/// Those made while the try could run are its; older ones leave it in doubt where they may be.
async fn dated(probe: &Probe<'_>, collection: &str, same: &[&Json], what: &str) -> Result<Finding, CallError> {
    let made =
        |when: Made| -> Vec<&Json> { same.iter().filter(|object| probe.window.of(object) == when).copied().collect() };
    let then = made(Made::Then);
    if !then.is_empty() {
        return probe.only(collection, &then, what).await;
    }
    let perhaps = made(Made::Perhaps);
    Ok(if perhaps.is_empty() {
        Finding::Nothing
    } else {
        Finding::Doubt(format!(
            "the answer to an earlier try was lost, and the store has {what} from the time before ({}): an earlier try's, or \
             somebody else's. Look, then say what happened",
            ids(&perhaps)
        ))
    })
}

/// `POST taxes`. Rates have no date, and two equal ones are never wanted: an equal one is the answer.
pub(super) async fn tax_rate(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let listing = probe.list("taxes", json!({"orderby": "id", "order": "desc"})).await?;
    let same = |rate: &&Json| TAX_FIELDS.iter().all(|(field, default)| tax_field(probe, rate, field, default));
    let same: Vec<&Json> = listing.items.iter().filter(same).collect();
    if same.is_empty() && listing.is_cut {
        return Ok(Finding::Doubt(cut("taxes")));
    }
    probe.only("taxes", &same, "tax rates like this one").await
}

/// A rate's fields and what WooCommerce takes for those left out.
const TAX_FIELDS: [(&str, &str); 10] = [
    ("country", ""),
    ("state", ""),
    ("postcode", ""),
    ("city", ""),
    ("rate", "0"),
    ("name", ""),
    ("priority", "1"),
    ("compound", "false"),
    ("shipping", "true"),
    ("class", "standard"),
];

fn tax_field(probe: &Probe<'_>, rate: &Json, field: &str, default: &str) -> bool {
    let wanted = probe.field(field).map_or_else(|| default.to_owned(), plain);
    let known = rate.get(field).map(plain).unwrap_or_default();
    let number = |text: &str| text.parse::<Decimal>().ok();
    match (number(&wanted), number(&known)) {
        // `19` is kept as `19.0000`; postcodes have leading zeros that count.
        (Some(wanted), Some(known)) if field != "postcode" => wanted == known,
        _ => wanted.eq_ignore_ascii_case(&known),
    }
}

/// `POST products/categories` and the like: WooCommerce refuses a second one with the same name or slug.
pub(super) async fn term(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let path = &probe.request.path;
    let (name, slug) = (probe.text("name"), probe.text("slug"));
    let is_attribute = path == "products/attributes";
    let items = match (is_attribute, slug, name) {
        // Attributes know neither pages nor filters.
        (true, ..) => match probe.get(path, json!({})).await? {
            Json::Array(items) => items,
            _ => Vec::new(),
        },
        (_, Some(slug), _) => probe.list(path, json!({"slug": slug})).await?.items,
        (_, None, Some(name)) => {
            let listing = probe.list(path, json!({"search": name})).await?;
            if listing.is_cut {
                return Ok(Finding::Doubt(cut(path)));
            }
            listing.items
        }
        (_, None, None) => return Ok(Finding::Nothing),
    };
    let bare = |slug: &str| slug.strip_prefix("pa_").filter(|_| is_attribute).unwrap_or(slug).to_owned();
    let text = |term: &Json, field: &str| term.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let same_name = |term: &Json| name.is_none_or(|name| words(&text(term, "name")) == words(name));
    let parent = |object: Option<&Json>| object.and_then(Json::as_u64).unwrap_or(0);
    let same_parent = |term: &Json| parent(term.get("parent")) == parent(probe.field("parent"));
    let same_slug = |term: &Json| slug.is_none_or(|slug| bare(&text(term, "slug")) == bare(slug));
    // One with the slug but another name is somebody else's: the store refuses ours.
    if slug.is_some() && items.iter().any(|term| same_slug(term) && !(same_name(term) && same_parent(term))) {
        return Ok(Finding::Taken);
    }
    let same: Vec<&Json> =
        items.iter().filter(|term| same_slug(term) && same_name(term) && same_parent(term)).collect();
    probe.only(path, &same, "terms with this name").await
}

/// A text without what WordPress changes on its way: markup, entities, backslashes, spaces. A text that has nothing else
/// is compared as it is.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '<' => rest.find('>').map(|end| end + 1),
            '&' => rest.find(';').filter(|end| *end <= ENTITY_BYTES_MAX).map(|end| end + 1),
            _ => None,
        };
        if skipped.is_none() && next.is_alphanumeric() {
            words.push(next);
        }
        rest = &rest[skipped.unwrap_or(next.len_utf8())..];
    }
    if words.is_empty() { text.trim().to_owned() } else { words }
}

/// `&quot;`, `&#8211;`.
const ENTITY_BYTES_MAX: usize = 8;

/// PHP's truth, as far as people write it.
fn is_true(value: &Json) -> bool {
    match value {
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_i64() != Some(0),
        Json::String(text) => !matches!(text.as_str(), "" | "0" | "false" | "no"),
        _ => false,
    }
}

/// A scalar as text.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.trim().to_owned(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_whatever_wordpress_did_to_their_signs() {
        for (a, b) in [
            ("It's \"packed\"", "Its packed"),
            ("a \\ b", "a  b"),
            ("<b>Paid</b> 5&nbsp;€", "Paid 5 €"),
            ("Grüße", "Grüße "),
            ("5 < 6", "5 &lt; 6"),
        ] {
            assert_eq!(words(a), words(b), "{a} / {b}");
        }
        for (a, b) in [("Paid 5", "Paid 6"), ("", "a"), ("—", "…"), ("Grüße", "Gruße"), ("a&b", "a")] {
            assert_ne!(words(a), words(b), "{a} / {b}");
        }
    }
}
