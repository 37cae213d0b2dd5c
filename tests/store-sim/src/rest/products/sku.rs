//! SKUs are unique among products and variations that are not in the trash, whatever their case.

use super::super::RestError;
use crate::state::{Kind, Object, State};

/// Refuses a SKU that somebody else has, naming the owner and a free one.
pub(crate) fn check(state: &State, sku: &str, own: u64) -> Result<(), RestError> {
    match state.skus.get(&sku.to_lowercase()) {
        Some(owner) if *owner != own && !sku.is_empty() => {
            let unique = (1..).map(|number| format!("{sku}-{number}"));
            let unique =
                unique.into_iter().find(|sku| !state.skus.contains_key(&sku.to_lowercase())).unwrap_or_default();
            let error = RestError::new("product_invalid_sku", "Invalid or duplicated SKU.", 400);
            Err(error.with("resource_id", *owner).with("unique_sku", unique))
        }
        _ => Ok(()),
    }
}

/// Notes whose SKU this is.
pub(crate) fn keep(state: &mut State, object: &Object) {
    let sku = object.text("sku").to_lowercase();
    if !sku.is_empty() && object.text("status") != "trash" {
        state.skus.insert(sku, object.id);
    }
}

/// Frees the SKU, and the slug, of a product or variation.
pub(crate) fn forget(state: &mut State, id: u64) {
    let object = state.get(Kind::Product, id).or_else(|| state.get(Kind::Variation, id));
    let Some((sku, slug)) = object.map(|object| (object.text("sku").to_lowercase(), object.text("slug").to_owned()))
    else {
        return;
    };
    if state.slugs.get(&slug) == Some(&id) {
        state.slugs.remove(&slug);
    }
    if state.skus.get(&sku) == Some(&id) {
        state.skus.remove(&sku);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_sku_is_refused_with_its_owner_and_a_free_one() {
        let mut state = State::new();
        for (id, sku) in [(12, "Sku-1"), (13, "SKU-1-1")] {
            let mut object = Object { id, ..Object::default() };
            object.set("sku", sku);
            keep(&mut state, &object);
            state.put(Kind::Product, object);
        }
        let error = check(&state, "SKU-1", 0).unwrap_err();
        assert_eq!(error.data, serde_json::json!({"status": 400, "resource_id": 12, "unique_sku": "SKU-1-2"}));
        assert_eq!(check(&state, "SKU-1", 12), Ok(()));
        forget(&mut state, 12);
        assert_eq!(check(&state, "SKU-1", 0), Ok(()));
        assert_eq!(check(&state, "", 0), Ok(()));
    }
}
