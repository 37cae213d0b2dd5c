//! Prints what evaluation costs: `cargo run --release -p cartwright-sandbox --example figures`.

use std::{collections::BTreeMap, io::Write, sync::Arc, time::Instant};

use cartwright_core::{
    Json,
    call::CallOutcome,
    evaluate::{Evaluate, Prepared, Scope},
    secret::SecretMarks,
    time::Timestamp,
    workflow::{Expression, Script},
};
use cartwright_sandbox::{Immediate, Limits, Recorded, Sandbox, ScriptOutcome};
use serde_json::json;

struct Nobody;

impl Immediate for Nobody {
    fn now(&mut self) -> Timestamp {
        Timestamp::default()
    }
    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(1);
    }
    fn log(&mut self, _: &str, _: &str) {}
}

fn main() -> std::io::Result<()> {
    let started = Instant::now();
    let sandbox = Sandbox::new(Limits::default(), SecretMarks::new([0; 32]));
    let mut out = std::io::stdout();
    writeln!(out, "building the sandbox once        {:>9.1} µs", started.elapsed().as_secs_f64() * 1e6)?;

    let event = Prepared::new(order());
    writeln!(out, "event                            {:>9} bytes", event.json().to_string().len())?;
    let steps = BTreeMap::from([("get".to_owned(), Arc::new(Prepared::new(json!({ "output": { "n": 5 } }))))]);
    let scope = Scope { event: Some(&event), steps: Some(&steps), ..Scope::default() };
    for source in [
        "event.data.status == \"processing\" && number(event.data.total) > 500",
        "event.data.status == \"processing\"",
        "steps.get.output.n > 3",
        "true",
        "event.data.line_items.len() > 3",
        "sum(event.data.line_items, |i| number(i.total))",
        "`Order ${event.data.number}: ${event.data.total}`",
    ] {
        let expression = Expression::new(source, 0..source.len());
        let fine = sandbox.expression(&expression, &scope).is_ok();
        let time = typical(|| drop(sandbox.expression(&expression, &scope)));
        writeln!(out, "{time:>8.2} µs  {}  {source}", if fine { "ok" } else { "FAILS" })?;
    }

    for source in [
        "state::get(\"k\")",
        "let total = 0; for i in event.data.line_items { total += number(i.total); } \
         http::post(\"https://hooks.example.com/x\", #{ text: `Order ${event.data.number}: ${total}` }).status",
    ] {
        let script = Script { source: source.into(), file: None, span: 0..source.len(), compiled: Arc::default() };
        let bounded =
            |recorded: &[Recorded]| sandbox.run_script_bounded(&script, &scope, recorded, &mut Nobody, 10_000);
        let Some(ScriptOutcome::Suspended { call, .. }) = bounded(&[]) else { continue };
        let answer = CallOutcome::Ok(json!({ "status": 200, "headers": {}, "body": null }));
        let recorded = [Recorded { function: call.function, fingerprint: call.fingerprint, outcome: Some(answer) }];
        let time = typical(|| {
            drop(bounded(&[]));
            drop(bounded(&recorded));
        });
        writeln!(out, "{time:>8.2} µs  both runs of a script with one call: {source}")?;
        let full = typical(|| drop(sandbox.run_script(&script, &scope, &recorded, &mut Nobody)));
        writeln!(out, "{full:>8.2} µs  its last run with the whole budget, on a thread of its own")?;
    }
    let source = "event.data.status == \"processing\" && number(event.data.total) > 500";
    let compile = typical(|| drop(sandbox.check_expression(source)));
    writeln!(out, "{compile:>8.2} µs  compiling {source}")
}

/// Microseconds a call: the lower quartile of many short rounds, which a busy machine disturbs least.
fn typical(mut call: impl FnMut()) -> f64 {
    const ROUNDS: usize = 600;
    const CALLS: u32 = 16;
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..CALLS {
                call();
            }
            started.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 4]
}

/// An order of about 3 KB, shaped like WooCommerce's.
fn order() -> Json {
    let address = json!({ "first_name": "Ada", "last_name": "Byron", "company": "", "address_1": "1 Long Street", "address_2": "", "city": "London", "state": "", "postcode": "N1", "country": "GB", "email": "ada@example.com", "phone": "0123" });
    let item = |id: u32| json!({ "id": id, "name": "A pot of tea, large, in blue", "product_id": 90 + id, "variation_id": 0, "quantity": 2, "tax_class": "", "subtotal": "20.00", "subtotal_tax": "0.00", "total": "120.50", "total_tax": "0.00", "taxes": [], "meta_data": [], "sku": "POT-1", "price": 10.25, "image": { "id": "1", "src": "https://example.com/a.jpg" }, "parent_name": null });
    let items: Vec<Json> = (0..6).map(item).collect();
    json!({ "id": "evt_01", "topic": "order.created", "store": "my-shop", "time": "2026-11-21T07:00:00.000Z", "source": { "kind": "woo" }, "data": {
        "id": 1017, "parent_id": 0, "status": "processing", "currency": "EUR", "version": "9.4.2", "prices_include_tax": false,
        "date_created": "2026-11-21T07:00:00", "discount_total": "0.00", "shipping_total": "5.00", "total": "723.00", "total_tax": "0.00",
        "customer_id": 3, "order_key": "wc_order_abc", "billing": address, "shipping": address, "payment_method": "bacs",
        "customer_note": "", "number": "1017", "meta_data": [{ "id": 1, "key": "_a", "value": "b" }], "line_items": items,
        "tax_lines": [], "shipping_lines": [{ "id": 9, "method_title": "Flat", "total": "5.00" }], "fee_lines": [], "coupon_lines": [],
        "refunds": [], "currency_symbol": "€" } })
}
