//! Rhai's errors in words for the people who write workflows.

use cartwright_core::{
    call::{CallError, ErrorClass},
    evaluate::EvaluateError,
};
use rhai::{Dynamic, EvalAltResult, Map, ParseErrorType, Position};

use crate::{
    source::{
        Source,
        path::{Root, suggest},
    },
    value::{kind_of, shown},
};

/// What native functions fail with.
pub(crate) type Failure = Box<EvalAltResult>;

/// Marks thrown values that the sandbox itself made; scripts see `#{ code: "invalid", message }`.
const OWN_FAILURE_TAG: i32 = -1;

/// A failure of a built-in function, catchable as `#{ code, message }`.
pub(crate) fn fail(message: impl Into<String>) -> Failure {
    let mut map = Map::new();
    map.insert("code".into(), "invalid".into());
    map.insert("message".into(), message.into().into());
    let mut value = Dynamic::from_map(map);
    value.set_tag(OWN_FAILURE_TAG);
    EvalAltResult::ErrorRuntime(value, Position::NONE).into()
}

/// What kind of end an evaluation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The source is not Rhai.
    Syntax,
    /// Something in it cannot be done.
    Script,
    /// It used too much.
    Limit,
    /// It said `throw`.
    Thrown,
    /// A bug of ours or of Rhai.
    Internal,
}

impl Cause {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Script => "script",
            Self::Limit => "limit",
            Self::Thrown => "thrown",
            Self::Internal => "internal",
        }
    }
}

/// A described error.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    /// Byte of the written source.
    pub(crate) offset: Option<usize>,
}

impl Described {
    pub(crate) fn internal(what: &str) -> Self {
        let message = format!("internal error while evaluating ({what}); please report it with the source");
        Self { cause: Cause::Internal, message, offset: None }
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self { cause: Cause::Limit, message: message.into(), offset: None }
    }

    pub(crate) fn for_expression(self) -> EvaluateError {
        EvaluateError { message: self.message, offset: self.offset }
    }

    /// With line and column, for scripts.
    pub(crate) fn for_script(self, source: &Source) -> CallError {
        let message = match self.offset {
            Some(offset) => {
                let (line, column) = source.line_and_column(offset);
                format!("{} (line {line}, column {column})", self.message)
            }
            None => self.message,
        };
        CallError { class: ErrorClass::Final, ..CallError::r#final(self.cause.code(), message) }
    }
}

/// The value thrown and the innermost error, below the function calls that it came through.
pub(crate) fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            innermost(inner)
        }
        other => other,
    }
}

/// Describes an error of running `source`.
pub(crate) fn describe(error: &EvalAltResult, source: &Source) -> Described {
    use EvalAltResult as E;
    let outer = error.position();
    let error = innermost(error);
    let position = if error.position().is_none() { outer } else { error.position() };
    let offset = source.offset(position);
    let mut cause = Cause::Script;
    let message = match error {
        E::ErrorParsing(kind, _) => {
            cause = Cause::Syntax;
            syntax(kind)
        }
        E::ErrorRuntime(value, _) => {
            if value.tag() != OWN_FAILURE_TAG {
                cause = Cause::Thrown;
            }
            thrown_message(value)
        }
        E::ErrorVariableNotFound(name, _) => {
            format!("`{name}` is not defined{}", suggest(name, Root::ALL.iter().map(|(known, _)| *known)))
        }
        E::ErrorPropertyNotFound(name, _) => {
            let whole = offset.and_then(|at| source.chain_at(at)).filter(|chain| chain.contains('.'));
            format!("{} does not exist; write `?.` where it may be missing", whole.as_deref().unwrap_or(name))
        }
        E::ErrorFunctionNotFound(signature, _) => function_not_found(signature),
        E::ErrorDotExpr(text, _) => dot(text),
        E::ErrorIndexingType(text, _) => indexing(text),
        E::ErrorIndexNotFound(value, _) => format!("there is no item {}", shown(value)),
        E::ErrorArrayBounds(length, at, _) => format!("there is no item {at}: the list has {length} items"),
        E::ErrorStringBounds(length, at, _) => format!("there is no character {at}: the text has {length}"),
        E::ErrorMismatchDataType(wanted, found, _) | E::ErrorMismatchOutputType(wanted, found, _) => {
            format!("this must be {}, it is {}", kind(wanted), kind(found))
        }
        E::ErrorArithmetic(text, _) => text.clone(),
        E::ErrorFor(_) => "`for` goes through lists, texts and ranges only".into(),
        E::ErrorUnboundThis(_) => "`this` has no meaning here".into(),
        E::ErrorDataRace(..) => {
            "a variable is used inside the closure that goes through it; give the closure a copy (let copy = …)".into()
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            format!("`{name}` would change a constant; copy the value into a variable of your own first")
        }
        E::ErrorAssignmentToConstant(name, _) => format!("`{name}` cannot be changed; copy it with `let` first"),
        E::ErrorForbiddenVariable(name, _) | E::ErrorVariableExists(name, _) => {
            format!("`{name}` cannot be used as a name here")
        }
        E::ErrorModuleNotFound(name, _) => format!("`{name}::` is not a group of functions"),
        E::ErrorTooManyOperations(_) => over(&mut cause, "it takes more operations than allowed"),
        E::ErrorTooManyVariables(_) => over(&mut cause, "it has more variables at once than allowed"),
        E::ErrorTooManyModules(_) => over(&mut cause, "modules cannot be imported"),
        E::ErrorStackOverflow(_) => over(&mut cause, "functions call each other more deeply than allowed"),
        E::ErrorDataTooLarge(what, _) => over(&mut cause, too_large(what)),
        E::ErrorTerminated(..) => over(&mut cause, "it was stopped"),
        other => other.to_string(),
    };
    Described { cause, message, offset }
}

