//! Who may do what to which subjects: pure, and refusing what no rule grants.

use super::principal::{Method, Principal};
use crate::contract::{PatternError, TopicPattern};
use thiserror::Error;

/// What may be done to a subject. ADMIN has all the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Schemas, versions, settings are shown; a schema may be tested and be referred to.
    Read,
    /// Schemas are registered.
    Write,
    /// Versions and subjects are deleted.
    Delete,
    /// The subject's configuration is changed, and a schema registered without the compatibility check.
    Compatibility,
    /// Modes are changed and contexts forgotten; on all subjects also the global configuration and mode.
    Admin,
}

impl Role {
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Compatibility,
        Self::Admin,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Delete => "DELETE",
            Self::Compatibility => "COMPATIBILITY",
            Self::Admin => "ADMIN",
        }
    }

    /// Reads a role's name as it is written, in capitals.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Roles(u8);

impl Roles {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub fn with(self, role: Role) -> Self {
        Self(self.0 | Self::bit(role))
    }

    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0 & (Self::bit(role) | Self::bit(Role::Admin)) != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(role: Role) -> u8 {
        1 << (role as u8)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Whom a rule is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// `*`: whoever has said who it is.
    Everyone,
    /// `anonymous`: whoever has not, and everyone else too.
    Anonymous,
    /// `user:NAME`
    User(String),
    /// `group:NAME`
    Group(String),
}

impl Who {
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "*" => Ok(Self::Everyone),
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("user", name)) if !name.is_empty() => Ok(Self::User(name.to_owned())),
            Some(("group", name)) if !name.is_empty() => Ok(Self::Group(name.to_owned())),
            _ => Err(format!(
                "`{text}` is neither `user:NAME`, `group:NAME`, `anonymous` nor `*`"
            )),
        }
    }

    fn is(&self, principal: &Principal) -> bool {
        match self {
            Self::Everyone => principal.method != Method::Anonymous,
            Self::Anonymous => true,
            Self::User(name) => principal.method != Method::Anonymous && *name == *principal.name,
            Self::Group(name) => principal.groups.iter().any(|group| **group == **name),
        }
    }
}

/// Why a pattern of subjects cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SubjectPatternError {
    #[error("a subject pattern may not be empty")]
    Empty,
    #[error("not a regular expression: {0}")]
    Regex(String),
}

/// A glob, or `/a regular expression/`, as policies have them for topics. It is held against the subject as the
/// registry keeps it: `orders-value` in the default context, `:.billing:orders-value` in another.
#[derive(Clone, Debug)]
pub struct SubjectPattern {
    pattern: TopicPattern,
    /// `*`: also what belongs to no subject.
    everything: bool,
}

impl SubjectPattern {
    /// # Errors
    /// When it is empty, or no regular expression.
    pub fn parse(text: &str) -> Result<Self, SubjectPatternError> {
        let pattern = TopicPattern::parse(text).map_err(|error| match error {
            PatternError::Empty => SubjectPatternError::Empty,
            PatternError::Regex(why) => SubjectPatternError::Regex(why),
        })?;
        Ok(Self {
            pattern,
            everything: text == "*",
        })
    }

    fn matches(&self, target: Target<'_>) -> bool {
        match target {
            Target::Everything => self.everything,
            Target::Subject(subject) => self.everything || self.pattern.matches(subject),
        }
    }
}

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// As the registry keeps it; `:.billing:` is a context.
    Subject(&'a str),
    /// The global configuration and mode.
    Everything,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub subjects: Vec<SubjectPattern>,
    pub grants: Vec<(Role, Vec<Who>)>,
}

/// All rules; what several grant adds up.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub rules: Vec<Rule>,
    /// What everybody may do to every subject, also without saying who it is.
    pub anonymous: Roles,
}

impl Rules {
    #[must_use]
    pub fn roles(&self, principal: &Principal, target: Target<'_>) -> Roles {
        let mut roles = self.anonymous.and(principal.roles);
        for rule in &self.rules {
            if rule.subjects.iter().any(|pattern| pattern.matches(target)) {
                let granted = rule
                    .grants
                    .iter()
                    .filter(|(_, who)| who.iter().any(|who| who.is(principal)));
                roles = granted.fold(roles, |roles, (role, _)| roles.with(*role));
            }
        }
        roles
    }

