//! The live stream as server-sent events: what comes, to whom, from where on, and when it ends.

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use serde_json::json;

use super::*;

const SYNC: &str = "on: { woo: { topics: [order.*], stores: ['*'] } }\nsteps: [{ id: no, fail: as wanted }]\n";
/// Longer than it takes to notice that somebody may no longer listen.
const SOON: Duration = Duration::from_secs(5);

/// What a browser's `EventSource` would dispatch.
#[derive(Debug)]
struct Told {
    id: String,
    kind: String,
    data: Json,
}

struct Stream {
    answer: StatusCode,
    headers: HeaderMap,
    body: BodyDataStream,
    unread: String,
    last_id: String,
}

impl Stream {
    /// The next block of lines; `None`: the stream is over.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
                    id.clone_into(&mut self.last_id);
                }
                return Some(block);
            }
            let bytes = self.body.next().await?.expect("a chunk");
            self.unread += std::str::from_utf8(&bytes).expect("text");
        }
    }

    /// The next event; comments and positions are passed over.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(id), Some(kind), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
                return Some(Told { id, kind, data: serde_json::from_str(&data).expect("JSON on one line") });
            }
        }
    }

    /// So many events, as `kind status`.
    async fn brief(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < count {
            let told = self.next().await.expect("more");
            all.push(format!("{} {}", told.kind, told.data["status"].as_str().unwrap_or_default()));
        }
        all
    }

    /// Reads until it ends, and that within [`SOON`].
    async fn ends(mut self) -> String {
        let all = async {
            let mut last = String::new();
            while let Some(block) = self.block().await {
                last = block;
            }
            last
        };
        tokio::time::timeout(SOON, all).await.expect("the stream ends soon")
    }
}

