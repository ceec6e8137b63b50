//! Providers: the built-in catalogue, and what an operator registered beside it or described otherwise.
//!
//! What must stay true: a registration counts only if hftok itself signed it, because it decides where tokens are sent. One
//! that was changed stops whatever asks for its provider, and nothing else; the built-in description never takes its place.

use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

use hftok_core::audit::event::Object;
use hftok_core::audit::mac::Mac;
use hftok_core::provider::{self, Described, Provider};
use serde_json::{Map, Value, json};

use crate::audit::changes;
use crate::error::Error;
use crate::keys::{self, data_keys};
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::relations::Matter;
use crate::pg::rows::remembered::Remembered;
use crate::pg::rows::sql::Run;

thread_local! {
    static REGISTERED: Remembered<Vec<Registration>> =
        const { Remembered::new(Matter::Providers, &[c"providers"]) };
}

/// Providers that may be registered when an administrator of the application registers another one.
const ADMINISTRATORS_MAX: i64 = 200;
/// How often a registration is looked for that others take back and register anew all the time.
const HOLDS_MAX: u32 = 10;
/// The bytes in which one describes it.
const ADMINISTRATORS_BYTES_MAX: usize = 8 * 1024;

/// The kind of owner that the audit names for a provider.
const SCOPE: &str = "catalogue";

/// A provider that may be used.
pub enum Entry {
    /// As the catalogue has it.
    Builtin(&'static Provider),
    /// As an operator described it.
    Registered(Rc<Described>),
}

impl Deref for Entry {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        match self {
            Self::Builtin(provider) => provider,
            Self::Registered(described) => &described.provider,
        }
    }
}

/// A registration as it lies in its table.
pub struct Registration {
    /// The provider's name.
    id: String,
    /// As it was given, in JSON.
    definition: String,
    /// Over name and definition: an edited row is not believed.
    signature: Vec<u8>,
    /// Looked at once, and only when there is a key to look with.
    judged: OnceCell<Result<Rc<Described>, String>>,
}

impl Registration {
    /// A registration that was read.
    pub fn new(id: String, definition: String, signature: Vec<u8>) -> Self {
        Self { id, definition, signature, judged: OnceCell::new() }
    }

    /// The provider that it describes, if hftok vouches for it.
    fn provider(&self) -> Result<Rc<Described>, Error> {
        if self.judged.get().is_none() {
            let judged = self.judge()?;
            // Should it be set by now, then to the same.
            let _ = self.judged.set(judged);
        }
        match self.judged.get() {
            Some(Ok(described)) => Ok(Rc::clone(described)),
            Some(Err(reason)) => {
                Err(Error::ProviderUnusable { provider: self.id.clone(), reason: reason.clone() })
            }
            None => Err(Error::Internal("a registration was not judged")),
        }
    }

    /// The outer error is ours; the inner one says what is wrong with the row.
    fn judge(&self) -> Result<Result<Rc<Described>, String>, Error> {
        let signed = Mac::try_from(self.signature.as_slice());
        let is_signed = match &signed {
            Ok(link) => data_keys::was_made(link, |key| key.registration(&self.id, &self.definition))?,
            Err(_) => false,
        };
        if !is_signed {
            return Ok(Err("it, or what is said of it, was changed outside hftok".to_owned()));
        }
        Ok(match provider::describe(&self.definition) {
            Ok(described) if described.provider.id == self.id => Ok(Rc::new(described)),
            Ok(_) => Err("it is described under another name".to_owned()),
            Err(fault) => Err(format!("its description is not sound any more: {fault}")),
        })
    }

    /// Why it cannot be used, if it cannot.
    pub fn fault(&self) -> Result<Option<String>, Error> {
        match self.provider() {
            Ok(_) => Ok(None),
            Err(Error::ProviderUnusable { reason, .. }) => Ok(Some(reason)),
            Err(error) => Err(error),
        }
    }
}