fn over(cause: &mut Cause, message: &str) -> String {
    *cause = Cause::Limit;
    message.to_owned()
}

fn too_large(what: &str) -> &'static str {
    if what.contains("string") {
        "a text is larger than allowed"
    } else if what.contains("map") {
        "a map has more entries than allowed"
    } else {
        "a list has more items than allowed"
    }
}

/// The text of a thrown value: its `message` where it has one.
pub(crate) fn thrown_message(value: &Dynamic) -> String {
    if let Ok(map) = value.as_map_ref()
        && let Some(message) = map.get("message").and_then(|m| m.as_immutable_string_ref().ok().map(|t| t.to_string()))
    {
        return message;
    }
    match value.as_immutable_string_ref() {
        Ok(text) => text.to_string(),
        Err(_) => shown(value),
    }
}

/// Describes why a source is not Rhai.
pub(crate) fn syntax(kind: &ParseErrorType) -> String {
    match kind {
        ParseErrorType::UnexpectedEOF => "it ends too early: something is not closed, or a value is missing".into(),
        ParseErrorType::VariableUndefined(name) => format!("`{name}` is not defined"),
        ParseErrorType::AssignmentToInvalidLHS(_) | ParseErrorType::AssignmentToConstant(_) => {
            "this cannot be assigned to: event data and constants are read-only; copy the value with `let` first".into()
        }
        ParseErrorType::ExprTooDeep => "it is nested too deeply".into(),
        ParseErrorType::TooManyFunctions => "it defines more functions than allowed".into(),
        ParseErrorType::Reserved(name) => format!("`{name}` is a reserved word"),
        other => other.to_string(),
    }
}

/// `len (i64)` becomes a sentence.
fn function_not_found(signature: &str) -> String {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let kinds: Vec<_> = arguments.trim_end_matches(')').split(", ").filter(|a| !a.is_empty()).map(kind).collect();
    let operator = !name.contains("::") && name.bytes().all(|b| b.is_ascii_punctuation() && b != b'_');
    match (operator, kinds.as_slice()) {
        (true, [left, right]) => {
            format!("`{name}` does not work between {left} and {right}{}", money_hint(left, right))
        }
        (true, [only]) => format!("`{name}` does not work on {only}"),
        (_, []) => format!("there is no function `{name}` without arguments{}", known(name)),
        (_, kinds) => format!("there is no function `{name}` for {}{}", kinds.join(", "), known(name)),
    }
}

fn money_hint(left: &str, right: &str) -> &'static str {
    if (left == "a number" && right == "a text") || (left == "a text" && right == "a number") {
        "; turn the text into a number with number(…)"
    } else {
        ""
    }
}

fn known(name: &str) -> String {
    suggest(name, crate::library::NAMES.iter().copied().chain(crate::functions::names()))
}

/// "Unknown property 'x' - a getter is not registered for type 'i64'"
fn dot(text: &str) -> String {
    let mut quoted = text.split('\'').skip(1).step_by(2);
    match (quoted.next(), quoted.next()) {
        (Some(name), Some("()")) => {
            format!("there is no `{name}` in (), nothing; write `?.{name}` where it may be nothing")
        }
        (Some(name), Some(of)) => format!("{} has no `{name}`", kind(of)),
        _ => text.to_owned(),
    }
}

/// `i64 [string]`
fn indexing(text: &str) -> String {
    let (of, with) = text.split_once(" [").unwrap_or((text, ""));
    let with = with.split(']').next().unwrap_or(with);
    match kind(of) {
        "()" => "[…] was asked of (), nothing; write `?[` where it may be nothing".into(),
        of => format!("{of} cannot be indexed with {}", kind(with)),
    }
}

/// Rhai's names of types in words.
fn kind(name: &str) -> &str {
    match name.trim().rsplit("::").next().unwrap_or(name) {
        "i64" | "decimal" | "Decimal" | "int" => "a number",
        text if text.contains("ImmutableString") => "a text",
        "WideNumber" => "a number with more digits than can be calculated with (28)",
        "string" | "String" | "&str" | "char" => "a text",
        "bool" => "true or false",
        "array" | "Vec<Dynamic>" => "a list",
        "map" => "a map",
        "()" => "()",
        "Fn" | "FnPtr" => "a function",
        "secret" | "Secret" => "a secret",
        "date" | "Date" => "a date",
        "duration" | "Span" => "a duration",
        other => other,
    }
}

/// As a condition must be: `true` or `false`.
pub(crate) fn not_a_bool(value: &Dynamic) -> EvaluateError {
    let message = format!("a condition must be true or false, this is {}: {}", kind_of(value), shown(value));
    EvaluateError { message, offset: None }
}
