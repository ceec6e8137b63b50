//! Organisations, their members, and the administrators of the application.

use hftok_core::audit::event::Object;
use hftok_core::binding::Scope;

use crate::audit::changes;
use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::store::integrations;
use crate::store::quotas::Counted;

/// The rights of a member in an organisation, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Uses credentials, and sees them masked.
    Member,
    /// Writes credentials and members.
    Admin,
    /// Everything, making owners included.
    Owner,
}

impl Role {
    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "owner" => Some(Self::Owner),
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// Whether it may write the organisation's credentials.
    pub fn may_write(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

/// The role of a user in an organisation, if they belong to it.
pub fn role(org_id: &str, user_id: &str) -> Result<Option<Role>, Error> {
    let word: Option<String> = FIND_ROLE.read_one(&[org_id.into(), user_id.into()], |row| row.next())?;
    Ok(word.and_then(|word| Role::parse(&word)))
}

/// The owners of an organisation, locked until the transaction ends.
pub fn lock_owners(org_id: &str) -> Result<Vec<String>, Error> {
    LOCK_OWNERS.write(&[org_id.into()], |row| row.next())
}

/// Makes a user a member of the organisation that is counted for, or gives a member another role.
pub fn put(counted: &Counted<'_>, user_id: &str, role: Role) -> Result<(), Error> {
    let org_id = counted.id();
    if self::role(org_id, user_id)?.is_none() {
        counted.admit_member()?;
    }
    PUT_MEMBER.execute(&[org_id.into(), user_id.into(), role.as_str().into()])?;
    record(org_id, user_id, Some(role))
}

/// Ends a membership, and what the member shared with the organisation; `false` when there was none.
pub fn remove(org_id: &str, user_id: &str) -> Result<bool, Error> {
    let is_removed = REMOVE_MEMBER.execute(&[org_id.into(), user_id.into()])? > 0;
    if is_removed {
        integrations::unshare_all(org_id, user_id)?;
        record(org_id, user_id, None)?;
    }
    Ok(is_removed)
}

/// Records the role that a user now has in an organisation.
fn record(org_id: &str, user_id: &str, role: Option<Role>) -> Result<(), Error> {
    changes::record(Object {
        scope: Some(Scope::Org.as_str()),
        owner: Some(org_id),
        subject: Some(user_id),
        level: role.map(Role::as_str),
        ..Object::default()
    })
}

/// Whether a user is an administrator of the application.
pub fn is_administrator(user_id: &str) -> Result<bool, Error> {
    Ok(FIND_ADMINISTRATOR.read_one(&[user_id.into()], |_| Ok(()))?.is_some())
}

statement! {
    /// The role of a member.
    FIND_ROLE(TEXT, TEXT) =
        "SELECT m.role FROM hftok_private.members m WHERE m.org_id = $1 AND m.user_id = $2";

    /// Locked, so that of two owners who leave at once the second finds that they are the last.
    LOCK_OWNERS(TEXT) =
        "SELECT m.user_id FROM hftok_private.members m
        WHERE m.org_id = $1 AND m.role = 'owner' FOR UPDATE";

    /// Adds a member, or changes their role.
    PUT_MEMBER(TEXT, TEXT, TEXT) =
        "INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role";

    /// Removes a member.
    REMOVE_MEMBER(TEXT, TEXT) = "DELETE FROM hftok_private.members WHERE org_id = $1 AND user_id = $2";

    /// Whether a user administers what is global.
    FIND_ADMINISTRATOR(TEXT) = "SELECT 1 FROM hftok_private.administrators a WHERE a.user_id = $1";
}
