//! Settings forms, as gateways and shipping methods show them: fields with a type, a default and a value, which is
//! always text.

use serde_json::{Map, Value, json};

use super::RestError;

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) id: &'static str,
    /// `text`, `select`, `checkbox`, …
    pub(super) kind: &'static str,
    pub(super) default: &'static str,
    /// What a `select` offers: value and words.
    pub(super) options: &'static [(&'static str, &'static str)],
}

impl Field {
    /// A field without options.
    pub(super) const fn new(id: &'static str, kind: &'static str, default: &'static str) -> Self {
        Self { id, kind, default, options: &[] }
    }

    /// The value as it is kept, if the field takes it.
    pub(super) fn accepted(&self, sent: &Value) -> Option<String> {
        let text = match sent {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null => String::new(),
            _ => return None,
        };
        let fits = match self.kind {
            "select" => self.options.iter().any(|(value, _)| *value == text),
            "checkbox" => matches!(text.as_str(), "yes" | "no"),
            _ => true,
        };
        fits.then_some(text)
    }
}

/// A value that no field takes, or a field that is not there.
pub(super) fn refused() -> RestError {
    RestError::new("rest_setting_value_invalid", "An invalid setting value was passed.", 400)
}

/// Takes over what was sent, all of it or nothing.
pub(super) fn write(
    fields: &[Field],
    values: &mut Map<String, Value>,
    sent: &Map<String, Value>,
) -> Result<(), RestError> {
    let mut accepted = Map::new();
    for (name, value) in sent {
        let field = fields.iter().find(|field| field.id == name).ok_or_else(refused)?;
        accepted.insert(name.clone(), json!(field.accepted(value).ok_or_else(refused)?));
    }
    values.extend(accepted);
    Ok(())
}

/// The form with its values.
pub(super) fn show(fields: &[Field], values: &Map<String, Value>) -> Value {
    let show = |field: &Field| {
        let value = values.get(field.id).cloned().unwrap_or_else(|| json!(field.default));
        let mut shown = json!({
            "id": field.id, "label": field.id, "description": "", "type": field.kind, "value": value,
            "default": field.default, "tip": "", "placeholder": "",
        });
        if field.kind.ends_with("select") {
            shown["options"] = options(field);
        }
        (field.id.to_owned(), shown)
    };
    Value::Object(fields.iter().map(show).collect())
}

/// What a `select` offers, by value.
pub(super) fn options(field: &Field) -> Value {
    Value::Object(field.options.iter().map(|(value, words)| ((*value).to_owned(), json!(words))).collect())
}
