//! Organisations and their members, and the administrators of the application.

use hftok_core::binding::Scope;

use super::input::required;
use super::owner::{self, Actor};
use crate::error::{Error, Object};
use crate::pg::call::entry::export;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::members::{self, Role};
use crate::store::owner_lock;
use crate::store::quotas::Counted;

export!(add_member, remove_member, identifier, lock_owner);

/// Makes a user a member of an organisation, or gives a member another role.
fn add_member(p_org_id: Option<&str>, p_user_id: Option<&str>, p_role: Option<&str>) -> Result<(), Error> {
    let change = MembershipChange::parse(p_org_id, p_user_id)?;
    let role = Role::parse(required(p_role, "p_role must not be null")?)
        .ok_or(Error::BadInput("p_role must be owner, admin or member"))?;
    let caller = Caller::current();
    let actor = Actor::of(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    let counted = Counted::lock(Scope::Org, &change.org)?;
    change.admit(&actor, Some(role))?;
    members::put(&counted, &change.user, role)
}

/// Ends a membership; says whether there was one.
fn remove_member(p_org_id: Option<&str>, p_user_id: Option<&str>) -> Result<bool, Error> {
    let change = MembershipChange::parse(p_org_id, p_user_id)?;
    let caller = Caller::current();
    let actor = Actor::of(&caller)?;
    let _owner = AsOwner::switch(&caller)?;
    owner_lock::lock(Scope::Org, &change.org)?;
    change.admit(&actor, None)?;
    members::remove(&change.org, &change.user)
}

/// An identifier as it is stored.
fn identifier(p_id: Option<&str>) -> Result<String, Error> {
    owner::identifier(required(p_id, "an identifier must not be null")?)
}

/// Waits until nobody else writes for this owner.
fn lock_owner(p_scope: Option<&str>, p_id: Option<&str>) -> Result<(), Error> {
    let scope = Scope::parse(required(p_scope, "p_scope must not be null")?)
        .ok_or(Error::BadInput("p_scope must be a scope"))?;
    owner_lock::lock(scope, required(p_id, "p_id must not be null")?)
}

/// A change of one membership.
struct MembershipChange {
    /// The organisation that is changed.
    org: String,
    /// The member it is about.
    user: String,
}

impl MembershipChange {
    /// Both must be there, and be identifiers: a NULL would match nobody and answer as if all were well.
    fn parse(org: Option<&str>, user: Option<&str>) -> Result<Self, Error> {
        Ok(Self {
            org: owner::identifier(required(org, "p_org_id must not be null")?)?,
            user: owner::identifier(required(user, "p_user_id must not be null")?)?,
        })
    }

    /// Fails unless the actor may make this change. `to` is the new role, `None` for none.
    fn admit(&self, actor: &Actor, to: Option<Role>) -> Result<(), Error> {
        // Owners are locked, so that two of them cannot leave at once.
        let owners = members::lock_owners(&self.org)?;
        let leaves = owners.contains(&self.user) && to != Some(Role::Owner);
        let is_last = leaves && owners.len() == 1;
        let last = || Err(Error::BadInput("the last owner of an organisation stays"));
        let Actor::User(user) = actor else { return if is_last { last() } else { Ok(()) } };
        let own_role = members::role(&self.org, user)?.ok_or(Error::NotFound(Object::Owner))?;
        let concerns_owner = leaves || to == Some(Role::Owner);
        match own_role {
            Role::Owner if is_last => last(),
            Role::Owner => Ok(()),
            Role::Admin if !concerns_owner => Ok(()),
            Role::Admin => Err(Error::NotAllowed("only owners make or change owners")),
            // Anybody may leave.
            Role::Member if to.is_none() && *user == self.user => Ok(()),
            Role::Member => {
                Err(Error::NotAllowed("only owners and admins of an organisation change its members"))
            }
        }
    }
}
