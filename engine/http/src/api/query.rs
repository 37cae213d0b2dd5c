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

    /// The page of a list that is in memory whole, by a key that is unique and the cursor too.
    pub(super) fn page<T>(
        &self,
        mut all: Vec<T>,
        key: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), Problem> {
        let limit = self.limit()?;
        all.retain(|item| self.cursor().is_none_or(|cursor| key(item) > cursor));
        all.sort_by(|a, b| key(a).cmp(key(b)));
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(|last| key(last).to_owned());
        Ok((all, next))
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

/// Refuses names that an address does not know. What they hold is read by its handler.
pub(super) fn known(query: Option<&str>, names: &[&str]) -> Result<(), Problem> {
    let pairs = hook::query(query);
    match pairs.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(unknown(name, names)),
        None => Ok(()),
    }
}

/// For a name that means nothing at this address.
pub(super) fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(40).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    invalid(format!("`{shown}` is not a filter here; there are {known}"))
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
    fn pages_of_what_is_in_memory_are_by_key_and_miss_nothing() {
        let mut all: Vec<String> = (0..10).map(|n| format!("k{}", n * 7 % 10)).collect();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for expected in [4, 4, 2] {
            let query = Query::read(Some(&format!("limit=4{cursor}")), &[]).expect("valid");
            let (items, next) = query.page(all.clone(), |item| item).expect("a page");
            assert_eq!((items.len(), next.is_some()), (expected, expected == 4));
            cursor = next.map_or_else(String::new, |next| format!("&cursor={next}"));
            seen.extend(items);
        }
        all.sort();
        assert_eq!(seen, all);
        // Exactly full is the end, and a cursor whose item went meanwhile still is a place.
        let query = Query::read(Some("limit=2&cursor=k71"), &[]).expect("valid");
        assert_eq!(query.page(all, |item| item).expect("a page"), (vec!["k8".to_owned(), "k9".to_owned()], None));
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
