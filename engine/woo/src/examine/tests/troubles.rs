//! What goes wrong with stores, one row each.

use super::*;

const SHOP: &str = "https://shop.example";

fn is_index(asked: &Asked) -> bool {
    asked.path == "/wp-json/"
}

fn keyed(asked: &Asked) -> bool {
    asked.path.starts_with("/wp-json/wc/")
}

fn authentication(message: &str) -> Option<Reply> {
    Some(refused(401, "woocommerce_rest_authentication_error", message))
}

macro_rules! troubles {
    ($($name:literal at $url:expr => $check:literal $outcome:ident $words:expr, $answer:expr;)*) => {
        pub(super) const TROUBLES: &[Trouble] = &[$(Trouble {
            name: $name, url: $url, answer: $answer, check: $check, outcome: Outcome::$outcome, words: &$words,
        },)*];
    };
}

troubles! {
    "the name is not known" at SHOP => "address" Failed ["typing mistake in shop.example"],
        |_| Some(broken(TransportFailure::Dns, "the name shop.example cannot be resolved"));
    "nobody listens" at SHOP => "address" Failed ["refuses", "web server up"],
        |_| Some(broken(TransportFailure::Connect, "shop.example refuses connections"));
    "closed by policy" at SHOP => "address" Failed ["in your own network"],
        |_| Some(broken(TransportFailure::Denied, "denied"));
    "certificate expired" at SHOP => "address" Failed ["has expired", "Renew"],
        |_| Some(broken(TransportFailure::Tls, "the certificate of shop.example has expired"));
    "certificate of another name" at SHOP => "address" Failed ["with and without www"],
        |_| Some(broken(TransportFailure::Tls, "the certificate that shop.example shows is for another name"));
    "self-signed" at SHOP => "address" Failed ["--extra-ca-certificates"],
        |_| Some(broken(TransportFailure::Tls, "the certificate of shop.example is self-signed"));
    "silence" at SHOP => "address" Failed ["Try again"],
        |_| Some(broken(TransportFailure::Timeout, "no answer"));
    "redirect to www" at SHOP => "address" Failed ["--url https://www.shop.example …"],
        |asked| Some(with(301, &[("location", &format!("https://www.shop.example{}", asked.path))], ""));
    "http, and https is there" at "http://shop.example" => "https" Warning ["https answers there as well"],
        |_| None;
    "http only" at "http://shop.example" => "https" Warning ["Let's Encrypt"],
        |asked| (asked.url.scheme() == "https").then(|| broken(TransportFailure::Connect, "no"));
    "plain permalinks" at SHOP => "wordpress" Failed ["Post name"],
        |asked| match asked.path.as_str() {
            "/" => Some(index("https://shop.example", &["wc/v3"])),
            _ => Some(page(404, "Nothing here")),
        };
    "no WordPress" at SHOP => "wordpress" Failed ["answered 404", "the folder belongs to it"],
        |_| Some(page(404, "Nothing here"));
    "maintenance" at SHOP => "wordpress" Failed ["maintenance", "Try again when it is over"],
        |_| Some(refused(503, "wp_die", "Briefly unavailable for scheduled maintenance."));
    "firewall" at SHOP => "wordpress" Failed ["Cloudflare"],
        |_| Some(page(403, "<title>Just a moment...</title>"));
    "WooCommerce is off" at SHOP => "woocommerce" Failed ["under Plugins"],
        |asked| is_index(asked).then(|| index("https://shop.example", &["wp/v2"]));
    "index closed by a plugin" at SHOP => "wordpress" Warning ["closes its REST API to strangers"],
        |asked| is_index(asked).then(|| refused(401, "rest_login_required", "Only for members."));
    "clock" at SHOP => "clock" Warning ["60 minutes ahead of ours"],
        |asked| is_index(asked).then(|| {
            let mut answer = index("https://shop.example", &["wc/v3"]).expect("an answer");
            answer.headers[0].1 = "Sat, 21 Nov 2026 13:00:00 GMT".to_owned();
            Ok(answer)
        });
    "header stripped" at SHOP => "key" Warning ["CGIPassAuth On"],
        |asked| (asked.by == By::Basic).then(stranger);
    "key unknown" at SHOP => "key" Failed ["does not know this key"],
        |asked| match asked.by {
            By::Signature => authentication("Consumer key is invalid."),
            _ => keyed(asked).then(stranger),
        };
    "https not announced to PHP" at SHOP => "key" Failed ["HTTP_X_FORWARDED_PROTO"],
        |asked| match asked.by {
            By::Signature => authentication("Invalid signature - provided signature does not match."),
            _ => keyed(asked).then(stranger),
        };
    "nothing is noticed" at SHOP => "key" Failed ["does not notice the key in any way"],
        |asked| keyed(asked).then(stranger);
    "wrong secret" at SHOP => "key" Failed ["not the secret"],
        |asked| keyed(asked).then(|| authentication("Consumer secret is invalid.")).flatten();
    "write-only key" at SHOP => "key" Failed ["may only write"],
        |asked| keyed(asked).then(|| authentication("The API key provided does not have read permissions.")).flatten();
    "read-only key" at SHOP => "writing" Warning ["may only read"],
        |asked| match asked.method {
            WooMethod::Post => authentication("The API key provided does not have write permissions."),
            _ => None,
        };
    "user without rights" at SHOP => "key" Failed ["shop manager or administrator"],
        |asked| keyed(asked).then(|| refused(403, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources."));
    "some lists are closed" at SHOP => "rights" Failed ["does not read customers"],
        |asked| asked.path.ends_with("/customers").then(|| refused(403, "woocommerce_rest_cannot_view", "Sorry."));
    "firewall in front of calls with keys" at SHOP => "key" Failed ["Wordfence"],
        |asked| keyed(asked).then(|| page(403, "Generated by Wordfence"));
    "old WooCommerce" at SHOP => "versions" Warning ["WooCommerce 8.8.3", "8.9 and newer"],
        |asked| asked.path.ends_with("/system_status").then(|| status("8.8.3", true));
    "WP-Cron is off" at SHOP => "cron" Warning ["DISABLE_WP_CRON"],
        |asked| asked.path.ends_with("/system_status").then(|| status("10.0.2", false));
    "webhook switched off" at SHOP => "webhooks" Failed ["order.created (disabled)", "Active again"],
        |asked| asked.path.ends_with("/webhooks").then(|| hooks("disabled"));
    "no webhook" at SHOP => "webhooks" Warning ["…/webhooks/shop"],
        |asked| asked.path.ends_with("/webhooks").then(|| answer(200, &json!([])));
    "a wrong secret over http" at "http://127.0.0.1" => "key" Failed ["not the secret"],
        |asked| keyed(asked).then(|| authentication("Invalid signature - provided signature does not match.")).flatten();
}
