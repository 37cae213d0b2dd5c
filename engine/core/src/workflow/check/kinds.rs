//! What values are, as far as it is known before a run.

use std::{collections::BTreeMap, sync::Arc};

use super::super::shapes::{Holds, Table};

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Not known.
    Any,
    Nothing,
    Bool,
    Number,
    Text,
    /// A number written as text.
    Amount,
    /// A time written as text.
    Date,
    /// What `date(…)` gives.
    Moment,
    /// What `duration(…)` gives.
    Span,
    List(Arc<Type>),
    /// One of the store's objects; fields that plugins add are possible.
    Object(Vec<&'static Table>),
    /// A map with these fields and no others; the name is how people call it.
    Fields(&'static str, Arc<BTreeMap<String, Type>>),
    /// A map with unknown keys.
    Map,
}

impl From<Holds> for Type {
    fn from(holds: Holds) -> Self {
        match holds {
            Holds::Number => Self::Number,
            Holds::Amount => Self::Amount,
            Holds::Text => Self::Text,
            Holds::Bool => Self::Bool,
            Holds::Date => Self::Date,
            Holds::Numbers => Self::list(Self::Number),
            Holds::Texts => Self::list(Self::Text),
            Holds::Map(table) => Self::Object(vec![table]),
            Holds::Items(table) => Self::list(Self::Object(vec![table])),
            Holds::Any => Self::Any,
        }
    }
}

/// What can be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Nothing,
    Bool,
    Number,
    Text,
    Moment,
    Span,
    List,
    Map,
}

impl Type {
    pub(super) fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    /// A map with known fields.
    pub(super) fn fields(name: &'static str, fields: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Fields(name, Arc::new(fields.into_iter().map(|(field, kind)| (field.to_owned(), kind)).collect()))
    }

    /// What both can be.
    pub(super) fn or(self, other: Self) -> Self {
        match self == other {
            true => other,
            false => Self::Any,
        }
    }

    pub(super) fn class(&self) -> Option<Class> {
        Some(match self {
            Self::Any => return None,
            Self::Nothing => Class::Nothing,
            Self::Bool => Class::Bool,
            Self::Number => Class::Number,
            Self::Text | Self::Amount | Self::Date => Class::Text,
            Self::Moment => Class::Moment,
            Self::Span => Class::Span,
            Self::List(_) => Class::List,
            Self::Object(_) | Self::Fields(..) | Self::Map => Class::Map,
        })
    }

    /// As people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Nothing => "nothing, `()`",
            Self::Bool => "`true` or `false`",
            Self::Number => "a number",
            Self::Amount | Self::Text | Self::Date => "a text",
            Self::Moment => "a date",
            Self::Span => "a duration",
            Self::List(_) => "a list",
            Self::Object(_) | Self::Fields(..) | Self::Map => "a map",
        }
    }
}
