//! What bodies are.

use cartwright_core::Json;
use proptest::prelude::*;
use serde_json::json;

use crate::client::{
    parse::{Reading, RestError, read},
    text::plain,
};

fn body(text: &str) -> (Json, Option<String>) {
    match read(text.as_bytes()) {
        Reading::Json { value, around } => (value, around),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn json_is_read_with_what_stands_around_it() {
    for (text, value, around) in [
        ("{\"id\":1}", json!({ "id": 1 }), None),
        ("\u{feff} [1]\n", json!([1]), None),
        ("7", json!(7), None),
        ("\"x\"", json!("x"), None),
        (
            "<br />\n<b>Warning</b>:  x in <b>/a.php</b> on line <b>3</b><br />\n{\"id\":1}",
            json!({ "id": 1 }),
            Some("Warning : x in /a.php on line 3"),
        ),
        ("{\"id\":1}<br />Notice: y", json!({ "id": 1 }), Some("Notice: y")),
        ("Notice: a[12] and {b}\n[]", json!([]), Some("Notice: a[12] and {b}")),
        ("[{\"id\":1}] Notice: a [12] b", json!([{ "id": 1 }]), Some("Notice: a [12] b")),
        ("x {\"a\":[1]} y", json!({ "a": [1] }), Some("x y")),
        ("\u{feff}[1] \u{fffd}é", json!([1]), Some("\u{fffd}é")),
    ] {
        assert_eq!(body(text), (value, around.map(str::to_owned)), "{text}");
    }
}

#[test]
fn what_is_no_json_is_a_page_or_nothing() {
    for text in ["", " \n", "\u{feff}"] {
        assert_eq!(read(text.as_bytes()), Reading::Empty, "{text:?}");
    }
    for text in
        ["<!DOCTYPE html><script>var a = {\"id\":1}</script>", "<HTML>[1]</HTML>", "{\"id\":", "[1,2", "plain", "{a}"]
    {
        assert!(matches!(read(text.as_bytes()), Reading::Page(_)), "{text}");
    }
    assert!(matches!(read(b"\xff\xfe{\"id\":1}"), Reading::Json { around: Some(_), .. }), "broken UTF-8 is other text");
    let Reading::Page(page) = read("ä".repeat(100_000).as_bytes()) else { panic!("a page") };
    assert!(page.len() <= 64 * 1024);
}

#[test]
fn hostile_bodies_cost_a_bounded_effort() {
    // Neither deep nesting nor many openings lead anywhere.
    for text in ["[".repeat(200_000), "{\"a\":".repeat(50_000), "[1,".repeat(100_000), "{".repeat(1_000_000)] {
        assert!(matches!(read(text.as_bytes()), Reading::Page(_)));
    }
}

#[test]
fn errors_are_read_whatever_data_is() {
    let read = |data: &str| {
        let text = format!(r#"{{"code":"c","message":"m","data":{data}}}"#);
        RestError::read(&body(&text).0).expect("an error")
    };
    assert_eq!(read("500").status, Some(500));
    assert_eq!(read("\"404\"").status, Some(404));
    for data in ["null", "[]", "{}", "-1", "1e99", "70000", "\"x\"", "[1]", "true"] {
        assert_eq!(read(data).status, None, "{data}");
    }
    let full =
        read(r#"{"status":400,"resource_id":12,"new_draft_order_id":"48","params":{"a":"a is <b>bad</b>","b":7}}"#);
    assert_eq!((full.status, full.resource_id, full.draft_order_id), (Some(400), Some(12), Some(48)));
    assert_eq!(full.params, ["a is bad", "b"]);
    assert_eq!(read(r#"{"params":["a","b"]}"#).params, ["a", "b"]);
    for text in ["[]", "{}", "1", r#"{"code":"x"}"#, r#"{"code":"x","message":7}"#, r#"{"code":[],"message":"m"}"#] {
        assert_eq!(RestError::read(&body(text).0), None, "{text}");
    }
    let numbered = RestError::read(&json!({ "code": 400, "message": "m" })).expect("an error");
    assert_eq!((numbered.code.as_str(), numbered.status), ("400", None));
}

#[test]
fn messages_are_for_people() {
    for (html, text) in [
        ("Coupon &quot;a&quot; &amp; &#8220;b&#x201D;", "Coupon \"a\" & “b”"),
        ("<strong>Error:</strong> Unknown", "Error: Unknown"),
        ("a < b &lt;i&gt; &unknown; & x; &#xfffffff; &#0;", "a < b <i> &unknown; & x; &#xfffffff;"),
        ("open <a href=\"x", "open"),
        ("  many\n\t blanks ", "many blanks"),
        ("&nbsp;€&euro;", "€€"),
    ] {
        assert_eq!(plain(html, 100), text, "{html}");
    }
    assert_eq!(plain("abcdef", 4), "abc…");
    assert_eq!(plain("äöüß", 4), "äöüß");
    assert_eq!(plain(&"wort ".repeat(1_000_000), 10).chars().count(), 10);
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from)
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_are_found_behind_notices(value in json_value(), notice in "[^\\[{]{1,60}") {
        prop_assume!(value.is_array() || value.is_object());
        let (found, _) = body(&format!("x{notice}\n{value}"));
        prop_assert_eq!(found, value);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Reading::Json { value, .. } = read(&bytes) {
            let _ = RestError::read(&value);
        }
    }

    #[test]
    fn any_text_becomes_a_short_line(text in "[<>&;#x0-9a-z \\n\\PC]{0,200}", most in 1..50_usize) {
        let line = plain(&text, most);
        prop_assert!(line.chars().count() <= most && !line.contains('\n'));
    }
}
