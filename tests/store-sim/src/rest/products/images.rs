//! Product images. Nothing is fetched: an address that WordPress would fetch becomes an attachment, any other is
//! refused in its words.

use serde_json::{Value, json};

use super::super::{Ctx, RestError, params, safe_url};
use crate::state::{Kind, Object, Sequence};

/// The images of a product after an update that sent these.
pub(in crate::rest) fn resolved(ctx: &mut Ctx<'_>, sent: &[Value]) -> Result<Value, RestError> {
    let mut images = Vec::new();
    for image in sent {
        let id = image.get("id").and_then(params::to_int).unwrap_or_default();
        if id == 0 {
            let Some(src) = image["src"].as_str().filter(|src| !src.is_empty()) else {
                continue;
            };
            images.push(fetched(ctx, src, image)?);
            continue;
        }
        let known = u64::try_from(id).ok().and_then(|id| ctx.state.get(Kind::Media, id));
        let known = known.ok_or_else(|| {
            RestError::new("woocommerce_product_invalid_image_id", format!("#{id} is an invalid image ID."), 400)
        })?;
        images.push(Value::Object(known.fields.clone()));
    }
    Ok(Value::Array(images))
}

fn fetched(ctx: &mut Ctx<'_>, src: &str, image: &Value) -> Result<Value, RestError> {
    if !safe_url::allowed(src, &ctx.shop.url) {
        let message = format!("Error getting remote image {src}. Error: A valid URL was not provided.");
        return Err(RestError::new("woocommerce_product_image_upload_error", message, 400));
    }
    let id = ctx.state.next_id(Sequence::Post);
    let file = src.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or("image");
    let (local, gmt) = (ctx.local(ctx.now), crate::date::gmt(ctx.now));
    let url = format!("{}/wp-content/uploads/{}/{file}", ctx.home(), &gmt[..7].replace('-', "/"));
    let shown = json!({
        "id": id, "date_created": local, "date_created_gmt": gmt, "date_modified": local, "date_modified_gmt": gmt,
        "src": url, "name": image["name"].as_str().unwrap_or(file), "alt": image["alt"].as_str().unwrap_or_default(),
        "srcset": "", "sizes": "", "thumbnail": url,
    });
    let fields = shown.as_object().cloned().unwrap_or_default();
    ctx.state.put(Kind::Media, Object { id, created: ctx.now, modified: ctx.now, fields, ..Object::default() });
    Ok(shown)
}
