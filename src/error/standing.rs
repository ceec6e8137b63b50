//! Whether claims are believed, as an error and its reader have it.

/// Whether the claims of a session are believed, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They are.
    Gateway,
    /// The configuration does not list the login.
    NotListed,
    /// This database does not have it on record.
    NotRecorded,
    /// The current user is nobody whom the login may become: a SECURITY DEFINER function of somebody else is running.
    ForeignRole,
}

impl Standing {
    /// The fault and its remedy.
    pub fn words(self) -> (&'static str, &'static str) {
        let no_gateway = "request.jwt.claims is set, but this login is no gateway";
        match self {
            Self::ForeignRole => (
                "request.jwt.claims is set, but not for this role",
                "A SECURITY DEFINER function of somebody else has no claims: make it SECURITY INVOKER, or name the user.",
            ),
            Self::NotRecorded | Self::Gateway => (
                no_gateway,
                "A superuser calls hftok.enable_rpc(), with its name as p_login_role. A role that was made anew is another one.",
            ),
            Self::NotListed => (
                no_gateway,
                "Claims are believed only under a login that cannot run free SQL, as PostgREST's. A test in SQL that sets role and \
                 claims begins with SET SESSION AUTHORIZATION to that login; elsewhere leave them unset.",
            ),
        }
    }

    /// The roles that the fault is about.
    pub fn detail(self, login: &str, role: &str) -> String {
        match self {
            Self::ForeignRole => {
                format!("The current user \"{role}\" is nobody whom login role \"{login}\" may become.")
            }
            Self::NotRecorded | Self::Gateway => {
                format!(
                    "Login role \"{login}\" is listed in hftok.gateways, and not recorded in this database."
                )
            }
            Self::NotListed => format!("Login role \"{login}\" is not listed in hftok.gateways."),
        }
    }
}
