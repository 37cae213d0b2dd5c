//! `/customers`: the shop's customers, who are WordPress users. Users that were made otherwise (the administrator, a
//! subscriber) are shown as well, but only to who asks for their role or id.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::args::{Arg, Default, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::resource::{DELETE, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, Resource, RestError, Route, links};
use crate::orders::edit::{ADDRESS, set_address};
use crate::orders::fields::text;
use crate::orders::lines::set_line_meta;
use crate::shop::Happened;
use crate::state::{Kind, Object, Role, Sequence, State, User};

const BASE: &str = "/wc/v3/customers";
const VERBS: Verbs = Verbs { create, update, delete, parent: None };
const RULES: Rules = Rules { search: &["email", "username", "first_name", "last_name"], order: ("name", "asc") };
const ROLES: &[&str] =
    &["all", "administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager"];

const ADDRESS_ARGS: &[Arg] = &[
    Arg::new("first_name", Is::Text),
    Arg::new("last_name", Is::Text),
    Arg::new("company", Is::Text),
    Arg::new("address_1", Is::Text),
    Arg::new("address_2", Is::Text),
    Arg::new("city", Is::Text),
    Arg::new("state", Is::Text),
    Arg::new("postcode", Is::Text),
    Arg::new("country", Is::Text),
    Arg::new("phone", Is::Text),
];
const ARGS: &[Arg] = &[
    Arg::new("email", Is::Email).required(),
    Arg::new("first_name", Is::Text),
    Arg::new("last_name", Is::Text),
    Arg::new("username", Is::Text),
    Arg::new("password", Is::Text),
    Arg::new("billing", Is::Object(ADDRESS_ARGS)),
    Arg::new("shipping", Is::Object(ADDRESS_ARGS)),
    Arg::new("meta_data", Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("key", Is::Text)]))),
];
const LIST: &[Arg] = &[
    Arg::new("email", Is::Email),
    Arg::new("role", Is::OneOf(ROLES)).or(Default::Text("customer")),
    Arg::new("orderby", Is::OneOf(&["id", "include", "name", "registered_date"])).or(Default::Text("name")),
];
const DELETE_ARGS: &[Arg] =
    &[Arg::new("force", Is::Flag).or(Default::Flag(false)), Arg::new("reassign", Is::Int).or(Default::Int(0))];

