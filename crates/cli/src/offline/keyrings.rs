//! Keyring files and files with organisations' keys, as they are given to commands that work without a server.

use std::path::{Path, PathBuf};

use hftok_core::data_key::{DataKey, DataKeyId};
use hftok_core::identity::Identity;
use hftok_core::keyring::{Keyring, MAX_TEXT};
use hftok_core::org_key::{OrgKeys, OrgKeysError, OrgWrap};
use hftok_core::root_key::{RootFingerprint, RootKey, RootKeyId};
use zeroize::Zeroizing;

use super::files;
use crate::failure::Failure;
use crate::offline::unfit;

/// Keys that were given, by file.
pub struct Keyrings {
    /// Each file with its keyring.
    pub files: Vec<(String, Box<Keyring>)>,
    /// Text as a key command prints it for an organisation.
    orgs: Vec<Zeroizing<Vec<u8>>>,
}

impl Keyrings {
    /// Reads the files.
    pub fn read(keyrings: &[PathBuf], orgs: &[PathBuf]) -> Result<Self, Failure> {
        let text = |path: &Path| files::whole(path, MAX_TEXT);
        let keyring = |path: &PathBuf| {
            let what = path.display().to_string();
            let keyring = Keyring::parse(&text(path)?);
            let wrong = |error| {
                unfit(what.clone(), &format!("{error}"), "A keyring has `<id>:<64 hex digits>` on each line.")
            };
            Ok((what.clone(), keyring.map_err(wrong)?))
        };
        let files = keyrings.iter().map(keyring).collect::<Result<_, Failure>>()?;
        let orgs = orgs.iter().map(|path| text(path)).collect::<Result<_, Failure>>()?;
        Ok(Self { files, orgs })
    }

    /// The root key of this number and fingerprint. Two keyrings may give one number to two keys.
    pub fn find(&self, id: RootKeyId, fingerprint: &RootFingerprint) -> Option<&RootKey> {
        let named = self.files.iter().filter_map(|(_, keyring)| keyring.find(id));
        named.into_iter().find(|key| key.fingerprint() == *fingerprint)
    }

    /// Unwraps a data key that an organisation holds a key to.
    pub fn unwrap_of_org(
        &self,
        wrap: &OrgWrap,
        id: DataKeyId,
        org: &str,
        identity: &Identity,
        place: &mut DataKey,
    ) -> Result<(), String> {
        for text in &self.orgs {
            match OrgKeys::parse(text, org) {
                Ok(keys) => {
                    return keys.unwrap(wrap, id, org, identity, place).map_err(|_| {
                        format!(
                            "the key given for organisation {org} is not the one that data key {} needs",
                            id.get()
                        )
                    });
                }
                Err(OrgKeysError::Other) => {}
                Err(error) => return Err(format!("a file with an organisation's keys: {error}")),
            }
        }
        Err(format!("organisation {org} holds a key to it: give that by --org-keys"))
    }
}
