//! Shops on the other side of a bad line, for the simulator: look-alikes of WooCommerce that outlive the engine, in virtual
//! time. A request that left arrives within [`ARRIVES_WITHIN`] or never, whatever became of who sent it; shops are
//! unreachable, in maintenance or overrun for minutes to hours.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use cartwright_core::{time::Timestamp, woo::WooMethod};
use cartwright_run::Clock;
use cartwright_store_sim::{Request, Response, Shop, ShopConfig, state::Permissions};
use cartwright_tests::random::Random;
use cartwright_woo::transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure};
use parking_lot::Mutex;

use crate::life::{EPOCH, SimClock};

/// How many there are: `shop-0`, `shop-1`, …
pub(crate) const SHOPS: usize = 3;
/// Their REST key.
pub(crate) const KEY: (&str, &str) = ("ck_simulated", "cs_simulated");
/// What the once-only writes count on: no request is worked off later than this after it was sent.
const ARRIVES_WITHIN: Duration = Duration::from_secs(299);
/// Half of a good exchange, at most.
const SLOWEST_HALF: Duration = Duration::from_millis(150);
const MOST_OUTAGES: u64 = 3;
const OUTAGES_BEGIN_WITHIN: Duration = Duration::from_secs(90);
const LONGEST_OUTAGE: Duration = Duration::from_secs(3 * 3600);

/// All shops.
pub(crate) struct Street {
    shops: Vec<Shop>,
    outages: Vec<Vec<Outage>>,
    random: Mutex<Random>,
    /// What the shops take for the time, in milliseconds since 1970.
    time: Arc<AtomicI64>,
    line: Mutex<Underway>,
    log: Mutex<Vec<String>>,
}

/// Requests that left, by the time at which they arrive.
#[derive(Default)]
struct Underway {
    sent: u64,
    requests: BTreeMap<(i64, u64), (usize, Request)>,
    answers: BTreeMap<u64, Response>,
}

/// A time in which a shop does not work.
struct Outage {
    from: Timestamp,
    until: Timestamp,
    how: Fate,
}

/// What becomes of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Nobody is there.
    Refused,
    /// Updates are installed: 503.
    Maintenance,
    /// The host has enough: 429.
    TooMany,
    /// The connection ends, and the request never arrives.
    Vanishes,
    /// The connection ends; the request arrives.
    Lost,
    /// No answer in time; the request arrives.
    Timeout,
    /// The shop or a server before it breaks; the request arrives.
    Page(u16),
}

impl Street {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let mut random = Random::new(seed);
        let time = Arc::new(AtomicI64::new(EPOCH.as_millis()));
        let open = |number: usize| {
            let time = time.clone();
            let clock = Arc::new(move || time.load(Relaxed));
            let shop = Shop::new(ShopConfig::new(&format!("https://shop-{number}.example"), clock));
            shop.set_key(KEY.0, KEY.1, Permissions::ReadWrite, 1);
            shop.seed_products(1);
            shop
        };
        let shops = (0..SHOPS).map(open).collect();
        let outages = (0..SHOPS).map(|_| outages(&mut random)).collect();
        let (random, line, log) = (Mutex::new(random), Mutex::default(), Mutex::default());
        Arc::new(Self { shops, outages, random, time, line, log })
    }

    /// The shops, after everything that was on its way has arrived.
    pub(crate) fn shops(&self, now: Timestamp) -> &[Shop] {
        self.arrive(now.plus(ARRIVES_WITHIN));
        &self.shops
    }

    /// Every exchange in order, for the trace.
    pub(crate) fn exchanges(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    fn fate(&self, shop: usize, now: Timestamp) -> Fate {
        let outage = self.outages[shop].iter().find(|outage| outage.from <= now && now < outage.until);
        let luck = self.random.lock().below(100);
        match (outage, luck) {
            (Some(outage), _) => outage.how,
            (None, 0..3) => Fate::Refused,
            (None, 3) => Fate::Maintenance,
            (None, 4) => Fate::TooMany,
            (None, 5..8) => Fate::Vanishes,
            (None, 8..13) => Fate::Lost,
            (None, 13..17) => Fate::Timeout,
            (None, 17..23) => Fate::Page([500, 502, 504][(luck % 3) as usize]),
            (None, _) => Fate::Answered,
        }
    }

    fn draw(&self, most: Duration) -> Duration {
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random.lock().below(millis))
    }

    /// Puts a request on its way; its number.
    fn leave(&self, arrives: Timestamp, shop: usize, request: Request) -> u64 {
        let mut line = self.line.lock();
        line.sent += 1;
        let number = line.sent;
        line.requests.insert((arrives.as_millis(), number), (shop, request));
        number
    }

    /// Whatever arrives until `now` is worked off, each request at its own time.
    fn arrive(&self, now: Timestamp) {
        let mut line = self.line.lock();
        while let Some(first) = line.requests.first_entry().filter(|first| first.key().0 <= now.as_millis()) {
            let ((at, number), (shop, request)) = first.remove_entry();
            self.time.store(at, Relaxed);
            let answer = self.shops[shop].handle(request);
            self.log.lock().push(format!("{} arrives: {}", Timestamp::from_millis(at), answer.status));
            line.answers.insert(number, answer);
        }
        self.time.store(now.as_millis(), Relaxed);
    }
}

