//! Members, administrators and users of an application that has them in tables of its own: an import takes them over, and triggers
//! follow them from then on.
//!
//! What must stay true: whoever may write to such a table decides, and hftok has what the table has, the last owner of an organisation
//! included. A row that names nobody, or whose role is none that somebody gave a meaning, gives nobody anything.

use hftok_core::binding::Scope;
use pgrx::datum::Array;
use pgrx::pg_sys;

use super::followed_table::{Listing, changes, others};
use super::input::{required, texts};
use super::owner::identifier;
use super::role_words::{RoleWords, folded};
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::call::statement;
use crate::pg::call::trigger::{AsItCame, Fired, Trigger};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::rows::strangers::{read_rows, read_texts};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::store::members::{self, Role};
use crate::store::owner_lock;
use crate::store::quotas::Counted;

export!(
    follow_members,
    follow_administrators,
    forget_user_row,
    import_listed,
    import_member,
    import_administrator
);

/// Follows a table of memberships: columns of organisation and user, and perhaps of the role, and meanings of its words.
fn follow_members() -> Result<AsItCame, Error> {
    let trigger = Trigger::current()?;
    let given = trigger.arguments();
    let (columns, words) = match given.as_slice() {
        [org, user] => ([org.as_str(), user, ""], RoleWords::default()),
        [org, user, role, words @ ..] => {
            ([org.as_str(), user, role], RoleWords::parse(words.iter().map(String::as_str))?)
        }
        _ => {
            return Err(Error::BadInput("follow_members() takes the columns of organisation, user and role"));
        }
    };
    let is_with_role = given.len() > 2;
    let caller = Caller::current();
    let member = |[org, user, role]: &[String; 3]| {
        let role = if is_with_role { words.role(role)? } else { Role::Member };
        Some(Membership { org: id(org)?, user: id(user)?, role })
    };
    for [row, after] in changes(&trigger, &caller, columns)? {
        let [before, after] = [&row, &after].map(|row| row.as_ref().and_then(member));
        if before == after {
            continue;
        }
        let is_other =
            |it: &Membership| after.as_ref().is_none_or(|to| (&to.org, &to.user) != (&it.org, &it.user));
        if let (Some(row), Some(gone)) = (&row, before.filter(is_other)) {
            let counted = as_owner(&caller, || Counted::lock(Scope::Org, &gone.org))?;
            // Another row may say the same, or give another role.
            let left = others(&trigger, &caller, columns, row, 2)?.iter().filter_map(member).collect();
            as_owner(&caller, || gone.go(left, &counted))?;
        }
        if let Some(member) = after {
            as_owner(&caller, || member.put(&Counted::lock(Scope::Org, &member.org)?))?;
        }
    }
    Ok(trigger.as_it_came())
}

/// Follows a table of administrators: the column of the user, and perhaps of the role, and words for an administrator.
fn follow_administrators() -> Result<AsItCame, Error> {
    let trigger = Trigger::current()?;
    let given = trigger.arguments();
    let (columns, words) = match given.as_slice() {
        [user] => ([user.as_str(), ""], None),
        [user, role] => ([user.as_str(), role], Some(&[][..])),
        [user, role, words @ ..] => ([user.as_str(), role], Some(words)),
        [] => return Err(Error::BadInput("follow_administrators() takes the columns of user and role")),
    };
    let words: Option<Vec<String>> = words.map(|words| words.iter().map(|word| folded(word)).collect());
    let caller = Caller::current();
    let administrator = |[user, role]: &[String; 2]| {
        let is_one = match &words {
            None => true,
            Some(words) if words.is_empty() => folded(role) == ADMINISTRATOR,
            Some(words) => words.contains(&folded(role)),
        };
        if is_one { id(user) } else { None }
    };
    for [row, after] in changes(&trigger, &caller, columns)? {
        let [before, after] = [&row, &after].map(|row| row.as_ref().and_then(administrator));
        if before == after {
            continue;
        }
        if let (Some(row), Some(user)) = (&row, before) {
            as_owner(&caller, || owner_lock::lock(Scope::User, &user))?;
            let left = others(&trigger, &caller, columns, row, 1)?;
            if !left.iter().filter_map(administrator).any(|other| other == user) {
                as_owner(&caller, || revoke_administrator(&user))?;
            }
        }
        if let Some(user) = after {
            as_owner(&caller, || {
                owner_lock::lock(Scope::User, &user)?;
                GRANT_ADMINISTRATOR.write(&[user.as_str().into()], |_| Ok(()))
            })?;
        }
    }
    Ok(trigger.as_it_came())
}

