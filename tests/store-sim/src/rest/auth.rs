//! Who asks. WooCommerce looks at its own routes only (the address must show `wp-json/wc/` or `wp-json/wc-`): Basic
//! or query credentials over HTTPS, OAuth 1.0a otherwise. Then WordPress looks for an application password.

use base64::Engine as _;
use serde_json::Value;

use super::params::Target;
use super::{Ctx, RestError, oauth};
use crate::state::{Permissions, User};
use crate::wire::Request;

/// Finds the user these credentials belong to: `ctx.user`. None without valid ones, which is an error only where the
/// original says so.
pub(crate) fn authenticate(
    ctx: &mut Ctx<'_>,
    request: &Request,
    target: &Target<'_>,
    method: &str,
) -> Result<(), RestError> {
    let basic = basic(request);
    let woocommerce = request.target.contains("wp-json/wc/") || request.target.contains("wp-json/wc-");
    if woocommerce && let Some((user, permissions)) = key_of(ctx, request, target, basic.as_ref())? {
        ctx.user = ctx.state.access.users.get(&user).cloned();
        return allowed(permissions, method);
    }
    if let Some((login, password)) = basic.filter(|_| request.https) {
        ctx.user = application_password(ctx, &login, &password, woocommerce)?;
    }
    Ok(())
}

/// User and permissions of a key, over whichever way it came.
fn key_of(
    ctx: &mut Ctx<'_>,
    request: &Request,
    target: &Target<'_>,
    basic: Option<&(String, String)>,
) -> Result<Option<(u64, Permissions)>, RestError> {
    let mut wrong_secret = None;
    if request.https {
        let text = |name: &str| target.get.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let in_query = text("consumer_key").zip(text("consumer_secret"));
        let credentials = in_query.or_else(|| basic.map(|(key, secret)| (key.as_str(), secret.as_str())));
        if let Some((key, secret)) = credentials.filter(|(key, secret)| !key.is_empty() && !secret.is_empty()) {
            match ctx.state.access.keys.get(key) {
                Some(row) if row.secret == secret => return Ok(Some((row.user, row.permissions))),
                Some(_) => wrong_secret = Some(refused("Consumer secret is invalid.")),
                None => {}
            }
        }
    }
    match (oauth::verify(ctx, request, target)?, wrong_secret) {
        (Some(found), _) => Ok(Some(found)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// WordPress says why an application password is wrong, except where WooCommerce answers.
fn application_password(
    ctx: &Ctx<'_>,
    login: &str,
    password: &str,
    woocommerce: bool,
) -> Result<Option<User>, RestError> {
    let password = password.replace(' ', "");
    let error = match ctx.state.access.by_login(login) {
        Some(user) if user.passwords.contains(&password) => return Ok(Some(user.clone())),
        Some(_) => {
            RestError::new("incorrect_password", "The provided password is an invalid application password.", 401)
        }
        None => RestError::new(
            "invalid_username",
            "<strong>Error:</strong> Unknown username. Check again or try your email address.",
            401,
        ),
    };
    if woocommerce { Ok(None) } else { Err(error) }
}

/// Whether a key of these permissions may be used with this method.
fn allowed(permissions: Permissions, method: &str) -> Result<(), RestError> {
    let (needs, lacking) = match method {
        "GET" | "HEAD" => ("read", Permissions::Write),
        "OPTIONS" => return Ok(()),
        _ => ("write", Permissions::Read),
    };
    if permissions == lacking {
        return Err(refused(&format!("The API key provided does not have {needs} permissions.")));
    }
    Ok(())
}

/// User and password of an `Authorization: Basic` header.
fn basic(request: &Request) -> Option<(String, String)> {
    let header = request.header("authorization")?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// `woocommerce_rest_authentication_error` in these words.
pub(super) fn refused(message: &str) -> RestError {
    RestError::new("woocommerce_rest_authentication_error", message.to_owned(), 401)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::testing::Bench;
    use crate::state::Role;

    const LIST: &str = "/wp-json/wc/v3/products";

    fn basic_header(user: &str, password: &str) -> (&'static str, String) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        ("authorization", format!("Basic {encoded}"))
    }

    #[test]
    fn every_way_in_and_every_refusal_is_the_recorded_one() {
        let bench = Bench::new();
        let (key, secret) = bench.shop.add_key(Permissions::ReadWrite, 1);
        bench.shop.add_application_password(1, "abcd efgh");
        let query = format!("{LIST}?consumer_key={key}&consumer_secret={secret}");
        let plain = format!("/?rest_route=/wc/v3/products&consumer_key={key}&consumer_secret={secret}");
        let check = |https, target: &str, login: Option<(&str, &str)>, status: u16, code: &str| {
            let headers: Vec<_> = login.map(|(user, password)| basic_header(user, password)).into_iter().collect();
            let (got, body) = bench.send(https, "GET", target, &headers, "");
            assert_eq!((got, body["code"].as_str().unwrap_or_default()), (status, code), "{https} {target} {login:?}");
        };
        let hidden = "woocommerce_rest_cannot_view";
        let wrong = "woocommerce_rest_authentication_error";
        check(true, LIST, Some((&key, &secret)), 200, "");
        check(true, &query, None, 200, "");
        check(true, LIST, Some(("admin", "abcdefgh")), 200, "");
        check(false, LIST, Some((&key, &secret)), 401, hidden);
        check(false, &query, None, 401, hidden);
        check(false, LIST, Some(("admin", "abcdefgh")), 401, hidden);
        check(true, LIST, None, 401, hidden);
        check(true, LIST, Some(("ck_unknown", "cs_x")), 401, hidden);
        check(true, LIST, Some((&key, "cs_wrong")), 401, wrong);
        check(true, LIST, Some((&key, "")), 401, hidden);
        check(true, LIST, Some(("admin", "wrong")), 401, hidden);
        check(true, "/wp-json/wp/v2/posts", Some((&key, &secret)), 401, "invalid_username");
        check(true, "/?rest_route=/wc/v3/products", Some((&key, &secret)), 401, "invalid_username");
        check(true, &plain, None, 401, hidden);
        bench.shop.revoke_key(&key);
        check(true, LIST, Some((&key, &secret)), 401, hidden);
    }

    #[test]
    fn keys_and_roles_bound_what_may_be_done() {
        let bench = Bench::new();
        let subscriber = bench.shop.add_user("sub", Role::Subscriber);
        let check = |permissions, user, method: &str, target: &str, status: u16, code: &str| {
            let (key, secret) = bench.shop.add_key(permissions, user);
            let headers = [basic_header(&key, &secret), ("content-type", "application/json".to_owned())];
            let (got, body) = bench.send(true, method, target, &headers, "{\"name\":\"x\"}");
            assert_eq!(
                (got, body["code"].as_str().unwrap_or_default()),
                (status, code),
                "{permissions:?} {method} {target}"
            );
        };
        let wrong = "woocommerce_rest_authentication_error";
        check(Permissions::Read, 1, "POST", LIST, 401, wrong);
        check(Permissions::Write, 1, "GET", LIST, 401, wrong);
        check(Permissions::Write, 1, "POST", LIST, 201, "");
        check(Permissions::ReadWrite, subscriber, "GET", LIST, 403, "woocommerce_rest_cannot_view");
        check(Permissions::ReadWrite, subscriber, "POST", LIST, 403, "woocommerce_rest_cannot_create");
        check(
            Permissions::ReadWrite,
            subscriber,
            "POST",
            "/wp-json/wc/v3/products/batch",
            403,
            "woocommerce_rest_cannot_batch",
        );
    }
}