impl House {
    async fn listen_with(&self, headers: &[(&str, &str)], query: &str) -> Stream {
        let mut request = Request::get(format!("/api/v1/live{query}")).header("host", "127.0.0.1:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = answer.into_parts();
        let body = body.into_data_stream();
        Stream { answer: parts.status, headers: parts.headers, body, unread: String::new(), last_id: String::new() }
    }

    async fn listen(&self, token: &str, query: &str) -> Stream {
        let stream = self.listen_with(&[("authorization", &format!("Bearer {token}"))], query).await;
        assert_eq!(stream.answer, 200, "{query}");
        stream
    }

    async fn emit(&self, topic: &str, store: Option<&str>) -> String {
        let body = json!({ "topic": topic, "store": store });
        let answer = self.api("POST", "/events", &body.to_string()).await;
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_its_run_and_its_steps_come_in_order() {
    let house = House::new(&[("shop/sync", SYNC)]).await;
    let mut stream = house.listen(TOKEN, "").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(
        (stream.headers["cache-control"].as_bytes(), stream.headers["x-accel-buffering"].as_bytes()),
        (&b"no-store"[..], &b"no"[..])
    );
    assert_eq!(stream.block().await.expect("a head").lines().next(), Some("retry: 2000"));
    let delivered = house.deliver("order.created", r#"{"id":1,"billing":{"email":"ada@example.test"}}"#).await.json();
    assert_eq!(
        house.deliver("order.created", r#"{"id":1,"billing":{"email":"ada@example.test"}}"#).await.json()["duplicate"],
        json!(true)
    );
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(stream.next().await.expect("more"));
    }
    let brief: Vec<String> =
        all.iter().map(|told| format!("{} {}", told.kind, told.data["status"].as_str().expect("a status"))).collect();
    assert_eq!(brief, ["event accepted", "run running", "step running", "step failed", "run failed"]);
    for told in &all {
        assert_eq!((told.data["kind"].as_str(), told.data["id"].as_str()), (Some(&*told.kind), Some(&*told.id)));
        assert_eq!((&told.data["event"], &told.data["store"]), (&delivered["event"], &json!("shop")), "{told:?}");
        assert!(!told.data.to_string().contains("example.test"), "what an event carries is not told: {told:?}");
    }
    let runs = house.wait("a run over", "/runs?status=failed", |runs| runs["items"][0].is_object()).await;
    let run = &runs["items"][0];
    assert!(all[1..].iter().all(|told| told.data["run"] == run["id"] && told.data["workflow"] == json!("shop/sync")));
    assert_eq!((&all[0].data["topic"], &all[0].data["data"]["source"]), (&json!("order.created"), &json!("woo")));
    assert_eq!(all[2].data["data"], json!({ "step": "no", "type": "fail", "attempt": 1 }));
    assert_eq!(all[3].data["data"]["error"]["message"], run["error"]["message"]);
    assert_eq!((&all[4].data["data"]["error"], &all[4].data["data"]["finished"]), (&run["error"], &run["finished"]));
}

#[tokio::test(start_paused = true)]
async fn filters_narrow_and_what_cannot_be_meant_is_refused() {
    let house = House::new(&[("shop/sync", SYNC)]).await;
    house.connect("other", &[]).await;
    let mut failed = house.listen(TOKEN, "?kind=run,step&status=failed&store=shop").await;
    let mut topic = house.listen(TOKEN, "?topic=a.b&topic=c.d").await;
    house.emit("c.d", Some("other")).await;
    house.emit("x.y", None).await;
    house.deliver("order.created", r#"{"id":1}"#).await;
    house.emit("a.b", None).await;
    assert_eq!(failed.brief(2).await, ["step failed", "run failed"]);
    let topics = [topic.next().await.expect("one").data, topic.next().await.expect("two").data];
    assert_eq!(topics.map(|data| data["topic"].clone()), [json!("c.d"), json!("a.b")]);
    for query in ["?kinds=run", "?kind=runs", "?status=done", "?store=A%20B", "?last_id=x", "?limit=1", "?kind=batch"] {
        let refusal = house.api("GET", &format!("/live{query}"), "").await.refusal();
        assert_eq!(refusal, (400, "filter_invalid".to_owned()), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_what_they_do_not_see() {
    let house = House::new(&[("shop/sync", SYNC)]).await;
    house.connect("eu", &["europe"]).await;
    house.connect("us", &[]).await;
    let token = house.token("eu", &["events:read"], Some(&["tag:europe"])).await;
    let mut stream = house.listen(&token, "").await;
    for store in [Some("us"), None, Some("shop"), Some("eu")] {
        house.emit("order.created", store).await;
    }
    let told = stream.next().await.expect("their store's event");
    assert_eq!((told.kind.as_str(), &told.data["store"]), ("event", &json!("eu")), "and no run or step of it");
    // The tag is somebody else's now.
    let id = |text: &str| text.parse().expect("an id");
    for (store, tags) in [("eu", vec![]), ("us", vec!["europe".to_owned()])] {
        house.engine.stores().remove(&id(store), |_| None).await.expect("removed");
        let settings = StoreSettings { tags, webhook_secrets: vec![Secret::new(SECRET)], ..StoreSettings::default() };
        house.engine.stores().add(id(store), &settings, house.engine.now(), |_| None).await.expect("added");
        house.emit("order.created", Some("eu")).await;
        house.emit("order.created", Some("us")).await;
    }
    assert_eq!(stream.next().await.expect("one").data["store"], json!("us"));
    let refusal = house.with_token(&token, "GET", "/live?kind=event,run", "").await;
    assert_eq!(refusal.refusal(), (403, "scope_missing".to_owned()));
    assert!(refusal.json()["help"].as_str().expect("help").contains("runs:read"));
}

#[tokio::test(start_paused = true)]
async fn streams_go_on_after_the_last_id_and_say_what_is_missing() {
    let house = House::new(&[]).await;
    let mut stream = house.listen(TOKEN, "").await;
    let ids = [house.emit("a.b", None).await, house.emit("a.b", None).await, house.emit("a.b", None).await];
    let first = stream.next().await.expect("one");
    drop(stream);
    let last = format!("?last_id={}", first.id);
    let mut back = house.listen(TOKEN, &last).await;
    for id in &ids[1..] {
        assert_eq!(back.next().await.expect("more").data["event"], json!(id));
    }
    // A browser repeats the address; what it says in the header is newer.
    let bearer = format!("Bearer {TOKEN}");
    let (head, last_id) = (("authorization", bearer.as_str()), back.last_id.clone());
    let mut again = house.listen_with(&[head, ("last-event-id", &last_id)], &last).await;
    let id = house.emit("a.b", None).await;
    assert_eq!(again.next().await.expect("the new one").data["event"], json!(id));
    let mut other = house.listen(TOKEN, "?last_id=0123456789ab-7&kind=event").await;
    let gap = other.next().await.expect("a gap first");
    assert_eq!((gap.kind.as_str(), &gap.data["data"]["from"]), ("gap", &json!("0123456789ab-7")));
    assert_eq!(gap.data["data"]["to"], json!(gap.id));
    assert_eq!(other.next().await.expect("what is kept").data["event"], json!(ids[0]));
    let refusal = house.listen_with(&[head, ("last-event-id", "nonsense")], "").await;
    assert_eq!(refusal.answer, 400);
}

#[tokio::test(start_paused = true)]
async fn silence_has_signs_of_life_that_carry_the_position() {
    let house = House::new(&[]).await;
    let mut stream = house.listen(TOKEN, "?kind=run").await;
    stream.block().await.expect("a head");
    let before = stream.last_id.clone();
    house.emit("a.b", None).await;
    let began = tokio::time::Instant::now();
    let block = stream.block().await.expect("a sign of life");
    assert!(block.starts_with(": ") && !block.contains("data"), "{block}");
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_ne!(stream.last_id, before, "what was not wanted is behind us too");
    let mut back = house.listen(TOKEN, &format!("?last_id={}", stream.last_id)).await;
    house.emit("c.d", None).await;
    assert_eq!(back.next().await.expect("no gap").data["topic"], json!("c.d"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_soon_after_its_token_or_session() {
    let house = House::new(&[]).await;
    let token = house.token("gone", &["events:read"], None).await;
    let stream = house.listen(&token, "").await;
    let listed = house.get("/tokens").await["items"][0]["id"].as_str().expect("an id").to_owned();
    house.api("DELETE", &format!("/tokens/{listed}"), "").await;
    assert!(stream.ends().await.contains("over"));
    let cookie = house.join("ada").await;
    let stream = house.listen_with(&[("cookie", &cookie)], "").await;
    assert_eq!(stream.answer, 200);
    let (_, value) = cookie.split_once('=').expect("a cookie");
    house.engine.access().close_session(value, house.engine.now()).await.expect("closed");
    assert!(stream.ends().await.contains("over"));
    let expires = house.engine.now().plus(Duration::from_secs(60));
    let wanted = json!({ "name": "short", "scopes": ["runs:read"], "expires": expires });
    let made = house.api("POST", "/tokens", &wanted.to_string()).await.json();
    let stream = house.listen(made["token"].as_str().expect("a token"), "").await;
    house.later(Duration::from_secs(61));
    assert!(stream.ends().await.contains("over"));
}

#[tokio::test(start_paused = true)]
async fn looking_on_is_no_use_of_a_session() {
    let house = House::new(&[]).await;
    let cookie = house.join("ada").await;
    let stream = house.listen_with(&[("cookie", &cookie)], "").await;
    house.later(Duration::from_secs(11 * 3600));
    tokio::time::sleep(SOON).await;
    house.later(Duration::from_secs(2 * 3600));
    assert!(stream.ends().await.contains("over"), "half a day without a request");
}

#[tokio::test(start_paused = true)]
async fn each_has_so_many_streams_and_gets_a_place_back_when_one_ends() {
    let house = House::new(&[]).await;
    let token = house.token("many", &["events:read"], None).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(house.listen(&token, "").await);
    }
    let refusal = house.with_token(&token, "GET", "/live", "").await;
    assert_eq!(refusal.refusal(), (429, "too_many_streams".to_owned()));
    assert!(refusal.headers.contains_key("retry-after"));
    drop(house.listen(TOKEN, "").await);
    streams.pop();
    drop(house.listen(&token, "").await);
}
