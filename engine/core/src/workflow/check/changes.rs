//! Which names a piece of code gives other values: what they hold is not known before a run.

use super::tree::{Kind, Node};

/// Methods that change what they are called on.
const CHANGING: &[&str] = &[
    "push",
    "append",
    "insert",
    "remove",
    "clear",
    "pop",
    "shift",
    "set",
    "mixin",
    "fill_with",
    "truncate",
    "retain",
    "drain",
    "splice",
    "extend",
    "sort",
    "reverse",
    "dedup",
    "pad",
    "chop",
];

/// The names that a piece of code gives other values, or whose values it changes.
pub(super) fn changes(node: &Node<'_>, out: &mut Vec<String>) {
    match &node.kind {
        Kind::Assign { to, value } => {
            out.extend(root(to).map(str::to_owned));
            changes(value, out);
        }
        Kind::Method { of, name, arguments } => {
            if CHANGING.contains(name) {
                out.extend(root(of).map(str::to_owned));
            }
            changes(of, out);
            arguments.iter().for_each(|one| changes(one, out));
        }
        Kind::Block { nodes, .. } | Kind::List(nodes) => nodes.iter().for_each(|one| changes(one, out)),
        Kind::Call { arguments, .. } => arguments.iter().for_each(|one| changes(one, out)),
        Kind::If { condition, then, otherwise } => {
            changes(condition, out);
            changes(then, out);
            otherwise.iter().for_each(|one| changes(one, out));
        }
        Kind::While { condition, body } => {
            condition.iter().for_each(|one| changes(one, out));
            changes(body, out);
        }
        Kind::For { over, body, .. } => {
            changes(over, out);
            changes(body, out);
        }
        Kind::Try { body, handler, .. } => {
            changes(body, out);
            changes(handler, out);
        }
        Kind::Binary { left, right, .. } => {
            changes(left, out);
            changes(right, out);
        }
        Kind::Closure { body: of, .. } | Kind::Not(of) | Kind::Negative(of) | Kind::Member { of, .. } => {
            changes(of, out);
        }
        Kind::Let { value, .. } | Kind::Return(value) => value.iter().for_each(|one| changes(one, out)),
        Kind::Index { of, at, .. } => {
            changes(of, out);
            changes(at, out);
        }
        Kind::Map(entries) => entries.iter().for_each(|(_, one)| changes(one, out)),
        Kind::Name(_) | Kind::Text | Kind::Number | Kind::Bool(_) | Kind::Nothing => {}
    }
}

fn root<'s>(node: &Node<'s>) -> Option<&'s str> {
    match &node.kind {
        Kind::Name(name) => Some(name),
        Kind::Member { of, .. } | Kind::Index { of, .. } | Kind::Method { of, .. } => root(of),
        _ => None,
    }
}