    /// Whether a principal has a role on anything at all.
    #[must_use]
    pub fn knows(&self, principal: &Principal) -> bool {
        let granted = |rule: &Rule| {
            rule.grants
                .iter()
                .any(|(_, who)| who.iter().any(|who| who.is(principal)))
        };
        !self.anonymous.and(principal.roles).is_empty() || self.rules.iter().any(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(of: &[(&str, Role, &[&str])]) -> Rules {
        let rules = of.iter().map(|(pattern, role, who)| Rule {
            subjects: vec![SubjectPattern::parse(pattern).unwrap()],
            grants: vec![(*role, who.iter().map(|who| Who::parse(who).unwrap()).collect())],
        });
        Rules {
            rules: rules.collect(),
            anonymous: Roles::NONE,
        }
    }

    fn user(name: &str, groups: &[&str]) -> Principal {
        Principal {
            name: name.into(),
            groups: groups.iter().map(|&group| group.into()).collect(),
            roles: Roles::NONE,
            method: Method::Basic,
        }
    }

    #[test]
    fn a_team_writes_its_subjects_and_all_read_them() {
        let rules = rules(&[
            ("payments.*", Role::Write, &["group:payments", "user:alice"]),
            ("payments.*", Role::Read, &["*"]),
        ]);
        let orders = Target::Subject("payments.orders-value");
        for (principal, writes) in [
            (user("alice", &[]), true),
            (user("bob", &["payments"]), true),
            (user("bob", &["payments2"]), false),
            (user("payments", &["alice"]), false),
        ] {
            let roles = rules.roles(&principal, orders);
            assert_eq!(roles.has(Role::Write), writes, "{principal:?}");
            assert!(roles.has(Role::Read));
            assert!(!roles.has(Role::Delete) && !roles.has(Role::Admin) && !roles.has(Role::Compatibility));
        }
        let alice = user("alice", &[]);
        for elsewhere in [
            "payments",
            "Payments.a",
            ":.ctx:payments.a",
            "x/payments.a",
            ":.:payments.a",
        ] {
            let target = Target::Subject(elsewhere);
            assert!(rules.roles(&alice, target).is_empty(), "{elsewhere}");
        }
        assert!(rules.roles(&alice, Target::Everything).is_empty());
        assert!(rules.roles(&Principal::anonymous(), orders).is_empty());
    }

    #[test]
    fn admin_may_everything_and_only_a_star_reaches_what_is_global() {
        let rules = rules(&[
            ("*", Role::Admin, &["group:platform"]),
            ("**", Role::Admin, &["user:nearly"]),
        ]);
        let root = user("root", &["platform"]);
        for role in Role::ALL {
            assert!(rules.roles(&root, Target::Subject(":.c:a\nb")).has(role));
            assert!(rules.roles(&root, Target::Everything).has(role));
            assert!(!rules.roles(&user("nearly", &[]), Target::Everything).has(role));
        }
    }

    #[test]
    fn anonymous_is_nobody_but_where_it_is_named() {
        let mut rules = rules(&[
            ("public.*", Role::Read, &["anonymous"]),
            ("*", Role::Write, &["*"]),
        ]);
        let nobody = Principal::anonymous();
        assert!(rules.roles(&nobody, Target::Subject("public.a")).has(Role::Read));
        assert!(rules.roles(&nobody, Target::Subject("private.a")).is_empty());
        assert!(
            rules
                .roles(&user("a", &[]), Target::Subject("public.a"))
                .has(Role::Read)
        );
        assert!(rules.knows(&nobody));
        rules.rules.remove(0);
        assert!(!rules.knows(&nobody));
        rules.anonymous = [Role::Read].into_iter().collect();
        assert!(rules.knows(&nobody));
        assert!(rules.roles(&nobody, Target::Subject("private.a")).has(Role::Read));
        assert!(
            !rules
                .roles(&nobody, Target::Subject("private.a"))
                .has(Role::Write)
        );
    }

    #[test]
    fn a_user_that_calls_itself_anonymous_or_a_group_is_only_a_user() {
        let rules = rules(&[("*", Role::Write, &["user:anonymous", "group:g"])]);
        assert!(
            !rules
                .roles(&Principal::anonymous(), Target::Everything)
                .has(Role::Write)
        );
        assert!(!rules.roles(&user("g", &[]), Target::Everything).has(Role::Write));
        assert!(
            !rules
                .roles(&user("group:g", &[]), Target::Everything)
                .has(Role::Write)
        );
    }

    #[test]
    fn whom_a_rule_is_for_is_written_in_four_ways() {
        assert_eq!(Who::parse("*"), Ok(Who::Everyone));
        assert_eq!(Who::parse("anonymous"), Ok(Who::Anonymous));
        assert_eq!(Who::parse("user:CN=a:b"), Ok(Who::User("CN=a:b".to_owned())));
        assert_eq!(Who::parse("group:g"), Ok(Who::Group("g".to_owned())));
        for wrong in ["alice", "user:", "group:", "role:x", ""] {
            assert!(Who::parse(wrong).is_err(), "{wrong}");
        }
    }
}