/// Forgets users whose rows are deleted: their column, or `id`.
fn forget_user_row() -> Result<AsItCame, Error> {
    let trigger = Trigger::current()?;
    let given = trigger.arguments();
    let column = match given.as_slice() {
        [] => "id",
        [column] => column.as_str(),
        _ => return Err(Error::BadInput("forget_user_row() takes the column of the user")),
    };
    if !matches!(trigger.fired(), Fired::AfterDelete | Fired::BeforeTruncate) {
        return Err(Error::BadInput(
            "forget_user_row() is for AFTER DELETE of a row, and for BEFORE TRUNCATE",
        ));
    }
    let caller = Caller::current();
    for [row, _] in changes(&trigger, &caller, [column])? {
        let Some((row, user)) = row.and_then(|row| id(&row[0]).map(|user| (row, user))) else { continue };
        as_owner(&caller, || owner_lock::lock(Scope::User, &user))?;
        // One that goes to another partition stays.
        let left = others(&trigger, &caller, [column], &row, 1)?;
        if !left.iter().any(|[other]| id(other).as_ref() == Some(&user)) {
            as_owner(&caller, || FORGET_USER.write(&[user.as_str().into()], |_| Ok(())))?;
        }
    }
    Ok(trigger.as_it_came())
}

/// The rows of a table, in columns that hold no values, and where each lies.
fn import_listed(p_table: Option<pg_sys::Oid>, p_columns: Option<Array<'_, &str>>) -> Result<(), Error> {
    let caller = Caller::current();
    let table = required(p_table, "p_table must not be null")?;
    let columns = required(texts(p_columns)?, "p_columns must not be null")?;
    let listing = Listing::make(&caller, table, columns)?;
    read_rows(&caller, &listing.admitted(&caller)?, &listing.listing)
}

/// Takes one membership over, and says what became of it. Without a role it is a member's.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn import_member(
    p_org_id: Option<&str>,
    p_user_id: Option<&str>,
    p_role: Option<&str>,
    p_roles: Option<Array<'_, &str>>,
    p_dry_run: Option<bool>,
    p_table: Option<pg_sys::Oid>,
    p_columns: Option<Array<'_, &str>>,
    p_place: Option<&str>,
) -> Result<&'static str, Error> {
    let words = required(texts(p_roles)?, "p_roles must not be null")?;
    let words = RoleWords::parse(words.iter().map(String::as_str))?;
    let (Some(org), Some(user)) = (p_org_id.and_then(id), p_user_id.and_then(id)) else {
        return Ok("nobody");
    };
    let Some(role) = p_role.map_or(Some(Role::Member), |word| words.role(word)) else { return Ok("no_role") };
    let caller = Caller::current();
    let member = Membership { org, user, role };
    let counted = {
        let _owner = AsOwner::switch(&caller)?;
        if member.is_given()? {
            return Ok("unchanged");
        }
        Counted::lock(Scope::Org, &member.org)?
    };
    let row = [p_org_id, p_user_id, p_role].map(Option::unwrap_or_default);
    if !is_still_so(&caller, p_table, texts(p_columns)?, p_place, row)? {
        return Ok("gone");
    }
    if p_dry_run != Some(true) {
        let _owner = AsOwner::switch(&caller)?;
        member.put(&counted)?;
    }
    Ok("imported")
}

/// Takes one administrator over, and says what became of it. Without a role everybody is one.
fn import_administrator(
    p_user_id: Option<&str>,
    p_role: Option<&str>,
    p_roles: Option<Array<'_, &str>>,
    p_dry_run: Option<bool>,
    p_table: Option<pg_sys::Oid>,
    p_columns: Option<Array<'_, &str>>,
    p_place: Option<&str>,
) -> Result<&'static str, Error> {
    let words = required(texts(p_roles)?, "p_roles must not be null")?;
    let Some(user) = p_user_id.and_then(id) else { return Ok("nobody") };
    if p_role.is_some_and(|role| !words.iter().any(|word| folded(word) == folded(role))) {
        return Ok("no_role");
    }
    let caller = Caller::current();
    {
        let _owner = AsOwner::switch(&caller)?;
        if members::is_administrator(&user)? {
            return Ok("unchanged");
        }
        owner_lock::lock(Scope::User, &user)?;
    }
    let row = ["", p_user_id.unwrap_or_default(), p_role.unwrap_or_default()];
    if !is_still_so(&caller, p_table, texts(p_columns)?, p_place, row)? {
        return Ok("gone");
    }
    if p_dry_run != Some(true) {
        let _owner = AsOwner::switch(&caller)?;
        GRANT_ADMINISTRATOR.write(&[user.as_str().into()], |_| Ok(()))?;
    }
    Ok("imported")
}

