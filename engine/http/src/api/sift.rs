//! Lists for somebody who sees only some stores: pages of storage come in, pages of what is theirs go out.

use cartwright_run::storage::Page;

use crate::problem::Problem;

/// Pages of storage that one answer is made of. Whoever sees little of much gets short pages with a cursor to go on from
/// rather than one request that reads everything.
const PAGES_MAX: usize = 40;

/// Fills a page of at most `limit` items that `sees` lets through, beginning after `cursor`. Storage is asked only for as
/// many as are missing, so its cursor always stands right behind the last item given.
pub(super) async fn sift<T, F: Future<Output = Result<Page<T>, Problem>>>(
    cursor: Option<&str>,
    limit: usize,
    sees: impl Fn(&T) -> bool,
    fetch: impl Fn(Option<String>, usize) -> F,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let mut items = Vec::new();
    let mut cursor = cursor.map(str::to_owned);
    for _ in 0..PAGES_MAX {
        let page = fetch(cursor, limit - items.len()).await?;
        items.extend(page.items.into_iter().filter(&sees));
        cursor = page.next;
        if cursor.is_none() || items.len() == limit {
            break;
        }
    }
    Ok((items, cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 99; the cursor is the last one given.
    async fn numbers(cursor: Option<String>, limit: usize) -> Result<Page<usize>, Problem> {
        let from = cursor.map_or(0, |last| last.parse::<usize>().expect("a number") + 1);
        let items: Vec<usize> = (from..100).take(limit).collect();
        let next = items.last().filter(|last| **last < 99).map(usize::to_string);
        Ok(Page { items, next })
    }

    #[tokio::test]
    async fn pages_are_full_and_nothing_is_lost_or_told_twice_between_them() {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let (items, next) = sift(cursor.as_deref(), 7, |n| n % 3 == 0, numbers).await.expect("a page");
            assert!(items.len() == 7 || next.is_none(), "{items:?}");
            all.extend(items);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all, (0..100).filter(|n| n % 3 == 0).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_sees_nothing_costs_little_and_may_go_on() {
        let (items, next) = sift(None, 1, |_: &usize| false, numbers).await.expect("a page");
        assert_eq!((items.len(), next), (0, Some((PAGES_MAX - 1).to_string())));
    }
}
