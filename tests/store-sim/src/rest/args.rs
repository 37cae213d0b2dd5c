//! Arguments as WordPress checks them before a handler runs: required ones first, then every declared one against its
//! type, all mistakes in one answer; then each is turned into its type. Batch items never come through here.

use serde_json::{Map, Value, json};

use super::{Params, RestError};

mod check;
use check::{Mistake, mistake, sanitized};

/// One argument of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What it must be.
    pub is: Is,
    /// Whether the request fails without it.
    pub required: bool,
    /// What holds when it is absent.
    pub default: Option<Default>,
}

/// A default that fits into a constant.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each is named like its JSON type")]
pub enum Default {
    Text(&'static str),
    Int(i64),
    Flag(bool),
}

/// A type of JSON schema as far as WooCommerce uses it.
#[derive(Debug, Clone, Copy)]
pub enum Is {
    /// A text. Numbers are none.
    Text,
    /// A text out of a list.
    OneOf(&'static [&'static str]),
    /// A whole number, also as text.
    Int,
    /// A whole number within bounds, both inclusive.
    IntBetween(i64, i64),
    /// A whole number of at least this.
    IntFrom(i64),
    /// A number, also as text.
    Number,
    /// A boolean, also as `"true"`, `"1"`, 0.
    Flag,
    /// A moment: `2026-11-21T01:15:59`.
    Moment,
    /// An e-mail address.
    Email,
    /// An address on the web; only its type is checked.
    Uri,
    /// A list, also as `a,b`.
    List(&'static Is),
    /// An object; declared fields are checked, others pass.
    Object(&'static [Arg]),
    /// One of several types, named as WordPress names them: `["boolean", "string"]`; each is tried.
    Any(&'static [Is]),
    /// Anything.
    Mixed,
}

impl Arg {
    /// An optional argument.
    pub const fn new(name: &'static str, is: Is) -> Self {
        Self { name, is, required: false, default: None }
    }

    /// The same argument, required.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same argument with a default.
    #[must_use]
    pub const fn or(self, default: Default) -> Self {
        Self { default: Some(default), ..self }
    }
}

impl From<Default> for Value {
    fn from(default: Default) -> Self {
        match default {
            Default::Text(text) => json!(text),
            Default::Int(number) => json!(number),
            Default::Flag(flag) => json!(flag),
        }
    }
}

/// Checks and converts what was sent, and sets defaults.
pub fn check(args: &[Arg], params: &mut Params) -> Result<(), RestError> {
    for arg in args {
        if let Some(default) = arg.default {
            params.set_default(arg.name, default.into());
        }
    }
    let missing: Vec<&str> =
        args.iter().filter(|arg| arg.required && params.get(arg.name).is_none()).map(|arg| arg.name).collect();
    if !missing.is_empty() {
        let message = format!("Missing parameter(s): {}", missing.join(", "));
        return Err(RestError::new("rest_missing_callback_param", message, 400).with("params", json!(missing)));
    }
    let mistakes: Vec<(&str, Mistake)> = args
        .iter()
        .filter_map(|arg| {
            Some((arg.name, mistake(arg.is, params.sent(arg.name).filter(|value| !value.is_null())?, arg.name)?))
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(invalid(&mistakes));
    }
    for arg in args {
        if let Some(value) = params.sent(arg.name).cloned() {
            params.set(arg.name, sanitized(arg.is, value));
        }
    }
    Ok(())
}

/// `rest_invalid_param` for one argument that only the handler could judge.
pub fn invalid_param(name: &str, message: &str) -> RestError {
    invalid(&[(name, Mistake { code: "rest_invalid_param", message: message.to_owned(), data: Value::Null })])
}

fn invalid(mistakes: &[(&str, Mistake)]) -> RestError {
    let names: Vec<&str> = mistakes.iter().map(|(name, _)| *name).collect();
    let params: Map<String, Value> =
        mistakes.iter().map(|(name, mistake)| ((*name).to_owned(), json!(mistake.message))).collect();
    let details: Map<String, Value> = mistakes
        .iter()
        .map(|(name, mistake)| {
            let detail = json!({"code": mistake.code, "message": mistake.message, "data": mistake.data});
            ((*name).to_owned(), detail)
        })
        .collect();
    RestError::new("rest_invalid_param", format!("Invalid parameter(s): {}", names.join(", ")), 400)
        .with("params", params)
        .with("details", details)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARGS: &[Arg] = &[
        Arg::new("per_page", Is::IntBetween(1, 100)).or(Default::Int(10)),
        Arg::new("page", Is::IntFrom(1)),
        Arg::new("status", Is::OneOf(&["draft", "publish", "trash"])),
        Arg::new("manage_stock", Is::Flag),
        Arg::new("categories", Is::List(&Is::Object(&[Arg::new("id", Is::Int)]))),
        Arg::new("price", Is::Text),
        Arg::new("quantity", Is::Int),
        Arg::new("after", Is::Moment),
        Arg::new("email", Is::Email),
    ];

    fn checked(values: &Value) -> Result<Params, RestError> {
        let mut params = Params::of(values.as_object().cloned().unwrap_or_default());
        check(ARGS, &mut params).map(|()| params)
    }

    #[test]
    fn says_what_is_wrong_in_wordpress_words() {
        let refused = |values: Value, name: &str, message: &str, code: &str, data: Value| {
            let error = checked(&values).unwrap_err();
            assert_eq!(error.data["params"][name], json!(message), "{values}");
            assert_eq!(error.data["details"][name]["code"], json!(code), "{values}");
            assert_eq!(error.data["details"][name]["data"], data, "{values}");
        };
        refused(
            json!({"per_page": "101"}),
            "per_page",
            "per_page must be between 1 (inclusive) and 100 (inclusive)",
            "rest_out_of_bounds",
            Value::Null,
        );
        refused(
            json!({"page": 0}),
            "page",
            "page must be greater than or equal to 1",
            "rest_out_of_bounds",
            Value::Null,
        );
        refused(
            json!({"status": "x"}),
            "status",
            "status is not one of draft, publish, and trash.",
            "rest_not_in_enum",
            Value::Null,
        );
        let typed = |param: &str| json!({"param": param});
        refused(
            json!({"categories": "x"}),
            "categories",
            "categories[0] is not of type object.",
            "rest_invalid_type",
            typed("categories[0]"),
        );
        refused(
            json!({"categories": [{"id": "x"}]}),
            "categories",
            "categories[0][id] is not of type integer.",
            "rest_invalid_type",
            typed("categories[0][id]"),
        );
        refused(json!({"price": 14.75}), "price", "price is not of type string.", "rest_invalid_type", typed("price"));
        refused(
            json!({"quantity": 25.5}),
            "quantity",
            "quantity is not of type integer.",
            "rest_invalid_type",
            typed("quantity"),
        );
        refused(
            json!({"manage_stock": "maybe"}),
            "manage_stock",
            "manage_stock is not of type boolean.",
            "rest_invalid_type",
            typed("manage_stock"),
        );
        refused(json!({"after": "notadate"}), "after", "Invalid date.", "rest_invalid_date", Value::Null);
    }

    #[test]
    fn turns_what_fits_into_its_type() {
        let params = checked(&json!({"quantity": "25", "manage_stock": "false", "per_page": "7"})).unwrap();
        assert_eq!(params.get("quantity"), Some(&json!(25)));
        assert_eq!(params.get("manage_stock"), Some(&json!(false)));
        assert_eq!(params.int("per_page"), Some(7));
        assert_eq!(checked(&json!({})).unwrap().int("per_page"), Some(10));
        assert_eq!(checked(&json!({"quantity": null})).unwrap().sent("quantity"), Some(&json!(0)));
    }

    #[test]
    fn names_every_mistake_and_every_missing_argument() {
        let error = checked(&json!({"per_page": 0, "status": "x"})).unwrap_err();
        assert_eq!(error.message, "Invalid parameter(s): per_page, status");
        let mut params = Params::of(Map::new());
        let error = check(&[Arg::new("name", Is::Text).required()], &mut params).unwrap_err();
        assert_eq!((error.code.as_ref(), &error.data["params"]), ("rest_missing_callback_param", &json!(["name"])));
    }
}
