//! Where a key belongs: workflows and steps have an order of keys, all other maps keep their author's.

use super::super::registry::{COMMON_STEP_FIELDS, Field, Shape, StepKindSpec, WORKFLOW_FIELDS, step_kind};

/// What a value is, as far as the order of keys goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A workflow file.
    Workflow,
    /// A step.
    Step,
    /// A list of steps.
    Steps,
    /// Something with this shape.
    Shaped(Shape),
    /// Anything else.
    Other,
}

/// Keys of a workflow whose order is the author's: some want what happens on failure before the steps.
const FREE: [&str; 4] = ["steps", "on_failure", "on_cancel", "output"];
/// Keys of a step that stand before its kind.
const FIRST: [&str; 3] = ["id", "name", "if"];

/// Which place the keys have; entries with equal ones keep their order.
pub(super) fn ranks(place: Place, keys: &[&str]) -> Option<Vec<usize>> {
    match place {
        Place::Workflow => Some(keys.iter().map(|key| workflow_rank(key)).collect()),
        Place::Step => {
            let kind = kind_of(keys);
            Some(keys.iter().map(|key| step_rank(kind, key)).collect())
        }
        Place::Shaped(Shape::Map(fields)) if is_form(fields) => {
            Some(keys.iter().map(|key| position(fields, key)).collect())
        }
        Place::Shaped(_) | Place::Steps | Place::Other => None,
    }
}

/// Whether the keys of a map have an order: those of a branch (its condition, then its steps), of `retry`, `concurrency`, of
/// an input. Triggers and grants are lists rather than forms.
fn is_form(fields: &[Field]) -> bool {
    let has = |key: &str| fields.iter().any(|field| field.key == key);
    has("steps") || !has("if") && !has("woo")
}

fn workflow_rank(key: &str) -> usize {
    let key = if FREE.contains(&key) { FREE[0] } else { key };
    position(WORKFLOW_FIELDS, key)
}

fn step_rank(kind: Option<&StepKindSpec>, key: &str) -> usize {
    /// More than a kind has.
    const KIND_RANKS: usize = 100;
    let own = kind.map_or(&[][..], |kind| kind.fields);
    if let Some(at) = FIRST.iter().position(|first| *first == key) {
        return at;
    }
    if kind.is_some_and(|kind| kind.key == key) {
        return FIRST.len();
    }
    match own.iter().position(|field| field.key == key) {
        Some(at) => FIRST.len() + 1 + at,
        None => KIND_RANKS + position(COMMON_STEP_FIELDS, key),
    }
}

fn position(fields: &[Field], key: &str) -> usize {
    fields.iter().position(|field| field.key == key).unwrap_or(fields.len())
}

/// The kind of a step; a key such as `parallel` may be another kind's own.
fn kind_of(keys: &[&str]) -> Option<&'static StepKindSpec> {
    let kinds: Vec<_> = keys.iter().filter_map(|key| step_kind(key)).collect();
    let owns = |kind: &&&StepKindSpec| {
        kinds.iter().all(|other| other.key == kind.key || kind.fields.iter().any(|field| field.key == other.key))
    };
    kinds.iter().find(owns).copied()
}

/// What the value of a key is.
pub(super) fn below(place: Place, keys: &[&str], key: &str) -> Place {
    let of = |fields: &[Field]| {
        fields.iter().find(|field| field.key == key).map_or(Place::Other, |field| shaped(field.shape))
    };
    match place {
        Place::Workflow => of(WORKFLOW_FIELDS),
        Place::Step => match kind_of(keys) {
            Some(kind) if kind.key == key => shaped(kind.shape),
            Some(kind) if kind.fields.iter().any(|field| field.key == key) => of(kind.fields),
            _ => of(COMMON_STEP_FIELDS),
        },
        Place::Shaped(Shape::Branches) => Place::Steps,
        Place::Shaped(Shape::Named(fields)) => Place::Shaped(Shape::Map(fields)),
        Place::Shaped(shape) => keys_of(shape).map_or(Place::Other, of),
        Place::Steps | Place::Other => Place::Other,
    }
}

/// The keys that a map of this shape has.
fn keys_of(shape: Shape) -> Option<&'static [Field]> {
    match shape {
        Shape::Map(fields) | Shape::Maps(fields) | Shape::AnyMaps(fields) | Shape::TextOr(fields) => Some(fields),
        Shape::List(inner) => keys_of(*inner),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| keys_of(*shape)),
        _ => None,
    }
}

/// What an item of a list is.
pub(super) fn item(place: Place) -> Place {
    match place {
        Place::Steps => Place::Step,
        Place::Shaped(Shape::Maps(fields) | Shape::AnyMaps(fields)) => Place::Shaped(Shape::Map(fields)),
        other @ Place::Shaped(_) => other,
        Place::Workflow | Place::Step | Place::Other => Place::Other,
    }
}

fn shaped(shape: Shape) -> Place {
    match shape {
        Shape::Steps => Place::Steps,
        Shape::Undo => Place::Step,
        Shape::Either(shapes) => shapes
            .iter()
            .find_map(|shape| keys_of(*shape))
            .map_or(Place::Shaped(shape), |fields| Place::Shaped(Shape::Map(fields))),
        shape => Place::Shaped(shape),
    }
}
