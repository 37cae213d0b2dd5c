//! Order notes: what people and the shop itself write beside an order. Writing one does not move the order's date
//! and tells no webhook.

use serde_json::json;

use super::fields::object;
use crate::rest::Ctx;
use crate::state::{Kind, Object, Sequence};

/// Whose hand wrote a note.
pub enum Author {
    /// The shop, or a program over REST.
    Shop,
    /// The person whose key was used.
    Person(String),
}

/// Who reads a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Only the shop's people.
    Private,
    /// The customer too, by e-mail.
    Customer,
}

/// Writes a note; its id.
pub fn add(ctx: &mut Ctx<'_>, order: u64, note: &str, author: Author, reader: Reader) -> u64 {
    let author = match author {
        Author::Shop => "WooCommerce".to_owned(),
        Author::Person(login) => login,
    };
    let id = ctx.state.next_id(Sequence::Comment);
    let fields = object(json!({"author": author, "note": note, "customer_note": reader == Reader::Customer}));
    let note = Object { id, parent: order, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    ctx.state.put(Kind::Note, note);
    id
}

/// A note of the shop's own about what it did.
pub fn remark(ctx: &mut Ctx<'_>, order: u64, note: &str) {
    add(ctx, order, note, Author::Shop, Reader::Private);
}
