//! What a good file becomes, and that hostile files end early: through the public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use cartwright_core::{
    Json,
    woo::WooMethod,
    workflow::{
        Code, HmacAlgorithm, HmacEncoding, HttpAuth, OnError, OnUnknown, ParseBody, Parsed, StatusPattern, Step,
        StepKind, StoreSelector, Template, TextPart, TriggerKind, Workflow, codes, parse, parse_bytes, render,
    },
};

fn read(text: &str) -> Parsed {
    parse("sample".parse().unwrap(), text, &|name| match name {
        "./score.rhai" => Ok("40 + 2".to_owned()),
        _ => Err("no such file".to_owned()),
    })
}

fn good(text: &str) -> Workflow {
    let parsed = read(text);
    parsed.workflow.unwrap_or_else(|| panic!("{}", render("sample.yaml", text, &parsed.diagnostics)))
}

fn codes_of(text: &str) -> Vec<&'static str> {
    read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn kinds() -> (String, Workflow) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/workflow/kinds.yaml");
    let source = std::fs::read_to_string(file).unwrap();
    let workflow = good(&source);
    (source, workflow)
}

fn step<'w>(workflow: &'w Workflow, id: &str) -> &'w Step {
    let mut found = None;
    workflow.visit_steps(&mut |step| found = if step.id == id { Some(step) } else { found });
    found.unwrap_or_else(|| panic!("no step {id}"))
}

