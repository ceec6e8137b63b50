//! The state of hftok, for those who run it and for the application's administrators.

use super::identity::is_administrator;
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::rows::columns::HandedOn;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;

export!(status);

/// Groups whose members need not be administrators.
const READERS: [&str; 3] = ["hftok_admin", "hftok_auditor", "hftok_service"];
/// May call it because some of them are administrators. Whom it was granted to otherwise may see it.
const USERS: &str = "hftok_user";

/// Version, keys, counts and audit in one row.
fn status() -> Result<HandedOn, Error> {
    let caller = Caller::current();
    let is_reader = READERS.iter().any(|group| caller.is_in(group)) || !caller.is_in(USERS);
    if !is_reader && !is_administrator(&caller)? {
        return Err(Error::NotAllowed(
            "status() is for hftok_admin, hftok_auditor, hftok_service and the application's administrators",
        ));
    }
    let _owner = AsOwner::switch(&caller)?;
    LOOK_AT_SERVER.hand_on(&[])
}

statement! {
    /// Run as hftok_owner, whose tables it counts.
    LOOK_AT_SERVER() = "SELECT hftok_private.look_at_server()";
}
