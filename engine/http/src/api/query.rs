//! Query parameters of lists: the address comes in, known and valid filters go out, everything else is refused by name.

use std::str::FromStr;

use crate::{hook, problem::Problem};

/// Items on a page unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Items on a page at most.
const MAX_LIMIT: usize = 500;

/// A list's query.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the query of an address that knows `limit`, `cursor` and these filters.
    pub(super) fn read(query: Option<&str>, filters: &[&str]) -> Result<Self, Problem> {
        let pairs = hook::query(query);
        for (position, (name, _)) in pairs.iter().enumerate() {
            if !filters.contains(&name.as_str()) && !["limit", "cursor"].contains(&name.as_str()) {
                let known = [filters, &["limit", "cursor"]].concat().join(", ");
                let shown: String = name.chars().take(40).collect();
                return Err(invalid(format!("`{shown}` is not a filter here; there are {known}")));
            }
            if pairs[..position].iter().any(|(other, _)| other == name) {
                return Err(invalid(format!("`{name}` is given twice")));
            }
        }
        Ok(Self { pairs })
    }

    /// A filter's text; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A filter's value.
    pub(super) fn value<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(str::parse).transpose().map_err(|error| invalid(format!("{name}: {error}")))
    }

    /// Where the page begins.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.text("cursor")
    }

    /// How many items.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.text("limit").map(str::parse::<usize>) {
            None => Ok(DEFAULT_LIMIT),
            Some(Ok(limit)) if limit > 0 => Ok(limit.min(MAX_LIMIT)),
            Some(_) => Err(invalid(format!("limit is a number from 1 to {MAX_LIMIT}"))),
        }
    }
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
        let query =
            Query::read(Some("store=my-shop&limit=7&cursor=a%2Fb&status="), &["store", "status"]).expect("valid");
        assert_eq!(query.value::<StoreId>("store").expect("valid").expect("given").as_str(), "my-shop");
        assert_eq!((query.limit().expect("valid"), query.cursor(), query.text("status")), (7, Some("a/b"), None));
        assert_eq!(Query::read(None, &[]).expect("valid").limit().expect("valid"), DEFAULT_LIMIT);
        assert_eq!(Query::read(Some("limit=9999"), &[]).expect("valid").limit().expect("valid"), MAX_LIMIT);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in ["stor=x", "store=a&store=b", "=x", "&a"] {
            assert_eq!(Query::read(Some(query), &["store"]).expect_err(query).code, "filter_invalid");
        }
        for limit in ["0", "-1", "many", "99999999999999999999"] {
            assert!(Query::read(Some(&format!("limit={limit}")), &[]).expect("read").limit().is_err(), "{limit}");
        }
        assert!(Query::read(Some("store=A%20B"), &["store"]).expect("read").value::<StoreId>("store").is_err());
    }
}
