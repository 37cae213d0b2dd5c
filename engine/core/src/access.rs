//! Who may do what over the API: scopes, roles, and which stores somebody sees. Decisions only; who somebody is, is found
//! out elsewhere.
//!
//! A token or a person has scopes (`runs:read`, or `admin` for everything) and, optionally, a filter of stores. What
//! belongs to a store outside the filter does not exist for them: lists leave it out and addresses answer 404. What
//! belongs to no store (workflows without stores, secrets, tokens) is seen only without a filter.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{id::StoreId, workflow::StoreSelector};

/// What the API is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Area {
    Stores,
    Workflows,
    Runs,
    Events,
    Batches,
    Plugins,
    Secrets,
    Tokens,
    Mirror,
    Approvals,
    Audit,
}

impl Area {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Stores,
        Self::Workflows,
        Self::Runs,
        Self::Events,
        Self::Batches,
        Self::Plugins,
        Self::Secrets,
        Self::Tokens,
        Self::Mirror,
        Self::Approvals,
        Self::Audit,
    ];

    /// As in a scope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stores => "stores",
            Self::Workflows => "workflows",
            Self::Runs => "runs",
            Self::Events => "events",
            Self::Batches => "batches",
            Self::Plugins => "plugins",
            Self::Secrets => "secrets",
            Self::Tokens => "tokens",
            Self::Mirror => "mirror",
            Self::Approvals => "approvals",
            Self::Audit => "audit",
        }
    }
}

/// Looking or changing; who may change may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Looking.
    Read,
    /// Changing, and looking.
    Write,
}

/// One thing that somebody may do: `runs:read`, `stores:write`, `admin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything, the tokens and keys of others included.
    Admin,
    /// One area.
    Area(Area, Right),
}

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope: write `admin`, or an area and a right such as `runs:read` or `stores:write`")]
pub struct InvalidScope(String);

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let invalid = || InvalidScope(text.chars().take(40).collect());
        if text == "admin" {
            return Ok(Self::Admin);
        }
        let (area, right) = text.split_once(':').ok_or_else(invalid)?;
        let area = Area::ALL.into_iter().find(|known| known.as_str() == area).ok_or_else(invalid)?;
        match right {
            "read" => Ok(Self::Area(area, Right::Read)),
            "write" => Ok(Self::Area(area, Right::Write)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Area(area, Right::Read) => write!(f, "{}:read", area.as_str()),
            Self::Area(area, Right::Write) => write!(f, "{}:write", area.as_str()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What people are to an installation, or to a group of its stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything but secrets, tokens and the audit log.
    Viewer,
    /// Also moves runs, brings in events and answers approvals.
    Operator,
    /// Everything.
    Owner,
}

impl Role {
    /// The word that files and people use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }

    /// What it may do.
    pub fn scopes(self) -> Vec<Scope> {
        use Area::{Approvals, Batches, Events, Mirror, Plugins, Runs, Stores, Workflows};
        let read = [Stores, Workflows, Runs, Events, Batches, Plugins, Mirror, Approvals];
        let change = [Runs, Events, Batches, Approvals];
        let with = |areas: &[Area], right| areas.iter().map(|area| Scope::Area(*area, right)).collect::<Vec<_>>();
        match self {
            Self::Viewer => with(&read, Right::Read),
            Self::Operator => [with(&read, Right::Read), with(&change, Right::Write)].concat(),
            Self::Owner => vec![Scope::Admin],
        }
    }
}

/// Scopes that hold at some stores, or everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// What may be done.
    pub scopes: Vec<Scope>,
    /// The stores at which; `None`: at all, and with what belongs to no store.
    pub stores: Option<Vec<StoreSelector>>,
}

impl Assignment {
    fn allows(&self, area: Area, right: Right) -> bool {
        self.scopes.iter().any(|scope| match scope {
            Scope::Admin => true,
            Scope::Area(has, Right::Write) => *has == area,
            Scope::Area(has, Right::Read) => *has == area && right == Right::Read,
        })
    }

    fn reaches(&self, store: &StoreId, tags: &[String]) -> bool {
        let Some(filter) = &self.stores else { return true };
        filter.iter().any(|selector| match selector {
            StoreSelector::All => true,
            StoreSelector::Store(id) => id == store,
            StoreSelector::Tag(tag) => tags.contains(tag),
        })
    }

    /// Whether it has everything that `other` has. Tags are not resolved: a tag is covered by itself or by `*`.
    fn covers(&self, other: &Self) -> bool {
        let has = |scope: &Scope| match scope {
            Scope::Admin => self.scopes.contains(&Scope::Admin),
            Scope::Area(area, right) => self.allows(*area, *right),
        };
        let within = match (&self.stores, &other.stores) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(asked)) => own.contains(&StoreSelector::All) || asked.iter().all(|one| own.contains(one)),
        };
        other.scopes.iter().all(has) && within
    }
}

/// Somebody who was recognised: a token, a person, or the local administrator.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// As the audit log and journals name them: `token:ci`, `user:ada@example.test`, `admin`.
    pub name: String,
    /// What they may do, and where. A person may be an operator of one group of stores and a viewer of another.
    pub assignments: Vec<Assignment>,
}

impl Principal {
    /// The local administrator, whose token lies in the data folder.
    pub fn administrator() -> Self {
        Self { name: "admin".into(), assignments: vec![Assignment { scopes: vec![Scope::Admin], stores: None }] }
    }

