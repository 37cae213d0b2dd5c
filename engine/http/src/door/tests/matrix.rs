//! Every address of the API with every kind of credentials, from the table that the routes are made of.

use cartwright_core::access::{Area, Right};
use serde_json::json;

use super::*;
use crate::{
    api::{ROUTES, Route},
    caller::Need,
};

const SYNC: &str = "on: { woo: { topics: [order.*], stores: [shop] } }\nsteps: [{ fail: as wanted }]\n";

/// A house with one of everything that addresses name, all of it the store `shop`'s or no store's.
struct World {
    house: House,
    run: String,
    event: String,
    token: String,
}

impl World {
    async fn new() -> Self {
        let house = House::new(&[("shop/sync", SYNC)]).await;
        house.connect("other", &[]).await;
        house.deliver("order.created", r#"{"id":1}"#).await;
        let runs = house.wait("a run over", "/runs?status=failed", |runs| runs["items"][0].is_object()).await;
        let events = house.get("/events").await;
        assert_eq!(house.api("PUT", "/secrets/name", r#"{"value":"x"}"#).await.status, 200);
        let made = house.api("POST", "/tokens", r#"{"name":"theirs","scopes":["runs:read"]}"#).await.json();
        let id = |value: &Json| value["id"].as_str().expect("an id").to_owned();
        let (run, event, token) = (id(&runs["items"][0]), id(&events["items"][0]), id(&made));
        Self { run, event, token, house }
    }

    fn target(&self, route: &Route) -> String {
        let id = match route.path.split('/').nth(1) {
            Some("runs") => &self.run,
            Some("events") => &self.event,
            Some("tokens") => &self.token,
            _ => "shop",
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{*path}", if route.method == "GET" { "shop/sync" } else { "shop/sync/run" });
        path.replace("/users/{name}", "/users/ada").replace("{name}", "name").replace("{step}", "ask")
    }

    async fn ask(&self, route: &Route, headers: &[(&str, &str)]) -> Answer {
        let target = format!("/api/v1{}", self.target(route));
        self.house.call(route.method, &target, headers, body(route).to_string()).await
    }

    async fn ask_as(&self, route: &Route, token: &str) -> Answer {
        self.ask(route, &[("authorization", &format!("Bearer {token}"))]).await
    }
}

/// What makes sense there.
fn body(route: &Route) -> Json {
    match (route.method, route.path) {
        ("POST", "/events") => json!({ "topic": "a.b", "store": "shop" }),
        ("POST", "/workflows/{*path}") => json!({ "store": "shop" }),
        ("POST", "/stores") => json!({ "id": "third" }),
        ("POST", "/runs/bulk") => json!({ "action": "retry", "filter": {}, "preview": true }),
        ("POST", "/runs/{id}/resolve") => json!({ "done": true }),
        ("POST", "/runs/{id}/approvals/{step}") => json!({ "approved": true }),
        ("PUT", "/secrets/{name}") => json!({ "value": "y" }),
        ("POST", "/tokens") => json!({ "name": "new", "scopes": ["tokens:write"] }),
        ("POST", "/users/invitations") => json!({ "roles": [{ "role": "viewer" }] }),
        ("PUT", "/users/{name}") => json!({ "password": "another long password" }),
        _ => json!({}),
    }
}

fn shown(area: Area, right: Right) -> String {
    cartwright_core::access::Scope::Area(area, right).to_string()
}

/// The one scope that an address takes.
fn enough(route: &Route) -> String {
    match route.need {
        Need::Area(area, right) => shown(area, right),
        Need::AnyOf(areas) => shown(areas[0], Right::Read),
        Need::Admin => "admin".to_owned(),
        Need::Anyone | Need::Open => "mirror:read".to_owned(),
    }
}

/// All scopes but that one.
fn too_few(need: Need) -> Vec<String> {
    let all = Area::ALL.into_iter();
    match need {
        Need::Area(missing, right) => {
            let others = all.filter(|area| *area != missing).map(|area| shown(area, Right::Write));
            let reads = (right == Right::Write).then(|| shown(missing, Right::Read));
            others.chain(reads).collect()
        }
        Need::AnyOf(areas) => all.filter(|area| !areas.contains(area)).map(|area| shown(area, Right::Write)).collect(),
        _ => all.map(|area| shown(area, Right::Write)).collect(),
    }
}

fn known() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.need != Need::Open)
}

#[tokio::test]
async fn no_address_answers_without_valid_credentials() {
    let world = World::new().await;
    let dead = |days: i64| (days, format!("dead-{days}"));
    let (_, name) = dead(1);
    let expires = world.house.engine.now().plus(Duration::from_secs(3600));
    let wanted = json!({ "name": name, "scopes": ["admin"], "expires": expires });
    let made = world.house.api("POST", "/tokens", &wanted.to_string()).await.json();
    let expired = made["token"].as_str().expect("a token").to_owned();
    let revoked = world.house.token("gone", &["admin"], None).await;
    let listed = world.house.get("/tokens").await;
    let gone = listed["items"].as_array().expect("items").iter().find(|one| one["name"] == "gone").expect("listed");
    let target = format!("/tokens/{}", gone["id"].as_str().expect("an id"));
    assert_eq!(world.house.api("DELETE", &target, "").await.status, 204);
    world.house.later(Duration::from_secs(2 * 3600));
    let garbage = "cwt_0000000000000000000000000000000000000000000";
    for route in known() {
        for token in [garbage, "", "\u{e9}", &expired, &revoked, &revoked[..20]] {
            let refusal = world.ask_as(route, token).await.refusal();
            assert_eq!(refusal, (401, "token_wrong".to_owned()), "{} {} {token}", route.method, route.path);
        }
        for headers in [&[][..], &[("authorization", "Basic YTpi")], &[("cookie", "cartwright-session=")]] {
            let refusal = world.ask(route, headers).await.refusal();
            assert_eq!(refusal, (401, "token_wrong".to_owned()), "{} {} {headers:?}", route.method, route.path);
        }
        let refusal = world.ask(route, &[("cookie", "cartwright-session=planted")]).await.refusal();
        assert_eq!(refusal, (401, "session_over".to_owned()), "{} {}", route.method, route.path);
    }
    assert_eq!(world.house.get("/stores").await["items"].as_array().map(Vec::len), Some(2), "nothing was changed");
}

#[tokio::test]
async fn each_address_takes_its_scope_and_says_which() {
    let world = World::new().await;
    for route in known().filter(|route| route.need != Need::Anyone) {
        let name = format!("{} {}", route.method, route.path).replace('/', "|");
        let scopes = too_few(route.need);
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let token = world.house.token(&name, &scopes, None).await;
        let answer = world.ask_as(route, &token).await;
        assert_eq!(answer.refusal(), (403, "scope_missing".to_owned()), "{name}");
        let help = answer.json()["help"].as_str().expect("help").to_owned();
        assert!(help.contains(&format!("`{}`", enough(route))), "{name}: {help}");
    }
}

#[tokio::test]
async fn the_right_scope_alone_is_enough() {
    for route in known() {
        let world = World::new().await;
        if route.path.starts_with("/users") {
            world.house.join("ada").await;
            let second = world.house.api("POST", "/users/invitations", r#"{"roles":[{"role":"owner"}]}"#).await.json();
            let body = format!("name=bob&password={}", PASSWORD.replace(' ', "+"));
            assert_eq!(world.house.call("POST", second["path"].as_str().expect("a path"), &[], body).await.status, 303);
        }
        let token = world.house.token("right", &[&enough(route)], None).await;
        let answer = world.ask_as(route, &token).await;
        let fine = match (route.method, route.path) {
            // The run is over already.
            (
                "POST",
                "/runs/{id}/cancel" | "/runs/{id}/resolve" | "/runs/{id}/fail" | "/runs/{id}/approvals/{step}",
            ) => [202, 409].contains(&answer.status.as_u16()),
            // A token is no session.
            ("DELETE", "/session") | (_, "/session/password" | "/sessions" | "/sessions/{id}") => {
                answer.refusal() == (400, "session_missing".to_owned())
            }
            _ => answer.status.is_success(),
        };
        assert!(fine, "{} {}: {answer:?}", route.method, route.path);
    }
}

#[tokio::test]
async fn what_belongs_to_another_store_is_not_there() {
    let world = World::new().await;
    for route in known() {
        let name = format!("{} {}", route.method, route.path);
        let token = world.house.token(&name.replace('/', "|"), &[&enough(route)], Some(&["other"])).await;
        let answer = world.ask_as(route, &token).await;
        let status = answer.status.as_u16();
        let items = || answer.json()["items"].clone();
        match (route.method, route.path) {
            (
                _,
                "/runs/{id}"
                | "/runs/{id}/cancel"
                | "/runs/{id}/retry"
                | "/runs/{id}/resolve"
                | "/runs/{id}/fail"
                | "/runs/{id}/approvals/{step}",
            )
            | (_, "/events/{id}" | "/events/{id}/replay" | "/workflows/{*path}")
            | (_, "/stores/{id}" | "/stores/{id}/test" | "/tokens/{id}") => {
                assert_eq!(status, 404, "{name}: {answer:?}");
            }
            ("GET", "/runs" | "/approvals" | "/gates" | "/slots" | "/events" | "/workflows" | "/audit") => {
                assert_eq!(items(), json!([]), "{name}");
            }
            ("POST", "/runs/bulk") => assert_eq!(answer.json()["count"], 0, "{name}: {answer:?}"),
            ("GET", "/stores") => {
                assert_eq!((items().as_array().map(Vec::len), &items()[0]["id"]), (Some(1), &json!("other")), "{name}");
            }
            ("GET", "/tokens") => {
                let all = items();
                let own = |one: &Json| one["stores"] == json!(["other"]);
                assert!(all.as_array().expect("items").iter().all(own), "{all}");
            }
            ("POST", "/events") => assert_eq!(answer.refusal(), (400, "store_unknown".to_owned()), "{name}"),
            // It is there for them, and tells nothing of that store: the tests of `live`.
            ("GET", "/live") => assert_eq!(status, 200, "{name}: {answer:?}"),
            (_, "/session" | "/session/password" | "/sessions" | "/sessions/{id}") => {
                assert!(status == 200 || status == 400, "{name}: {answer:?}");
            }
            _ => assert_eq!(answer.refusal(), (403, "scope_missing".to_owned()), "{name}"),
        }
    }
    assert!(world.house.engine.stores().get(&"shop".parse().expect("an id")).is_some());
}
