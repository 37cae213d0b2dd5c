//! The catalogue of diagnostic codes. Each has a page, `engine/docs/errors/<code>.md`; a code is never given a new
//! meaning.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $code;)*

        /// Every code there is.
        pub const ALL: &[&str] = &[$($code),*];

        /// Each code with its page, as Markdown.
        const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors/", $code, ".md")))),*];
    };
}

/// Where a code's page lies in the repository.
pub fn page_path(code: &str) -> String {
    format!("engine/docs/errors/{code}.md")
}

/// The page about a code, as Markdown: what it means, a file that has it, and the same file mended.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == code).map(|(_, page)| *page)
}

/// What a code says in a few words: the headline of its page.
pub fn title(code: &str) -> &'static str {
    let headline = page(code).and_then(|page| page.lines().next());
    headline.and_then(|line| line.split_once(": ")).map_or("", |(_, title)| title)
}

codes! {
    /// The file is not YAML.
    SYNTAX = "E0101";
    /// The file is not UTF-8.
    NOT_UTF8 = "E0102";
    /// A key appears twice in one map.
    DUPLICATE_KEY = "E0103";
    /// A key that does not exist here.
    UNKNOWN_KEY = "E0104";
    /// A YAML tag: `if: !event.paid`.
    TAG = "E0105";
    /// Too large, too deep, too many nodes or aliases.
    TOO_LARGE = "E0106";
    /// More than one YAML document.
    DOCUMENTS = "E0107";
    /// A value of another type than wanted.
    WRONG_TYPE = "E0108";
    /// A required key is absent.
    MISSING_KEY = "E0109";
    /// A value outside of what the key takes.
    BAD_VALUE = "E0110";
    /// An empty value, often made by `#`: `if: #{…}`.
    EMPTY_VALUE = "E0111";
    /// `<<`
    MERGE_KEY = "E0112";
    /// A key that is not text.
    BAD_KEY = "E0113";

    /// `${{` without its `}}`.
    UNCLOSED = "E0201";
    /// An expression that YAML has torn apart.
    QUOTE_IT = "E0202";
    /// An expression without content.
    EMPTY_EXPRESSION = "E0203";
    /// `steps.NAME` of a step that does not exist.
    UNKNOWN_STEP = "E0204";
    /// `${{ }}` where only plain values can stand.
    NO_EXPRESSION_HERE = "E0205";
    /// Text around `${{ }}` where one expression is wanted.
    MIXED_EXPRESSION = "E0206";
    /// `secrets` where secrets cannot be used.
    SECRETS_HERE = "E0207";

    /// An expression or a script that is not Rhai.
    CODE = "E0208";
    /// A field that the value does not have: `event.data.totl`.
    UNKNOWN_FIELD = "E0209";
    /// Money and other numbers that come as text, used as numbers.
    AMOUNT_AS_TEXT = "E0210";
    /// Values of different types that are compared or computed with.
    TYPES_DIFFER = "E0211";
    /// A condition that is neither `true` nor `false`.
    NOT_A_BOOL = "E0212";
    /// The result of a step that cannot have run.
    NOT_YET_RUN = "E0213";
    /// A name that exists nowhere.
    UNKNOWN_NAME = "E0214";
    /// A name that exists elsewhere: `item` outside of a loop.
    NOT_HERE = "E0215";
    /// Times compared as text.
    DATE_AS_TEXT = "E0216";
    /// A loop over what is no list.
    NOT_A_LIST = "E0217";
    /// A function that does not exist.
    UNKNOWN_FUNCTION = "E0218";
    /// A function with another number of arguments than it takes.
    ARGUMENTS = "E0219";
    /// `inputs.NAME` of an input that is not declared.
    UNKNOWN_INPUT = "E0230";

    /// Not a duration.
    DURATION = "E0301";
    /// Not a cron expression.
    CRON = "E0302";
    /// Not a time zone.
    TIMEZONE = "E0303";
    /// Not a topic or a pattern of topics.
    TOPIC = "E0304";
    /// Not a selector of stores.
    STORE = "E0305";
    /// Not a path below `/hooks/`, or not a method.
    HTTP_PATH = "E0306";
    /// An HTTP trigger that does not say who may call.
    AUTH_MISSING = "E0307";
    /// An HTTP trigger's `auth` that makes no sense.
    AUTH = "E0308";
    /// Not a retry policy.
    RETRY = "E0309";
    /// Not `METHOD URL`.
    HTTP_CALL = "E0310";
    /// Not a status pattern.
    STATUS = "E0311";
    /// Not a grant.
    GRANT = "E0312";
    /// Not a path of the store's API.
    WOO_PATH = "E0313";
    /// A call to a store that makes no sense: `all` with a write, `with` without one.
    WOO_CALL = "E0314";
    /// An input's declaration that makes no sense.
    INPUT = "E0330";
    /// A `respond` step that is no HTTP answer.
    RESPOND = "E0331";
    /// A trigger's `schema` that is no JSON Schema.
    BODY_SCHEMA = "E0332";
    /// A `concurrency` that makes no sense.
    CONCURRENCY = "E0340";
    /// A `dedupe`, `debounce`, `collect` or `throttle` that makes no sense.
    GATE = "E0350";

    /// A step without a kind.
    NO_KIND = "E0401";
    /// A step of two kinds.
    TWO_KINDS = "E0402";
    /// Two steps with one id.
    DUPLICATE_ID = "E0403";
    /// Not a step id.
    STEP_ID = "E0404";
    /// `goto` to a step that does not follow in the same block.
    GOTO = "E0405";
    /// A script file that cannot be read.
    SCRIPT_FILE = "E0406";
    /// A script path outside of the workflow's folder.
    SCRIPT_PATH = "E0407";
    /// A list of steps without steps.
    NO_STEPS = "E0408";
    /// A `choose` whose branches make no sense.
    BRANCH = "E0409";
    /// More steps than a workflow can have.
    TOO_MANY_STEPS = "E0410";
    /// A key that has no effect where it stands.
    NO_EFFECT = "E0411";
    /// A step behind one that always ends the run.
    UNREACHABLE = "E0412";
    /// A call to a store in a workflow whose events have none.
    NO_STORE = "E0413";
    /// A condition that is always false.
    NEVER = "E0440";
    /// A branch whose condition stands in a branch before it too.
    SAME_CONDITION = "E0441";

    /// A host that `grants` does not name.
    HTTP_NOT_GRANTED = "E0501";
    /// A secret that `grants` does not name.
    SECRET_NOT_GRANTED = "E0502";
    /// A topic that `grants` does not name.
    EMIT_NOT_GRANTED = "E0503";
    /// A resource of the store's API that `grants` does not name.
    WOO_NOT_GRANTED = "E0504";
    /// A store that `grants` does not name.
    STORE_NOT_GRANTED = "E0505";
    /// A grant that nothing needs.
    UNUSED_GRANT = "E0506";
    /// A grant for more than is needed.
    WIDE_GRANT = "E0507";
    /// A secret that an engine does not have.
    SECRET_NOT_SET = "E0508";
    /// A store, or a tag, that an engine does not have.
    STORE_NOT_THERE = "E0509";

    /// A step kind of the format that this version does not execute.
    LATER_STEP = "E0601";
    /// A key of the format that this version does not execute.
    LATER_KEY = "E0602";
    /// A value of the format that this version does not execute.
    LATER_VALUE = "E0603";

    /// Two workflows answer the same HTTP path and method.
    ROUTE_CONFLICT = "E0701";
    /// Two files with the same workflow id.
    DUPLICATE_WORKFLOW = "E0702";
    /// A call of a workflow that is not there.
    UNKNOWN_WORKFLOW = "E0703";
    /// A workflow that always calls itself and waits.
    CALLS_ITSELF = "E0704";
    /// A topic that differs by a letter from one at the other end.
    TOPIC_SLIP = "E0705";
    /// Workflows that start each other for ever.
    CIRCLE = "E0706";

    /// A plugin that is not installed.
    UNKNOWN_PLUGIN = "E0801";
    /// A function that the plugin does not have.
    PLUGIN_FUNCTION = "E0802";
    /// What a step gives does not fit the plugin's input.
    PLUGIN_INPUT = "E0803";
    /// A plugin without a grant that it needs.
    PLUGIN_NEEDS = "E0804";

    /// A test names a step that its workflow does not have.
    TEST_STEP = "E0901";
    /// Not a call, in a stub or an expectation.
    TEST_CALL = "E0902";
    /// A stub that nothing used.
    TEST_UNUSED_STUB = "E0903";
    /// A test file without its workflow.
    TEST_WORKFLOW = "E0904";
    /// A fixture that cannot be read.
    TEST_FIXTURE = "E0905";
    /// Not a time.
    TEST_TIME = "E0906";
    /// Two cases with one name.
    TEST_CASE_NAME = "E0907";
    /// Not a matcher.
    TEST_MATCHER = "E0908";
    /// Nothing starts a case, or several things do, or not what the workflow listens to.
    TEST_START = "E0909";
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::ALL;

    #[test]
    fn every_code_has_its_page_and_every_page_its_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        for code in ALL {
            let page = fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
            assert!(page.starts_with(&format!("# {code}: ")), "{code} has no page");
            assert!(page.contains("```"), "{code}: the page has no example");
        }
        for file in fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let code = name.trim_end_matches(".md");
            assert!(!code.starts_with('E') || ALL.contains(&code), "{name} is about no code");
        }
        let mut sorted = ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, ALL, "codes are unique and in order");
    }
}
