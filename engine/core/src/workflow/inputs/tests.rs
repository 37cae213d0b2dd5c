//! Declared inputs: what fits, what is filled in, and what each mistake is told.

use serde_json::json;

use super::*;

fn spec(name: &str, kind: InputKind) -> InputSpec {
    InputSpec {
        name: name.into(),
        kind,
        required: false,
        default: Json::Null,
        description: None,
        options: Vec::new(),
        span: 0..0,
    }
}

#[test]
fn values_are_typed_without_rounding() {
    use InputKind::*;
    let text = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    for (kind, given, expected) in [
        (String, r#""a b""#, Some(r#""a b""#)),
        (String, "7", None),
        (String, "true", None),
        (Number, "12.50", Some("12.50")),
        (Number, r#""12.50""#, Some("12.50")),
        (Number, r#"" -0.1 ""#, Some("-0.1")),
        (Number, "12345678901234567890.12345678", Some("12345678901234567890.12345678")),
        (Number, "123456789012345678901234567890123", None),
        (Number, "1e3", None),
        (Number, r#""1,5""#, None),
        (Number, r#""007""#, None),
        (Number, r#"".5""#, None),
        (Number, r#""+5""#, None),
        (Number, r#""""#, None),
        (Number, r#""NaN""#, None),
        (Integer, "7", Some("7")),
        (Integer, r#""-7""#, Some("-7")),
        (Integer, "7.0", None),
        (Integer, r#""7.0""#, None),
        (Integer, "9223372036854775808", None),
        (Boolean, "true", Some("true")),
        (Boolean, r#""false""#, Some("false")),
        (Boolean, r#""yes""#, None),
        (Boolean, "1", None),
        (List, "[1]", Some("[1]")),
        (List, r#""[1, \"a\"]""#, Some(r#"[1,"a"]"#)),
        (List, r#""a""#, None),
        (List, "{}", None),
        (Map, r#"{"a": 1.0}"#, Some(r#"{"a":1.0}"#)),
        (Map, r#""{\"a\": 1}""#, Some(r#"{"a":1}"#)),
        (Map, "[]", None),
        (Date, r#""2026-11-21""#, Some(r#""2026-11-21""#)),
        (Date, r#""2026-11-21T07:00:00+01:00""#, Some(r#""2026-11-21T07:00:00+01:00""#)),
        (Date, r#""2026-02-30""#, None),
        (Date, r#""21.11.2026""#, None),
        (Date, "20261121", None),
    ] {
        let read = read(&[spec("x", kind)], &json!({"x": text(given)}));
        assert_eq!(
            read.as_ref().ok().map(|read| read["x"].to_string()).as_deref(),
            expected,
            "{kind:?} {given}: {read:?}"
        );
        if let Ok(typed) = read {
            assert_eq!(super::read(&[spec("x", kind)], &typed).as_ref(), Ok(&typed), "what was read reads as itself");
        }
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let mut specs =
        vec![spec("amount", InputKind::Number), spec("level", InputKind::String), spec("until", InputKind::Date)];
    specs[0].required = true;
    specs[1].options = vec![json!("gold"), json!("silver")];
    let told = |given: Json| match read(&specs, &given) {
        Ok(read) => read.to_string(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    };
    assert_eq!(
        told(json!({"amuont": 1, "level": "sliver", "until": 5})),
        "input `amuont` is not known; there are amount, level, until; did you mean `amount`?\n\
         input `amount` must be given\n\
         input `level` must be one of gold, silver, not the text `sliver`; did you mean `silver`?\n\
         input `until` must be a date such as 2026-11-21 or 2026-11-21T07:00:00Z, not 5\n"
    );
    assert_eq!(told(json!([1])), "inputs are a map, not a list of 1\n");
    assert_eq!(told(Json::Null), "input `amount` must be given\n");
    assert_eq!(told(json!({"amount": null})), "input `amount` must be given\n");
    assert_eq!(told(json!({"amount": "1.10"})), r#"{"amount":1.10,"level":null,"until":null}"#);
    assert_eq!(
        read(&[], &json!({"a": 1})).unwrap_err()[0].to_string(),
        "input `a` is not known: the workflow declares no inputs"
    );
}

#[test]
fn absent_inputs_have_their_defaults() {
    let mut size = spec("size", InputKind::Number);
    (size.default, size.required) = (json!(5), true);
    assert_eq!(read(std::slice::from_ref(&size), &json!({})), Ok(json!({"size": 5})));
    assert_eq!(defaults(&[size, spec("name", InputKind::String)]), json!({"size": 5, "name": null}));
}

#[test]
fn options_are_compared_by_value() {
    let mut rate = spec("rate", InputKind::Number);
    rate.options = vec![json!(7), serde_json::from_str("12.50").unwrap()];
    assert_eq!(read(std::slice::from_ref(&rate), &json!({"rate": "12.5"})).unwrap()["rate"].to_string(), "12.5");
    assert!(read(&[rate], &json!({"rate": 8})).is_err());
}

#[test]
fn only_starts_by_hand_and_calls_give_inputs() {
    let mut size = spec("size", InputKind::Integer);
    size.default = json!(1);
    let specs = [size];
    let of = |topic: &str, source: &str, data: Json| {
        let event = Prepared::new(json!({"topic": topic, "source": {"kind": source}, "data": data}));
        of_event(Some(&specs), &event).unwrap().map(|inputs| inputs["size"].clone())
    };
    assert_eq!(of("manual", "manual", json!({"size": "3"})), Ok(json!(3)));
    assert_eq!(of("call", "call", json!({"size": 3})), Ok(json!(3)));
    assert_eq!(of("order.created", "manual", json!({"id": 61})), Ok(json!(1)), "a trigger is tried");
    assert_eq!(of("schedule", "schedule", json!({"size": 3})), Ok(json!(1)));
    assert!(of("manual", "manual", json!({"seize": 3})).is_err());
    assert!(of_event(None, &Prepared::new(json!({}))).is_none());
}

proptest::proptest! {
    #[test]
    fn any_json_is_read_or_refused(kind in 0usize..7, text in "\\PC{0,40}", number in proptest::num::f64::ANY) {
        let kind = InputKind::of(InputKind::WORDS[kind]).unwrap();
        for given in [json!(text), json!(number), json!([text]), json!({text: number})] {
            if let Ok(value) = kind.convert(&given) {
                proptest::prop_assert_eq!(kind.convert(&value), Ok(value));
            }
        }
    }
}
