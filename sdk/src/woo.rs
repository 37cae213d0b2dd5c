//! A store's WooCommerce REST API. Grants: `woo: ["orders.read"]`, and `stores: […]` for stores other than the event's.
//!
//! ```no_run
//! use cartwright_plugin::{Failure, woo};
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: u64,
//!     total: String,
//! }
//!
//! # fn work() -> Result<(), Failure> {
//! let order: Order = woo::get("orders/61")?;
//! let open: Vec<Order> = woo::query(&json!({ "status": "on-hold" })).list("orders")?;
//! let _: Order = woo::put("orders/61", &json!({ "status": "completed" }))?;
//! let elsewhere: Order = woo::store("berlin").get("orders/61")?;
//! # Ok(()) }
//! ```

use serde::{Serialize, de::DeserializeOwned};

use crate::{Failure, host};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads an object or one page of a list.
    Get,
    /// Reads every page of a list.
    List,
    /// Creates.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

/// Where a call goes and what it asks for; made by [`store()`] and [`query()`].
#[derive(Debug, Clone, Default)]
#[must_use = "it says where to go; call get, list, post, put or delete"]
pub struct Target {
    store: Option<String>,
    query: Option<Result<String, Failure>>,
}

/// Another store than the event's.
pub fn store(id: impl Into<String>) -> Target {
    Target::default().store(id)
}

/// Parameters of the address: something that becomes a JSON object.
pub fn query<T: Serialize + ?Sized>(query: &T) -> Target {
    Target::default().query(query)
}

/// Reads an object (`orders/61`) or one page of a list (`orders`).
pub fn get<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    Target::default().get(path)
}

/// Reads every page of a list.
pub fn list<T: DeserializeOwned>(path: &str) -> Result<Vec<T>, Failure> {
    Target::default().list(path)
}

/// Creates, once; gives what was created.
pub fn post<T: DeserializeOwned>(path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, Failure> {
    Target::default().post(path, body)
}

/// Changes, once; gives it as it is then.
pub fn put<T: DeserializeOwned>(path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, Failure> {
    Target::default().put(path, body)
}

/// Removes, once; gives what was removed. Where there is no trash, ask for `force` with [`query()`].
pub fn delete<T: DeserializeOwned>(path: &str) -> Result<T, Failure> {
    Target::default().delete(path)
}

impl Target {
    /// Another store than the event's.
    pub fn store(mut self, id: impl Into<String>) -> Self {
        self.store = Some(id.into());
        self
    }

    /// Parameters of the address.
    pub fn query<T: Serialize + ?Sized>(mut self, query: &T) -> Self {
        let text = serde_json::to_string(query);
        self.query = Some(text.map_err(|error| Failure::Invalid(format!("the query is no JSON: {error}"))));
        self
    }

    /// As [`get()`].
    pub fn get<T: DeserializeOwned>(self, path: &str) -> Result<T, Failure> {
        self.call(Method::Get, path, None)
    }

    /// As [`list()`].
    pub fn list<T: DeserializeOwned>(self, path: &str) -> Result<Vec<T>, Failure> {
        self.call(Method::List, path, None)
    }

    /// As [`post()`].
    pub fn post<T: DeserializeOwned>(self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, Failure> {
        let body = text(body)?;
        self.call(Method::Post, path, Some(&body))
    }

    /// As [`put()`].
    pub fn put<T: DeserializeOwned>(self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<T, Failure> {
        let body = text(body)?;
        self.call(Method::Put, path, Some(&body))
    }

    /// As [`delete()`].
    pub fn delete<T: DeserializeOwned>(self, path: &str) -> Result<T, Failure> {
        self.call(Method::Delete, path, None)
    }

    fn call<T: DeserializeOwned>(self, method: Method, path: &str, body: Option<&str>) -> Result<T, Failure> {
        let query = self.query.transpose()?;
        let answer = host::woo(method, self.store.as_deref(), path, query.as_deref(), body)?;
        let wrong = |error| Failure::Other(format!("the store's answer to {path} is not as expected: {error}"));
        serde_json::from_str(&answer).map_err(wrong)
    }
}

fn text(body: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    serde_json::to_string(body).map_err(|error| Failure::Invalid(format!("the body is no JSON: {error}")))
}
