//! Credentials and named secrets as their views show them: never a value.

use serde::{Deserialize, Serialize};

/// A row of view `credentials`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Credential {
    /// Its id.
    pub secret_id: String,
    /// Whose API it opens.
    pub provider: String,
    /// What kind of owner it has: user, org, global.
    pub scope: String,
    /// Which user or organisation.
    pub scope_id: Option<String>,
    /// The one model that it is for.
    pub model: Option<String>,
    /// Which of several for one use.
    pub slot: String,
    /// The owner's word for it.
    pub label: Option<String>,
    /// Its mask.
    pub preview: String,
    /// What is known of it.
    pub status: String,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it ends.
    pub expires_at: Option<String>,
    /// Its version.
    pub version: i32,
    /// Reasons to doubt it.
    pub warnings: Option<Vec<String>>,
}

impl Credential {
    /// The columns of a row.
    pub const COLUMNS: &'static [&'static str] = &[
        "secret_id",
        "provider",
        "scope",
        "scope_id",
        "model",
        "slot",
        "label",
        "preview",
        "status",
        "enabled",
        "expires_at",
        "version",
        "warnings",
    ];

    /// Whose it is, in words.
    pub fn owner(&self) -> String {
        match self.scope_id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => format!("{} {id}", self.scope),
            None => self.scope.clone(),
        }
    }
}

/// A row of view `secrets`.
#[derive(Debug, Deserialize, Serialize)]
pub struct NamedSecret {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The operator's word for it.
    pub description: Option<String>,
    /// Its mask.
    pub preview: String,
    /// Its version.
    pub version: i32,
    /// When it was last changed.
    pub updated_at: String,
}

impl NamedSecret {
    /// The columns of a row.
    pub const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "preview", "version", "updated_at"];
}
