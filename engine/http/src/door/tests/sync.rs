//! `/hooks/{path}` with `respond: sync`, body schemas, and the presets of signatures as they come in.

use serde_json::json;

use super::*;

const ECHO: &str = r##"
on: { http: { path: /echo, auth: none, respond: sync } }
steps:
  - if: event.data.kind == "respond"
    respond:
      status: 201
      headers: { Location: "/orders/${{ event.data.id }}", X-Kind: made }
      body: { id: "${{ event.data.id }}", total: 1.10 }
  - if: event.data.kind == "text"
    respond: { body: "plain <b>text</b>" }
  - if: event.data.kind == "empty"
    respond: { status: 204 }
  - if: event.data.kind == "bad"
    respond: { headers: { x: "a\nb${{ event.data.kind }}" } }
  - if: event.data.kind == "fail"
    fail: "because of ${{ event.data.password }}"
  - if: event.data.kind == "sleep"
    sleep: 10m
  - script: "#{ gave: event.data.kind, again: 12.50 }"
"##;

async fn echo(house: &House, body: &str) -> Answer {
    house.call("POST", "/hooks/echo", &[("content-type", "application/json")], body.to_owned()).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn callers_get_what_the_run_says() {
    let house = House::new(&[("echo", ECHO)]).await;
    let answer = echo(&house, r#"{"kind":"respond","id":7}"#).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (201, r#"{"id":7,"total":1.10}"#));
    assert_eq!((header(&answer, "location"), header(&answer, "x-kind")), ("/orders/7", "made"));
    let run = header(&answer, "cartwright-run").to_owned();
    let shown = house.wait("the rest of the steps", &format!("/runs/{run}"), |run| run["status"] == "succeeded").await;
    assert_eq!(
        shown["output"],
        json!({"gave": "respond", "again": shown["output"]["again"]}),
        "steps follow the answer"
    );
    let journal = shown["journal"].to_string();
    assert!(journal.find("responded").expect("in the journal") < journal.find("run_finished").expect("an end"));

    let answer = echo(&house, r#"{"kind":"text"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "plain <b>text</b>"));
    assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
    let answer = echo(&house, r#"{"kind":"empty"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    let answer = echo(&house, r#"{"kind":"none"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, r#"{"again":12.50,"gave":"none"}"#));
}

#[tokio::test]
async fn a_failed_run_is_a_500_that_names_it_and_tells_nothing_else() {
    let house = House::new(&[("echo", ECHO)]).await;
    for body in [r#"{"kind":"fail","password":"hunter2"}"#, r#"{"kind":"bad"}"#] {
        let answer = echo(&house, body).await;
        assert_eq!(answer.refusal(), (500, "run_failed".to_owned()), "{body}");
        assert!(
            answer.body.contains(header(&answer, "cartwright-run")) && !answer.body.contains("hunter2"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_run_that_takes_longer_goes_on_without_its_caller() {
    let house = House::with(&[("echo", ECHO)], |config| config.sync_wait = Duration::from_millis(50)).await;
    let answer = echo(&house, r#"{"kind":"sleep"}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let run = answer.json()["run"].as_str().expect("its id").to_owned();
    assert_eq!(
        (header(&answer, "location"), &answer.json()["status"]),
        (format!("/api/v1/runs/{run}").as_str(), &json!("running"))
    );
    assert_eq!(house.get(&format!("/runs/{run}")).await["status"], "waiting");
}

#[tokio::test]
async fn a_caller_that_goes_away_stops_nothing() {
    let house = House::new(&[("echo", ECHO)]).await;
    let request = Request::builder().method("POST").uri("/hooks/echo").header("host", "127.0.0.1:8080");
    let request = request.header("content-type", "application/json").body(Body::from(r#"{"kind":"respond","id":1}"#));
    let mut call = Box::pin(house.router.clone().oneshot(request.expect("a request")));
    // Looked at once: the event is on its way, and nobody is there for the answer.
    tokio::select! {
        biased;
        answer = &mut call => panic!("too early: {answer:?}"),
        () = std::future::ready(()) => {}
    }
    drop(call);
    house.wait("the run", "/runs?workflow=echo&status=succeeded", |runs| runs["items"][0].is_object()).await;
}

#[tokio::test]
async fn the_same_call_again_hears_the_first_answer() {
    let house = House::new(&[("echo", ECHO)]).await;
    let call = async || {
        let headers = [("content-type", "application/json"), ("idempotency-key", "order-7")];
        house.call("POST", "/hooks/echo", &headers, r#"{"kind":"respond","id":7}"#).await
    };
    let (first, second) = (call().await, call().await);
    assert_eq!((second.status.as_u16(), &second.body), (201, &first.body));
    assert_eq!(header(&second, "cartwright-run"), header(&first, "cartwright-run"));
    assert_eq!(house.get("/runs").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn too_many_callers_are_refused_before_anything_is_accepted() {
    let house = House::with(&[("echo", ECHO)], |config| config.sync_callers_max = 0).await;
    let answer = echo(&house, r#"{"kind":"none"}"#).await;
    assert_eq!(answer.refusal(), (503, "too_many_waiting".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));
    house.is_untouched().await;
}

#[tokio::test]
async fn a_condition_that_is_false_is_told() {
    let source =
        "on: { http: { path: /in, auth: none, respond: sync, if: event.data == 1 } }\nsteps: [{ respond: {} }]\n";
    let house = House::new(&[("picky", source)]).await;
    let answer = house.call("POST", "/hooks/in", &[("content-type", "application/json")], "2").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("condition_false")));
    assert_eq!(answer.json()["run"], json!(null));
}

#[tokio::test]
async fn a_start_by_hand_needs_no_caller() {
    let house = House::new(&[("echo", ECHO)]).await;
    assert_eq!(house.api("POST", "/workflows/echo/run", r#"{"event":{"kind":"respond","id":1}}"#).await.status, 202);
    house.wait("the run", "/runs?workflow=echo&status=succeeded", |runs| runs["items"][0].is_object()).await;
}

const STRICT: &str = r##"
on:
  http:
    path: /strict
    auth: none
    schema:
      type: object
      required: [email, items]
      properties:
        email: { type: string, pattern: "^[^@]+@[^@]+$" }
        items: { type: array, minItems: 1, items: { $ref: "#/$defs/item" } }
      $defs:
        item: { type: object, properties: { qty: { type: integer, minimum: 1 } } }
steps: [{ stop: done }]
"##;

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_with_every_place() {
    let house = House::new(&[("strict", STRICT)]).await;
    let send = async |body: &str| {
        house.call("POST", "/hooks/strict", &[("content-type", "application/json")], body.to_owned()).await
    };
    let answer = send(r#"{"email":"nobody","items":[{"qty":1},{"qty":0},{"qty":"x"}]}"#).await;
    assert_eq!(answer.refusal(), (422, "body_unfit".to_owned()));
    let errors = answer.json()["errors"].as_array().expect("errors").clone();
    let mut places: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/email", "/items/1/qty", "/items/2/qty"]);
    for body in ["[]", "7", "{}", r#"{"email":"a@b"}"#, r#"{"email":"a@b","items":[]}"#] {
        assert_eq!(send(body).await.refusal().0, 422, "{body}");
    }
    assert_eq!(house.call("POST", "/hooks/strict", &[], "text").await.refusal().0, 422);
    house.is_untouched().await;
    assert_eq!(send(r#"{"email":"a@b","items":[{"qty":1}]}"#).await.status, 202);
}

#[test]
fn schemas_that_are_none_are_found_before_anybody_calls() {
    for (schema, fine) in [
        ("{ type: object }", true),
        ("true", true),
        ("{ type: objekt }", false),
        ("{ minimum: a }", false),
        ("{ pattern: \"(\" }", false),
        ("{ $ref: \"https://example.com/schema.json\" }", false),
        ("{ $ref: \"file:///etc/passwd\" }", false),
        ("{ $ref: \"#/$defs/gone\" }", false),
    ] {
        let source =
            format!("on: {{ http: {{ path: /a, auth: none, schema: {schema} }} }}\nsteps: [{{ stop: done }}]\n");
        let found = crate::body_schema::check(&load("a", &source).workflow);
        assert_eq!(found.is_empty(), fine, "{schema}: {found:?}");
        assert!(found.iter().all(|one| one.code == "E0332"));
    }
}

const SIGNED: &str = r#"
on:
  - http: { path: /stripe, auth: { stripe: { secrets: [new_key, key] } } }
  - http: { path: /github, auth: { github: { secret: key } } }
  - http: { path: /standard, auth: { standard_webhooks: { secret: standard_key } } }
  - http: { path: /woo, auth: { woocommerce: { secret: key } } }
  - http: { path: /unset, auth: github }
steps: [{ stop: done }]
"#;

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key: Hmac<Sha256> = Hmac::new_from_slice(key).expect("a key");
    key.chain_update(text.as_bytes()).finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn presets_let_in_what_their_senders_sign_and_know_it_again() {
    let house = House::new(&[("signed", SIGNED)]).await;
    for (name, value) in [("key", SECRET), ("standard_key", "whsec_czNjcjN0"), ("new_key", "another")] {
        house.engine.secrets().set(name, &Secret::new(value), house.engine.now(), |_| None).await.expect("set");
    }
    let key = SECRET.as_bytes();
    let now = house.engine.now().as_millis() / 1000;
    let body = r#"{"id":"evt_1"}"#;
    let stripe = |time: i64| format!("t={time},v1={}", hex::encode(mac(key, &format!("{time}.{body}"))));
    let standard = |time: i64| format!("v1,{}", BASE64.encode(mac(key, &format!("msg_1.{time}.{body}"))));
    let github = format!("sha256={}", hex::encode(mac(key, body)));
    let woo = BASE64.encode(mac(key, body));
    let (time, late) = (now.to_string(), (now - 600).to_string());
    let (fresh, stale) = (stripe(now), stripe(now - 600));
    let (fresh_message, stale_message) = (standard(now), standard(now - 600));
    let known = [
        ("stripe", vec![("stripe-signature", fresh.as_str())]),
        ("github", vec![("x-hub-signature-256", &github), ("x-github-delivery", "guid-1")]),
        (
            "standard",
            vec![("webhook-id", "msg_1"), ("webhook-timestamp", &time), ("webhook-signature", &fresh_message)],
        ),
        (
            "woo",
            vec![
                ("x-wc-webhook-signature", &woo),
                ("x-wc-webhook-id", "1"),
                ("x-wc-webhook-delivery-id", "2"),
                ("x-wc-webhook-topic", "order.updated"),
            ],
        ),
    ];
    for (path, headers) in known {
        let first = house.call("POST", &format!("/hooks/{path}"), &headers, body).await;
        assert_eq!((first.status.as_u16(), &first.json()["duplicate"]), (202, &json!(false)), "{path} {first:?}");
        let again = house.call("POST", &format!("/hooks/{path}"), &headers, body).await;
        assert_eq!(
            (&again.json()["event"], &again.json()["duplicate"]),
            (&first.json()["event"], &json!(true)),
            "{path}"
        );
        let tampered = house.call("POST", &format!("/hooks/{path}"), &headers, r#"{"id":"evt_2"}"#).await;
        assert_eq!(tampered.refusal(), (401, "credentials_wrong".to_owned()), "{path}");
        assert_eq!(house.call("POST", &format!("/hooks/{path}"), &[], body).await.refusal().0, 401, "{path}");
        let event = house.get(&format!("/events/{}", first.json()["event"].as_str().expect("an id"))).await;
        assert!(!event["source"].to_string().contains("signature"), "{event}");
    }
    for (path, headers) in [
        ("stripe", vec![("stripe-signature", stale.as_str())]),
        (
            "standard",
            vec![("webhook-id", "msg_1"), ("webhook-timestamp", &late), ("webhook-signature", &stale_message)],
        ),
    ] {
        let answer = house.call("POST", &format!("/hooks/{path}"), &headers, body).await;
        assert_eq!(answer.refusal(), (401, "signature_stale".to_owned()), "{path}");
    }
    let unset = house.call("POST", "/hooks/unset", &[("x-hub-signature-256", &github)], body).await;
    assert_eq!(unset.refusal(), (401, "credentials_wrong".to_owned()), "a secret that is not set lets nobody in");
    let ping = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        house.call("POST", "/hooks/woo", &ping, "webhook_id=4").await.status,
        200,
        "WooCommerce tries an address so"
    );
    assert_eq!(house.get("/events").await["items"].as_array().map(Vec::len), Some(4));
}
