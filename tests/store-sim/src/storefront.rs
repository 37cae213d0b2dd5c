//! What people do in a shop without REST: customers check out and pay, the shop's people cancel, complete and refund.
//! For tests and the demo; everything that follows (stock, coupons, webhooks) follows as in the real shop.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::orders::fields::object;
use crate::orders::refunds::{self, Wanted};
use crate::orders::status::{self, Cause};
use crate::orders::{catalog, coupons, edit, lines};
use crate::rest::{Ctx, RestError};
use crate::shop::{Happened, Shop};
use crate::state::{Kind, Object, Sequence};

/// What somebody is about to buy.
#[derive(Debug, Clone, Default)]
pub struct Basket {
    /// The customer's id; 0 for a guest.
    pub customer: u64,
    /// Products or variations and how many of each.
    pub items: Vec<(u64, i64)>,
    /// Coupon codes.
    pub coupons: Vec<String>,
    /// `first_name`, `email`, `country`…
    pub billing: Vec<(String, String)>,
    /// `bacs` waits for the money (on-hold); any other method has it at once (processing).
    pub payment_method: String,
    /// What delivery costs; nothing without a shipping line.
    pub shipping: Option<Decimal>,
    /// As the customer wrote it.
    pub customer_note: String,
}

impl Basket {
    /// One guest buying some of one product by bank transfer.
    pub fn of(product: u64, quantity: i64) -> Self {
        Self { items: vec![(product, quantity)], payment_method: "bacs".to_owned(), ..Self::default() }
    }
}

impl Shop {
    /// Buys what is in the basket through the block checkout; the order's id. `order.updated` is told before
    /// `order.created`, and the status once though it moves twice (checkout-draft, pending, on-hold or processing).
    pub fn checkout(&self, basket: &Basket) -> Result<u64, RestError> {
        self.act(|ctx| checkout(ctx, basket))
    }

    /// The money arrives. False where the order's status does not wait for it.
    pub fn pay(&self, order: u64) -> bool {
        self.act(|ctx| change(ctx, order, |ctx, order| status::pay(ctx, order, "")))
    }

    /// Somebody cancels the order in the admin screen. False when it is cancelled already.
    pub fn cancel(&self, order: u64) -> bool {
        self.set_status(order, "cancelled")
    }

    /// The parcel is on its way. False when the order is complete already.
    pub fn complete(&self, order: u64) -> bool {
        self.set_status(order, "completed")
    }

    /// Somebody sets a status in the admin screen. False when it was that already, or there is no such order.
    pub fn set_status(&self, order: u64, to: &str) -> bool {
        self.act(|ctx| change(ctx, order, |ctx, order| status::change(ctx, order, status::meant(to), Cause::Set)))
    }

    /// Gives money back by hand in the admin screen; the refund's id.
    pub fn refund_in_admin(&self, order: u64, amount: Decimal) -> Result<u64, RestError> {
        let wanted = Wanted {
            amount: Some(amount),
            reason: String::new(),
            by: 1,
            send_money: false,
            restock: false,
            lines: Vec::new(),
        };
        self.act(|ctx| refunds::create(ctx, order, &wanted))
    }

    /// Moves an order into the trash. False when it lies there already, or there is none.
    pub fn trash_order(&self, order: u64) -> bool {
        self.act(|ctx| crate::rest::orders::trash(ctx, order))
    }

    /// Takes an order out of the trash. False when it does not lie there.
    pub fn untrash_order(&self, order: u64) -> bool {
        self.act(|ctx| crate::rest::orders::untrash(ctx, order))
    }

    fn act<T>(&self, action: impl FnOnce(&mut Ctx<'_>) -> T) -> T {
        let https = self.config().url.starts_with("https:");
        self.with_state(|state| action(&mut Ctx::new(self.config(), state, https, "", "")))
    }
}

/// Changes an order that is kept; told as `order.updated` when the change was one.
fn change(ctx: &mut Ctx<'_>, id: u64, action: impl FnOnce(&mut Ctx<'_>, &mut Object) -> bool) -> bool {
    let Some(mut order) = ctx.state.get(Kind::Order, id).cloned() else { return false };
    if !action(ctx, &mut order) {
        return false;
    }
    order.modified = ctx.now;
    ctx.state.put(Kind::Order, order);
    ctx.happened("order", "updated", id);
    true
}

