//! Whether the secrets and stores that a workflow names are there: what `check` says when it is told where to look.

use std::collections::BTreeSet;

use super::{GrantedStores, Span, StoreSelector, TriggerKind, Workflow, codes, diagnostic::Diagnostic, node::shorten};

/// What an engine has.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Names of the secrets that are set.
    pub secrets: BTreeSet<String>,
    /// Ids of the stores that are connected.
    pub stores: BTreeSet<String>,
    /// Tags that any of them has.
    pub tags: BTreeSet<String>,
}

impl Known {
    /// Warnings about what a workflow names and this engine does not have.
    pub fn missing(&self, workflow: &Workflow) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for place in &workflow.grant_places {
            match place.list {
                "secrets" => found.extend(self.secret(&place.text, &place.span)),
                "stores" => {
                    if let Some(GrantedStores::Selected(selector)) = workflow.grants.stores.get(place.at) {
                        found.extend(self.store(selector, &place.span));
                    }
                }
                _ => {}
            }
        }
        for trigger in &workflow.triggers {
            let selectors: Vec<&StoreSelector> = match &trigger.kind {
                TriggerKind::Woo { stores, .. } => stores.iter().collect(),
                TriggerKind::Schedule(all) => all.iter().flat_map(|one| &one.stores).collect(),
                TriggerKind::Http(_) | TriggerKind::Event { .. } | TriggerKind::Manual => Vec::new(),
            };
            found.extend(selectors.into_iter().filter_map(|one| self.store(one, &trigger.span)));
            if let TriggerKind::Http(http) = &trigger.kind {
                found.extend(http.auth.secrets().iter().filter_map(|name| self.secret(name, &trigger.span)));
            }
        }
        found.sort_by(|a, b| (a.span.start, a.span.end, &a.message).cmp(&(b.span.start, b.span.end, &b.message)));
        found.dedup();
        found
    }

    fn secret(&self, name: &str, span: &Span) -> Option<Diagnostic> {
        if self.secrets.contains(name) {
            return None;
        }
        let found = Diagnostic::warning(codes::SECRET_NOT_SET, span.clone(), format!("the secret `{name}` is not set"));
        let found = found.suggest(name, self.secrets.iter().map(String::as_str));
        Some(found.help(format!("set it: `cartwright secret set {name}`")))
    }

    fn store(&self, selector: &StoreSelector, span: &Span) -> Option<Diagnostic> {
        let (message, written, known, help) = match selector {
            StoreSelector::All => return None,
            StoreSelector::Store(id) => {
                let help = format!("connect it: `cartwright store add {id} --url https://…`");
                (format!("there is no store `{id}`"), id.as_str(), &self.stores, help)
            }
            StoreSelector::Tag(tag) => {
                let help = format!("give it to a store: `cartwright store add STORE --tag {tag}`");
                (format!("no store has the tag `{}`", shorten(tag)), tag.as_str(), &self.tags, help)
            }
        };
        if known.contains(written) {
            return None;
        }
        let found = Diagnostic::warning(codes::STORE_NOT_THERE, span.clone(), message);
        Some(found.suggest(written, known.iter().map(String::as_str)).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{parse, render};

    const FILE: &str = "\
on:
  woo: { topics: [order.created], stores: [my-shop, \"tag:eu\"] }
  http: { path: /in, auth: bearer }
grants: { secrets: [slack_path, slack_pth], stores: [\"*\", self, my-shp, \"tag:us\"], http: [hooks.slack.com] }
steps:
  - stop: done
";

    #[test]
    fn what_is_not_there_is_named_with_the_command_that_sets_it() {
        let parsed = parse("a".parse().unwrap(), FILE, &|_| Err("no such file".to_owned()));
        let workflow = parsed.workflow.unwrap();
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let known = Known { secrets: set(&["slack_path"]), stores: set(&["my-shop"]), tags: set(&["eu"]) };
        let found = known.missing(&workflow);
        let text = render("a.yaml", FILE, &found);
        for line in [
            "warning[E0508]: the secret `hook_token` is not set",
            "warning[E0508]: the secret `slack_pth` is not set",
            "set it: `cartwright secret set slack_pth`",
            "warning[E0509]: there is no store `my-shp`",
            "did you mean `my-shop`",
            "warning[E0509]: no store has the tag `us`",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(found.len(), 4, "{text}");
        let all = Known {
            secrets: set(&["slack_path", "slack_pth", "hook_token"]),
            stores: set(&["my-shop", "my-shp"]),
            tags: set(&["eu", "us"]),
        };
        assert_eq!(all.missing(&workflow), []);
    }
}