    /// Whether they may do this at all, with some store or none; the error is the scope they lack.
    pub fn may(&self, area: Area, right: Right) -> Result<(), Scope> {
        let enough = self.assignments.iter().any(|assignment| assignment.allows(area, right));
        if enough { Ok(()) } else { Err(Scope::Area(area, right)) }
    }

    /// Whether they may do this with a store, which has these tags.
    pub fn may_at(&self, area: Area, right: Right, store: &StoreId, tags: &[String]) -> bool {
        self.assignments.iter().any(|one| one.allows(area, right) && one.reaches(store, tags))
    }

    /// Whether they may do this with what belongs to no store, or to all of them.
    pub fn may_everywhere(&self, area: Area, right: Right) -> bool {
        self.assignments.iter().any(|one| one.stores.is_none() && one.allows(area, right))
    }

    /// Whether they have everything that a role has, at this store with its tags or (`None`) everywhere.
    pub fn holds(&self, role: Role, store: Option<(&StoreId, &[String])>) -> bool {
        let has = |scope: &Scope| {
            self.assignments.iter().any(|one| {
                let here = match store {
                    Some((store, tags)) => one.reaches(store, tags),
                    None => one.stores.is_none(),
                };
                here && match scope {
                    Scope::Admin => one.scopes.contains(&Scope::Admin),
                    Scope::Area(area, right) => one.allows(*area, *right),
                }
            })
        };
        role.scopes().iter().all(has)
    }

    /// Whether they are an administrator of everything.
    pub fn is_admin(&self) -> bool {
        self.assignments.iter().any(|one| one.stores.is_none() && one.scopes.contains(&Scope::Admin))
    }

    /// Whether they have all of this themselves: nobody hands out more than they have.
    pub fn covers(&self, asked: &Assignment) -> bool {
        self.assignments.iter().any(|own| own.covers(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| text.parse().expect("a scope")).collect()
    }

    fn with(texts: &[&str], stores: Option<Vec<StoreSelector>>) -> Principal {
        Principal { name: "token:t".into(), assignments: vec![Assignment { scopes: scopes(texts), stores }] }
    }

    #[test]
    fn scopes_are_read_and_written() {
        for text in ["admin", "runs:read", "stores:write", "audit:read"] {
            assert_eq!(text.parse::<Scope>().expect(text).to_string(), text);
        }
        for text in ["", "runs", "runs:", ":read", "runs:delete", "Runs:read", "runs:read ", "*", "admin:read"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn writing_includes_reading_and_nothing_else() {
        let one = with(&["runs:write"], None);
        assert_eq!(one.may(Area::Runs, Right::Read), Ok(()));
        assert_eq!(one.may(Area::Runs, Right::Write), Ok(()));
        assert_eq!(one.may(Area::Events, Right::Read), Err(Scope::Area(Area::Events, Right::Read)));
        let reader = with(&["runs:read"], None);
        assert_eq!(reader.may(Area::Runs, Right::Write), Err(Scope::Area(Area::Runs, Right::Write)));
        assert_eq!(with(&[], None).may(Area::Runs, Right::Read), Err(Scope::Area(Area::Runs, Right::Read)));
    }

    #[test]
    fn filters_hide_other_stores_and_what_has_no_store() {
        let (shop, other): (StoreId, StoreId) = ("shop".parse().unwrap(), "other".parse().unwrap());
        let filter = vec![StoreSelector::Store(shop.clone()), StoreSelector::Tag("eu".into())];
        let filtered = with(&["admin"], Some(filter));
        let sees = |store, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            filtered.may_at(Area::Runs, Right::Read, store, &tags)
        };
        assert!(sees(&shop, &[]) && sees(&other, &["eu"]) && !sees(&other, &["us"]));
        assert!(!filtered.may_everywhere(Area::Runs, Right::Read) && !filtered.is_admin());
        assert!(Principal::administrator().is_admin());
    }

    #[test]
    fn roles_hold_only_where_they_were_given() {
        let (eu, us): (StoreId, StoreId) = ("shop-eu".parse().unwrap(), "shop-us".parse().unwrap());
        let at = |role: Role, store: &StoreId| Assignment {
            scopes: role.scopes(),
            stores: Some(vec![StoreSelector::Store(store.clone())]),
        };
        let ada =
            Principal { name: "user:ada".into(), assignments: vec![at(Role::Operator, &eu), at(Role::Viewer, &us)] };
        assert!(ada.may_at(Area::Runs, Right::Write, &eu, &[]));
        assert!(ada.may_at(Area::Runs, Right::Read, &us, &[]) && !ada.may_at(Area::Runs, Right::Write, &us, &[]));
        assert!(ada.may(Area::Secrets, Right::Read).is_err() && ada.may(Area::Audit, Right::Read).is_err());
    }

    #[test]
    fn nobody_hands_out_more_than_they_have() {
        let shop = StoreSelector::Store("shop".parse().unwrap());
        let filtered = with(&["runs:write", "tokens:write"], Some(vec![shop.clone()]));
        let asks = |texts: &[&str], stores: Option<Vec<StoreSelector>>| {
            filtered.covers(&Assignment { scopes: scopes(texts), stores })
        };
        assert!(asks(&["runs:read"], Some(vec![shop.clone()])));
        assert!(!asks(&["runs:read"], None) && !asks(&["runs:read"], Some(vec![StoreSelector::All])));
        assert!(!asks(&["stores:read"], Some(vec![shop.clone()])) && !asks(&["admin"], Some(vec![shop])));
    }
}
