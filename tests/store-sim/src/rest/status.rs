//! `/system_status`: what a client reads versions and settings from. The machine it tells of is made up.

use serde_json::{Value, json};

use super::resource::READ;
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route};

const MEGABYTE: u64 = 1024 * 1024;

/// The route.
pub(super) fn routes() -> Vec<Route> {
    let get = Endpoint { methods: READ, guard: Guard::List, args: &[], handler: get };
    vec![Route { pattern: "/wc/v3/system_status", endpoints: vec![get] }]
}

fn get(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    Ok(Reply::ok(json!({
        "environment": environment(ctx),
        "database": {
            "wc_database_version": ctx.shop.woocommerce_version,
            "database_prefix": "wp_",
            "maxmind_geoip_database": "",
            "database_tables": { "woocommerce": {}, "other": {} },
            "database_size": { "data": 1.5, "index": 0.5 },
        },
        "active_plugins": [{
            "plugin": "woocommerce/woocommerce.php",
            "name": "WooCommerce",
            "version": ctx.shop.woocommerce_version,
            "version_latest": ctx.shop.woocommerce_version,
            "url": "https://woocommerce.com/",
            "author_name": "Automattic",
            "author_url": "https://woocommerce.com",
            "network_activated": false,
        }],
        "inactive_plugins": [],
        "dropins_mu_plugins": { "dropins": [], "mu_plugins": [] },
        "theme": { "name": "Look-alike", "version": "1.0", "is_child_theme": false, "has_woocommerce_support": true },
        "settings": settings(ctx),
        "security": { "secure_connection": ctx.https, "hide_errors": true },
        "pages": [],
        "post_type_counts": [],
    })))
}

fn environment(ctx: &Ctx<'_>) -> Value {
    json!({
        "home_url": ctx.shop.url,
        "site_url": ctx.shop.url,
        "store_id": "00000000-0000-4000-8000-000000000000",
        "version": ctx.shop.woocommerce_version,
        "log_directory": "/srv/www/wp-content/uploads/wc-logs/",
        "log_directory_writable": true,
        "wp_version": ctx.shop.wordpress_version,
        "wp_multisite": false,
        "wp_memory_limit": 512 * MEGABYTE,
        "wp_debug_mode": false,
        "wp_cron": true,
        "wp_environment_type": "production",
        "language": "en_US",
        "external_object_cache": null,
        "server_info": "store-sim",
        "server_architecture": "Linux",
        "php_version": "8.2.35",
        "php_post_max_size": 64 * MEGABYTE,
        "php_max_execution_time": 120,
        "php_max_input_vars": 1_000,
        "curl_version": "8.0.0",
        "suhosin_installed": false,
        "max_upload_size": 2 * MEGABYTE,
        "mysql_version": "10.11",
        "mysql_version_string": "10.11-MariaDB",
        "default_timezone": "UTC",
        "fsockopen_or_curl_enabled": true,
        "soapclient_enabled": false,
        "domdocument_enabled": true,
        "gzip_enabled": true,
        "mbstring_enabled": true,
        "remote_post_successful": true,
        "remote_post_response": "200",
        "remote_get_successful": true,
        "remote_get_response": "200",
    })
}

fn settings(ctx: &Ctx<'_>) -> Value {
    let same = |names: &[&str]| Value::Object(names.iter().map(|name| ((*name).to_owned(), json!(name))).collect());
    json!({
        "api_enabled": false,
        "force_ssl": false,
        "currency": ctx.shop.currency,
        "currency_symbol": super::money::entity(&ctx.shop.currency),
        "currency_position": "left",
        "thousand_separator": ",",
        "decimal_separator": ".",
        "number_of_decimals": 2,
        "geolocation_enabled": false,
        "taxonomies": same(&["external", "grouped", "simple", "variable"]),
        "product_visibility_terms": same(&[
            "exclude-from-catalog", "exclude-from-search", "featured", "outofstock", "rated-1", "rated-2", "rated-3",
            "rated-4", "rated-5",
        ]),
        "woocommerce_com_connected": "no",
        "enforce_approved_download_dirs": true,
        "order_datastore": "Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\OrdersTableDataStore",
        "HPOS_enabled": true,
        "HPOS_sync_enabled": false,
        "enabled_features": ["custom_order_tables"],
    })
}
