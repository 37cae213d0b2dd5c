//! `store-sim`: look-alike stores behind one address, for a person to play with.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc};

use cartwright_store_sim::{
    Request, Shop,
    server::{Address, Options, Server, ShopSpec},
    webhooks::Timing,
};
use clap::Parser;

/// Stores that behave like WooCommerce, in memory, until the process ends.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many stores.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    stores: u32,
    /// Where they listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many products each store begins with.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    seed_products: u32,
    /// Deliver webhooks only once a minute, as WooCommerce does, instead of at once.
    #[arg(long)]
    wp_cron: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "store-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> std::io::Result<()> {
    let shops = (1..=args.stores).map(|number| ShopSpec::http(&format!("store-{number}"))).collect();
    let timing = if args.wp_cron { Timing::WpCron } else { Timing::AtOnce };
    let options = Options { address: Address::Shared(args.listen), timing: Some(timing), ..Options::default() };
    let server = Server::start(shops, options).await?;
    let mut out = std::io::stdout();
    for id in server.ids() {
        let (key, secret) = server.key(id);
        for number in 1..=args.seed_products {
            product(&server.shop(id), number, &server.key(id));
        }
        writeln!(out, "{id} {} {key} {secret}", server.base_url(id))?;
    }
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

/// Makes a product the way anybody would.
fn product(shop: &Arc<Shop>, number: u32, (key, secret): &(String, String)) {
    let body = format!(
        r#"{{"name":"Product {number}","sku":"P-{number}","regular_price":"{}.90","manage_stock":true,"stock_quantity":{}}}"#,
        5 + number % 95,
        number % 50
    );
    shop.handle(Request {
        method: "POST".to_owned(),
        target: format!("/wp-json/wc/v3/products?consumer_key={key}&consumer_secret={secret}"),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.into_bytes(),
        https: true,
    });
}