/// The provider of this name; an operator's description goes before the built-in one.
pub fn find(id: &str) -> Result<Entry, Error> {
    let known = known()?;
    match known.iter().find(|registered| registered.id == id) {
        Some(registered) => registered.provider().map(Entry::Registered),
        None => provider::find(id).map(Entry::Builtin).ok_or_else(|| unknown(id, &known)),
    }
}

/// The same, for whoever is about to use it: one that is switched off is refused.
pub fn in_use(id: &str) -> Result<Entry, Error> {
    unless_off(id, find(id)?)
}

/// The same, for whoever is about to save a credential of it: it is not taken back, and then perhaps described with other hosts, before
/// the credential is there.
pub fn to_save(id: &str) -> Result<Entry, Error> {
    unless_off(id, to_move(id)?)
}

/// The same for what is moved in, whether the provider is switched off or not.
pub fn to_move(id: &str) -> Result<Entry, Error> {
    for _ in 0..HOLDS_MAX {
        let found = find(id)?;
        // What is built in cannot be taken back. Whoever describes it otherwise from now on could do so after the credential is there.
        if matches!(found, Entry::Builtin(_)) {
            return Ok(found);
        }
        // Otherwise it was taken back meanwhile, and perhaps registered anew.
        if HOLD_ROW.execute(&[id.into()])? > 0 {
            return find(id);
        }
    }
    Err(Error::UnknownProvider { nearest: None })
}

/// Refuses a provider that is switched off.
fn unless_off(id: &str, found: Entry) -> Result<Entry, Error> {
    if found.enabled { Ok(found) } else { Err(Error::ProviderOff { provider: id.to_owned() }) }
}

/// The error for a name that no provider has, with the name that is probably meant.
fn unknown(id: &str, known: &[Registration]) -> Error {
    let registered = known.iter().map(|registered| registered.id.as_str());
    Error::UnknownProvider { nearest: provider::nearest(id, registered).map(str::to_owned) }
}

/// A provider, or what is in the way of using it.
pub type EntryRead = Result<Entry, Error>;

/// Every provider by its name, with what is in the way of using it, if something is.
pub fn all() -> Result<Vec<(String, EntryRead)>, Error> {
    let known = known()?;
    let is_registered = |id: &str| known.iter().any(|registered| registered.id == id);
    let builtin = provider::builtin()
        .iter()
        .filter(|provider| !is_registered(&provider.id))
        .map(|provider| (provider.id.clone(), Ok(Entry::Builtin(provider))));
    let registered =
        known.iter().map(|registered| (registered.id.clone(), registered.provider().map(Entry::Registered)));
    Ok(builtin.chain(registered).collect())
}

/// Every provider that can be used. One that was changed outside hftok is left out; that hftok is sealed is an error.
pub fn usable() -> Result<Vec<Entry>, Error> {
    let usable = all()?.into_iter().filter_map(|(_, entry)| match entry {
        Err(Error::ProviderUnusable { .. }) => None,
        entry => Some(entry),
    });
    usable.collect()
}

/// The registrations that the session remembers.
fn known() -> Result<Rc<Vec<Registration>>, Error> {
    REGISTERED.with(|registered| registered.now(|_| self::registered()))
}

/// The registrations, from their table.
pub fn registered() -> Result<Vec<Registration>, Error> {
    // A registration holds an `Rc`, so it is made outside the closure, whose result is `Send`.
    let rows = FIND_ALL.read(&[], |row| Ok((row.next()?, row.next()?, row.next()?)))?;
    Ok(rows
        .into_iter()
        .map(|(id, definition, signature)| Registration::new(id, definition, signature))
        .collect())
}

/// Whoever describes providers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registrar {
    /// Runs hftok, and could open every credential anyhow.
    Operator,
    /// Administers the application, and sees nobody's credentials but masked.
    Administrator,
}

