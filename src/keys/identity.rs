//! The identity of this database: its generations as they are stored, held against where the database is now.
//!
//! What must stay true: nothing is unwrapped, linked or protected under an identity that the database does not have here and
//! now, nor under one that may still be rolled back.

use std::cell::Cell;

use hftok_core::audit::tree::Hash;
use hftok_core::identity::{Generation, Identity, Installation, Lineage};
use hftok_core::random;
use pgrx::datum::Uuid;

use crate::error::Error;
use crate::keys;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::transaction::{self, End};
use crate::pg::who::session::database;

thread_local! {
    // Depth of the subtransaction that has added a generation to others; 0 when none has.
    static ADOPTING: Cell<i32> = const { Cell::new(0) };
}

/// The database where it is now.
pub struct Home {
    /// The name that the keyring gives this installation.
    installation: Installation,
    /// The generations of this database.
    lineage: Lineage,
}

/// Every generation that is stored, or `None` before the first key is made.
pub fn stored() -> Result<Option<Lineage>, Error> {
    Ok(Lineage::of(FIND_ALL.read(&[], generation)?))
}

/// A row that does not fit is a missing identity: nothing opens without one.
fn generation(row: &Row<'_>) -> Result<Generation, Error> {
    Ok(Generation {
        id: *row.next::<Uuid>()?.as_bytes(),
        database: u32::try_from(row.next::<i64>()?).map_err(|_| Error::IdentityMissing)?,
        installation: row.next()?,
        name: row.next()?,
        continues: row.next()?,
        root: Hash::try_from(row.next::<Vec<u8>>()?.as_slice()).map_err(|_| Error::IdentityMissing)?,
    })
}

/// The database where it is now; there must be a generation, because there are keys.
pub fn home() -> Result<Home, Error> {
    if ADOPTING.get() > 0 {
        return Err(Error::NotYetAdopted);
    }
    let installation = keys::installation()?;
    let lineage = stored()?.ok_or(Error::IdentityMissing)?;
    Ok(Home { installation, lineage })
}

/// The same for the first key, which begins with the first generation.
pub fn home_or_first() -> Result<Home, Error> {
    if stored()?.is_some() {
        return home();
    }
    let installation = keys::installation()?;
    let lineage = Lineage::begin(random()?, database(), &installation, name()?);
    add(lineage.last())?;
    Ok(Home { installation, lineage })
}

/// Adds a generation to others. Until the transaction is committed no key can be used in it; the caller has [`is_adopted_by`] told
/// of its end.
pub fn adopt(lineage: Lineage, continues: i64, root: Hash) -> Result<Home, Error> {
    let installation = keys::installation()?;
    let next = Generation {
        id: random()?,
        database: database(),
        installation: installation.as_str().to_owned(),
        name: name()?,
        continues,
        root,
    };
    ADOPTING.set(transaction::depth());
    add(&next)?;
    Ok(Home { installation, lineage: lineage.followed_by(next) })
}

/// Told at the end of every transaction, and of every part of one: whether the database is adopted with it.
pub fn is_adopted_by(end: End) -> bool {
    let depth = ADOPTING.get();
    ADOPTING.set(end.leaves(depth));
    depth > 0 && end == End::Committed
}

/// Adds the newest generation.
fn add(generation: &Generation) -> Result<(), Error> {
    let new = NewGeneration {
        id: Uuid::from_bytes(generation.id).into(),
        database: i64::from(generation.database).into(),
        installation: generation.installation.as_str().into(),
        name: generation.name.as_str().into(),
        continues: generation.continues.into(),
        root: generation.root.as_slice().into(),
    };
    ADD_GENERATION.execute(&new.in_order()).map(|_| ())
}

/// The name of the database.
fn name() -> Result<String, Error> {
    ASK_NAME.read_single(&[], |row| row.next())
}

impl Home {
    /// Its identity.
    pub fn identity(&self) -> Identity {
        self.lineage.here(database(), &self.installation)
    }

    /// The random id of its newest generation.
    pub fn generation(&self) -> [u8; 16] {
        self.lineage.last().id
    }

    /// The name of its log.
    pub fn origin(&self) -> String {
        origin(self.lineage.last())
    }

    /// Every name that its log had, the newest first.
    pub fn origins(&self) -> Vec<String> {
        let former = self.lineage.former().map(|(generation, _)| origin(generation));
        let mut origins: Vec<String> = former.chain([self.origin()]).collect();
        origins.reverse();
        origins
    }

    /// The name of the installation that this is about.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The generations.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Fails where the newest generation means another database.
    pub fn refuse_copy(&self) -> Result<(), Error> {
        if self.lineage.is(database(), &self.installation) {
            return Ok(());
        }
        Err(Error::Copy {
            original: place(self.lineage.last()),
            here: format!("database {} of {}", database(), installation_called(self.installation.as_str())),
        })
    }
}

/// The name of the log of a generation.
pub fn origin(generation: &Generation) -> String {
    let id = hftok_core::hex(&generation.id);
    match generation.installation.as_str() {
        "" => format!("hftok/{id}"),
        installation => format!("hftok/{installation}/{id}"),
    }
}

/// A generation in words.
pub fn place(generation: &Generation) -> String {
    let Generation { name, database, installation, .. } = generation;
    format!("database \"{name}\" ({database}) of {}", installation_called(installation))
}

/// For an error that tells two installations apart.
fn installation_called(name: &str) -> String {
    if name.is_empty() { "an installation without a name".into() } else { format!("installation \"{name}\"") }
}

statement! {
    /// The lineage, from the first generation.
    FIND_ALL() =
        "SELECT i.id, i.database_oid, i.installation, i.database_name, i.continues, i.root
        FROM hftok_private.database_identity i ORDER BY i.generation";

    /// The number is given here: two that are added at once collide.
    ADD_GENERATION: NewGeneration {
        id: UUID, database: INT8, installation: TEXT, name: TEXT, continues: INT8, root: BYTEA,
    } =
        "INSERT INTO hftok_private.database_identity
        (generation, id, database_oid, installation, database_name, continues, root)
        SELECT coalesce(max(i.generation), 0) + 1, $id, $database, $installation, $name, $continues, $root
        FROM hftok_private.database_identity i";

    /// Only shown: a database may be renamed.
    ASK_NAME() = "SELECT pg_catalog.current_database()::text";
}
