//! `docs/host-functions.md` is written from the interface itself; this holds it to that. `UPDATE_GOLDEN=1` writes it.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use wit_parser::{Docs, Function, InterfaceId, Resolve, Type, TypeDefKind, WorldItem};

/// What the interface does not say: per function, the grant it needs, its name in Rhai scripts and in this crate.
const NAMES: &[(&str, &str, &str, &str)] = &[
    ("log.emit", "", "`log::debug`, `log::info`, `log::warn`, `log::error`", "`log::debug`, `info`, `warn`, `error`"),
    (
        "http.send",
        "`http: [\"api.example.com\"]`",
        "`http::get`, `post`, `put`, `patch`, `delete`, `request`",
        "`http::get`, `post`, `put`, `patch`, `delete`, `request`, then `.send()`",
    ),
    ("woo.get", "`woo: [\"orders.read\"]`", "`woo::get`", "`woo::get`"),
    ("woo.list", "`woo: [\"orders.read\"]`", "`woo::all`", "`woo::list`"),
    (
        "woo.write",
        "`woo: [\"orders.write\"]`",
        "`woo::post`, `woo::put`, `woo::delete`",
        "`woo::post`, `woo::put`, `woo::delete`",
    ),
    ("state.get", "", "`state::get`", "`state::get`"),
    ("state.set", "", "`state::set`", "`state::set`"),
    ("state.compare-and-set", "", "`state::compare_and_set`", "`state::compare_and_set`, `state::change`"),
    ("state.increment", "", "`state::increment`", "`state::increment`"),
    ("state.delete", "", "`state::delete`", "`state::delete`"),
    ("clock.now", "", "`clock::now`", "`clock::now`"),
    ("clock.sleep", "", "`clock::sleep`", "`clock::sleep`"),
    ("clock.sleep-until", "", "`clock::sleep` with a date", "`clock::sleep_until`"),
    (
        "random.bytes",
        "",
        "`random::int`, `decimal`, `uuid`, `choice`",
        "`random::bytes`, `random::int`, `random::uuid`",
    ),
    ("events.emit", "`emit: [\"stock.low\"]`", "`events::emit`", "`events::emit`"),
    ("events.wait-for", "", "`events::wait_for`", "`events::wait_for`, then `.wait()`"),
    ("secrets.get", "`secrets: [name]`", "`secrets::get`", "`secrets::get`"),
];

const TOP: &str = "\
# Host functions

Written from `sdk/wit/1.0.0/plugin.wit` by `sdk/tests/reference.rs`; change that, not this.

