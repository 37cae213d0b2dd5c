//! What can go wrong between a client and a shop, on request: a fault is added with the requests it meets and how
//! often, and `handle` stands in front of `Shop::handle`. Nothing here waits or touches a socket: a delay, a cut or a
//! hang is an answer that the server around it carries out.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{Request, Response, Shop};

mod batch;
mod page;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The answer comes later.
    Slow(Duration),
    /// Nobody listens. A server with a port for each shop refuses the connection while this is in force for all
    /// requests; otherwise the connection is closed unanswered and nothing was done.
    Down,
    /// 500 with WordPress's JSON for a fatal error, and nothing was done.
    JsonError,
    /// 500 with an HTML page, and nothing was done.
    HtmlError,
    /// 500 without a body: a fatal error before WordPress is up. Nothing was done.
    EmptyError,
    /// 500 as above, but PHP died after the work was done.
    ErrorAfter,
    /// 502 or 504 from the proxy in front, which gave up on a PHP that goes on and does the work.
    GatewayGaveUp(u16),
    /// The connection ends before the request is looked at.
    CutBefore,
    /// The work is done, and the connection ends without an answer.
    CutAfter,
    /// Never an answer; nothing was done.
    Hang,
    /// Never an answer, though the work was done.
    HangAfter,
    /// The work is done, half of the answer arrives, and the connection ends.
    HalfBody,
    /// A firewall's page instead of the shop, with this status (403, 406, 429, 503).
    Firewall(u16),
    /// 200 with a page that asks for a password: a staging shop, or a plugin that closes the API.
    LoginPage,
    /// WordPress's maintenance mode: 503 with `Retry-After`, as JSON only where `Accept` says so.
    Maintenance {
        /// What `Retry-After` says.
        retry_after_secs: u64,
    },
    /// 429, with `Retry-After` where given.
    TooMany {
        /// What `Retry-After` says.
        retry_after_secs: Option<u64>,
    },
    /// WooCommerce is switched off: its routes are not there.
    Deactivated,
    /// Plain permalinks: nothing is behind `/wp-json/`.
    PlainPermalinks,
    /// The web server keeps `Authorization` to itself.
    AuthorizationStripped,
    /// TLS ends at a proxy that PHP does not know of: the shop believes to be asked over plain http.
    HttpsUnseen,
    /// A redirect to the same target under this origin: `https://www.example.test`.
    Redirect(String),
    /// PHP prints a warning in front of the JSON.
    DirtyJson,
    /// PHP's time is up after this many items of a batch: these are done, the answer is a 500.
    BatchTimeLimit {
        /// How many items are done.
        items: usize,
    },
}

type Predicate = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// Which requests a fault meets. The default meets all.
#[derive(Clone, Default)]
pub struct When {
    /// This method only.
    pub method: Option<String>,
    /// Only targets that contain this.
    pub target: Option<String>,
    /// Only requests of which this is true.
    pub predicate: Option<Predicate>,
    /// The first so many are spared.
    pub skip: u32,
    /// Only so many.
    pub times: Option<u32>,
}

impl When {
    /// Requests of this method whose target contains this.
    pub fn of(method: &str, target: &str) -> Self {
        Self { method: Some(method.to_owned()), target: Some(target.to_owned()), ..Self::default() }
    }

    /// The next request only.
    pub fn once() -> Self {
        Self::default().times(1)
    }

    /// Only the first so many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Not the first so many.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Only those of which this is true.
    #[must_use]
    pub fn and(mut self, predicate: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    fn meets(&self, request: &Request) -> bool {
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
            && self.target.as_ref().is_none_or(|target| request.target.contains(target))
            && self.predicate.as_ref().is_none_or(|predicate| predicate(request))
    }
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").field("method", &self.method).field("target", &self.target).finish_non_exhaustive()
    }
}

/// What becomes of one request.
#[derive(Debug)]
pub enum Outcome {
    /// It is answered.
    Answer(Response),
    /// Only the first half of the body is sent before the connection ends.
    Half(Response),
    /// The connection ends without an answer.
    Cut,
    /// The connection stays open, and nothing comes.
    Hang,
}

/// What becomes of one request, and when.
#[derive(Debug)]
pub struct Handled {
    /// How long the answer waits.
    pub delay: Duration,
    /// What it is.
    pub outcome: Outcome,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    when: When,
    met: u32,
}

/// The faults of one shop.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
    clock_ahead_ms: AtomicI64,
    changed: Notify,
}

impl Faults {
    /// Adds a fault for these requests.
    pub fn add(&self, when: When, fault: Fault) {
        self.rules.lock().push(Rule { fault, when, met: 0 });
        self.changed.notify_one();
    }