fn literal(template: &Template) -> &Json {
    match template {
        Template::Literal(json) => json,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_head_of_a_file() {
    let (_, workflow) = kinds();
    assert_eq!(workflow.name.as_deref(), Some("0123"));
    assert_eq!(workflow.condition.as_ref().map(|condition| &*condition.source), Some("event.data != ()"));
    assert_eq!(literal(&workflow.vars).to_string(), r#"{"code":31,"limit":500,"rate":1.10,"text":"${{ literal }}"}"#);
    assert_eq!(workflow.timeout, Some(Duration::from_secs(5_400)));
    assert_eq!(workflow.on_unknown, OnUnknown::Park);
    assert_eq!(workflow.retry.map(|retry| (retry.attempts, retry.initial)), Some((3, Duration::from_secs(2))));
    assert_eq!(workflow.grants.http.len(), 3);
    assert_eq!(workflow.output.as_ref().map(|output| &*output.source), Some("#{ picked: steps.pick.output }"));
}

#[test]
fn triggers_in_all_their_forms() {
    let (_, workflow) = kinds();
    let kinds: Vec<&TriggerKind> = workflow.triggers.iter().map(|trigger| &trigger.kind).collect();
    let [woo, event, hmac, seven, daily, short] = kinds[..] else { panic!("{kinds:?}") };
    let TriggerKind::Woo { topics, stores } = woo else { panic!("{woo:?}") };
    assert_eq!(*topics, ["order.created", "product.*"]);
    assert_eq!(
        *stores,
        [StoreSelector::All, StoreSelector::Store("my-shop".parse().unwrap()), StoreSelector::Tag("eu".to_owned())]
    );
    assert!(matches!(event, TriggerKind::Event { topics } if *topics == ["stock.low"]));
    let TriggerKind::Http(http) = hmac else { panic!("{hmac:?}") };
    assert_eq!((http.path.as_str(), http.method.as_str()), ("intake/v1", "PUT"));
    let expect = HttpAuth::Hmac {
        secrets: vec!["new_key".to_owned(), "old_key".to_owned()],
        header: "x-signature".to_owned(),
        algorithm: HmacAlgorithm::Sha512,
        encoding: HmacEncoding::Base64,
        prefix: "sha512=".to_owned(),
    };
    assert_eq!(http.auth, expect);
    let zone = |kind: &TriggerKind| match kind {
        TriggerKind::Schedule(schedules) => (schedules[0].cron.source.clone(), schedules[0].timezone.name()),
        other => panic!("{other:?}"),
    };
    assert_eq!(zone(seven), ("0 7 * * MON-FRI".to_owned(), "UTC"));
    assert_eq!(zone(daily), ("@daily".to_owned(), "Europe/Berlin"));
    let TriggerKind::Http(http) = short else { panic!("{short:?}") };
    assert_eq!(http.auth, HttpAuth::Bearer { secret: "hook_token".to_owned() });
    assert_eq!(workflow.trigger_secrets().collect::<Vec<_>>(), ["new_key", "old_key", "hook_token"]);
}

#[test]
fn steps_in_all_their_forms() {
    let (_, workflow) = kinds();
    let ids: Vec<&str> = workflow.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "step1", "file", "tell", "step4", "step5", "step6", "step7", "step8", "step9", "pick", "each", "orders",
            "note", "step17", "end"
        ]
    );
    let StepKind::Script(script) = &step(&workflow, "file").kind else { panic!() };
    assert_eq!((&*script.source, script.file.as_deref()), ("40 + 2", Some("./score.rhai")));
    let tell = step(&workflow, "tell");
    assert_eq!(tell.on_error, Some(OnError::Goto("end".to_owned())));
    assert_eq!((tell.on_unknown, tell.timeout), (Some(OnUnknown::Retry), Some(Duration::from_secs(10))));
    let StepKind::Http(http) = &tell.kind else { panic!() };
    assert_eq!((http.method.as_str(), http.idempotent, http.parse), ("POST", true, ParseBody::Json));
    assert_eq!(http.call_timeout, None);
    let ranges = [(200, 299), (404, 404), (300, 302)].map(|(from, to)| StatusPattern { from, to });
    assert_eq!(http.expect, ranges);
    let Template::Text(url) = &http.url else { panic!() };
    assert!(matches!(&url[0], TextPart::Literal(text) if text == "https://hooks.slack.com/"));
    assert!(matches!(&url[1], TextPart::Expression(expression) if &*expression.source == "secrets.slack_path"));
    let StepKind::Http(http) = &step(&workflow, "step4").kind else { panic!() };
    assert_eq!((http.method.as_str(), http.idempotent), ("POST", false));
    let StepKind::Sleep { until, recheck } = &step(&workflow, "step6").kind else { panic!() };
    assert_eq!((literal(until).to_string(), *recheck), ("90".to_owned(), false));
    let StepKind::Sleep { until: Template::Expression(wake), .. } = &step(&workflow, "step9").kind else { panic!() };
    assert_eq!(&*wake.source, "event.data.wake_at");
    let StepKind::Choose(branches) = &step(&workflow, "pick").kind else { panic!() };
    assert_eq!(branches.iter().map(|branch| branch.condition.is_some()).collect::<Vec<_>>(), [true, false]);
    let StepKind::Woo(orders) = &step(&workflow, "orders").kind else { panic!() };
    assert_eq!((orders.method, orders.all, orders.body.is_some()), (WooMethod::Get, true, false));
    assert_eq!(orders.store.as_ref().map(literal), Some(&Json::from("other")));
    let StepKind::Woo(note) = &step(&workflow, "note").kind else { panic!() };
    assert_eq!((note.method, note.all, note.store.is_some()), (WooMethod::Post, false, false));
    assert!(matches!(&note.path, Template::Text(parts) if parts.len() == 3));
    assert!(matches!(&note.body, Some(Template::Map(body)) if body.contains_key("note")));
    let each = step(&workflow, "each");
    let StepKind::ForEach(loops) = &each.kind else { panic!() };
    assert_eq!((loops.parallel, loops.continue_on_error, &each.on_error), (5, true, &None));
}

#[test]
fn spans_are_bytes_of_the_file() {
    let (source, workflow) = kinds();
    let mut seen = 0;
    workflow.visit_code(&mut |code| {
        if let Code::Expression { expression, .. } = code {
            assert_eq!(&source[expression.span.clone()], &*expression.source);
            seen += 1;
        }
    });
    assert!(seen > 10);
    let source = "# ünïcode 日本 🎉\r\non: { woo: [order.created] }\r\nname: \"日本 🎉\" # é\r\nsteps:\r\n  - stop: \"日 \\u00e4 ${{ a.日 }}\"\r\n    if: >-\r\n      a ==\r\n      \"é\"\r\n";
    let workflow = good(source);
    let StepKind::Stop(Template::Text(parts)) = &workflow.steps[0].kind else { panic!() };
    let TextPart::Expression(expression) = &parts[1] else { panic!() };
    assert_eq!(&source[expression.span.clone()], "a.日");
    let condition = workflow.steps[0].condition.as_ref().unwrap();
    assert_eq!((&*condition.source, &source[condition.span.clone()]), ("a == \"é\"", "a ==\r\n      \"é\""));
}

#[test]
fn types_are_kept_and_rendered_texts_are_texts() {
    let workflow = good(
        "on: { woo: [order.created] }\ngrants: { emit: [a.b] }\nsteps:\n  - emit: a.b\n    data:\n      whole: ${{ a }}\n      block: |\n        ${{ b }}\n      quoted: \" ${{ c }}\"\n      plain: { deep: [1, 0123, \"0123\", 1_000, yes, ~, 1e3, -0.50] }\n",
    );
    let StepKind::Emit { data: Template::Map(data), .. } = &workflow.steps[0].kind else { panic!() };
    assert!(matches!(&data["whole"], Template::Expression(_)));
    assert!(matches!(&data["block"], Template::Expression(_)));
    assert!(matches!(&data["quoted"], Template::Text(_)));
    let plain = literal(&data["plain"]).to_string().replace("e+", "e");
    assert_eq!(plain, r#"{"deep":[1,123,"0123","1_000","yes",null,1e3,-0.50]}"#);
}

#[test]
fn one_call_may_take_as_long_as_its_step() {
    for (written, call_seconds) in [("30s", None), ("5m", Some(300)), ("2h", Some(600))] {
        let text = format!(
            "on: {{ woo: [a.b] }}\ngrants: {{ http: [a.com] }}\nsteps: [{{ http: 'GET http://a.com', timeout: {written} }}]"
        );
        let workflow = good(&text);
        let StepKind::Http(http) = &workflow.steps[0].kind else { panic!() };
        assert_eq!(http.call_timeout, call_seconds.map(Duration::from_secs), "{written}");
        assert!(workflow.steps[0].timeout.is_some());
    }
}

#[test]
fn the_version_covers_script_files() {
    let text = "on: { woo: [order.created] }\nsteps: [{ script: ./score.rhai }]\n";
    let with =
        |script: &'static str| parse("a".parse().unwrap(), text, &|_| Ok(script.to_owned())).workflow.unwrap().version;
    assert_eq!(with("1"), with("1"));
    assert_ne!(with("1"), with("2"));
    assert_ne!(
        good("on: { woo: [a.b] }\nsteps: [{ stop: a }]").version,
        good("on: { woo: [a.b] }\nsteps: [{ stop: b }]").version
    );
}

#[test]
fn anchors_work_and_do_not_explode() {
    let workflow = good(
        "on: { woo: [order.created] }\nretry: &patient { attempts: 9 }\nsteps:\n  - { script: '1', retry: *patient }\n",
    );
    assert_eq!(workflow.steps[0].retry.map(|retry| retry.attempts), Some(9));
    let mut laughs = "on: { woo: [order.created] }\nvars:\n  a0: &a0 [ha, ha]\n".to_owned();
    for level in 1..40 {
        laughs.push_str(&format!("  a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    assert_eq!(codes_of(&laughs), [codes::TOO_LARGE]);
    let text = "x".repeat(100_000);
    let many = format!("vars:\n  a: &a {text}\n  b: [{}]\n", vec!["*a"; 1_000].join(", "));
    assert_eq!(codes_of(&many), [codes::TOO_LARGE]);
    assert_eq!(codes_of("vars: &a { b: *a }"), [codes::SYNTAX]);
}

#[test]
fn limits_end_hostile_files() {
    let cases = [
        ("[".repeat(100_000), None),
        ("{a: ".repeat(60) + "1" + &"}".repeat(60), Some(codes::UNKNOWN_KEY)),
        ("- ".repeat(100_000), Some(codes::TOO_LARGE)),
        ("x".repeat(600_000), Some(codes::TOO_LARGE)),
        (format!("[{}]", "a,".repeat(60_000)), Some(codes::TOO_LARGE)),
        (format!("steps: [{}]", "{stop: a},".repeat(1_000)), Some(codes::TOO_MANY_STEPS)),
        (
            format!("on: {{schedule: [{}]}}", "{cron: '@daily', timezone: Berlim},".repeat(5_000)),
            Some(codes::TOO_LARGE),
        ),
        (format!("if: '{}'", "steps.x + ".repeat(2_000)), Some(codes::TOO_LARGE)),
        (format!("{}日: 1", "日: 1\n".repeat(3_000)), Some(codes::DUPLICATE_KEY)),
        (format!("{{{}}}", "日: {a: 1}, ".repeat(10_000)), Some(codes::DUPLICATE_KEY)),
        (format!("steps: [{{script: '{}'}}]", "steps.x;".repeat(20_000)), Some(codes::UNKNOWN_STEP)),
    ];
    for (text, expect) in cases {
        let found = codes_of(&text);
        let start: String = text.chars().take(40).collect();
        assert!(!found.is_empty() && expect.is_none_or(|code| found.contains(&code)), "{start}: {found:?}");
        assert!(found.len() <= 500);
    }
    let not_text = parse_bytes("a".parse().unwrap(), b"name: \xff\n", &|_| Err(String::new()));
    assert_eq!(not_text.diagnostics[0].code, codes::NOT_UTF8);
    assert!(good("\u{feff}on: { woo: [a.b] }\nsteps: [{ stop: a }]").enabled);
}
