//! What the engine writes to standard error: for people, or as one JSON object a line with stable fields:
//! `time`, `level`, `target`, `message`, then what the line is about (`run`, `store`, `workflow`, `event`, `code`, …).

use std::{fmt, io};

use cartwright_run::{Clock as _, SystemClock};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    config::Config,
    failure::{Result, environment, usage},
    terminal::Terminal,
};

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFile {
    /// A filter as `tracing-subscriber` reads it: `info`, `cartwright_run=debug`.
    pub(crate) level: Option<String>,
    pub(crate) format: Option<LogFormat>,
}

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl LogFormat {
    /// The flag wins over the environment and that over the file.
    pub(crate) fn choose(flag: Option<Self>, variable: Option<&str>, file: Option<Self>) -> Result<Self> {
        let wrong = |text| usage(format!("CARTWRIGHT_LOG_FORMAT is `{text}`: write text or json"));
        let variable = variable.map(|text| Self::from_str(text, true).map_err(|_| wrong(text))).transpose()?;
        Ok(flag.or(variable).or(file).unwrap_or_default())
    }
}

/// Begins to write.
pub(crate) fn start(config: &Config, terminal: &Terminal) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| usage(format!("`{}` is not a log filter: {error}", config.log)))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.log_format {
        LogFormat::Text => lines.with_ansi(terminal.paints_errors()).try_init(),
        LogFormat::Json => lines.with_ansi(false).event_format(JsonLines).try_init(),
    };
    started.map_err(|error| environment(format!("cannot log: {error}")))
}

/// One JSON object a line.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let about = event.metadata();
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        writeln!(writer, "{}", line(&SystemClock.now().to_string(), about.level().as_str(), about.target(), fields.0))
    }
}

/// The line; a field that has the name of one of the first four goes under `fields.NAME`.
fn line(time: &str, level: &str, target: &str, mut fields: Map<String, Value>) -> Value {
    let message = fields.remove("message").unwrap_or_default();
    let mut line = Map::new();
    line.insert("time".into(), json!(time));
    line.insert("level".into(), json!(level.to_ascii_lowercase()));
    line.insert("target".into(), json!(target));
    line.insert("message".into(), message);
    for (name, value) in fields {
        let name = if line.contains_key(&name) { format!("fields.{name}") } else { name };
        line.insert(name, value);
    }
    Value::Object(line)
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_four_fields_and_what_it_is_about() {
        let fields = json!({"message": "a \"run\"\nfailed", "run": "run_1", "level": 3});
        let Value::Object(fields) = fields else { panic!("a map") };
        let line = line("2026-11-21T07:00:00.000Z", "WARN", "cartwright_run", fields);
        let text = line.to_string();
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(
            line,
            json!({"time": "2026-11-21T07:00:00.000Z", "level": "warn", "target": "cartwright_run",
                   "message": "a \"run\"\nfailed", "run": "run_1", "fields.level": 3})
        );
    }
}
