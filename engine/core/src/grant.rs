//! What a workflow is allowed. Everything is denied that `grants` does not name; each refusal says what to add.

use crate::{
    id::StoreId,
    workflow::{GrantedStores, Grants, StoreSelector, topic},
};

impl Grants {
    /// Whether a call may go to a host. `url_host` is the host as it stands in the parsed address (IPv6 in brackets),
    /// `port` the port that will be used, default ports filled in. The error is the missing grant as YAML.
    pub fn http(&self, method: &str, url_host: &str, port: Option<u16>) -> Result<(), String> {
        let host = url_host.to_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let covers = |pattern: &str| match pattern.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            None => pattern == host,
        };
        let granted = self.http.iter().any(|grant| {
            grant.method.as_deref().is_none_or(|granted| granted.eq_ignore_ascii_case(method))
                && grant.port.is_none_or(|granted| port == Some(granted))
                && covers(&grant.host)
        });
        if granted {
            return Ok(());
        }
        let port = port.filter(|port| !matches!(port, 80 | 443)).map(|port| format!(":{port}")).unwrap_or_default();
        Err(format!("http: [\"{host}{port}\"]"))
    }

    /// Whether a secret may be used. The error is the missing grant as YAML.
    pub fn secret(&self, name: &str) -> Result<(), String> {
        let granted = self.secrets.iter().any(|granted| granted == name);
        granted.then_some(()).ok_or_else(|| format!("secrets: [{name}]"))
    }

    /// Whether an event of this topic may be emitted. The error is the missing grant as YAML.
    pub fn emit(&self, topic: &str) -> Result<(), String> {
        let granted = self.emit.iter().any(|pattern| topic::matches(pattern, topic));
        granted.then_some(()).ok_or_else(|| format!("emit: [{topic}]"))
    }

    /// Whether a call of the store's API may be made: the first segment of its path, and its direction by method. The
    /// error is the missing grant as YAML.
    pub fn woo(&self, method: &str, path: &str) -> Result<(), String> {
        let resource = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let reads = method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("HEAD");
        let wanted = format!("{resource}.{}", if reads { "read" } else { "write" });
        let granted = self.woo.contains(&wanted);
        granted.then_some(()).ok_or_else(|| format!("woo: [{wanted}]"))
    }

    /// Whether a store may be called: `own` is the event's store, `tags` are the called store's. The error is the
    /// missing grant as YAML.
    pub fn store(&self, store: &StoreId, tags: &[String], own: Option<&StoreId>) -> Result<(), String> {
        let granted = self.stores.iter().any(|grant| match grant {
            GrantedStores::Own => own == Some(store),
            GrantedStores::Selected(StoreSelector::All) => true,
            GrantedStores::Selected(StoreSelector::Store(id)) => id == store,
            GrantedStores::Selected(StoreSelector::Tag(tag)) => tags.contains(tag),
        });
        let name = if own == Some(store) { "self" } else { store.as_str() };
        granted.then_some(()).ok_or_else(|| format!("stores: [{name}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::HttpGrant;

    fn http(host: &str, port: Option<u16>, method: Option<&str>) -> Grants {
        let grant = HttpGrant { method: method.map(str::to_owned), host: host.to_owned(), port };
        Grants { http: vec![grant], ..Grants::default() }
    }

    #[test]
    fn hosts_ports_and_methods() {
        let exact = http("hooks.slack.com", None, None);
        assert_eq!(exact.http("POST", "Hooks.Slack.COM", Some(443)), Ok(()));
        assert_eq!(exact.http("POST", "hooks.slack.com.", Some(8443)), Ok(()));
        assert_eq!(exact.http("POST", "slack.com", Some(443)), Err("http: [\"slack.com\"]".to_owned()));
        assert!(exact.http("POST", "hooks.slack.com.evil.org", Some(443)).is_err());
        let below = http("*.example.com", None, None);
        assert!(below.http("GET", "a.example.com", None).is_ok());
        assert!(below.http("GET", "a.b.example.com", None).is_ok());
        for host in ["example.com", ".example.com", "evilexample.com", "a.example.com.org"] {
            assert!(below.http("GET", host, None).is_err(), "{host}");
        }
        let narrow = http("127.0.0.1", Some(9797), Some("POST"));
        assert!(narrow.http("post", "127.0.0.1", Some(9797)).is_ok());
        assert_eq!(narrow.http("POST", "127.0.0.1", Some(80)), Err("http: [\"127.0.0.1\"]".to_owned()));
        assert_eq!(narrow.http("GET", "127.0.0.1", Some(9797)), Err("http: [\"127.0.0.1:9797\"]".to_owned()));
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grants::default();
        assert_eq!(none.http("GET", "a.com", Some(443)), Err("http: [\"a.com\"]".to_owned()));
        assert_eq!(none.secret("key"), Err("secrets: [key]".to_owned()));
        assert_eq!(none.emit("stock.low"), Err("emit: [stock.low]".to_owned()));
        assert_eq!(none.woo("GET", "/orders/5"), Err("woo: [orders.read]".to_owned()));
        let own: StoreId = "shop".parse().unwrap();
        assert_eq!(none.store(&own, &[], Some(&own)), Err("stores: [self]".to_owned()));
    }

    #[test]
    fn named_things_are_granted() {
        let (own, other): (StoreId, StoreId) = ("shop".parse().unwrap(), "other".parse().unwrap());
        let grants = Grants {
            secrets: vec!["key".to_owned()],
            emit: vec!["stock.*".to_owned()],
            woo: vec!["orders.read".to_owned()],
            stores: vec![GrantedStores::Own, GrantedStores::Selected(StoreSelector::Tag("eu".to_owned()))],
            ..Grants::default()
        };
        assert!(grants.secret("key").is_ok() && grants.secret("KEY").is_err());
        assert!(grants.emit("stock.low").is_ok() && grants.emit("order.low").is_err());
        assert!(grants.woo("GET", "orders/5?x=1").is_ok() && grants.woo("POST", "orders").is_err());
        assert!(grants.store(&own, &[], Some(&own)).is_ok());
        assert!(grants.store(&other, &[], Some(&own)).is_err());
        assert!(grants.store(&other, &["eu".to_owned()], Some(&own)).is_ok());
    }
}
