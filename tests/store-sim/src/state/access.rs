//! Who may ask: users with roles, REST keys, application passwords.

use std::collections::BTreeMap;

/// What a user may do in the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "WordPress's own names")]
pub enum Role {
    Administrator,
    ShopManager,
    Subscriber,
}

/// One WordPress user.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: u64,
    /// The login name.
    pub login: String,
    /// What it may do.
    pub role: Role,
    /// Application passwords, without the spaces they are shown with.
    pub passwords: Vec<String>,
}

impl User {
    /// Whether WooCommerce's REST API is open to it.
    pub fn manages(&self) -> bool {
        !matches!(self.role, Role::Subscriber)
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "WooCommerce's own names")]
pub enum Permissions {
    Read,
    Write,
    ReadWrite,
}

/// One REST key; its consumer key is what it is kept under.
#[derive(Debug, Clone)]
pub struct Key {
    /// `cs_…`
    pub secret: String,
    /// What it may be used for.
    pub permissions: Permissions,
    /// Whose rights it acts with.
    pub user: u64,
    /// OAuth nonces by their timestamp: two in one second overwrite each other, as in the original.
    pub nonces: BTreeMap<i64, String>,
}

/// Users and keys of one shop.
#[derive(Debug, Default)]
pub struct Access {
    /// Users by id.
    pub users: BTreeMap<u64, User>,
    /// Keys by consumer key.
    pub keys: BTreeMap<String, Key>,
}

impl Access {
    /// The user of this login name.
    pub fn by_login(&self, login: &str) -> Option<&User> {
        self.users.values().find(|user| user.login.eq_ignore_ascii_case(login))
    }
}
