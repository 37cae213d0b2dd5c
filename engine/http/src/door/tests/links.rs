//! Links to approvals: what they show, what they take, and that nothing but the message they are sent in has them.

use serde_json::json;

use super::*;

const LINKED: &str = "on: { woo: { topics: [order.*], stores: [shop] } }
grants: { http: [hooks.example] }
steps:
  - { id: tell, http: \"POST https://hooks.example/x\", body: { text: \"${{ links.ask }}\" } }
  - { id: ask, approve: \"Refund <b>${{ event.data.id }}</b>?\", by: [owner], timeout: 40d }
";

/// A run whose link was sent, its id and the link's address here.
async fn linked(workflow: &str, question: bool) -> (House, String, String) {
    let house = House::new(&[("shop/refund", workflow)]).await;
    house.deliver("order.created", r#"{"id":61}"#).await;
    if question {
        house.wait("a question", "/approvals", |asked| asked["items"][0].is_object()).await;
    } else {
        house.wait("a wait", "/runs?status=waiting", |runs| runs["items"][0].is_object()).await;
    }
    let run = house.get("/runs").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let link = house.sent.lock()[0]["body"]["text"].as_str().expect("a text").to_owned();
    let path = link.strip_prefix("https://engine.example").expect("our address").to_owned();
    assert!(path.starts_with("/approve/") && path.len() > 60, "{path}");
    (house, run, path)
}

async fn decide(house: &House, path: &str, form: &str) -> Answer {
    house.call("POST", path, &[], form.to_owned()).await
}

#[tokio::test]
async fn whoever_has_the_link_reads_the_question_and_answers_once() {
    let (house, run, path) = linked(LINKED, true).await;
    let page = house.call("GET", &path, &[], "").await;
    assert_eq!(page.status, 200);
    for part in [
        "Refund &lt;b&gt;61&lt;/b&gt;?",
        "shop/refund",
        &run,
        "value=\"approve\"",
        "value=\"reject\"",
        "<textarea",
        "width=device-width",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("<script"));
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self'") && !policy.contains("unsafe")
    );
    for (name, value) in
        [("x-frame-options", "DENY"), ("cache-control", "no-store"), ("referrer-policy", "same-origin")]
    {
        assert_eq!(page.headers[name], value);
    }

    // What is no decision changes nothing and loses nothing that was written.
    let long = format!("decision=approve&comment={}", "x".repeat(501));
    for form in ["", "decision=", "decision=yes&comment=kept+words", "comment=x", "%00", &long] {
        let page = decide(&house, &path, form).await;
        assert_eq!(page.status, 400, "{form}");
        assert!(page.body.contains("Refund &lt;b&gt;61"), "{form}");
        assert_eq!(page.body.contains("kept words"), form.contains("kept"), "{form}");
    }
    let foreign = house.call("POST", &path, &[("origin", "https://evil.example")], "decision=approve").await;
    assert_eq!(foreign.status, 403);
    assert_eq!(house.get("/approvals").await["items"].as_array().map(Vec::len), Some(1), "still open");

    let page = decide(&house, &path, "decision=approve&comment=a+good+customer").await;
    assert!(page.status == 200 && page.body.contains("<h1>Approved</h1>"), "{page:?}");
    house.wait("the end", "/runs?status=succeeded", |runs| runs["items"][0].is_object()).await;
    assert_eq!(decide(&house, &path, "decision=approve").await.status, 200, "pressed twice");
    for answer in [decide(&house, &path, "decision=reject").await, house.call("GET", &path, &[], "").await] {
        assert!(answer.status == 410 && answer.body.contains("<h1>Nothing left to decide</h1>"), "{answer:?}");
        assert!(!answer.body.contains(&run) && !answer.body.contains("61"), "no details: {answer:?}");
    }
    let shown = house.get(&format!("/runs/{run}")).await;
    let output = &shown["steps"][1]["output"];
    assert_eq!(
        (&output["approved"], &output["by"], &output["comment"]),
        (&json!(true), &json!("link"), &json!("a good customer"))
    );
    let log = house.get("/audit?what=approval.answer").await;
    assert_eq!((&log["items"][0]["who"], log["items"].as_array().map(Vec::len)), (&json!("link"), Some(1)), "{log}");

    // Nothing has it but the message.
    let token = path.rsplit('/').next().expect("a token");
    for target in [format!("/runs/{run}"), "/events".into(), "/audit".into(), "/runs".into(), "/approvals".into()] {
        assert!(!house.get(&target).await.to_string().contains(token), "{target}");
    }
    let detail = house.engine.run_detail(&run.parse().expect("an id")).await.expect("read").expect("there");
    let kept = format!("{detail:?}");
    assert!(!kept.contains(token) && kept.contains("StepSucceeded"), "{kept}");
}

#[tokio::test]
async fn other_links_tell_nothing() {
    let (house, run, path) = linked(LINKED, true).await;
    let token = path.rsplit('/').next().expect("a token");
    let mut wrong: Vec<String> = ["x", "%20", "..", "AAAA", "%F0%9F%98%80"].map(str::to_owned).to_vec();
    wrong.push("A".repeat(5_000));
    wrong.extend([
        token[1..].to_owned(),
        token[..token.len() - 2].to_owned(),
        format!("{token}AA"),
        format!("{token}="),
    ]);
    for at in (0..token.len()).step_by(7) {
        let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        wrong.push(format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    for token in wrong {
        let path = format!("/approve/{token}");
        for answer in [house.call("GET", &path, &[], "").await, decide(&house, &path, "decision=approve").await] {
            assert!([404, 429].contains(&answer.status.as_u16()), "{token}: {answer:?}");
            assert!(answer.body.contains("Too many tries") || answer.body.contains("<h1>This link is not valid</h1>"));
            assert!(!answer.body.contains(&run) && !answer.body.contains("Refund"), "{token}: {answer:?}");
        }
    }
    assert_eq!(house.call("GET", &path, &[], "").await.status, 200, "the right one is not locked out");
    house.later(Duration::from_secs(42 * 24 * 3600));
    let old = house.call("GET", &path, &[], "").await;
    assert!(old.status == 410 && old.body.contains("<h1>This link is too old</h1>"), "{old:?}");
    assert_eq!(decide(&house, &path, "decision=approve").await.status, 410);
}

#[tokio::test]
async fn a_link_that_comes_before_its_question_says_so() {
    let early = LINKED.replace("  - { id: ask", "  - { id: later, sleep: 1h }\n  - { id: ask");
    let (house, _, path) = linked(&early, false).await;
    for answer in [house.call("GET", &path, &[], "").await, decide(&house, &path, "decision=approve").await] {
        assert!(answer.status == 404 && answer.body.contains("<h1>Not asked yet</h1>"), "{answer:?}");
    }
}
