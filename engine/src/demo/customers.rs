//! The people in the demo's stores: customers who buy, pay late or never, change their minds and want their money back,
//! and staff who sends parcels and looks at orders that were held. They act in the shop itself, not through the engine.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use cartwright_core::Json;
use cartwright_store_sim::{Basket, Shop, state::Kind};
use rust_decimal::Decimal;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{
    catalogue::{self, Article},
    dice::Dice,
    maintenance::Maintenance,
    news::Paper,
    shops::Store,
};

/// Delivery costs this.
const SHIPPING: Decimal = Decimal::from_parts(490, 0, 0, false, 2);

/// What somebody will do with an order later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Pay,
    Send,
    Cancel,
    Refund,
    /// Staff decides about an order that was held.
    Judge,
}

/// `(when, order of planning, store, order, act)`, the earliest on top.
type Plan = Reverse<(Instant, u64, usize, u64, Act)>;

/// Everybody.
pub(super) struct Customers {
    stores: Vec<Store>,
    dice: Dice,
    paper: Paper,
    plans: BinaryHeap<Plan>,
    planned: u64,
}

impl Customers {
    pub(super) fn new(stores: Vec<Store>, seed: u64, paper: Paper) -> Self {
        Self { stores, dice: Dice::new(seed), paper, plans: BinaryHeap::new(), planned: 0 }
    }

    /// They go on until this is dropped.
    pub(super) async fn live(mut self, orders_per_minute: u32) {
        let mut visits = interval(Duration::from_secs(60) / orders_per_minute.max(1));
        visits.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut maintenance = Maintenance::new(self.stores.len(), Instant::now());
        loop {
            let due = self.plans.peek().map(|Reverse((due, ..))| *due);
            let next_plan = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = visits.tick() => {
                    let store = self.dice.index(self.stores.len());
                    // A store in maintenance shows nothing to buy.
                    if maintenance.closed() != Some(store) {
                        self.visit(store, false, Instant::now()).await;
                    }
                }
                () = next_plan => self.act_unless_closed(&maintenance).await,
                () = sleep_until(maintenance.due()) => {
                    // One more order just before, so that there is work that has to wait.
                    if let Some(store) = maintenance.next_to_close() {
                        self.visit(store, true, Instant::now()).await;
                    }
                    maintenance.turn(&self.stores, &self.paper);
                }
            }
        }
    }

    /// Somebody buys something. `worthwhile`: enough for the workflows to answer with a coupon.
    async fn visit(&mut self, at: usize, worthwhile: bool, now: Instant) {
        let Some((order, basket)) = self.buy(at, worthwhile) else { return };
        let fate = fate(&basket, total(&self.stores[at].shop, order), &mut self.dice);
        if let Some((after, act)) = fate {
            self.plan(now + after, at, order, act);
        }
        self.stores[at].driver.after_request().await;
    }

    fn buy(&mut self, at: usize, worthwhile: bool) -> Option<(u64, Basket)> {
        let store = self.stores.get(at)?.clone();
        let (goods, items) = fill_basket(&store, worthwhile, &mut self.dice)?;
        let dice = &mut self.dice;
        let buyer = if dice.percent(40) {
            catalogue::person(dice, None)
        } else {
            store.stock.customers[dice.index(store.stock.customers.len())].clone()
        };
        let method = if worthwhile { "stripe" } else { dice.pick(&["stripe", "stripe", "paypal", "bacs"]) };
        let basket = Basket {
            customer: buyer.id,
            items,
            billing: buyer.address,
            payment_method: method.to_owned(),
            shipping: Some(SHIPPING),
            ..Basket::default()
        };
        let order = store.shop.checkout(&basket).ok()?;
        let paid = if method == "bacs" { "by transfer" } else { "paid" };
        let what = format!("#{order}: {} {paid}, {goods}", total(&store.shop, order));
        self.paper.print(&store.name, "customer", "buys", what);
        Some((order, basket))
    }

    /// The act that is due; in a closed store it comes after the maintenance.
    async fn act_unless_closed(&mut self, maintenance: &Maintenance) {
        match self.plans.peek().copied() {
            Some(Reverse((_, number, at, order, act))) if maintenance.closed() == Some(at) => {
                self.plans.pop();
                self.plans.push(Reverse((maintenance.due() + self.dice.seconds(1, 3), number, at, order, act)));
            }
            _ => self.act().await,
        }
    }

    /// The act that is due.
    async fn act(&mut self) {
        let Some(Reverse((due, _, at, order, act))) = self.plans.pop() else { return };
        let Some(store) = self.stores.get(at).cloned() else { return };
        let (shop, dice) = (&store.shop, &mut self.dice);
        let status = text(shop, order, "status");
        let (who, does, next) = match (act, status.as_str()) {
            (Act::Pay, "on-hold") if shop.pay(order) => ("customer", "pays", Some((dice.seconds(6, 16), Act::Send))),
            (Act::Judge, "on-hold") if dice.percent(60) && shop.set_status(order, "processing") => {
                ("staff", "releases", Some((dice.seconds(4, 8), Act::Send)))
            }
            (Act::Judge, "on-hold") if shop.cancel(order) => ("staff", "cancels", None),
            (Act::Send, "processing") if shop.complete(order) => {
                ("staff", "sends", dice.percent(12).then(|| (dice.seconds(6, 15), Act::Refund)))
            }
            (Act::Cancel, "processing") if shop.cancel(order) => ("customer", "cancels", None),
            (Act::Refund, "completed") if shop.refund_in_admin(order, total(shop, order)).is_ok() => {
                ("staff", "refunds", None)
            }
            // The workflows, or somebody else, decided otherwise meanwhile.
            _ => return,
        };
        self.paper.print(&store.name, who, does, format!("#{order}"));
        if let Some((after, act)) = next {
            self.plan(due + after, at, order, act);
        }
        store.driver.after_request().await;
    }

    fn plan(&mut self, due: Instant, store: usize, order: u64, act: Act) {
        self.planned += 1;
        self.plans.push(Reverse((due, self.planned, store, order, act)));
    }
}

