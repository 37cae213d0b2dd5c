//! What expressions give, and what is wrong with them on the way there. About a value whose type is not known nothing is
//! said.

use std::{collections::BTreeMap, ops::Range};

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Severity, nearest},
        node::shorten,
    },
    Place,
    changes::changes,
    functions::result,
    kinds::{Class, Type},
    places::STEPS,
    tree::{Kind, Node},
};

/// What a piece of code must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Anything.
    Value,
    /// `true` or `false`.
    Condition,
    /// A list.
    List,
}

/// What names mean where a piece of code stands.
pub(super) struct Names<'n> {
    /// What is in scope; a name that only exists elsewhere is in `elsewhere`.
    pub(super) known: BTreeMap<&'static str, Type>,
    /// Where else names exist.
    pub(super) elsewhere: &'n [(&'static str, &'static str)],
    /// Steps whose result cannot be there, and why.
    pub(super) later: BTreeMap<String, &'static str>,
}

/// Walks over one piece of code.
pub(super) struct Typing<'t> {
    pub(super) place: &'t Place<'t>,
    pub(super) names: &'t Names<'t>,
    pub(super) diagnostics: &'t mut Vec<Diagnostic>,
    /// Names that the code declares, innermost last.
    pub(super) locals: Vec<(String, Type)>,
    /// Names whose value changes on the way: their type is not known.
    pub(super) changed: Vec<String>,
}

