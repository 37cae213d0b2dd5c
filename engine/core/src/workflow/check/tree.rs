//! The tree that [`super::syntax`] makes of code.

use std::ops::Range;

/// A piece of code with its bytes.
#[derive(Debug)]
pub(super) struct Node<'s> {
    pub(super) at: Range<usize>,
    pub(super) kind: Kind<'s>,
}

pub(super) type Inner<'s> = Box<Node<'s>>;

#[derive(Debug)]
pub(super) enum Kind<'s> {
    Name(&'s str),
    Text,
    Number,
    Bool(bool),
    Nothing,
    Member {
        of: Inner<'s>,
        name: &'s str,
        optional: bool,
    },
    Index {
        of: Inner<'s>,
        at: Inner<'s>,
        optional: bool,
    },
    Call {
        name: &'s str,
        arguments: Vec<Node<'s>>,
    },
    Method {
        of: Inner<'s>,
        name: &'s str,
        arguments: Vec<Node<'s>>,
    },
    Binary {
        operator: &'static str,
        left: Inner<'s>,
        right: Inner<'s>,
    },
    Not(Inner<'s>),
    Negative(Inner<'s>),
    If {
        condition: Inner<'s>,
        then: Inner<'s>,
        otherwise: Option<Inner<'s>>,
    },
    While {
        condition: Option<Inner<'s>>,
        body: Inner<'s>,
    },
    For {
        name: &'s str,
        over: Inner<'s>,
        body: Inner<'s>,
    },
    Try {
        body: Inner<'s>,
        caught: Option<&'s str>,
        handler: Inner<'s>,
    },
    Let {
        name: &'s str,
        value: Option<Inner<'s>>,
    },
    Assign {
        to: Inner<'s>,
        value: Inner<'s>,
    },
    Return(Option<Inner<'s>>),
    /// Statements; the last one gives the value unless `;` follows it.
    Block {
        nodes: Vec<Node<'s>>,
        value: bool,
    },
    Closure {
        names: Vec<&'s str>,
        body: Inner<'s>,
    },
    List(Vec<Node<'s>>),
    Map(Vec<(&'s str, Node<'s>)>),
}