/// What will happen to a new order first.
fn fate(basket: &Basket, total: Decimal, dice: &mut Dice) -> Option<(Duration, Act)> {
    if basket.payment_method == "bacs" {
        return match dice.below(100) {
            0..55 => Some((dice.seconds(4, 15), Act::Pay)),
            // `unpaid.yaml` reminds after 20 seconds.
            55..75 => Some((dice.seconds(24, 34), Act::Pay)),
            _ => None,
        };
    }
    // Far above the usual: `fraud-hold.yaml` will have held it.
    if total > Decimal::from(800) {
        return Some((dice.seconds(10, 20), Act::Judge));
    }
    let act = if dice.percent(5) { Act::Cancel } else { Act::Send };
    Some((dice.seconds(5, 16), act))
}

/// What is in the basket, in words and as ids; nothing when the shelves are empty.
fn fill_basket(store: &Store, worthwhile: bool, dice: &mut Dice) -> Option<(String, Vec<(u64, i64)>)> {
    let articles = &store.stock.articles;
    let greedy = !worthwhile && dice.percent(4);
    let kinds = if greedy { 4 } else { 1 + dice.index(3) };
    let first = dice.index(articles.len());
    let mut chosen: Vec<(&Article, i64)> = Vec::new();
    let mut sum = Decimal::ZERO;
    for article in articles.iter().cycle().skip(first).take(articles.len()) {
        let enough = chosen.len() >= kinds && !(worthwhile && sum < Decimal::from(270));
        if enough {
            break;
        }
        let left = number(&store.shop, article.id, "stock_quantity");
        let wanted = if greedy { 4 } else { i64::from(!worthwhile && dice.percent(20)) + 1 };
        let pieces = wanted.min(left);
        if pieces > 0 {
            sum += price(&store.shop, article.id) * Decimal::from(pieces);
            chosen.push((article, pieces));
        }
    }
    let words: Vec<String> = chosen.iter().map(|(article, pieces)| counted(article.name, *pieces)).collect();
    let items: Vec<(u64, i64)> = chosen.iter().map(|(article, pieces)| (article.id, *pieces)).collect();
    (!items.is_empty()).then(|| (words.join(", "), items))
}

fn counted(name: &str, pieces: i64) -> String {
    if pieces == 1 { name.to_owned() } else { format!("{pieces}× {name}") }
}

fn price(shop: &Shop, product: u64) -> Decimal {
    let fields = shop.peek(Kind::Product, product).unwrap_or_default();
    fields.get("regular_price").and_then(Json::as_str).and_then(|price| price.parse().ok()).unwrap_or_default()
}

fn number(shop: &Shop, product: u64, field: &str) -> i64 {
    shop.peek(Kind::Product, product).and_then(|fields| fields.get(field)?.as_i64()).unwrap_or_default()
}

fn text(shop: &Shop, order: u64, field: &str) -> String {
    let fields = shop.peek(Kind::Order, order).unwrap_or_default();
    fields.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn total(shop: &Shop, order: u64) -> Decimal {
    text(shop, order, "total").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::shops::Shops, *};

    /// Everybody does what they planned, however long it takes: no time passes.
    async fn a_day(seed: u64, visits: usize) -> (Shops, BTreeSet<&'static str>) {
        let shops = Shops::open(2).await.expect("stores");
        let paper = Paper::default();
        let mut customers = Customers::new(shops.stores.clone(), seed, paper.clone());
        let now = Instant::now();
        for visit in 0..visits {
            customers.visit(visit % 2, visit == 1, now).await;
        }
        while !customers.plans.is_empty() {
            customers.act().await;
        }
        let seen = paper.take().into_iter().map(|news| news.does).collect();
        (shops, seen)
    }

    #[tokio::test]
    async fn people_buy_pay_cancel_send_and_refund() {
        let (shops, seen) = a_day(7, 120).await;
        for does in ["buys", "pays", "sends", "cancels", "refunds"] {
            assert!(seen.contains(does), "{does}: {seen:?}");
        }
        for store in &shops.stores {
            let orders = store.shop.with_state(|state| state.table(Kind::Order).values().cloned().collect::<Vec<_>>());
            assert!(orders.len() > 20, "{} orders in {}", orders.len(), store.name);
            let statuses: BTreeSet<&str> = orders.iter().map(|order| order.text("status")).collect();
            assert!(statuses.contains("completed") && statuses.contains("on-hold"), "{statuses:?}");
            let left = store.shop.with_state(|state| {
                state.table(Kind::Product).values().map(|product| product.int("stock_quantity")).min()
            });
            assert!(left.is_some_and(|left| left >= 0), "nobody buys what is not there: {left:?}");
        }
    }

    #[tokio::test]
    async fn the_order_before_a_maintenance_is_worth_a_coupon() {
        let (shops, _) = a_day(3, 2).await;
        let shop = &shops.stores[1].shop;
        let order = shop.with_state(|state| state.table(Kind::Order).keys().next().copied()).expect("an order");
        let total = total(shop, order);
        assert!(total > Decimal::from(300) && total <= Decimal::from(800), "{total}");
    }
}
