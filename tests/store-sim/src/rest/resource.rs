//! How a resource describes itself: its routes, who may use them, what arguments they take, who handles them.

use super::args::Arg;
use super::{Ctx, Params, Reply, RestError, batch, paging};
use crate::state::State;

/// Answers one request whose arguments and permissions are in order.
pub type Handler = fn(&mut Ctx<'_>, &Params) -> Result<Reply, RestError>;

/// One route: `/wc/v3/products/<id>`. `<name>` takes digits, `<name:word>` letters, digits, `_`, `-` and `.`.
pub struct Route {
    /// The path with its variables.
    pub pattern: &'static str,
    /// Who answers which methods, in the order `Allow` names them.
    pub endpoints: Vec<Endpoint>,
}

/// Who answers some methods of a route.
pub struct Endpoint {
    /// `["POST", "PUT", "PATCH"]`
    pub methods: &'static [&'static str],
    /// Who may.
    pub guard: Guard,
    /// What it takes; the rest is passed on unchecked.
    pub args: &'static [Arg],
    /// Who answers.
    pub handler: Handler,
}

/// GET
pub const READ: &[&str] = &["GET"];
/// POST
pub const CREATE: &[&str] = &["POST"];
/// POST, PUT, PATCH
pub const EDIT: &[&str] = &["POST", "PUT", "PATCH"];
/// DELETE
pub const DELETE: &[&str] = &["DELETE"];

/// Whether an item's route leads to something. Where it does not, permissions are not asked and the handler
/// answers what it answers for unknown ids.
pub type Exists = fn(&State, &Params) -> bool;

/// Who may use an endpoint, and the error for who may not.
#[derive(Clone, Copy)]
pub enum Guard {
    /// Anyone.
    Open,
    /// `cannot_view`, in the words for lists.
    List,
    /// `cannot_create`
    Create,
    /// `cannot_batch`
    Batch,
    /// `cannot_view`, in the words for one item.
    View(Exists),
    /// `cannot_edit`
    Edit(Exists),
    /// `cannot_delete`
    Delete(Exists),
}

/// For items whose permission is asked whether they exist or not.
pub fn always(_: &State, _: &Params) -> bool {
    true
}

impl Guard {
    /// Lets the asking user through, or says what they may not.
    pub fn admit(self, ctx: &Ctx<'_>, params: &Params) -> Result<(), RestError> {
        let (code, message, asked) = match self {
            Self::Open => return Ok(()),
            Self::List => ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", true),
            Self::Create => ("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources.", true),
            Self::Batch => {
                ("woocommerce_rest_cannot_batch", "Sorry, you are not allowed to batch manipulate this resource.", true)
            }
            Self::View(exists) => {
                ("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.", exists(ctx.state, params))
            }
            Self::Edit(exists) => (
                "woocommerce_rest_cannot_edit",
                "Sorry, you are not allowed to edit this resource.",
                exists(ctx.state, params),
            ),
            Self::Delete(exists) => (
                "woocommerce_rest_cannot_delete",
                "Sorry, you are not allowed to delete this resource.",
                exists(ctx.state, params),
            ),
        };
        if !asked || ctx.manages() {
            return Ok(());
        }
        Err(RestError::new(code, message, if ctx.user.is_some() { 403 } else { 401 }))
    }
}

impl Route {
    /// The methods it answers, each once: GET, POST, PUT, PATCH, DELETE.
    pub fn methods(&self) -> Vec<&'static str> {
        let mut methods: Vec<&'static str> = Vec::new();
        for method in self.endpoints.iter().flat_map(|endpoint| endpoint.methods) {
            if !methods.contains(method) {
                methods.push(method);
            }
        }
        methods
    }
}

impl Route {
    /// The `Allow` header: the methods this user may use here.
    pub(super) fn allow(&self, ctx: &Ctx<'_>, params: &Params) -> String {
        let mut methods: Vec<&'static str> = Vec::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.guard.admit(ctx, params).is_ok()) {
            methods.extend(endpoint.methods.iter().filter(|method| !methods.contains(*method)).collect::<Vec<_>>());
        }
        methods.join(", ")
    }
}

/// The usual five ways and a batch over one kind of object.
pub struct Resource {
    /// Its list and its creation: `/wc/v3/products`.
    pub base: &'static str,
    /// One of them: `/wc/v3/products/<id>`.
    pub item: &'static str,
    /// The batch: `/wc/v3/products/batch`; `None` where the original has none.
    pub batch: Option<(&'static str, Handler)>,
    /// What a list takes besides `paging::ARGS`.
    pub list_args: &'static [&'static [Arg]],
    /// The writable fields.
    pub args: &'static [Arg],
    /// Whether the item is there.
    pub exists: Exists,
    /// `GET base`
    pub list: Handler,
    /// `POST base`
    pub create: Handler,
    /// `GET item`
    pub get: Handler,
    /// `POST|PUT|PATCH item`
    pub update: Handler,
    /// `DELETE item`
    pub delete: Handler,
}

impl Resource {
    /// Its routes. Arguments are put together once and live as long as the process.
    pub fn routes(&self) -> Vec<Route> {
        let list_args = leak(std::iter::once(paging::ARGS).chain(self.list_args.iter().copied()));
        let edit_args = leak_args(self.args.iter().map(|arg| Arg { required: false, default: None, ..*arg }));
        let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
        let mut routes = vec![
            Route {
                pattern: self.base,
                endpoints: vec![
                    end(READ, Guard::List, list_args, self.list),
                    end(CREATE, Guard::Create, self.args, self.create),
                ],
            },
            Route {
                pattern: self.item,
                endpoints: vec![
                    end(READ, Guard::View(self.exists), &[], self.get),
                    end(EDIT, Guard::Edit(self.exists), edit_args, self.update),
                    end(DELETE, Guard::Delete(self.exists), batch::DELETE_ARGS, self.delete),
                ],
            },
        ];
        if let Some((pattern, handler)) = self.batch {
            routes.push(Route { pattern, endpoints: vec![end(EDIT, Guard::Batch, edit_args, handler)] });
        }
        routes
    }
}

fn leak(parts: impl Iterator<Item = &'static [Arg]>) -> &'static [Arg] {
    leak_args(parts.flatten().copied())
}

/// The route table is built once in a process, so what it points to may stay.
pub(crate) fn leak_args(args: impl Iterator<Item = Arg>) -> &'static [Arg] {
    Box::leak(args.collect::<Vec<_>>().into_boxed_slice())
}
