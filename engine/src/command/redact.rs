//! Personal data of an event replaced by fakes: the same value gives the same fake everywhere in it, so that what refers to
//! one another still does. `events export --redact`.

use cartwright_core::Json;
use sha2::{Digest as _, Sha256};

/// What a member holds, by its name.
#[derive(Clone, Copy)]
enum Kind {
    Given,
    Family,
    Name,
    Mail,
    Phone,
    Street,
    City,
    Postcode,
    Company,
    Address,
    Text,
}

const GIVEN: [&str; 8] = ["Ada", "Bela", "Cem", "Dana", "Emil", "Fay", "Gil", "Hana"];
const FAMILY: [&str; 8] = ["Abel", "Berg", "Costa", "Dahl", "Elms", "Fuchs", "Grey", "Holm"];
const CITIES: [&str; 8] = ["Ashford", "Brook", "Clay", "Dale", "Elmton", "Fern", "Grove", "Hill"];

/// Members that hold what only one person has.
fn kind(key: &str) -> Option<Kind> {
    let key = key.to_lowercase().replace('-', "_");
    Some(match key.trim_start_matches('_').trim_start_matches("billing_").trim_start_matches("shipping_") {
        "first_name" | "firstname" | "given_name" => Kind::Given,
        "last_name" | "lastname" | "family_name" | "surname" => Kind::Family,
        "customer_name" | "full_name" | "display_name" | "username" | "reviewer" | "author" | "nickname" => Kind::Name,
        "phone" | "telephone" | "mobile" | "fax" => Kind::Phone,
        "address_1" | "address_2" | "street" | "address" => Kind::Street,
        "city" | "town" => Kind::City,
        "postcode" | "zip" | "postal_code" => Kind::Postcode,
        "company" | "vat_number" | "iban" | "tax_number" => Kind::Company,
        "customer_ip_address" | "ip" | "ip_address" | "remote_ip" => Kind::Address,
        "customer_note" | "customer_user_agent" | "user_agent" | "transaction_id" | "date_of_birth" | "birthday" => {
            Kind::Text
        }
        name if name.contains("email") || name.ends_with("mail") => Kind::Mail,
        _ => return None,
    })
}

/// Replaces names, mails, phones and addresses, wherever they stand.
pub(super) fn redact(event: &mut Json) {
    let mut known = Vec::new();
    walk(event, &mut known);
    // What stood under such a name may stand in other texts too: "Note for Jane Doe".
    known.sort_by_key(|(text, _): &(String, String)| std::cmp::Reverse(text.len()));
    known.dedup();
    spread(event, &known);
}

fn walk(value: &mut Json, known: &mut Vec<(String, String)>) {
    match value {
        Json::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (kind(key), &mut *value) {
                    (Some(kind), Json::String(text)) if !text.is_empty() => {
                        let fake = fake(kind, text);
                        known.push((std::mem::replace(text, fake.clone()), fake));
                    }
                    (Some(kind), Json::Number(number)) => *value = Json::String(fake(kind, &number.to_string())),
                    _ => walk(value, known),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| walk(item, known)),
        _ => {}
    }
}

/// Shorter texts would be found in the middle of words.
const SPREAD_CHARS_MIN: usize = 4;

fn spread(value: &mut Json, known: &[(String, String)]) {
    match value {
        Json::Object(map) => map.values_mut().for_each(|value| spread(value, known)),
        Json::Array(items) => items.iter_mut().for_each(|item| spread(item, known)),
        Json::String(text) => {
            for (was, fake) in known.iter().filter(|(was, _)| was.chars().count() >= SPREAD_CHARS_MIN) {
                if text.contains(was.as_str()) {
                    *text = text.replace(was.as_str(), fake);
                }
            }
            *text = mails_hidden(text);
        }
        _ => {}
    }
}

/// Mail addresses in the middle of texts.
fn mails_hidden(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "._%+-@".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
        let word = &rest[start..end];
        out.push_str(&rest[..start]);
        match word.split_once('@') {
            Some((user, host)) if !user.is_empty() && host.contains('.') && !host.ends_with("example.com") => {
                out.push_str(&fake(Kind::Mail, word));
            }
            _ => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out + rest
}

/// The same for the same text, and of another length and form than it.
fn fake(kind: Kind, text: &str) -> String {
    let digest = Sha256::digest(text.trim().to_lowercase());
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let pick = |list: &[&str; 8], by: usize| list[usize::from(digest[by] % 8)].to_owned();
    match kind {
        Kind::Given => pick(&GIVEN, 4),
        Kind::Family => pick(&FAMILY, 5),
        Kind::Name => format!("{} {}", pick(&GIVEN, 4), pick(&FAMILY, 5)),
        Kind::Mail => format!("person-{:06}@example.com", number % 1_000_000),
        Kind::Phone => format!("+1 555 {:04}", number % 10_000),
        Kind::Street => format!("{} Example Street", 1 + number % 200),
        Kind::City => pick(&CITIES, 6),
        Kind::Postcode => format!("{:05}", number % 100_000),
        Kind::Company => format!("Company {}", number % 1_000),
        Kind::Address => format!("192.0.2.{}", number % 255),
        Kind::Text => "[removed]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_can_be_recognised_and_what_belongs_together_still_does() {
        let mut event = json!({
            "id": 7, "total": "12.00", "status": "processing",
            "billing": { "first_name": "Jane", "last_name": "Doe-Smith", "email": "jane@doe.test", "phone": "0171 123",
                         "address_1": "Elm 1", "city": "Ulm", "postcode": 89073, "country": "DE", "company": "" },
            "shipping": { "first_name": "Jane", "last_name": "Doe-Smith" },
            "customer_note": "Call Jane Doe-Smith at jane@doe.test or (other@mail.test).",
            "meta_data": [{ "key": "_billing_email", "value": "JANE@doe.test" }],
            "title": "Order of Doe-Smith",
        });
        redact(&mut event);
        let text = event.to_string();
        for person in ["Jane", "Doe", "doe.test", "0171", "Elm 1", "Ulm", "89073", "mail.test"] {
            assert!(!text.contains(person), "{person}: {text}");
        }
        assert_eq!(event["billing"]["first_name"], event["shipping"]["first_name"]);
        assert_eq!(event["meta_data"][0]["value"], event["billing"]["email"]);
        assert_eq!(
            (&event["id"], &event["total"], &event["billing"]["company"]),
            (&json!(7), &json!("12.00"), &json!(""))
        );
        assert_eq!(event["billing"]["country"], "DE");
        let mut again = event.clone();
        spread(&mut again, &[]);
        assert_eq!(again, event, "fakes are left alone");
    }
}
