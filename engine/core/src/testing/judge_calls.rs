//! Calls: those that were expected, those that nobody expected.

use super::{Difference, Expect, ExpectCall, How, MadeCall, Request, step_id, value};
use crate::Json;

/// Compares all calls of a case with what it expects.
pub(super) fn judge(expect: &Expect, made: &[MadeCall], found: &mut Vec<Difference>) {
    let wanted = expect.calls.as_ref().map_or(&[][..], |calls| &calls.value);
    let pairs = align(wanted, made);
    if let Some(calls) = &expect.calls {
        let is_whole = pairs.len() == wanted.len() && pairs.len() == made.len();
        if !is_whole {
            // Pairs are shown alike, so that only what is missing or too much stands out.
            let pair_of = |index: usize| pairs.iter().find(|(wanted, _)| *wanted == index).map(|(_, made)| *made);
            let show = |(index, call): (usize, &ExpectCall)| {
                pair_of(index).map_or_else(|| call.call.to_string(), |index| made[index].request.line())
            };
            let expected = wanted.iter().enumerate().map(show).collect();
            let actual = made.iter().map(|call| call.request.line()).collect();
            let how = How::Lines { expected, actual };
            found.push(Difference { at: "calls".into(), span: calls.span.clone(), how });
        }
    }
    for (wanted_index, made_index) in &pairs {
        details(&wanted[*wanted_index], &made[*made_index], *made_index, found);
    }
    for (index, call) in made.iter().enumerate().filter(|(_, call)| call.unstubbed) {
        if pairs.iter().all(|(_, made)| *made != index) {
            let said =
                format!("{} was neither stubbed nor expected. A stub for it:\n{}", call.request.line(), stub(call));
            found.push(Difference { at: format!("calls[{index}]"), span: expect.span.clone(), how: How::Said(said) });
        }
    }
}

fn is_meant(wanted: &ExpectCall, made: &MadeCall) -> bool {
    wanted.call.fits(&made.request)
        && wanted.step.as_ref().is_none_or(|step| made.step == *step || step_id(&made.step) == step)
        && wanted.store.as_ref().is_none_or(|store| made.store.as_deref() == Some(store.as_str()))
}

/// The longest list of pairs in the order of both: what was expected and made.
fn align(wanted: &[ExpectCall], made: &[MadeCall]) -> Vec<(usize, usize)> {
    let (rows, columns) = (wanted.len(), made.len());
    let mut longest = vec![vec![0_u32; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row][column] = match is_meant(&wanted[row], &made[column]) {
                true => longest[row + 1][column + 1] + 1,
                false => longest[row + 1][column].max(longest[row][column + 1]),
            };
        }
    }
    let (mut row, mut column, mut pairs) = (0, 0, Vec::new());
    while row < rows && column < columns {
        if is_meant(&wanted[row], &made[column]) {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if longest[row + 1][column] >= longest[row][column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}

fn details(wanted: &ExpectCall, made: &MadeCall, index: usize, found: &mut Vec<Difference>) {
    let parts = [
        ("query", &wanted.query, &made.request.query),
        ("body", &wanted.body, &made.request.body),
        ("form", &wanted.form, &made.request.form),
    ];
    for (key, wanted_part, there) in parts {
        if let Some(part) = wanted_part {
            value::differences(part, there, &format!("calls[{index}].{key}"), &wanted.span, found);
        }
    }
    if let Some(Json::Object(headers)) = &wanted.headers {
        let there = made.request.headers.as_object().map(value::lower).unwrap_or_default();
        for (name, part) in headers {
            let name = name.to_ascii_lowercase();
            let actual = there.get(&name).cloned().unwrap_or_default();
            value::differences(part, &actual, &format!("calls[{index}].headers.{name}"), &wanted.span, found);
        }
    }
}

/// A stub to paste into the test file.
fn stub(call: &MadeCall) -> String {
    let Request { kind, .. } = call.request;
    let body = if kind == "http" { "status: 200, body: {}" } else { "body: {}" };
    let line = call.request.line();
    let quoted = serde_json::to_string(&line).unwrap_or(line);
    format!("  - {kind}: {}\n    answer: {{ {body} }}", unquoted(&quoted))
}

/// Quotes are needed only where YAML would read something else.
fn unquoted(quoted: &str) -> &str {
    let inner = &quoted[1..quoted.len() - 1];
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/:.-_?=&%,+~@$ ".contains(&b);
    let is_plain = inner.bytes().all(plain) && !inner.contains(": ") && !inner.ends_with([':', ' ']);
    if is_plain && inner.starts_with(|c: char| c.is_ascii_alphanumeric()) { inner } else { quoted }
}