fn checkout(ctx: &mut Ctx<'_>, basket: &Basket) -> Result<u64, RestError> {
    let mut order = drafted(ctx, basket)?;
    order.id = ctx.state.next_id(Sequence::Post);
    let id = order.id;
    order.set("order_key", edit::order_key(ctx, id));
    catalog::recalculate(ctx, &mut order.fields);
    if !basket.coupons.is_empty() {
        let codes: Vec<Value> = basket.coupons.iter().map(|code| json!({"code": code})).collect();
        coupons::apply(ctx, &mut order, &codes)?;
    }
    ctx.happened("order", "updated", id);
    ctx.happened("order", "created", id);
    order.set("status", "pending");
    if basket.payment_method == "bacs" {
        status::change(ctx, &mut order, "on-hold", Cause::Set);
    } else {
        status::pay(ctx, &mut order, "");
    }
    ctx.state.put(Kind::Order, order);
    let arg = json!({"refunds": []});
    ctx.state.happened(Happened::action("woocommerce_store_api_checkout_order_processed", arg));
    Ok(id)
}

/// The order as it stands before it is sent off.
fn drafted(ctx: &mut Ctx<'_>, basket: &Basket) -> Result<Object, RestError> {
    let mut order = edit::blank(ctx, "store-api");
    order.set("status", "checkout-draft");
    order.set("customer_id", basket.customer);
    order.set("payment_method", basket.payment_method.as_str());
    order.set("customer_note", basket.customer_note.as_str());
    for name in ["billing", "shipping"] {
        let posted = basket.billing.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        if let Some(Value::Object(held)) = order.fields.get_mut(name) {
            edit::set_address(held, &posted);
        }
    }
    edit::default_email(ctx, &mut order);
    let goods = basket
        .items
        .iter()
        .map(|(product, quantity)| ("line_items", json!({"product_id": product, "quantity": quantity})));
    let delivery = basket.shipping.map(|cost| {
        ("shipping_lines", json!({"method_id": "flat_rate", "method_title": "Flat rate", "total": cost.to_string()}))
    });
    for (group, posted) in goods.chain(delivery) {
        let line = lines::create(ctx, group, &object(posted))?;
        crate::orders::fields::push(&mut order.fields, group, line);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TRACKED, Trial};

    #[test]
    fn a_checkout_is_told_as_updated_before_created_and_waits_for_the_money() {
        let trial = Trial::new();
        let order = trial.shop.checkout(&Basket::of(TRACKED, 2)).expect("a sale");
        assert_eq!(trial.told(), ["order.updated 200", "order.created 200", "product.updated 100"]);
        assert_eq!((trial.get("/orders/200")["status"].clone(), trial.stock(TRACKED)), (json!("on-hold"), 8));
        assert!(trial.shop.pay(order));
        assert_eq!(trial.told(), ["order.updated 200"]);
        assert!(trial.shop.complete(order));
        assert!(!trial.shop.pay(order), "it is paid");
        assert_eq!(trial.get("/orders/200")["status"], "completed");
    }

    #[test]
    fn a_checkout_changes_its_status_once_for_listeners() {
        let trial = Trial::new();
        trial.shop.checkout(&Basket { payment_method: "card".to_owned(), ..Basket::of(TRACKED, 1) }).expect("a sale");
        let changed =
            trial.actions().into_iter().filter(|hook| hook.starts_with("woocommerce_order_status_changed")).count();
        assert_eq!(changed, 1);
        assert_eq!(trial.get("/orders/200")["status"], "processing");
    }

    #[test]
    fn cancelling_gives_stock_back_and_refunds_are_bounded() {
        let trial = Trial::new();
        let basket = Basket { shipping: Some(Decimal::from(5)), ..Basket::of(TRACKED, 2) };
        let order = trial.shop.checkout(&basket).expect("a sale");
        assert_eq!(trial.get("/orders/200")["total"], "25.20", "16 + 5 and 20 % tax");
        assert!(trial.shop.refund_in_admin(order, Decimal::from(26)).is_err());
        assert!(trial.shop.refund_in_admin(order, Decimal::from(10)).is_ok());
        assert!(trial.shop.cancel(order) && !trial.shop.cancel(order));
        assert_eq!(trial.stock(TRACKED), 10);
        assert!(!trial.shop.cancel(9_999));
    }
}
