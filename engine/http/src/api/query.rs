//! Query parameters of lists: the address comes in, known and valid filters go out, everything else is refused by name.

use std::str::FromStr;

use cartwright_core::time::Timestamp;

use crate::{hook, problem::Problem};

/// Items on a page unless asked otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 50;
/// Items on a page at most.
pub(crate) const MAX_LIMIT: usize = 500;

/// A list's query.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the query of an address that knows `limit`, `cursor` and these filters.
    pub(super) fn read(query: Option<&str>, filters: &[&str]) -> Result<Self, Problem> {
        let pairs = hook::query(query);
        for (position, (name, value)) in pairs.iter().enumerate() {
            if !filters.contains(&name.as_str()) && !["limit", "cursor"].contains(&name.as_str()) {
                return Err(unknown(name, &[filters, &["limit", "cursor"]].concat()));
            }
            if value.is_empty() {
                return Err(invalid(format!("`{name}` is empty; leave it out")));
            }
            if pairs[..position].iter().any(|(other, _)| other == name) {
                return Err(invalid(format!("`{name}` is given twice")));
            }
        }
        Ok(Self { pairs })
    }

    /// A filter's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A filter's value.
    pub(super) fn value<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(str::parse).transpose().map_err(|error| invalid(format!("{name}: {error}")))
    }

    /// `since` and `until`: at that time or later, and before that time. Each is RFC 3339 or milliseconds since 1970.
    pub(super) fn span(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let (since, until) = (self.time("since")?, self.time("until")?);
        match (since, until) {
            (Some(since), Some(until)) if since >= until => Err(invalid("until is a time after since")),
            span => Ok(span),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let in_range = |millis: &i64| (0..=Timestamp::MAX.as_millis()).contains(millis);
        let millis = text.parse::<i64>().ok().filter(in_range);
        // `+01:00` arrives as ` 01:00` from whoever did not encode the plus sign.
        let time = millis.map(Timestamp::from_millis).or_else(|| Timestamp::parse(&text.replace(' ', "+")));
        time.map(Some).ok_or_else(|| {
            invalid(format!("{name} is a time such as 2026-11-21T07:00:00Z, or milliseconds since 1970"))
        })
    }

    /// Where the page begins.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.text("cursor")
    }

    /// How many items.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.text("limit").map(str::parse::<usize>) {
            None => Ok(DEFAULT_LIMIT),
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(_) => Err(invalid(format!("limit is a number from 1 to {MAX_LIMIT}"))),
        }
    }
}

/// For a name that means nothing at this address.
pub(super) fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(40).collect();
    invalid(format!("`{shown}` is not a filter here; there are {}", known.join(", ")))
}

pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::bad_request("filter_invalid", detail)
}

#[cfg(test)]
mod tests {
    use cartwright_core::id::StoreId;

    use super::*;

    #[test]
    fn filters_are_known_by_name() {
        let query = Query::read(Some("store=my-shop&limit=7&cursor=a%2Fb"), &["store", "status"]).expect("valid");
        assert_eq!(query.value::<StoreId>("store").expect("valid").expect("given").as_str(), "my-shop");
        assert_eq!((query.limit().expect("valid"), query.cursor(), query.text("status")), (7, Some("a/b"), None));
        assert_eq!(Query::read(None, &[]).expect("valid").limit().expect("valid"), DEFAULT_LIMIT);
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        let span = |query: &str| Query::read(Some(query), &["since", "until"]).expect("read").span();
        let at = |millis| Some(Timestamp::from_millis(millis));
        let (since, until) = span("since=1970-01-01T00%3A00%3A01Z&until=1970-01-01T01:00:02+01:00").expect("valid");
        assert_eq!((since, until), (at(1000), at(2000)));
        assert_eq!(span("since=1795000000000").expect("valid"), (at(1_795_000_000_000), None));
        for query in
            ["since=2h", "since=-1", "until=yesterday", "since=99999999999999999", "since=5&until=5", "since=6&until=5"]
        {
            assert_eq!(span(query).expect_err(query).code, "filter_invalid", "{query}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in ["stor=x", "store=a&store=b", "=x", "&a", "store=", "cursor="] {
            assert_eq!(Query::read(Some(query), &["store"]).expect_err(query).code, "filter_invalid");
        }
        for limit in ["0", "-1", "many", "99999999999999999999"] {
            assert!(Query::read(Some(&format!("limit={limit}")), &[]).expect("read").limit().is_err(), "{limit}");
        }
        assert!(Query::read(Some("store=A%20B"), &["store"]).expect("read").value::<StoreId>("store").is_err());
    }
}
