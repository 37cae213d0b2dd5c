//! How fast one store is asked. The clock is tokio's, stopped.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cartwright_core::call::ErrorClass;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{Shop, answer, get, store};
use crate::{
    client::{ClientOptions, StoreMemory, lane::Lane},
    transport::{HttpAnswer, HttpRequest, Transport, TransportError},
};

async fn ask(shop: &Arc<Shop>, client: &super::Client, count: usize) -> Duration {
    let (before, begun) = (shop.count(), Instant::now());
    let (store, get) = (store("https://a.example"), get("orders"));
    join_all((0..count).map(|_| client.exchange(&store, &get))).await;
    assert_eq!(shop.count() - before, count);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn five_go_at_once_and_five_each_second() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    assert_eq!(ask(&shop, &client, 5).await, Duration::ZERO);
    let span = ask(&shop, &client, 50).await;
    assert!((Duration::from_millis(9_900)..Duration::from_millis(10_200)).contains(&span), "{span:?}");
}

#[tokio::test(start_paused = true)]
async fn one_store_does_not_wait_for_another() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    ask(&shop, &client, 5).await;
    let mut other = store("https://b.example");
    other.id = "other".parse().expect("an id");
    let begun = Instant::now();
    client.exchange(&other, &get("orders")).await.expect("an answer");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// Takes a second for each request and counts how many are there at once.
#[derive(Default)]
struct Slow {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Transport for Slow {
    async fn exchange(&self, _: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        sleep(Duration::from_secs(10)).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        Ok(answer(200, "[]"))
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_eight_are_on_their_way() {
    let slow = Arc::new(Slow::default());
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let mut client = shop.client();
    client.transport = Arc::clone(&slow) as _;
    let (store, get) = (store("https://a.example"), get("orders"));
    join_all((0..40).map(|_| client.exchange(&store, &get))).await;
    assert_eq!(slow.most.load(Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_for_patience_is_asked_more_slowly_until_it_is_content() {
    let status = Arc::new(AtomicU16::new(429));
    let said = Arc::clone(&status);
    let shop = Shop::new(move |_| Ok(answer(said.load(Ordering::Relaxed), "[]")));
    let client = shop.client();
    ask(&shop, &client, 1).await;
    // Half: one each 400 ms, none at once.
    status.store(200, Ordering::Relaxed);
    assert_eq!(ask(&shop, &client, 3).await.as_millis(), 1200);
    // 7 more good ones lead back to the full rate, with its burst.
    ask(&shop, &client, 7).await;
    assert_eq!(ask(&shop, &client, 5).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_slowest_is_one_in_five_seconds() {
    let shop = Shop::new(|_| Ok(answer(503, "")));
    let client = shop.client();
    ask(&shop, &client, 12).await;
    assert_eq!(ask(&shop, &client, 4).await, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn options_set_the_rate() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let rate = |number| NonZeroU32::new(number).expect("not zero");
    let options = ClientOptions { requests_per_second: rate(100), burst: rate(1), ..ClientOptions::default() };
    let span = ask(&shop, &shop.client_with(options), 101).await;
    assert!((Duration::from_millis(990)..Duration::from_millis(1_200)).contains(&span), "{span:?}");
}

#[test]
fn an_idle_store_costs_little() {
    assert!(
        size_of::<StoreMemory>() <= 512,
        "{} bytes, of them {} the lane",
        size_of::<StoreMemory>(),
        size_of::<Lane>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_waits_outside_memory_and_comes_back_in_order_at_the_stores_pace() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    let (shop_a, get) = (store("https://a.example"), get("orders"));
    let outcomes = join_all((0..132).map(|_| client.call(&shop_a, &get, "key", None))).await;
    let (made, put_off): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    // The five that go at once are gone when the others come.
    assert_eq!((made.len(), put_off.len(), shop.count()), (37, 95, 37));
    let times: Vec<u64> =
        put_off.into_iter().map(|one| one.expect_err("put off").retry_after_ms.expect("a time")).collect();
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 200), "one after another, five a second: {times:?}");
    assert_eq!(times[0], 6_600, "after those that wait already");
    client.call(&shop_a, &get, "key", None).await.expect("there is a place again");
}

#[tokio::test(start_paused = true)]
async fn a_burst_at_one_store_sends_nobody_away_at_another() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    let mut other = store("https://b.example");
    other.id = "other".parse().expect("an id");
    let (busy, get) = (store("https://a.example"), get("orders"));
    let burst = join_all((0..100).map(|_| client.call(&busy, &get, "key", None)));
    let (burst, alone) = tokio::join!(burst, client.call(&other, &get, "key", None));
    let codes = burst.into_iter().filter_map(Result::err).map(|error| (error.code, error.class));
    assert!(
        codes.clone().count() == 63 && codes.into_iter().all(|one| one == ("busy".to_owned(), ErrorClass::Deferred))
    );
    alone.expect("an answer");
}

#[tokio::test(start_paused = true)]
async fn a_lane_shows_who_waits_and_what_was_put_off() {
    let shop = Shop::new(|_| Ok(answer(200, "[]")));
    let client = shop.client();
    let (store, get) = (store("https://a.example"), get("orders"));
    let before = client.lane(&store.id);
    assert_eq!((before.waiting, before.deferrals, before.last_success), (0, 0, None));
    let burst = join_all((0..100).map(|_| client.call(&store, &get, "key", None)));
    let watch = async {
        sleep(Duration::from_millis(1)).await;
        client.lane(&store.id)
    };
    let (_, during) = tokio::join!(burst, watch);
    assert_eq!((during.waiting, during.deferrals), (32, 63));
    let after = client.lane(&store.id);
    assert_eq!((after.waiting, after.on_their_way), (0, 0));
    assert!(after.last_success.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lane_shows_what_is_on_its_way_and_how_much_it_was_slowed() {
    let client = Shop::new(|_| Ok(answer(429, ""))).client();
    let (store, get) = (store("https://a.example"), get("orders"));
    assert!(client.call(&store, &get, "key", None).await.is_err());
    let lane = client.lane(&store.id);
    assert!((lane.rate_per_second - 2.5).abs() < 1e-9 && (lane.full_rate_per_second - 5.0).abs() < 1e-9, "{lane:?}");
    assert_eq!((lane.deferrals, lane.last_success), (1, None));
    let memory = client.memory(&store.id);
    let turn = memory.lane.enter().await;
    assert_eq!(client.lane(&store.id).on_their_way, 1);
    drop(turn);
    assert_eq!(client.lane(&store.id).on_their_way, 0);
}
