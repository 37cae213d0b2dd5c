//! From the text of a test file to a [`TestFile`], or to everything that is wrong with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
};

use super::{
    At, Ground, TestCase, TestFile,
    fields::{CASE, FILE, STORE},
};
use crate::{
    Json,
    id::StoreId,
    time::Timestamp,
    workflow::{
        Diagnostic, Severity, codes,
        node::{Entry, Node, Value, shorten},
        parse::MAX_DIAGNOSTICS,
        reader::{Fields, Files, Reader},
        yaml,
    },
};

/// Most cases of one file.
const MAX_CASES: usize = 2_000;

/// What became of a test file.
#[derive(Debug)]
pub struct Parsed {
    /// `None` when any diagnostic is an error.
    pub file: Option<TestFile>,
    /// Everything that was found, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a test file. `files` gives the text of a fixture by the name the test uses, or says why it cannot.
pub fn parse(source: &str, files: &dyn Fn(&str) -> Result<String, String>) -> Parsed {
    let mut reader = TestReader(Reader::new(source, files));
    let root = yaml::read(source, &mut reader.diagnostics);
    let mut file = root.and_then(|root| read(&root, &mut reader, files));
    let mut diagnostics = reader.0.diagnostics;
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        file = None;
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end, diagnostic.code));
    diagnostics.dedup();
    diagnostics.truncate(MAX_DIAGNOSTICS);
    Parsed { file, diagnostics }
}

/// What workflows are read with, and what tests have besides.
pub(super) struct TestReader<'s>(Reader<'s>);

impl<'s> Deref for TestReader<'s> {
    type Target = Reader<'s>;

    fn deref(&self) -> &Reader<'s> {
        &self.0
    }
}

impl DerefMut for TestReader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

fn read(root: &Node, reader: &mut TestReader<'_>, files: Files<'_>) -> Option<TestFile> {
    let fields = reader.fields("a test file", root, &[FILE])?;
    let workflow = fields.value("workflow").and_then(|node| {
        let text = reader.text("`workflow`", node)?;
        parsed(reader, "`workflow`", node, text.parse())
    });
    let ground = reader.ground(&fields);
    let mut cases = Vec::new();
    for node in reader.maps("cases", fields.value("cases")) {
        if cases.len() == MAX_CASES {
            let message = format!("a test file has at most {MAX_CASES} cases");
            reader.error(codes::TOO_LARGE, &node.span, message, "write another file with `workflow: ID`");
            break;
        }
        cases.extend(reader.case(node, files));
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        if !names.insert(case.name.value.clone()) {
            let message = format!("there is another case `{}` in this file", shorten(&case.name.value));
            reader.error(codes::TEST_CASE_NAME, &case.name.span, message, "give each case a name of its own");
        }
    }
    Some(TestFile { workflow, ground, cases })
}

/// A value of its own type, with its place.
pub(super) fn parsed<T, E: std::fmt::Display>(
    reader: &mut TestReader<'_>,
    what: &str,
    node: &Node,
    value: Result<T, E>,
) -> Option<At<T>> {
    match value {
        Ok(value) => Some(At { value, span: node.span.clone() }),
        Err(why) => {
            reader.error(codes::BAD_VALUE, &node.span, format!("{what}: {why}"), "");
            None
        }
    }
}

impl TestReader<'_> {
    /// The items of a list of maps; none where the key is absent.
    pub(super) fn maps<'n>(&mut self, key: &str, node: Option<&'n Node>) -> &'n [Node] {
        match node.map(|node| (&node.value, node)) {
            None => &[],
            Some((Value::List(items), _)) => items,
            Some((_, node)) => {
                let message = format!("`{key}` must be a list, but this is {}", node.describe());
                self.error(codes::WRONG_TYPE, &node.span, message, "begin each item with `- `");
                &[]
            }
        }
    }

    /// Any value, as it stands.
    pub(super) fn json(&mut self, node: &Node) -> Json {
        match &node.value {
            Value::Scalar(scalar) => scalar.json().unwrap_or_else(|why| {
                self.error(codes::WRONG_TYPE, &node.span, why, "");
                Json::Null
            }),
            Value::List(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Map(entries) => {
                let members = entries.iter().map(|entry| (entry.key.clone(), self.json(&entry.value)));
                Json::Object(members.collect())
            }
        }
    }

    /// A map with names of its own, entry by entry.
    pub(super) fn named<'n>(&mut self, key: &str, node: Option<&'n Node>) -> &'n [Entry] {
        let Some(node) = node else { return &[] };
        self.entries(&format!("`{key}`"), node).unwrap_or_default()
    }

    pub(super) fn time(&mut self, key: &str, node: &Node) -> Option<Timestamp> {
        let text = self.text(&format!("`{key}`"), node)?;
        let time = Timestamp::parse(&text);
        if time.is_none() {
            let message = format!("`{}` is not a time", shorten(&text));
            self.error(codes::TEST_TIME, &node.span, message, "write it as 2026-03-02T09:00:00Z");
        }
        time
    }

    pub(super) fn store(&mut self, fields: &Fields<'_>) -> Option<StoreId> {
        let node = fields.value("store")?;
        let text = self.text("`store`", node)?;
        parsed(self, "`store`", node, text.parse()).map(|at| at.value)
    }

    fn ground(&mut self, fields: &Fields<'_>) -> Ground {
        let clock = fields.value("clock").and_then(|node| self.time("clock", node));
        let mut ground = Ground { clock, ..Ground::default() };
        for entry in self.named("stores", fields.value("stores")) {
            let Some(keys) = self.fields("a store", &entry.value, &[STORE]) else { continue };
            let tags = keys.value("tags").map(|node| self.texts("`tags`", node)).unwrap_or_default();
            let tags = tags.into_iter().map(|(tag, _)| tag).collect();
            match entry.key.parse() {
                Ok(id) => drop(ground.stores.insert(id, tags)),
                Err(why) => self.error(codes::STORE, &entry.key_span, format!("{why}"), ""),
            }
        }
        for entry in self.named("secrets", fields.value("secrets")) {
            let value = match self.json(&entry.value) {
                Json::Null => None,
                Json::String(text) => Some(text),
                _ => self.text("a secret", &entry.value),
            };
            ground.secrets.insert(entry.key.clone(), value);
        }
        ground.stubs = self.stubs(fields.value("stubs"));
        ground
    }

    fn case(&mut self, node: &Node, files: Files<'_>) -> Option<TestCase> {
        let fields = self.fields("a case", node, &[CASE])?;
        let ground = self.ground(&fields);
        let state = self.named("state", fields.value("state")).iter();
        let state: BTreeMap<_, _> = state.map(|entry| (entry.key.clone(), self.json(&entry.value))).collect();
        let start = self.start(&fields, files);
        let mut then = self.later(fields.value("then"), files);
        let expect = match fields.value("expect") {
            Some(node) => self.expect(node).unwrap_or_default(),
            None => super::Expect { span: fields.span.clone(), ..super::Expect::default() },
        };
        let snapshot = fields.value("snapshot").and_then(|node| self.boolean("`snapshot`", node)).unwrap_or(false);
        let name = fields.value("name")?;
        let name = At { value: self.text("`name`", name)?, span: name.span.clone() };
        let (start, more) = start?;
        then.extend(more);
        then.sort_by_key(|one| one.after);
        Some(TestCase { name, ground, state, start, then, expect, snapshot })
    }
}