impl Registrar {
    /// Fails where an administrator of the application would decide on more than a provider of the application's own: on what is
    /// built in, where requests take stored credentials, what runners tell their processes, or whose keys are refused elsewhere.
    fn admit(self, provider: &Provider) -> Result<(), Error> {
        let is_own = provider.is_plain() && provider::find(&provider.id).is_none();
        if self == Self::Operator || is_own {
            return Ok(());
        }
        Err(Error::NotAllowed(
            "only an operator describes built-in providers, or gives one a test, an OpenAI address, variables or a prefix of its own",
        ))
    }

    /// Fails where an administrator would lift an operator's switch.
    fn admit_switch(self, present: &Provider) -> Result<(), Error> {
        let is_operators = !present.enabled && present.switched_off_by.is_none();
        if self == Self::Administrator && is_operators {
            return Err(Error::NotAllowed(
                "an operator switched this provider off, and only one switches it on",
            ));
        }
        Ok(())
    }

    /// A description in which an administrator's switch says whose it is.
    fn sign_switch(self, described: Described) -> Result<Described, Error> {
        if self == Self::Operator || described.provider.enabled {
            return Ok(described);
        }
        let said = with_switch(&described.said, Some(self))?;
        provider::describe(&said.to_string()).map_err(Error::Described)
    }

    /// The same for what is registered already, and may have credentials: these go no further in an administrator's hands.
    fn admit_change(self, id: &str, described: Option<&Provider>) -> Result<(), Error> {
        if self == Self::Operator {
            return Ok(());
        }
        let read = |row: &Row<'_>| Ok((row.next()?, row.next()?, row.next()?));
        let Some((name, definition, signature)) = FIND_NOW.write_one(&[id.into()], read)? else {
            // Each session reads them all.
            let count: i64 = COUNT_ALL.write_one(&[], |row| row.next())?.unwrap_or(0);
            return if count < ADMINISTRATORS_MAX {
                Ok(())
            } else {
                Err(Error::NotAllowed("200 providers are registered, and only an operator registers more"))
            };
        };
        let present = Registration::new(name, definition, signature).provider()?;
        self.admit(&present.provider)?;
        self.admit_switch(&present.provider)?;
        match described {
            Some(described) if !described.reaches_no_further_than(&present.provider) => {
                Err(Error::NotAllowed("only an operator gives a provider that is there further hosts"))
            }
            _ => Ok(()),
        }
    }
}

/// Registers what is said of a provider, in the place of what was said of it before; gives its name.
pub fn register(given: &str, registrar: Registrar) -> Result<String, Error> {
    let described = provider::describe(given).map_err(Error::Described)?;
    registrar.admit(&described.provider)?;
    let Described { provider, said, .. } = registrar.sign_switch(described)?;
    if registrar == Registrar::Administrator && said.len() > ADMINISTRATORS_BYTES_MAX {
        return Err(Error::NotAllowed("only an operator describes a provider in more than 8 kB"));
    }
    LOCK_TABLE.execute(&[])?;
    registrar.admit_change(&provider.id, Some(&provider))?;
    let id = provider.id;
    let signature = data_keys::auditing_with(data_keys::audit_key()?, |key| key.registration(&id, &said))?;
    PUT_ROW.execute(&[id.as_str().into(), said.as_str().into(), signature.as_slice().into()])?;
    changes::record(Object { digest: Some(&provider::digest(&said)), ..Object::owned(SCOPE, "", &id) })?;
    Ok(id)
}