What a plugin can ask the engine for. Whether it gets it depends on the `grants` of the workflow that calls it; where no
grant is named, none is needed. Types are written as in WIT: `option<T>` may be absent, `result<T, failure>` is a `T` or a
[failure](#types).
";

struct Page<'r> {
    resolve: &'r Resolve,
    text: String,
    seen: BTreeSet<String>,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn interface(&mut self, id: InterfaceId) {
        let interface = &self.resolve.interfaces[id];
        let name = interface.name.clone().expect("interfaces have names");
        self.line(&format!("\n## {name}\n\n{}", words(&interface.docs)));
        for (function, of) in &interface.functions {
            self.function(&format!("{name}.{function}"), of);
        }
        for (name, id) in &interface.types {
            self.type_of(name, &self.resolve.types[*id].kind, &self.resolve.types[*id].docs);
        }
    }

    fn function(&mut self, name: &str, function: &Function) {
        let (_, grant, rhai, rust) =
            NAMES.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("{name} needs its row in NAMES"));
        let params: Vec<String> =
            function.params.iter().map(|param| format!("{}: {}", param.name, self.short(&param.ty))).collect();
        let result = function.result.as_ref().map(|ty| format!(" -> {}", self.short(ty))).unwrap_or_default();
        let signature = format!("{}: func({}){result}", function.name, params.join(", "));
        self.line(&format!("\n### {name}\n\n```wit\n{signature}\n```\n\n{}\n", words(&function.docs)));
        if !grant.is_empty() {
            self.line(&format!("- Grant: {grant}"));
        }
        self.line(&format!("- Rust: {rust}"));
        self.line(&format!("- Rhai: {rhai}"));
        self.seen.insert(name.to_owned());
    }

    fn type_of(&mut self, name: &str, kind: &TypeDefKind, docs: &Docs) {
        let typed = |ty: &Type| format!(": `{}`", self.short(ty));
        let parts: Vec<(String, String, String)> = match kind {
            TypeDefKind::Record(of) => {
                of.fields.iter().map(|field| (field.name.clone(), typed(&field.ty), words(&field.docs))).collect()
            }
            TypeDefKind::Variant(of) => {
                let holds = |ty: &Option<Type>| ty.as_ref().map(|ty| format!("(`{}`)", self.short(ty)));
                let row = |case: &wit_parser::Case| {
                    (case.name.clone(), holds(&case.ty).unwrap_or_default(), words(&case.docs))
                };
                of.cases.iter().map(row).collect()
            }
            TypeDefKind::Enum(of) => {
                of.cases.iter().map(|case| (case.name.clone(), String::new(), words(&case.docs))).collect()
            }
            // Names of types of other interfaces, which stand there.
            TypeDefKind::Type(Type::Id(_)) => return,
            TypeDefKind::Type(ty) => {
                let line = format!("\n`{name}`: `{}`. {}", self.short(ty), words(docs));
                return self.line(&line);
            }
            other => panic!("no words for a {}", other.as_str()),
        };
        self.line(&format!("\n`{name}` ({}): {}\n", kind.as_str(), words(docs)));
        for (part, ty, docs) in parts {
            self.line(&format!("- `{part}`{ty}: {docs}"));
        }
    }

    fn short(&self, ty: &Type) -> String {
        let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
        let ty = &self.resolve.types[*id];
        if let Some(name) = &ty.name {
            return name.clone();
        }
        match &ty.kind {
            TypeDefKind::Option(of) => format!("option<{}>", self.short(of)),
            TypeDefKind::List(of) => format!("list<{}>", self.short(of)),
            TypeDefKind::Tuple(of) => {
                format!("tuple<{}>", of.types.iter().map(|ty| self.short(ty)).collect::<Vec<_>>().join(", "))
            }
            TypeDefKind::Result(of) => {
                let part = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| self.short(ty));
                format!("result<{}, {}>", part(&of.ok), part(&of.err))
            }
            other => panic!("no words for a {}", other.as_str()),
        }
    }
}

fn interface_of(item: &WorldItem) -> Option<InterfaceId> {
    match item {
        WorldItem::Interface { id, .. } => Some(*id),
        // Names of shared types; they stand in their interface.
        _ => None,
    }
}

fn words(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_else(|| panic!("everything in the interface says what it is")).trim().to_owned()
}

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join("wit/1.0.0")).expect("the interface parses");
    let world = resolve.select_world(&[package], Some("plugin")).expect("the world");
    let world = &resolve.worlds[world];
    let mut page = Page { resolve: &resolve, text: TOP.to_owned(), seen: BTreeSet::new() };
    let imports: Vec<InterfaceId> = world.imports.values().filter_map(interface_of).collect();
    let is_types = |id: &InterfaceId| resolve.interfaces[*id].name.as_deref() == Some("types");
    let (types, capabilities): (Vec<_>, Vec<_>) = imports.into_iter().partition(is_types);
    for id in capabilities.into_iter().chain(types) {
        page.interface(id);
    }
    let known: BTreeSet<String> = NAMES.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(page.seen, known, "NAMES names what the interface has");
    page.line("\n## What a plugin gives\n");
    for item in world.exports.values() {
        let WorldItem::Function(function) = item else { panic!("a plugin exports functions") };
        let params: Vec<String> =
            function.params.iter().map(|param| format!("{}: {}", param.name, page.short(&param.ty))).collect();
        let result = function.result.as_ref().map(|ty| page.short(ty)).unwrap_or_default();
        let signature = format!("{}: func({}) -> {result}", function.name, params.join(", "));
        // Writing to a String cannot fail.
        let _ = write!(page.text, "### {}\n\n```wit\n{signature}\n```\n\n{}\n\n", function.name, words(&function.docs));
    }
    page.text.truncate(page.text.trim_end().len());
    page.text + "\n"
}

#[test]
fn the_reference_is_what_the_interface_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/host-functions.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &page).expect("docs/ can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/host-functions.md is not what the interface says; run with UPDATE_GOLDEN=1");
}
