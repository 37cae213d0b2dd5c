//! One shop: its settings, its state behind a lock, and who listens to it. `handle` is the way in for requests;
//! the rest is for tests and the demo, which look from outside.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};

use crate::rest;
use crate::state::{Key, Permissions, Role, Sequence, State, User};
use crate::wire::{Request, Response};

mod inspect;
mod seed;
pub use inspect::Duplicates;
pub(crate) use seed::UNCATEGORIZED;

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Called for everything that happens, after the request's lock is free. It may ask the shop, and should be quick.
pub type Listener = Arc<dyn Fn(&Shop, &Happened) + Send + Sync>;

/// Something a webhook could be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// `order.updated`, `action.woocommerce_low_stock`
    pub topic: String,
    /// `order`, `product`, `customer`, `coupon`, `action`
    pub resource: &'static str,
    /// `updated`, or the hook's name
    pub event: String,
    /// The object's id; 0 for an action without one.
    pub id: u64,
    /// The first argument of an action's hook; the id otherwise.
    pub arg: Value,
}

impl Happened {
    /// `order.updated` of this id.
    pub fn new(resource: &'static str, event: &str, id: u64) -> Self {
        Self { topic: format!("{resource}.{event}"), resource, event: event.to_owned(), id, arg: json!(id) }
    }

    /// `action.woocommerce_low_stock` with the first argument of the hook.
    pub fn action(hook: &str, arg: Value) -> Self {
        let id = arg.as_u64().unwrap_or_default();
        Self { topic: format!("action.{hook}"), resource: "action", event: hook.to_owned(), id, arg }
    }
}

/// How the shop taxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxSettings {
    /// Whether taxes are computed at all.
    pub enabled: bool,
    /// Whether prices are entered with tax.
    pub prices_include_tax: bool,
}

/// What a shop is started with.
#[derive(Clone)]
pub struct ShopConfig {
    /// Its address without a slash at the end: `http://127.0.0.1:8081`. Answers carry the scheme of the request.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Three letters, upper case.
    pub currency: String,
    /// Two letters of the country it sells from.
    pub country: String,
    /// How it taxes.
    pub tax: TaxSettings,
    /// WooCommerce's version.
    pub woocommerce_version: String,
    /// WordPress's version.
    pub wordpress_version: String,
    /// How far the shop's own time is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Where time comes from.
    pub clock: Clock,
}

impl ShopConfig {
    /// A shop at this address as the recorded one was set up: EUR, taxes on, UTC, WooCommerce 11.0.1.
    pub fn new(url: &str, clock: Clock) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            title: "Look-alike".to_owned(),
            currency: "EUR".to_owned(),
            country: "DE".to_owned(),
            tax: TaxSettings { enabled: true, prices_include_tax: false },
            woocommerce_version: "11.0.1".to_owned(),
            wordpress_version: "7.1".to_owned(),
            utc_offset_minutes: 0,
            clock,
        }
    }
}

/// A look-alike store.
pub struct Shop {
    config: ShopConfig,
    state: Mutex<State>,
    listeners: RwLock<Vec<Listener>>,
}

impl Shop {
    /// A shop as after installation: an administrator (id 1), the category "Uncategorized", no products.
    pub fn new(config: ShopConfig) -> Self {
        let mut state = State::new();
        seed::install(&mut state);
        Self { config, state: Mutex::new(state), listeners: RwLock::new(Vec::new()) }
    }

    /// Its settings.
    pub fn config(&self) -> &ShopConfig {
        &self.config
    }

    /// Answers one request. Everything it makes happen has reached the listeners when this returns.
    #[expect(clippy::needless_pass_by_value, reason = "a request is used up by its answer")]
    pub fn handle(&self, request: Request) -> Response {
        let (response, happened) = {
            let mut state = self.state.lock();
            let response = rest::answer(&self.config, &mut state, &request);
            (response, std::mem::take(&mut state.happened))
        };
        self.tell(&happened);
        response
    }

    /// What REST would give this user for a GET of this route (`/wc/v3/orders/12`): status and body. No key is
    /// needed and no request counted; webhook payloads are built this way.
    pub fn view(&self, user: u64, route: &str) -> (u16, Value) {
        rest::view(&self.config, &mut self.state.lock(), user, route)
    }

    /// Calls `listener` for everything that happens from now on.
    pub fn listen(&self, listener: Listener) {
        self.listeners.write().push(listener);
    }

    /// Looks at or changes the state directly, behind REST's back; what the change makes happen reaches the listeners.
    pub fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, happened) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            (result, std::mem::take(&mut state.happened))
        };
        self.tell(&happened);
        result
    }

    fn tell(&self, happened: &[Happened]) {
        if happened.is_empty() {
            return;
        }
        let listeners = self.listeners.read().clone();
        for event in happened {
            for listener in &listeners {
                listener(self, event);
            }
        }
    }

    /// A new REST key for this user: consumer key and consumer secret.
    pub fn add_key(&self, permissions: Permissions, user: u64) -> (String, String) {
        let key = format!("ck_{}", random_hex());
        let secret = format!("cs_{}", random_hex());
        self.set_key(&key, &secret, permissions, user);
        (key, secret)
    }

    /// A REST key whose two halves are given.
    pub fn set_key(&self, key: &str, secret: &str, permissions: Permissions, user: u64) {
        let row = Key { secret: secret.to_owned(), permissions, user, nonces: std::collections::BTreeMap::new() };
        self.state.lock().access.keys.insert(key.to_owned(), row);
    }

    /// Whether there was such a key to revoke.
    pub fn revoke_key(&self, key: &str) -> bool {
        self.state.lock().access.keys.remove(key).is_some()
    }

    /// A new WordPress user; its id.
    pub fn add_user(&self, login: &str, role: Role) -> u64 {
        let mut state = self.state.lock();
        let id = state.next_id(Sequence::User);
        state.access.users.insert(id, User { id, login: login.to_owned(), role, passwords: Vec::new() });
        id
    }

    /// Gives a user an application password. Spaces do not matter.
    pub fn add_application_password(&self, user: u64, password: &str) {
        if let Some(user) = self.state.lock().access.users.get_mut(&user) {
            user.passwords.push(password.replace(' ', ""));
        }
    }

    /// The next product, order, variation, coupon or refund gets this id.
    pub fn pin_next_id(&self, id: u64) {
        self.state.lock().pin(Sequence::Post, id);
    }
}

/// 40 hex digits nobody guesses.
fn random_hex() -> String {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    hex::encode(bytes)
}
