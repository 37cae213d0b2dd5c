//! `[telemetry]`: where traces go. Headers with credentials come from the environment, so that the file holds no secret.

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use crate::failure::{Result, usage};

/// Headers for the collector: `name=value,name=value`, the name that OpenTelemetry gives this variable.
pub(crate) const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Where OTLP over HTTP takes traces, below the endpoint.
const TRACES_PATH: &str = "v1/traces";

/// As written.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetryFile {
    /// `http://collector:4318`
    otlp_endpoint: Option<String>,
    /// The share of runs that are traced, 0 to 1; all when absent.
    sample_ratio: Option<f64>,
    /// Tells this engine from others; `cartwright` when absent.
    instance: Option<String>,
}

/// Traces are wanted.
#[derive(Debug, Clone)]
pub(crate) struct TelemetryConfig {
    pub(crate) endpoint: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) sample_ratio: f64,
    pub(crate) instance: String,
}

impl TelemetryConfig {
    /// `None`: no endpoint is named, so nothing is traced. `headers` is what the environment says.
    pub(crate) fn new(file: TelemetryFile, endpoint: Option<&str>, headers: Option<&str>) -> Result<Option<Self>> {
        let Some(endpoint) = endpoint.map(str::to_owned).or(file.otlp_endpoint) else { return Ok(None) };
        let sample_ratio = file.sample_ratio.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&sample_ratio) {
            return Err(usage(format!(
                "`sample_ratio` under [telemetry] is {sample_ratio}: write a share from 0 to 1"
            )));
        }
        let headers = headers.map_or(Ok(Vec::new()), parse_headers)?;
        let instance = file.instance.unwrap_or_else(|| "cartwright".to_owned());
        Ok(Some(Self { endpoint: parse_endpoint(&endpoint)?, headers, sample_ratio, instance }))
    }
}

fn parse_endpoint(text: &str) -> Result<Url> {
    let wrong =
        || usage("`otlp_endpoint` under [telemetry] is an address such as http://127.0.0.1:4318, without a password");
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|_| wrong())?;
    let is_plain = ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.query().is_none();
    let traces = if url.path().ends_with("/v1/traces/") { Url::parse(text).ok() } else { url.join(TRACES_PATH).ok() };
    traces.filter(|_| is_plain && url.password().is_none()).ok_or_else(wrong)
}

/// Never quotes what it is given: it is secret.
fn parse_headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let header = |(at, pair): (usize, &str)| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decoded(value.trim());
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok();
        let pair = name.zip(HeaderValue::from_str(&value).ok());
        pair.filter(|_| at < 100)
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).enumerate();
    let headers: Option<Vec<_>> = pairs.map(header).collect();
    headers.ok_or_else(|| usage(format!("{HEADERS_VARIABLE} is not `name=value,name=value`")))
}

fn percent_decoded(text: &str) -> String {
    // `+` stands for itself here.
    let text = text.replace('+', "%2B");
    let decoded = url::form_urlencoded::parse(text.as_bytes()).next();
    decoded.map_or_else(
        String::new,
        |(name, value)| if value.is_empty() { name.into_owned() } else { format!("{name}={value}") },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_gets_the_path_for_traces_once() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/base/", "https://otlp.example/base/v1/traces"),
            ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
        ] {
            assert_eq!(parse_endpoint(text).expect("an endpoint").as_str(), expected);
        }
        for bad in ["", "127.0.0.1:4318", "ftp://a", "http://user:pass@a", "http://a?key=b"] {
            assert!(parse_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let headers = parse_headers("authorization=Basic%20YTpi, x-team=shop").expect("headers");
        assert_eq!(headers[0].1, "Basic YTpi");
        assert_eq!((headers[1].0.as_str(), headers.len()), ("x-team", 2));
        for bad in ["hush", "=hush", "a b=hush", "x=hu\nsh"] {
            let failure = parse_headers(bad).expect_err("refused");
            assert!(!failure.to_string().contains("hush"), "{failure}");
        }
    }

    #[test]
    fn nothing_is_traced_unless_an_endpoint_is_named() {
        let file = |text: &str| toml::from_str::<TelemetryFile>(text).expect("a file");
        assert!(TelemetryConfig::new(file("sample_ratio = 0.5"), None, Some("a=b")).expect("fine").is_none());
        let config = TelemetryConfig::new(file("otlp_endpoint = 'http://a'\nsample_ratio = 0.5"), None, None);
        assert!(config.expect("fine").is_some_and(|config| config.sample_ratio < 0.6));
        for bad in ["sample_ratio = 1.5", "sample_ratio = -0.1", "sample_ratio = nan"] {
            assert!(TelemetryConfig::new(file(bad), Some("http://a"), None).is_err(), "{bad}");
        }
    }
}