fn outages(random: &mut Random) -> Vec<Outage> {
    let one = |random: &mut Random| {
        let from = EPOCH.plus(random.between(Duration::ZERO, OUTAGES_BEGIN_WITHIN));
        let most = if random.percent(50) { LONGEST_OUTAGE } else { LONGEST_OUTAGE / 60 };
        let how = [Fate::Refused, Fate::Maintenance, Fate::TooMany][random.below(3) as usize];
        Outage { from, until: from.plus(random.between(Duration::ZERO, most)), how }
    };
    (0..random.below(MOST_OUTAGES)).map(|_| one(random)).collect()
}

/// The line of one life of the engine to the shops.
pub(crate) struct Line {
    pub(crate) street: Arc<Street>,
    pub(crate) clock: Arc<SimClock>,
}

impl Line {
    /// Sends the request and gives its number. A crash on the way sometimes comes before it left and sometimes after.
    async fn send(&self, shop: usize, request: &HttpRequest, travel: Duration) -> u64 {
        let street = &self.street;
        let wire = wire(request);
        if street.random.lock().percent(30) {
            tokio::time::sleep(travel).await;
            return street.leave(self.clock.now(), shop, wire);
        }
        let number = street.leave(self.clock.now().plus(travel), shop, wire);
        tokio::time::sleep(travel).await;
        number
    }
}

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let street = &self.street;
        let host = request.url.host_str().unwrap_or_default();
        let shop = (0..SHOPS).find(|number| host == format!("shop-{number}.example")).expect("a known shop");
        let fate = street.fate(shop, self.clock.now());
        let (method, path) = (request.method.as_str(), request.url.path());
        street.log.lock().push(format!("{} {host} {method} {path} {fate:?}", self.clock.now()));
        let half = street.draw(SLOWEST_HALF);
        match fate {
            Fate::Answered => {
                let number = self.send(shop, &request, half).await;
                street.arrive(self.clock.now());
                tokio::time::sleep(street.draw(SLOWEST_HALF)).await;
                let answer = street.line.lock().answers.remove(&number).expect("it has arrived");
                let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
                let headers = answer.headers.into_iter().map(lower).collect();
                return Ok(HttpAnswer { status: answer.status, headers, body: answer.body.into() });
            }
            Fate::Vanishes | Fate::Refused | Fate::Maintenance | Fate::TooMany => tokio::time::sleep(half).await,
            Fate::Lost | Fate::Timeout | Fate::Page(_) => {
                let most = if street.random.lock().percent(50) { ARRIVES_WITHIN } else { SLOWEST_HALF };
                // A read that arrives late does nothing.
                if request.method != WooMethod::Get {
                    street.leave(self.clock.now().plus(street.draw(most)), shop, wire(&request));
                }
                let ends = if fate == Fate::Timeout { request.timeout } else { street.draw(request.timeout) };
                tokio::time::sleep(ends).await;
            }
        }
        street.arrive(self.clock.now());
        let fails = |failure, may_have_arrived| {
            Err(TransportError { failure, may_have_arrived, message: "as simulated".to_owned() })
        };
        match fate {
            Fate::Refused => fails(TransportFailure::Connect, false),
            Fate::Vanishes | Fate::Lost => fails(TransportFailure::Lost, true),
            Fate::Timeout => fails(TransportFailure::Timeout, true),
            Fate::Maintenance => Ok(page(503, &[("retry-after", "600")], MAINTENANCE)),
            Fate::TooMany => Ok(page(429, &[], "<html>Too Many Requests</html>")),
            Fate::Page(status) => Ok(page(status, &[], if status == 500 { "" } else { "<html>Bad Gateway</html>" })),
            Fate::Answered => unreachable!("answered above"),
        }
    }
}

const MAINTENANCE: &str =
    r#"{"code":"wp_die","message":"Briefly unavailable for scheduled maintenance.","data":{"status":503}}"#;

fn page(status: u16, headers: &[(&str, &str)], body: &'static str) -> HttpAnswer {
    let kind = if body.starts_with('{') { "application/json; charset=UTF-8" } else { "text/html" };
    let kind = [("content-type", kind)];
    let headers = headers.iter().chain(&kind).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpAnswer { status, headers, body: body.into() }
}

fn wire(request: &HttpRequest) -> Request {
    let url = &request.url;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Request {
        method: request.method.as_str().to_owned(),
        target: format!("{}{query}", url.path()),
        headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        body: request.body.as_ref().map(|body| body.to_vec()).unwrap_or_default(),
        https: url.scheme() == "https",
    }
}