    /// Adds a fault for every request from now on.
    pub fn always(&self, fault: Fault) {
        self.add(When::default(), fault);
    }

    /// Adds a fault for the next request.
    pub fn once(&self, fault: Fault) {
        self.add(When::once(), fault);
    }

    /// Everything works again.
    pub fn clear(&self) {
        self.rules.lock().clear();
        self.changed.notify_one();
    }

    /// How far the shop's clock is ahead of the truth; a server's shops read it.
    pub fn clock_ahead_ms(&self) -> i64 {
        self.clock_ahead_ms.load(Ordering::Relaxed)
    }

    /// Sets the shop's clock ahead; less than nothing sets it back.
    pub fn set_clock_ahead_ms(&self, ahead: i64) {
        self.clock_ahead_ms.store(ahead, Ordering::Relaxed);
    }

    /// Whether nobody listens, whatever is asked.
    pub fn is_down(&self) -> bool {
        let all = |when: &When| {
            when.method.is_none() && when.target.is_none() && when.predicate.is_none() && when.times.is_none()
        };
        self.rules.lock().iter().any(|rule| rule.fault == Fault::Down && all(&rule.when) && rule.when.skip == 0)
    }

    /// Until the faults change, for the one listener of this shop.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Lets the shop answer, as far as the faults in force allow.
    pub fn handle(&self, shop: &Shop, mut request: Request) -> Handled {
        let mut delay = Duration::ZERO;
        let mut fate = None;
        for fault in self.meeting(&request) {
            match fault {
                Fault::Slow(time) => delay += time,
                Fault::AuthorizationStripped => request.headers.retain(|(name, _)| name != "authorization"),
                Fault::HttpsUnseen => request.https = false,
                // The first that decides what comes back is what comes back.
                other => fate = fate.or(Some(other)),
            }
        }
        let outcome = match fate {
            Some(fault) => suffer(&fault, shop, request),
            None => Outcome::Answer(shop.handle(request)),
        };
        Handled { delay, outcome }
    }

    /// The faults that meet this request, counted.
    fn meeting(&self, request: &Request) -> Vec<Fault> {
        let mut rules = self.rules.lock();
        let mut met = Vec::new();
        for rule in rules.iter_mut().filter(|rule| rule.when.meets(request)) {
            rule.met = rule.met.saturating_add(1);
            let Rule { when, met: count, .. } = rule;
            let number = count.saturating_sub(when.skip);
            if number > 0 && when.times.is_none_or(|times| number <= times) {
                met.push(rule.fault.clone());
            }
        }
        met
    }
}

fn suffer(fault: &Fault, shop: &Shop, request: Request) -> Outcome {
    let answer = |response| Outcome::Answer(response);
    match fault {
        Fault::Down | Fault::CutBefore => Outcome::Cut,
        Fault::Hang => Outcome::Hang,
        Fault::CutAfter => {
            shop.handle(request);
            Outcome::Cut
        }
        Fault::HangAfter => {
            shop.handle(request);
            Outcome::Hang
        }
        Fault::HalfBody => Outcome::Half(shop.handle(request)),
        Fault::JsonError => answer(page::fatal_json()),
        Fault::HtmlError => answer(page::html(500, "There has been a critical error.")),
        Fault::EmptyError => answer(page::empty_error()),
        Fault::ErrorAfter => {
            shop.handle(request);
            answer(page::fatal_json())
        }
        Fault::GatewayGaveUp(status) => {
            shop.handle(request);
            answer(page::html(*status, "The server in front of this one got no answer."))
        }
        Fault::Firewall(status) => answer(page::html(*status, "Your request was blocked by a firewall.")),
        Fault::LoginPage => answer(page::html(200, "This site asks for a password.")),
        Fault::Maintenance { retry_after_secs } => answer(page::maintenance(&request, *retry_after_secs)),
        Fault::TooMany { retry_after_secs } => answer(page::too_many(*retry_after_secs)),
        Fault::Deactivated => answer(page::deactivated(shop, request)),
        Fault::PlainPermalinks if page::rest_path(&request.target).is_some() => {
            answer(page::html(404, "There is nothing at this address."))
        }
        Fault::Redirect(origin) => answer(page::redirect(origin, &request)),
        Fault::DirtyJson => answer(page::dirty(shop.handle(request))),
        Fault::BatchTimeLimit { items } => answer(batch::up_to(*items, shop, request)),
        Fault::Slow(_) | Fault::AuthorizationStripped | Fault::HttpsUnseen | Fault::PlainPermalinks => {
            answer(shop.handle(request))
        }
    }
}