impl Typing<'_> {
    /// The type of a whole piece of code.
    pub(super) fn whole(&mut self, node: &Node<'_>, wanted: Wanted) -> Type {
        changes(node, &mut self.changed);
        let found = self.of(node);
        let at = last(node).at.clone();
        if wanted == Wanted::Condition && matches!(last(node).kind, Kind::Bool(false)) {
            let found = Diagnostic::warning(codes::NEVER, self.place.at(&at), "this condition is always false");
            self.diagnostics.push(found.help("remove what it guards, or `enabled: false` for a whole workflow"));
        }
        match (wanted, found.class()) {
            (Wanted::Condition, Some(class)) if class != Class::Bool => self.no_condition(&at, &found),
            (Wanted::List, Some(class)) if class != Class::List => {
                let help = match found {
                    Type::Amount | Type::Text | Type::Date => "a text can be made a list with `split(text, \",\")`",
                    Type::Number => "count with `collect(1..5)`",
                    _ => "name the field that holds the list",
                };
                let message = format!("`for_each` goes over a list, but this is {}", found.name());
                self.error(codes::NOT_A_LIST, &at, message, help);
            }
            _ => {}
        }
        found
    }

    fn error(&mut self, code: &'static str, at: &Range<usize>, message: String, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, self.place.at(at), message).help(help));
    }

    fn source(&self, node: &Node<'_>) -> String {
        shorten(self.place.source.get(node.at.clone()).unwrap_or_default().trim())
    }

    fn of(&mut self, node: &Node<'_>) -> Type {
        match &node.kind {
            Kind::Name(name) => self.name(name, &node.at),
            Kind::Text => Type::Text,
            Kind::Number => Type::Number,
            Kind::Bool(_) => Type::Bool,
            Kind::Nothing => Type::Nothing,
            Kind::Member { of, name, optional } => {
                let kind = self.of(of);
                self.member(&kind, name, *optional, node)
            }
            Kind::Index { of, at, optional } => {
                self.of(at);
                let kind = self.of(of);
                match (&kind, &at.kind) {
                    (Type::List(item), _) => (**item).clone(),
                    (Type::Object(_) | Type::Fields(..), Kind::Text) => {
                        let key = self.place.source.get(at.at.clone()).unwrap_or_default().trim_matches('"');
                        self.member(&kind, key, *optional, node)
                    }
                    _ => Type::Any,
                }
            }
            Kind::Call { name, arguments } => {
                let types: Vec<Type> = arguments.iter().map(|argument| self.argument(argument, None)).collect();
                result(name, types.first().unwrap_or(&Type::Any), types.get(1))
            }
            Kind::Method { of, name, arguments } => {
                let kind = self.of(of);
                let item = if let Type::List(item) = &kind { Some(&**item) } else { None };
                let types: Vec<Type> = arguments.iter().map(|argument| self.argument(argument, item)).collect();
                result(name, &kind, types.first())
            }
            Kind::Binary { operator, left, right } => self.binary(operator, left, right, node),
            Kind::Not(of) => {
                self.condition(of);
                Type::Bool
            }
            Kind::Negative(of) => {
                self.of(of);
                Type::Number
            }
            Kind::If { condition, then, otherwise } => {
                self.condition(condition);
                let then = self.of(then);
                match otherwise {
                    Some(otherwise) => then.or(self.of(otherwise)),
                    None => Type::Any,
                }
            }
            Kind::While { condition, body } => {
                if let Some(condition) = condition {
                    self.condition(condition);
                }
                self.of(body);
                Type::Any
            }
            Kind::For { name, over, body } => {
                let item = if let Type::List(item) = self.of(over) { (*item).clone() } else { Type::Any };
                self.with(&[(name, item)], body);
                Type::Any
            }
            Kind::Try { body, caught, handler } => {
                self.of(body);
                let caught: Vec<_> = caught.iter().map(|name| (*name, Type::Any)).collect();
                self.with(&caught, handler);
                Type::Any
            }
            Kind::Let { name, value } => {
                let kind = value.as_ref().map_or(Type::Nothing, |value| self.of(value));
                let kind = if self.changed.iter().any(|changed| changed == name) { Type::Any } else { kind };
                self.locals.push(((*name).to_owned(), kind));
                Type::Nothing
            }
            Kind::Assign { to, value } => {
                self.of(to);
                self.of(value);
                Type::Nothing
            }
            Kind::Return(value) => {
                if let Some(value) = value {
                    self.of(value);
                }
                Type::Any
            }
            Kind::Block { nodes, value } => {
                let before = self.locals.len();
                let types: Vec<Type> = nodes.iter().map(|node| self.of(node)).collect();
                self.locals.truncate(before);
                if *value { types.into_iter().next_back().unwrap_or(Type::Any) } else { Type::Any }
            }
            Kind::Closure { .. } => self.argument(node, None),
            Kind::List(items) => {
                let mut types: Vec<Type> = items.iter().map(|item| self.of(item)).collect();
                let first = types.pop().unwrap_or(Type::Any);
                Type::list(types.into_iter().fold(first, Type::or))
            }
            Kind::Map(entries) => {
                for (_, value) in entries {
                    self.of(value);
                }
                Type::Map
            }
        }
    }

    /// An argument; a function that a list calls for each of its items gets one of them.
    fn argument(&mut self, node: &Node<'_>, item: Option<&Type>) -> Type {
        let Kind::Closure { names, body } = &node.kind else { return self.of(node) };
        let kind = if names.len() == 1 { item.cloned().unwrap_or(Type::Any) } else { Type::Any };
        let locals: Vec<_> = names.iter().map(|name| (*name, kind.clone())).collect();
        self.with(&locals, body)
    }

    fn with(&mut self, locals: &[(&str, Type)], body: &Node<'_>) -> Type {
        let before = self.locals.len();
        self.locals.extend(locals.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())));
        let found = self.of(body);
        self.locals.truncate(before);
        found
    }

    fn name(&mut self, name: &str, at: &Range<usize>) -> Type {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return kind.clone();
        }
        if let Some(kind) = self.names.known.get(name) {
            return kind.clone();
        }
        let mut found = match self.names.elsewhere.iter().find(|(known, _)| *known == name) {
            Some((_, place)) => {
                Diagnostic::error(codes::NOT_HERE, self.place.at(at), format!("`{name}` does not exist here"))
                    .help(format!("it exists only {place}"))
            }
            None => {
                let message = format!("nothing is called `{}` here", shorten(name));
                let names: Vec<&str> = self.names.known.keys().copied().collect();
                let locals = self.locals.iter().map(|(local, _)| local.as_str());
                let found = Diagnostic::error(codes::UNKNOWN_NAME, self.place.at(at), message);
                found.suggest(name, names.iter().copied().chain(locals))
            }
        };
        if found.help.is_none() && found.did_you_mean.is_none() {
            found.severity = Severity::Warning;
            found = found.help(format!("if text is meant, write `\"{}\"` in quotes", shorten(name)));
        }
        self.diagnostics.push(found);
        Type::Any
    }

    fn member(&mut self, of: &Type, name: &str, optional: bool, node: &Node<'_>) -> Type {
        let (what, known): (&str, Vec<&str>) = match of {
            Type::Object(tables) => {
                let mut types = tables.iter().filter_map(|table| table.field(name)).map(Type::from);
                if let Some(first) = types.next() {
                    return types.fold(first, Type::or);
                }
                let fields = tables.iter().flat_map(|table| table.fields.iter().map(|(field, _)| *field));
                (tables.first().map_or("object", |table| table.name), fields.collect())
            }
            Type::Fields(STEPS, fields) => {
                if let Some(why) = self.names.later.get(name).filter(|_| !optional) {
                    let message = format!("the step `{}` has no result here: it {why}", shorten(name));
                    let help = "use a step before this one; `steps?.ID` asks whether there is a result";
                    self.error(codes::NOT_YET_RUN, &node.at, message, help);
                }
                return fields.get(name).cloned().unwrap_or(Type::Any);
            }
            Type::Fields(what, fields) => {
                if let Some(found) = fields.get(name) {
                    return found.clone();
                }
                (what, fields.keys().map(String::as_str).collect())
            }
            _ => return Type::Any,
        };
        let near = nearest(name, known.iter().copied());
        let open = matches!(of, Type::Object(_));
        if open && optional && near.is_none() {
            return Type::Any;
        }
        let message = format!("{} has no field `{}`", with_article(what), shorten(name));
        let place = self.place.at(&node.at);
        // A plugin may add fields to the store's objects; one that differs by a letter is a slip.
        let slip = near.is_some_and(|near| is_slip(name, near));
        let found = if near.is_none() || (open && !slip) {
            Diagnostic::warning(codes::UNKNOWN_FIELD, place, message)
        } else {
            Diagnostic::error(codes::UNKNOWN_FIELD, place, message)
        };
        let found = found.suggest(name, known.iter().copied());
        self.diagnostics.push(match (open, near) {
            (true, _) => {
                let Kind::Member { of, .. } = &node.kind else { return Type::Any };
                let path = self.source(of).replace("?.", ".");
                found.help(format!("if a plugin adds it, say so: `get({path}, \"{}\", ())`", shorten(name)))
            }
            (false, None) => found.help(format!("it has: {}", known.join(", "))),
            (false, Some(_)) => found,
        });
        Type::Any
    }

    fn condition(&mut self, node: &Node<'_>) {
        let found = self.of(node);
        if found.class().is_some_and(|class| class != Class::Bool) {
            self.no_condition(&node.at, &found);
        }
    }

    fn no_condition(&mut self, at: &Range<usize>, found: &Type) {
        let help = match found {
            Type::List(_) => "ask whether it holds something: `list.len() > 0`",
            Type::Number => "compare it: `… > 0`",
            Type::Amount => "compare it as a number: `number(…) > 0`",
            Type::Text | Type::Date => "compare it: `… == \"text\"`, or `… != \"\"`",
            _ => "compare it with something: `… == …`",
        };
        let message = format!("a condition must be `true` or `false`, but this is {}", found.name());
        self.error(codes::NOT_A_BOOL, at, message, help);
    }

    fn binary(&mut self, operator: &str, left: &Node<'_>, right: &Node<'_>, node: &Node<'_>) -> Type {
        if matches!(operator, "&&" | "||") {
            self.condition(left);
            self.condition(right);
            return Type::Bool;
        }
        let (a, b) = (self.of(left), self.of(right));
        match operator {
            "==" | "!=" => self.compared(&a, &b, left, right, node, false),
            "<" | "<=" | ">" | ">=" => self.compared(&a, &b, left, right, node, true),
            "in" => return Type::Bool,
            "??" => return if a == Type::Any { Type::Any } else { a.or(b) },
            ".." | "..=" => return Type::Any,
            _ => return self.computed(operator, &a, &b, left, right, node),
        }
        Type::Bool
    }

    fn compared(&mut self, a: &Type, b: &Type, left: &Node<'_>, right: &Node<'_>, node: &Node<'_>, ordered: bool) {
        let (Some(class_a), Some(class_b)) = (a.class(), b.class()) else { return };
        if !ordered && (class_a == Class::Nothing || class_b == Class::Nothing) {
            return;
        }
        if class_a != class_b {
            return self.differ(a, b, left, right, node);
        }
        let texts = class_a == Class::Text && ordered;
        if texts && (*a == Type::Amount || *b == Type::Amount) {
            let amount = self.source(if *a == Type::Amount { left } else { right });
            let message = format!("`{amount}` is compared as text, where \"9\" is more than \"10\"");
            let found = Diagnostic::warning(codes::AMOUNT_AS_TEXT, self.place.at(&node.at), message);
            self.diagnostics.push(found.help(format!("write `number({amount})`, and numbers without quotes")));
        } else if texts && (*a == Type::Date || *b == Type::Date) {
            let date = self.source(if *a == Type::Date { left } else { right });
            let message = format!("`{date}` is compared as text, not as a time");
            let found = Diagnostic::warning(codes::DATE_AS_TEXT, self.place.at(&node.at), message);
            self.diagnostics.push(found.help(format!("compare dates: `date({date}) > date(\"2026-01-31\")`")));
        }
    }

    /// Values of different types never go together.
    fn differ(&mut self, a: &Type, b: &Type, left: &Node<'_>, right: &Node<'_>, node: &Node<'_>) {
        let pair = |one: fn(&Type) -> bool, other: fn(&Type) -> bool| {
            if one(a) && other(b) {
                Some(left)
            } else if one(b) && other(a) {
                Some(right)
            } else {
                None
            }
        };
        let number = |kind: &Type| *kind == Type::Number;
        if let Some(amount) = pair(|kind| *kind == Type::Amount, number) {
            let amount = self.source(amount);
            let message = format!("`{amount}` comes as text and cannot be compared with a number");
            return self.error(codes::AMOUNT_AS_TEXT, &node.at, message, format!("write `number({amount})`"));
        }
        let text = pair(|kind| kind.class() == Some(Class::Text), number);
        let date = pair(|kind| kind.class() == Some(Class::Text), |kind| *kind == Type::Moment);
        let help = match (text, date) {
            (Some(text), _) if matches!(text.kind, Kind::Text) => "write the number without quotes".to_owned(),
            (Some(text), _) => format!("write `number({})`", self.source(text)),
            (_, Some(date)) => format!("write `date({})`", self.source(date)),
            _ => "values of different types are never equal, and none is more than the other".to_owned(),
        };
        let message = format!("{} cannot be compared with {}", a.name(), b.name());
        self.error(codes::TYPES_DIFFER, &node.at, message, help);
    }

    fn computed(
        &mut self,
        operator: &str,
        a: &Type,
        b: &Type,
        left: &Node<'_>,
        right: &Node<'_>,
        node: &Node<'_>,
    ) -> Type {
        let plus = operator == "+";
        let amount = match (a, b) {
            (Type::Amount, Type::Amount | Type::Number) => Some(left),
            (Type::Number, Type::Amount) => Some(right),
            _ => None,
        };
        if let Some(amount) = amount {
            let amount = self.source(amount);
            let help = format!("write `number({amount})`");
            let found = if plus {
                let message = format!(
                    "`{amount}` comes as text: `+` puts the two side by side, as in \"19.90\" + 5 = \"19.905\""
                );
                Diagnostic::warning(codes::AMOUNT_AS_TEXT, self.place.at(&node.at), message)
            } else {
                let message = format!("`{amount}` comes as text: `{operator}` cannot be used with it");
                Diagnostic::error(codes::AMOUNT_AS_TEXT, self.place.at(&node.at), message)
            };
            self.diagnostics.push(found.help(help));
            return Type::Any;
        }
        match (a.class(), b.class()) {
            (Some(Class::Number), Some(Class::Number)) => Type::Number,
            (Some(Class::Text), _) | (_, Some(Class::Text)) if plus => Type::Text,
            (Some(Class::Text), Some(Class::Number)) | (Some(Class::Number), Some(Class::Text)) => {
                let text = if a.class() == Some(Class::Text) { left } else { right };
                let help = format!("write `number({})`", self.source(text));
                self.error(codes::TYPES_DIFFER, &node.at, format!("`{operator}` cannot be used with a text"), help);
                Type::Any
            }
            _ => Type::Any,
        }
    }
}

/// The last statement of code, which gives its value.
fn last<'n, 's>(node: &'n Node<'s>) -> &'n Node<'s> {
    match &node.kind {
        Kind::Block { nodes, value: true } => nodes.last().map_or(node, last),
        _ => node,
    }
}

/// A slip of the keyboard: one letter is wrong, two in long words.
fn is_slip(written: &str, meant: &str) -> bool {
    let letters = meant.chars().count();
    let distance = strsim::osa_distance(&written.to_lowercase(), meant);
    letters >= 4 && distance <= if letters >= 8 { 2 } else { 1 }
}

fn with_article(what: &str) -> String {
    let vowel = what.starts_with(['a', 'e', 'i', 'o', 'u']);
    if what.starts_with('`') { what.to_owned() } else { format!("{} {what}", if vowel { "an" } else { "a" }) }
}
