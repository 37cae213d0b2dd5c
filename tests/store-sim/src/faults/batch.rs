//! PHP's time limit in the middle of a batch: WooCommerce works item by item without a transaction, so a prefix is
//! done and stays done.

use serde_json::Value;

use super::page;
use crate::{Request, Response, Shop};

/// In the order in which WooCommerce works.
const PARTS: [&str; 3] = ["create", "update", "delete"];

/// Lets the shop do the first items of a batch, then answers as a PHP that died. What is no batch, or is short enough,
/// is answered as always.
pub(super) fn up_to(items: usize, shop: &Shop, mut request: Request) -> Response {
    let is_batch = request.target.split('?').next().is_some_and(|path| path.ends_with("/batch"));
    let Some(mut body) = is_batch.then(|| serde_json::from_slice::<Value>(&request.body).ok()).flatten() else {
        return shop.handle(request);
    };
    let mut left = items;
    let mut cut = false;
    for part in PARTS {
        if let Some(list) = body.get_mut(part).and_then(Value::as_array_mut) {
            cut |= list.len() > left;
            list.truncate(left);
            left -= list.len();
        }
    }
    if !cut {
        return shop.handle(request);
    }
    request.body = body.to_string().into_bytes();
    request.headers.retain(|(name, _)| name != "content-length");
    shop.handle(request);
    page::empty_error()
}
