//! Tokens at work: what they hand out, their rate and figures, lists that leave things out, and the audit log.

use serde_json::json;

use super::*;

#[tokio::test]
async fn nobody_hands_out_more_than_they_have() {
    let house = House::new(&[]).await;
    let token = house.token("lead", &["tokens:write", "runs:read"], Some(&["shop", "tag:eu"])).await;
    for (body, status) in [
        (json!({ "name": "a", "scopes": ["runs:read"], "stores": ["shop"] }), 201),
        (json!({ "name": "b", "scopes": ["runs:read"], "stores": ["tag:eu"] }), 201),
        (json!({ "name": "c", "scopes": ["runs:read"] }), 403),
        (json!({ "name": "d", "scopes": ["runs:write"], "stores": ["shop"] }), 403),
        (json!({ "name": "e", "scopes": ["admin"], "stores": ["shop"] }), 403),
        (json!({ "name": "f", "scopes": ["runs:read"], "stores": ["*"] }), 403),
        (json!({ "name": "g", "scopes": ["runs:read"], "stores": ["other"] }), 403),
        (json!({ "name": "h", "scopes": ["runs:read"], "stores": [] }), 400),
        (json!({ "name": "h", "scopes": [], "stores": ["shop"] }), 400),
        (json!({ "name": "h", "scopes": ["runs:rule"], "stores": ["shop"] }), 400),
        (json!({ "name": "a", "scopes": ["runs:read"], "stores": ["shop"] }), 409),
        (
            json!({ "name": "i", "scopes": ["runs:read"], "stores": ["shop"], "expires": "2001-01-01T00:00:00.000Z" }),
            400,
        ),
        (json!({ "name": "i", "scopes": ["runs:read"], "stores": ["shop"], "requests_per_second": 0 }), 400),
    ] {
        let answer = house.with_token(&token, "POST", "/tokens", &body.to_string()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let listed = house.get("/tokens").await.to_string();
    assert!(!listed.contains(&token[4..]) && !listed.contains("hash"), "{listed}");
}

#[tokio::test]
async fn a_token_has_its_own_rate_and_its_use_is_counted() {
    let house = House::new(&[]).await;
    let wanted = json!({ "name": "slow", "scopes": ["runs:read"], "requests_per_second": 2 });
    let made = house.api("POST", "/tokens", &wanted.to_string()).await.json();
    let slow = made["token"].as_str().expect("a token");
    let mut refused = None;
    for _ in 0..1_000 {
        let answer = house.with_token(slow, "GET", "/runs", "").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a thousand requests at once are more than two a second");
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    let quick = house.token("quick", &["runs:read"], None).await;
    assert_eq!(house.with_token(&quick, "GET", "/runs", "").await.status, 200, "others go on");
    let listed = house.get("/tokens").await;
    let slow = listed["items"].as_array().expect("items").iter().find(|one| one["name"] == "slow").expect("listed");
    assert!(slow["requests"].as_u64().is_some_and(|number| number >= 3) && slow["last_used"].is_string(), "{slow}");
}

#[tokio::test]
async fn lists_leave_out_what_is_not_theirs_and_their_pages_lose_nothing() {
    let house = House::new(&[]).await;
    house.connect("eu", &["europe"]).await;
    house.connect("us", &[]).await;
    let mut expected = Vec::new();
    for number in 0..30 {
        let store = ["shop", "eu", "us"][number % 3];
        let body = json!({ "topic": "a.b", "store": store, "data": { "n": number } });
        let id = house.api("POST", "/events", &body.to_string()).await.json()["id"].clone();
        if store != "us" {
            expected.push(id);
        }
    }
    expected.sort_unstable_by_key(Json::to_string);
    house.api("POST", "/events", r#"{"topic":"a.b"}"#).await;
    let token = house.token("eu", &["events:read"], Some(&["shop", "tag:europe"])).await;
    for limit in [1, 3, 4, 50] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let target = format!("/events?limit={limit}{cursor}");
            let page = house.with_token(&token, "GET", &target, "").await.json();
            let items = page["items"].as_array().expect("items");
            assert!(items.len() <= limit);
            found.extend(items.iter().map(|event| event["id"].clone()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        found.sort_unstable_by_key(Json::to_string);
        assert_eq!(found, expected, "limit {limit}");
    }
    let single = house.token("us", &["events:read"], Some(&["us"])).await;
    let page = house.with_token(&single, "GET", "/events?limit=50", "").await.json();
    assert_eq!((page["items"].as_array().map(Vec::len), &page["next"]), (Some(10), &Json::Null));
    let foreign = house.with_token(&single, "GET", "/events?store=shop", "").await.json();
    assert_eq!(foreign["items"], json!([]));
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_and_from_where() {
    let workflow = "on: { event: { topics: [stock.low] } }\nsteps: [{ fail: as wanted }]\n";
    let house = House::new(&[("a/low", workflow)]).await;
    let token = house.token("ci", &["admin"], None).await;
    let does = async |method: &str, target: &str, body: &str| {
        let answer = house.with_token(&token, method, target, body).await;
        assert!(answer.status.is_success(), "{method} {target}: {answer:?}");
        answer
    };
    does("POST", "/events", r#"{"topic":"stock.low","store":"shop"}"#).await;
    let runs = house.wait("a run over", "/runs?status=failed", |runs| runs["items"][0].is_object()).await;
    let run = runs["items"][0]["id"].as_str().expect("an id").to_owned();
    does("POST", &format!("/runs/{run}/retry"), "").await;
    does("PUT", "/secrets/name", r#"{"value":"hunter2"}"#).await;
    does("PUT", "/secrets/name", r#"{"value":"hunter3"}"#).await;
    does("DELETE", "/secrets/name", "").await;
    does("POST", "/stores", r#"{"id":"third","webhook_secrets":["hunter4"]}"#).await;
    does("POST", "/stores", r#"{"id":"third","webhook_secrets":["hunter5"]}"#).await;
    does("DELETE", "/stores/third", "").await;
    does("POST", "/workflows/a/low/run", "{}").await;
    does("POST", "/keys/rotate", "").await;
    does("POST", "/users/invitations", r#"{"roles":[{"role":"viewer"}]}"#).await;
    let log = house.get("/audit?limit=100").await;
    let entries = log["items"].as_array().expect("items");
    let what: Vec<&str> = entries.iter().rev().map(|entry| entry["what"].as_str().expect("what")).collect();
    assert_eq!(
        what,
        [
            "token.create",
            "event.accept",
            "run.retry",
            "secret.set",
            "secret.set",
            "secret.remove",
            "store.add",
            "store.webhook_secret",
            "store.remove",
            "workflow.run",
            "keys.rotate",
            "user.invite"
        ]
    );
    for entry in &entries[..entries.len() - 1] {
        assert_eq!((&entry["who"], &entry["from"]), (&json!("token:ci"), &json!("0.0.0.0")), "{entry}");
    }
    let find = |what: &str| entries.iter().find(|entry| entry["what"] == what).expect(what);
    assert_eq!((&find("run.retry")["target"], &find("run.retry")["before"]["status"]), (&json!(run), &json!("failed")));
    assert_eq!(find("run.retry")["store"], json!("shop"));
    let set = find("secret.set");
    assert_eq!((&set["before"]["version"], &set["after"]["version"]), (&json!(1), &json!(2)));
    let rotated = find("store.webhook_secret");
    assert_eq!((&rotated["before"]["webhook_secrets"], &rotated["after"]["webhook_secrets"]), (&json!(1), &json!(2)));
    assert!(!log.to_string().contains("hunter") && !log.to_string().contains(&token[4..]), "{log}");
    let journal = house.get(&format!("/runs/{run}")).await["journal"].to_string();
    assert!(journal.contains("token:ci"), "journals name who moved a run: {journal}");
    let page = house.get("/audit?limit=5").await;
    let next = page["next"].as_str().expect("more").to_owned();
    assert_eq!(house.get(&format!("/audit?limit=1&cursor={next}")).await["items"][0], entries[5]);
    assert_eq!(house.api("GET", "/audit?cursor=../x", "").await.refusal().0, 400);
}
