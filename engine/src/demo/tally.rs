//! What the stores themselves say in the end: counted in the look-alikes, past the engine.

use std::collections::BTreeSet;

use cartwright_store_sim::{Shop, state::Kind};
use rust_decimal::Decimal;
use serde::Serialize;

use super::shops::Store;

/// The author of notes that WooCommerce writes itself.
const WOOCOMMERCE: &str = "WooCommerce";
/// Carried by what the engine makes, see `engine/docs/decisions/0006-once-only-writes.md`.
const MARKER: &str = "_cartwright_call";

/// One store's books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) store: String,
    pub(super) orders: usize,
    /// Orders that were paid and not given back, as text with two places.
    #[serde(serialize_with = "as_text")]
    pub(super) revenue: Decimal,
    pub(super) completed: usize,
    pub(super) on_hold: usize,
    pub(super) cancelled: usize,
    pub(super) refunds: usize,
    pub(super) coupons: usize,
    /// Written by people and by workflows; not WooCommerce's own.
    pub(super) notes: usize,
    /// Coupons, notes and refunds that are there more than once.
    pub(super) made_twice: usize,
}

impl Tally {
    pub(super) fn of(store: &Store) -> Self {
        let shop = &store.shop;
        let mut tally = Self { store: store.name.clone(), made_twice: made_twice(shop), ..Self::default() };
        shop.with_state(|state| {
            for order in state.table(Kind::Order).values() {
                tally.orders += 1;
                match order.text("status") {
                    "completed" => tally.completed += 1,
                    "on-hold" => tally.on_hold += 1,
                    "cancelled" => tally.cancelled += 1,
                    _ => {}
                }
                if matches!(order.text("status"), "processing" | "completed") {
                    tally.revenue += order.text("total").parse::<Decimal>().unwrap_or_default();
                }
            }
            tally.refunds = state.table(Kind::Refund).len();
            tally.coupons = state.table(Kind::Coupon).len();
            let notes = state.table(Kind::Note).values();
            tally.notes = notes.filter(|note| note.text("author") != WOOCOMMERCE).count();
        });
        tally
    }

    /// All stores together.
    pub(super) fn sum(all: &[Self]) -> Self {
        let mut sum = Self { store: "all".to_owned(), ..Self::default() };
        for tally in all {
            sum.orders += tally.orders;
            sum.revenue += tally.revenue;
            sum.completed += tally.completed;
            sum.on_hold += tally.on_hold;
            sum.cancelled += tally.cancelled;
            sum.refunds += tally.refunds;
            sum.coupons += tally.coupons;
            sum.notes += tally.notes;
            sum.made_twice += tally.made_twice;
        }
        sum
    }
}

/// Money is text in JSON, as in WooCommerce's.
fn as_text<S: serde::Serializer>(money: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(money)
}

/// Objects beyond the first that are the same thing: coupons with one code (in any case), objects with the mark of one
/// call, equal notes on one order.
fn made_twice(shop: &Shop) -> usize {
    let mut extra = BTreeSet::new();
    let mut add = |kind: &str, found: Vec<(String, Vec<u64>)>| {
        extra.extend(found.into_iter().flat_map(|(_, ids)| ids.into_iter().skip(1)).map(|id| (kind.to_owned(), id)));
    };
    add("coupon", shop.duplicates(Kind::Coupon, |coupon| Some(coupon.text("code").to_lowercase())));
    for (name, kind) in [("coupon", Kind::Coupon), ("refund", Kind::Refund), ("order", Kind::Order)] {
        add(name, shop.duplicate_markers(kind, MARKER));
    }
    let same = |note: &cartwright_store_sim::state::Object| {
        (note.text("author") != WOOCOMMERCE).then(|| format!("{} {}", note.parent, note.text("note")))
    };
    add("note", shop.duplicates(Kind::Note, same));
    extra.len()
}

#[cfg(test)]
mod tests {
    use cartwright_store_sim::state::{Object, Sequence};
    use serde_json::json;

    use super::{super::shops::Shops, *};

    fn put(shop: &Shop, kind: Kind, parent: u64, fields: &serde_json::Value) {
        shop.with_state(|state| {
            let id = state.next_id(Sequence::Comment);
            let fields = fields.as_object().cloned().unwrap_or_default();
            state.put(kind, Object { id, parent, fields, ..Object::default() });
        });
    }

    #[tokio::test]
    async fn what_is_there_twice_is_counted_and_woocommerces_own_notes_are_not() {
        let shops = Shops::open(1).await.expect("a store");
        let (store, shop) = (&shops.stores[0], &shops.stores[0].shop);
        assert_eq!(Tally::of(store).made_twice, 0, "nothing yet");
        for code in ["a", "b", "A"] {
            put(shop, Kind::Coupon, 0, &json!({ "code": code }));
        }
        for (order, author) in [(1, "admin"), (2, "admin"), (2, "admin"), (3, WOOCOMMERCE), (3, WOOCOMMERCE)] {
            put(shop, Kind::Note, order, &json!({ "author": author, "note": "Hello" }));
        }
        for _ in 0..2 {
            put(shop, Kind::Refund, 7, &json!({ "meta_data": [{ "key": MARKER, "value": "c1" }] }));
        }
        put(shop, Kind::Order, 0, &json!({ "status": "completed", "total": "12.50" }));
        put(shop, Kind::Order, 0, &json!({ "status": "cancelled", "total": "99.00" }));
        let tally = Tally::of(store);
        assert_eq!((tally.coupons, tally.notes, tally.refunds, tally.orders), (3, 3, 2, 2));
        assert_eq!(tally.revenue.to_string(), "12.50");
        assert_eq!(tally.made_twice, 3, "a coupon, a note, a refund");
        assert_eq!(Tally::sum(&[tally.clone(), tally]).made_twice, 6);
    }
}
