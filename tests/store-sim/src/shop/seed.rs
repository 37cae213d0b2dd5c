//! What a shop starts with.

use serde_json::json;

use crate::state::{Kind, Object, Role, Sequence, State, User};

/// The id the recorded shop's default category has.
pub(crate) const UNCATEGORIZED: u64 = 15;
/// Ids below this one went to pages of the installation.
const FIRST_POST: u64 = 12;

/// A shop as after installation.
pub(super) fn install(state: &mut State) {
    state.pin(Sequence::Post, FIRST_POST);
    state.pin(Sequence::Term, UNCATEGORIZED + 1);
    state.pin(Sequence::User, 2);
    let admin = User { id: 1, login: "admin".to_owned(), role: Role::Administrator, passwords: Vec::new() };
    state.access.users.insert(1, admin);
    let fields = json!({"name": "Uncategorized", "slug": "uncategorized", "parent": 0, "description": "",
        "display": "default", "image": null, "menu_order": 0});
    let fields = fields.as_object().cloned().unwrap_or_default();
    state.put(Kind::Category, Object { id: UNCATEGORIZED, fields, ..Object::default() });
    for (id, slug, name) in [(1, "reduced-rate", "Reduced rate"), (2, "zero-rate", "Zero rate")] {
        state.put(Kind::TaxClass, Object { id, ..crate::rest::taxes::class(slug, name) });
    }
}
