//! The look-alikes' process: each on a port of its own, one product each. Prints where they are, serves until it is
//! ended.

use cartwright_store_sim::{
    Request,
    faults::Fault,
    server::{Options, Server, ShopSpec},
};
use serde_json::{Value, json};

/// The troubled ones are the first three.
pub(crate) const TROUBLES: [Fault; 3] = [Fault::Hang, Fault::Down, Fault::TooMany { retry_after_secs: None }];

/// `bench shops COUNT fine|troubled`
pub(crate) fn main(arguments: &[String]) {
    let count: usize = arguments.first().and_then(|count| count.parse().ok()).expect("how many");
    let troubled = arguments.get(1).is_some_and(|word| word == "troubled");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let specs = (0..count).map(|number| ShopSpec::http(&format!("shop-{number:03}"))).collect();
        let server = Server::start(specs, Options::default()).await.expect("shops");
        let ids: Vec<String> = server.ids().map(str::to_owned).collect();
        let stores: Vec<Value> = ids.iter().map(|id| store(&server, id)).collect();
        if troubled {
            for (id, fault) in ids.iter().zip(TROUBLES) {
                server.faults(id).always(fault);
            }
        }
        println!("{}", Value::from(stores));
        std::future::pending::<()>().await;
    });
}

/// A shop with a product in it.
fn store(server: &Server, id: &str) -> Value {
    let (key, secret) = server.key(id);
    let product = server.shop(id).handle(Request {
        method: "POST".to_owned(),
        target: format!("/wp-json/wc/v3/products?consumer_key={key}&consumer_secret={secret}"),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: json!({ "name": "Tea", "regular_price": "4.50" }).to_string().into_bytes(),
        https: true,
    });
    let product: Value = serde_json::from_slice(&product.body).expect("a product");
    let product = product["id"].as_u64().expect("an id");
    json!({ "id": id, "url": server.base_url(id), "key": key, "secret": secret, "product": product })
}