/// Switches a provider off for the application, or on again, and leaves the rest of what is said of it; `false` when it was so.
pub fn switch(id: &str, enabled: bool, registrar: Registrar) -> Result<bool, Error> {
    keys::ready()?;
    let present = find(id)?;
    // An operator takes an administrator's switch over.
    let is_taken_over = !enabled && registrar == Registrar::Operator && present.switched_off_by.is_some();
    if present.enabled == enabled && !is_taken_over {
        return Ok(false);
    }
    // Nobody registers meanwhile: what they say would be lost.
    LOCK_TABLE.execute(&[])?;
    let stored = FIND_NOW.write_one(&[id.into()], |row| Ok((row.next()?, row.next()?, row.next()?)))?;
    let said = match stored {
        // Only what hftok vouches for is signed anew.
        Some((id, definition, signature)) => {
            let stored = Registration::new(id, definition, signature).provider()?;
            registrar.admit_switch(&stored.provider)?;
            stored.said.clone()
        }
        None => json!({ "id": id }).to_string(),
    };
    let said = with_switch(&said, (!enabled).then_some(registrar))?;
    let is_as_built_in = provider::find(id).is_some() && said.as_object().is_some_and(|said| said.len() == 1);
    // Nothing else of it becomes another, so whoever may switch decides on no more than that.
    if is_as_built_in {
        unregister(id, Registrar::Operator)
    } else {
        register(&said.to_string(), Registrar::Operator).map(|_| true)
    }
}

/// What is said of a provider, and that it was switched off, if somebody did that.
fn with_switch(said: &str, by: Option<Registrar>) -> Result<Value, Error> {
    let mut said: Map<String, Value> =
        serde_json::from_str(said).map_err(|_| Error::Internal("a description is no object"))?;
    said.remove("enabled");
    said.remove("switched_off_by");
    if let Some(by) = by {
        said.insert("enabled".to_owned(), false.into());
        if by == Registrar::Administrator {
            said.insert("switched_off_by".to_owned(), "administrator".into());
        }
    }
    Ok(Value::Object(said))
}

/// Takes a registration back; `false` when there is none. A provider that is then gone must not have credentials.
pub fn unregister(id: &str, registrar: Registrar) -> Result<bool, Error> {
    // Tokens may be sent to more hosts afterwards, so the event must be one that can be protected.
    keys::ready()?;
    LOCK_TABLE.execute(&[])?;
    registrar.admit_change(id, None)?;
    let is_builtin = provider::find(id).is_some();
    // Waits for those who are saving, and looks then.
    let is_gone = DELETE_ROW.execute(&[id.into()])? > 0;
    if !is_builtin && ASK_USED.read_single(&[id.into()], |row| row.next())? {
        return Err(Error::BadInput("there are credentials of this provider: delete them first"));
    }
    if is_gone {
        changes::record(Object::owned(SCOPE, "", id))?;
    }
    Ok(is_gone)
}

statement! {
    /// All registrations: there are few.
    FIND_ALL() = "SELECT p.id, p.definition, p.signature FROM hftok_private.providers p ORDER BY p.id";

    /// How many there are.
    COUNT_ALL() = "SELECT count(*) FROM hftok_private.providers";

    /// One description at a time: each is weighed against the one before. Nobody who reads waits.
    LOCK_TABLE() = "LOCK TABLE hftok_private.providers IN SHARE ROW EXCLUSIVE MODE";

    /// A registration as it is once the table is locked.
    FIND_NOW(TEXT) = "SELECT p.id, p.definition, p.signature FROM hftok_private.providers p WHERE p.id = $1";

    /// Keeps a registration from being taken back; it may be described otherwise.
    HOLD_ROW(TEXT) = "SELECT FROM hftok_private.providers p WHERE p.id = $1 FOR KEY SHARE";

    /// Registers, or registers anew.
    PUT_ROW(TEXT, TEXT, BYTEA) =
        "INSERT INTO hftok_private.providers (id, definition, signature) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, signature = excluded.signature,
        updated_at = pg_catalog.now()";

    /// Removes a registration; a built-in provider is then as in the catalogue.
    DELETE_ROW(TEXT) = "DELETE FROM hftok_private.providers WHERE id = $1";

    /// A provider that credentials name cannot be removed.
    ASK_USED(TEXT) = "SELECT EXISTS (SELECT FROM hftok_private.secrets s WHERE s.provider = $1)";
}
