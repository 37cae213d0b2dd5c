//! The words in which an address is described: a row beside its handler comes in, an operation of the document goes out
//! ([`super::operation`]).

use cartwright_core::time::Timestamp;
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        schema::{ArrayBuilder, SchemaType, Type},
    },
};

/// What the document says about one address with one method.
#[derive(Clone, Copy)]
pub(crate) struct About {
    /// As in the table of routes.
    pub(crate) method: &'static str,
    /// As in the table of routes.
    pub(crate) path: &'static str,
    /// The path as the document shows it, where the table's is a pattern of the router's; else empty.
    pub(crate) shown: &'static str,
    /// A stable name for programs that are made from the document: `listRuns`.
    pub(crate) id: &'static str,
    /// A few words.
    pub(crate) summary: &'static str,
    /// What else one should know, in Markdown.
    pub(crate) text: &'static str,
    /// It answers pages: `limit` and `cursor`.
    pub(crate) pages: bool,
    /// Other query parameters.
    pub(crate) query: &'static [Param],
    /// What it reads of the body.
    pub(crate) takes: Option<Takes>,
    /// Its good answers.
    pub(crate) gives: &'static [Gives],
    /// Its own refusals, status and code; those that many share are added by themselves.
    pub(crate) refuses: &'static [(u16, &'static str)],
}

impl About {
    /// The names of all its query parameters.
    pub(crate) fn query_names(&self) -> Vec<&'static str> {
        let pages: &[&str] = if self.pages { &["limit", "cursor"] } else { &[] };
        self.query.iter().map(|one| one.name).chain(pages.iter().copied()).collect()
    }
}

/// An address about which nothing is said yet.
pub(crate) const ABOUT: About = About {
    method: "GET",
    path: "",
    shown: "",
    id: "",
    summary: "",
    text: "",
    pages: false,
    query: &[],
    takes: None,
    gives: &[],
    refuses: &[],
};

/// A query parameter.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, with units.
    pub(crate) says: &'static str,
    /// What it may be.
    pub(crate) shape: Shape,
}

/// A request's body.
#[derive(Clone, Copy)]
pub(crate) struct Takes {
    /// Its media type.
    pub(crate) kind: &'static str,
    /// What is in it.
    pub(crate) shape: Shape,
    /// It may not be absent.
    pub(crate) required: bool,
    /// JSON that works.
    pub(crate) example: &'static str,
}

/// A good answer.
#[derive(Clone, Copy)]
pub(crate) struct Gives {
    /// HTTP status.
    pub(crate) status: u16,
    /// When, and what it means.
    pub(crate) says: &'static str,
    /// Its media type; empty: no body.
    pub(crate) kind: &'static str,
    /// What is in it.
    pub(crate) shape: Option<Shape>,
}

/// Makes a schema; types with names are added to the document's list and referred to.
pub(crate) type Shape = fn(&mut Shapes) -> RefOr<Schema>;

/// The document's list of schemas.
#[derive(Default)]
pub(crate) struct Shapes(pub(crate) Vec<(String, RefOr<Schema>)>);

/// JSON as the body of a request.
pub(crate) const fn takes(shape: Shape, example: &'static str) -> Option<Takes> {
    Some(Takes { kind: "application/json", shape, required: true, example })
}

/// JSON as the body of a request, which may be absent.
pub(crate) const fn may_take(shape: Shape, example: &'static str) -> Option<Takes> {
    Some(Takes { kind: "application/json", shape, required: false, example })
}

/// An answer of JSON.
pub(crate) const fn gives(status: u16, says: &'static str, shape: Shape) -> Gives {
    Gives { status, says, kind: "application/json", shape: Some(shape) }
}

/// 204.
pub(crate) const fn nothing(says: &'static str) -> Gives {
    Gives { status: 204, says, kind: "", shape: None }
}

/// A query parameter.
pub(crate) const fn param(name: &'static str, says: &'static str, shape: Shape) -> Param {
    Param { name, says, shape }
}

/// A type of the code.
pub(crate) fn a<T: ToSchema>(shapes: &mut Shapes) -> RefOr<Schema> {
    shapes.0.push((T::name().into_owned(), T::schema()));
    T::schemas(&mut shapes.0);
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// A page of a type of the code.
pub(crate) fn page_of<T: ToSchema>(shapes: &mut Shapes) -> RefOr<Schema> {
    let next = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("Give it as `cursor` for the next page; null: that was all."));
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(a::<T>(shapes)))
        .required("items")
        .property("next", next)
        .required("next")
        .into()
}

/// A point in time as queries take it.
pub(crate) fn time(shapes: &mut Shapes) -> RefOr<Schema> {
    let millis = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(Timestamp::MAX.as_millis() as usize));
    let millis = millis.description(Some("Milliseconds since 1970."));
    OneOfBuilder::new().item(a::<Timestamp>(shapes)).item(millis).into()
}

/// `since`.
pub(crate) const SINCE: Param = param("since", "At that time or later.", time);
/// `until`.
pub(crate) const UNTIL: Param = param("until", "Before that time.", time);

/// Some text.
pub(crate) fn text(_: &mut Shapes) -> RefOr<Schema> {
    Object::with_type(Type::String).into()
}

/// Any JSON, or any bytes.
pub(crate) fn anything(_: &mut Shapes) -> RefOr<Schema> {
    Object::with_type(SchemaType::AnyValue).into()
}