/// The routes of customers.
pub(super) fn routes() -> Vec<Route> {
    let resource = Resource {
        base: BASE,
        item: "/wc/v3/customers/<id>",
        batch: Some(("/wc/v3/customers/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ARGS,
        exists,
        list,
        create,
        get,
        update,
        delete,
    };
    let mut routes = resource.routes();
    for endpoint in
        routes.iter_mut().flat_map(|route| &mut route.endpoints).filter(|endpoint| endpoint.methods == DELETE)
    {
        endpoint.args = DELETE_ARGS;
    }
    let downloads = Endpoint { methods: READ, guard: Guard::View(always), args: &[], handler: downloads };
    routes.push(Route { pattern: "/wc/v3/customers/<id>/downloads", endpoints: vec![downloads] });
    routes
}

fn exists(state: &State, params: &Params) -> bool {
    find(state, params.id("id")).is_some()
}

/// A customer, or another user seen as one.
fn find(state: &State, id: u64) -> Option<Object> {
    state.get(Kind::Customer, id).cloned().or_else(|| state.access.users.get(&id).map(as_customer))
}

/// A user who never bought anything.
fn as_customer(user: &User) -> Object {
    let role = match user.role {
        Role::Administrator => "administrator",
        Role::ShopManager => "shop_manager",
        Role::Subscriber => "subscriber",
    };
    let email = format!("{}@example.test", user.login);
    Object { id: user.id, fields: blank(&email, &user.login, role), ..Object::default() }
}

fn blank(email: &str, username: &str, role: &str) -> Map<String, Value> {
    let address: Map<String, Value> = ADDRESS.iter().map(|name| ((*name).to_owned(), json!(""))).collect();
    let mut billing = address.clone();
    billing.insert("email".to_owned(), json!(""));
    crate::orders::fields::object(json!({
        "email": email, "first_name": "", "last_name": "", "role": role, "username": username, "name": username,
        "billing": billing, "shipping": address, "is_paying_customer": false, "meta_data": [],
    }))
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let role = params.text("role").unwrap_or("customer").to_owned();
    let email = params.text("email").map(str::to_lowercase);
    let others = ctx.state.access.users.values().filter(|user| ctx.state.get(Kind::Customer, user.id).is_none());
    let everyone: Vec<Object> =
        others.map(as_customer).chain(ctx.state.table(Kind::Customer).values().cloned()).collect();
    let rows = everyone.iter().filter(|user| {
        (role == "all" || user.text("role") == role)
            && email.as_ref().is_none_or(|email| user.text("email").to_lowercase() == *email)
    });
    Ok(paging::list(ctx, params, rows, &RULES, show))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let customer = find(ctx.state, params.id("id")).ok_or_else(invalid)?;
    Ok(Reply::ok(show(ctx, &customer)))
}

fn downloads(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    find(ctx.state, params.id("id")).ok_or_else(invalid)?;
    Ok(Reply::ok(json!([])))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let email = params.text("email").unwrap_or_default().to_owned();
    if !is_email(&email) {
        return Err(RestError::new("customer_invalid_email", "Invalid email address", 400));
    }
    if by_email(ctx.state, &email).is_some() {
        let message =
            format!("An account is already registered with {email}. Please log in or use a different email address.");
        return Err(RestError::new("registration-error-email-exists", message, 400));
    }
    let username = username(ctx.state, params.text("username"), &email)?;
    let id = ctx.state.next_id(Sequence::User);
    let fields = blank(&email, &username, "customer");
    let mut customer = Object { id, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    apply(ctx, &mut customer, params);
    let body = show(ctx, &customer);
    ctx.state.put(Kind::Customer, customer);
    ctx.happened("customer", "created", id);
    ctx.happened("customer", "updated", id);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let mut customer = find(ctx.state, id).ok_or_else(invalid)?;
    if let Some(email) = params.text("email") {
        if !is_email(email) || by_email(ctx.state, email).is_some_and(|owner| owner != id) {
            return Err(RestError::new("woocommerce_rest_customer_invalid_email", "Email address is invalid.", 400));
        }
        customer.set("email", email);
    }
    if params.text("username").is_some_and(|username| username != customer.text("username")) {
        let message = "Username isn't editable.";
        return Err(RestError::new("woocommerce_rest_customer_invalid_argument", message, 400));
    }
    apply(ctx, &mut customer, params);
    customer.modified = ctx.now;
    let body = show(ctx, &customer);
    ctx.state.put(Kind::Customer, customer);
    ctx.happened("customer", "updated", id);
    Ok(Reply::ok(body))
}

/// The answer is the customer as it was. Orders of a deleted customer go to `reassign`, or become a guest's.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let customer = find(ctx.state, id).ok_or_else(invalid)?;
    if !params.flag("force") {
        let message = "Customers do not support trashing.";
        return Err(RestError::new("woocommerce_rest_trash_not_supported", message, 501));
    }
    let heir = params.id("reassign");
    if heir > 0 && (heir == id || find(ctx.state, heir).is_none()) {
        let message = "Invalid resource id for reassignment.";
        return Err(RestError::new("woocommerce_rest_customer_invalid_reassign", message, 400));
    }
    let mut body = show(ctx, &customer);
    // The links are made when the user is gone: nothing may be done to it any more.
    body["_links"]["self"] = json!([{"href": ctx.rest_url(&format!("{BASE}/{id}"))}]);
    ctx.state.table_mut(Kind::Customer).remove(&id);
    ctx.state.access.users.remove(&id);
    for order in
        ctx.state.table_mut(Kind::Order).values_mut().filter(|order| order.int("customer_id").unsigned_abs() == id)
    {
        order.set("customer_id", heir);
    }
    if customer.text("role") == "customer" {
        ctx.state.happened(Happened::new("customer", "deleted", id));
    }
    Ok(Reply { gone: true, ..Reply::ok(body) })
}

/// Sets names, addresses and meta data.
fn apply(ctx: &mut Ctx<'_>, customer: &mut Object, params: &Params) {
    for name in ["first_name", "last_name"] {
        if let Some(value) = params.text(name) {
            customer.set(name, value);
        }
    }
    for name in ["billing", "shipping"] {
        if let (Some(Value::Object(posted)), Some(Value::Object(held))) =
            (params.get(name), customer.fields.get_mut(name))
        {
            set_address(held, posted);
        }
    }
    if let Some(Value::Array(entries)) = params.get("meta_data") {
        for entry in entries.iter().filter_map(Value::as_object) {
            set_line_meta(ctx, &mut customer.fields, entry);
        }
    }
}

/// The wanted name, or the local part of the address; a taken local part is numbered, a taken wish refused.
fn username(state: &State, wanted: Option<&str>, email: &str) -> Result<String, RestError> {
    let taken = |name: &str| {
        state.access.by_login(name).is_some()
            || state.table(Kind::Customer).values().any(|customer| customer.text("username").eq_ignore_ascii_case(name))
    };
    match wanted.filter(|name| !name.is_empty()) {
        Some(name) if taken(name) => {
            let message = "An account is already registered with that username. Please choose another.";
            Err(RestError::new("registration-error-username-exists", message, 400))
        }
        Some(name) => Ok(name.to_owned()),
        None => {
            let local = email.split('@').next().unwrap_or_default();
            let numbered = (1..).map(|number| format!("{local}{number}"));
            Ok(std::iter::once(local.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default())
        }
    }
}

fn by_email(state: &State, email: &str) -> Option<u64> {
    let same = |customer: &Object| text(&customer.fields, "email").eq_ignore_ascii_case(email);
    let customer = state.table(Kind::Customer).values().find(|customer| same(customer)).map(|customer| customer.id);
    customer.or_else(|| state.access.users.values().map(as_customer).find(same).map(|user| user.id))
}

/// What WordPress's `is_email` needs: something before the `@`, a name with a dot after it.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    !local.is_empty()
        && local.chars().all(plain)
        && host.split('.').count() >= 2
        && host.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

/// A customer as REST shows it. Users who were never customers have no `date_modified`.
fn show(ctx: &Ctx<'_>, customer: &Object) -> Value {
    let mut shown = customer.fields.clone();
    shown.remove("name");
    let hash = hex::encode(Sha256::digest(customer.text("email").trim().to_lowercase()));
    let modified = (customer.modified > 0).then_some(customer.modified);
    let more = json!({
        "id": customer.id,
        "date_created": ctx.local(customer.created),
        "date_created_gmt": crate::date::gmt(customer.created),
        "date_modified": modified.map(|moment| ctx.local(moment)),
        "date_modified_gmt": modified.map(crate::date::gmt),
        "avatar_url": format!("https://secure.gravatar.com/avatar/{hash}?s=96&d=mm&r=g"),
        "_links": links::item(ctx, BASE, customer.id),
    });
    shown.extend(crate::orders::fields::object(more));
    // Nobody may delete the user whose key is used.
    if ctx.user.as_ref().is_some_and(|user| user.id == customer.id) {
        shown["_links"]["self"][0]["targetHints"]["allow"] = json!(["GET", "POST", "PUT", "PATCH"]);
    }
    Value::Object(shown)
}

fn invalid() -> RestError {
    RestError::new("wc_user_invalid_id", "Invalid user ID.", 404).before_permission()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_are_told_from_those_that_can() {
        for good in ["a@b.co", "first.last+tag@shop-x.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@b..co", "a b@c.de", "a@b_c.de"] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_and_names_belong_to_one_customer_only() {
        use crate::testing::Trial;
        let trial = Trial::new();
        let first = trial.made("/customers", json!({"email": "kim@shop.test"}));
        assert_eq!(first["username"], "kim");
        assert_eq!(trial.told().len(), 2, "customer.created and customer.updated");
        let refused = |method: &str, route: &str, body: Value| trial.refused(method, route, body).1;
        assert_eq!(refused("POST", "/customers", json!({"email": "KIM@shop.test"})), "registration-error-email-exists");
        let taken = json!({"email": "x@shop.test", "username": "kim"});
        assert_eq!(refused("POST", "/customers", taken), "registration-error-username-exists");
        let second = trial.made("/customers", json!({"email": "kim@other.test"}));
        assert_eq!(second["username"], "kim1");
        let route = format!("/customers/{}", second["id"]);
        let theirs = json!({"email": "kim@shop.test"});
        assert_eq!(refused("PUT", &route, theirs), "woocommerce_rest_customer_invalid_email");
        let body = json!({"create": [{"email": "nobody"}]});
        assert_eq!(
            trial.ask("POST", "/customers/batch", body).1["create"][0]["error"]["code"],
            "customer_invalid_email"
        );
    }

    #[test]
    fn a_deleted_customers_orders_go_to_the_heir() {
        use crate::testing::Trial;
        let trial = Trial::new();
        let [old, new] =
            ["a@shop.test", "b@shop.test"].map(|email| trial.made("/customers", json!({"email": email}))["id"].clone());
        trial.made("/orders", json!({"customer_id": old}));
        trial.told();
        assert_eq!(trial.ask("DELETE", &format!("/customers/{old}"), Value::Null).0, 501);
        let route = format!("/customers/{old}?force=true&reassign={new}");
        assert_eq!(trial.ask("DELETE", &route, Value::Null).0, 200);
        assert_eq!(trial.told(), [format!("customer.deleted {old}")]);
        assert_eq!(trial.get("/orders/200")["customer_id"], new);
        assert_eq!(trial.ask("GET", &format!("/customers/{old}"), Value::Null).0, 404);
    }
}