/// Whether a row that was listed is still at its place, and says the same. Whoever changes it has the same lock until the change is
/// committed, so that it stays so. Where rows have no place, nobody can tell.
fn is_still_so(
    caller: &Caller,
    table: Option<pg_sys::Oid>,
    columns: Option<Vec<String>>,
    place: Option<&str>,
    row: [&str; 3],
) -> Result<bool, Error> {
    let (Some(table), Some(columns), Some(place)) = (table, columns, place) else { return Ok(true) };
    statement::per_place(
        || None::<Listing>,
        |kept| {
            let is_same = |it: &Listing| it.table == table && it.columns == columns;
            let listing = match kept.take().filter(is_same) {
                Some(listing) => listing,
                None => Listing::make(caller, table, columns.clone())?,
            };
            let listing = kept.insert(listing);
            let Some(looking) = &listing.looking else { return Ok(true) };
            let found = read_texts::<3>(caller, &listing.admitted(caller)?, looking, &[place])?;
            Ok(found.first().is_some_and(|found| found.each_ref().map(String::as_str) == row))
        },
    )
}

/// The usual word for an administrator.
const ADMINISTRATOR: &str = "admin";

/// A membership that a row gives.
#[derive(PartialEq)]
struct Membership {
    /// The organisation.
    org: String,
    /// The member.
    user: String,
    /// The member's role.
    role: Role,
}

impl Membership {
    /// Whether it is so already.
    fn is_given(&self) -> Result<bool, Error> {
        Ok(members::role(&self.org, &self.user)? == Some(self.role))
    }

    /// Gives it. Its organisation is locked.
    fn put(&self, counted: &Counted<'_>) -> Result<(), Error> {
        if self.is_given()? { Ok(()) } else { members::put(counted, &self.user, self.role) }
    }

    /// Goes with its row, unless rows that are left give one: then the highest of them stays. Its organisation is locked.
    fn go(&self, left: Vec<Self>, counted: &Counted<'_>) -> Result<(), Error> {
        let left = left.into_iter().filter(|other| (&other.org, &other.user) == (&self.org, &self.user));
        match left.max_by_key(|other| other.role) {
            Some(other) => other.put(counted),
            None => self.end(),
        }
    }

    /// Ends it. A transaction that sees an older state than the membership would leave it there.
    fn end(&self) -> Result<(), Error> {
        let is_ended = members::remove(&self.org, &self.user)?;
        if !is_ended && members::role(&self.org, &self.user)?.is_some() {
            return Err(Error::NotSeen);
        }
        Ok(())
    }
}

/// Does something as hftok's owner, and is the caller again: as whom the application's table is read.
fn as_owner<T>(caller: &Caller, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _owner = AsOwner::switch(caller)?;
    work()
}

/// Takes an administrator's rights. A transaction that sees an older state than these would leave them there.
fn revoke_administrator(user: &str) -> Result<(), Error> {
    REVOKE_ADMINISTRATOR.write(&[user.into()], |_| Ok(()))?;
    if members::is_administrator(user)? { Err(Error::NotSeen) } else { Ok(()) }
}

/// A user or an organisation of the application, if a text can be one. Names of database roles are nobody's to choose.
fn id(text: &str) -> Option<String> {
    identifier(text.trim()).ok().filter(|id| !id.starts_with("role:"))
}

statement! {
    /// Tells the audit, if they were none.
    GRANT_ADMINISTRATOR(TEXT) = "SELECT hftok_private.grant_administrator_as_owner($1)";

    /// Tells the audit, if they were one.
    REVOKE_ADMINISTRATOR(TEXT) = "SELECT hftok_private.revoke_administrator_as_owner($1)";

    /// Tells the audit of each thing that goes.
    FORGET_USER(TEXT) = "SELECT FROM hftok_private.forget('user', $1)";
}
