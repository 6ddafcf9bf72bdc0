//! Where a field is generated: the versions that can reach it. Conditions that are always true or
//! never true in them do not become code.

use crate::model::{Field, Versions};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The versions in which the struct can be met.
    pub(crate) versions: Versions,
    /// The flexible versions of the message.
    pub(crate) flexible: Versions,
}

/// When something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    Never,
    /// An expression over `version`.
    If(String),
}

impl Scope {
    pub(crate) fn within(self, versions: Versions) -> Self {
        Self { versions: self.versions.intersect(versions), ..self }
    }

    /// That `version` lies in `range`.
    pub(crate) fn condition(self, range: Versions) -> Condition {
        let reached = self.versions.intersect(range);
        if reached.is_empty() {
            return Condition::Never;
        }
        if reached == self.versions {
            return Condition::Always;
        }
        let Versions { low, high } = reached;
        Condition::If(if low == high {
            format!("version == {low}")
        } else if high == self.versions.high {
            format!("version >= {low}")
        } else if low == self.versions.low {
            format!("version <= {high}")
        } else {
            format!("({low}..={high}).contains(&version)")
        })
    }

    /// The argument that says whether lengths have variable width.
    pub(crate) fn flexible_argument(self, field: &Field) -> String {
        let flexible = field.flexible.unwrap_or(self.flexible);
        match self.condition(flexible) {
            Condition::Always => "true".to_owned(),
            Condition::Never => "false".to_owned(),
            Condition::If(condition) if field.flexible.is_some() => condition,
            Condition::If(_) => "flexible".to_owned(),
        }
    }

    /// The versions in which the field stands in its order, not among the tagged ones.
    pub(crate) fn plain(self, field: &Field) -> Versions {
        field.versions.before(field.tagged).intersect(self.versions)
    }

    pub(crate) fn tagged(self, field: &Field) -> Versions {
        field.tagged.intersect(field.versions).intersect(self.versions)
    }

    pub(crate) fn present(self, field: &Field) -> Versions {
        field.versions.intersect(self.versions)
    }

    /// Whether the field can be null in any version, so that its type is an `Option`.
    pub(crate) fn is_option(self, field: &Field) -> bool {
        !field.nullable.intersect(self.present(field)).is_empty()
    }
}
