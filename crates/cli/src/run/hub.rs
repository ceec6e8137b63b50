//! What the Hub of Hugging Face says of a token and a model, asked as its own client asks.
//!
//! What must stay true: the token that is asked about is the one that the client would send; `HF_ENDPOINT` gets it only by TLS
//! or on this machine.

use std::path::{Path, PathBuf};

use ureq::http::{HeaderValue, Request, StatusCode};
use zeroize::Zeroizing;

use super::check::asked;
use super::runner::is_safe;
use super::source::{Source, SourceOptions};
use super::variables::Variables;
use crate::failure::Failure;

/// Its name in the catalogue.
pub const PROVIDER: &str = "huggingface";
/// Where it is, unless HF_ENDPOINT says otherwise.
const HUB: &str = "https://huggingface.co";
/// The page where a user gets a token.
const TOKENS: &str = "https://huggingface.co/settings/tokens";

/// More names than any model had.
const REDIRECTS: usize = 3;

/// A token that the client would find, and where.
struct Token {
    /// The token.
    value: Zeroizing<String>,
    /// The variable, or none for a file.
    name: Option<&'static str>,
}

/// The Hub, and what is known of the token.
struct Asked<'a> {
    /// Its address, without a slash at the end.
    address: String,
    /// The token.
    token: Option<Token>,
    /// What the child will see.
    variables: &'a Variables,
    /// Whose credentials.
    options: &'a SourceOptions,
}

/// Asks the Hub about the token, and whether it opens the model.
pub fn check(
    variables: &Variables,
    options: &SourceOptions,
    source: &mut Source,
) -> Result<Option<String>, Failure> {
    let address = variables
        .seen("HF_ENDPOINT")
        .map_or_else(|| HUB.to_owned(), |it| it.trim_end_matches('/').to_owned());
    let token = token(variables);
    let model = options.model.as_deref().filter(|model| is_of_the_hub(model));
    if token.is_none() && model.is_none() {
        return Ok(None);
    }
    let unchecked = |why: &str| Ok(Some(format!("{why}: the token of Hugging Face goes unchecked")));
    if ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].iter().any(|name| is_on(variables, name)) {
        return unchecked("the Hub is not to be asked (HF_HUB_OFFLINE)");
    }
    if variables.seen("HF_OIDC_RESOURCE").is_some() {
        return unchecked("HF_OIDC_RESOURCE lets the client get a token of its own");
    }
    if !is_safe(&address) {
        return unchecked("HF_ENDPOINT is neither https nor on this machine");
    }
    let asked = Asked { address, token, variables, options };
    if asked.known(source)? == Some(false) {
        return unchecked(&format!("{} gave no clear answer", asked.address));
    }
    match model {
        Some(model) => asked.opens(model, source),
        None => Ok(None),
    }
}

impl Asked<'_> {
    /// Whether the Hub knows the token; none where there is no token. A clear no is a failure.
    fn known(&self, source: &mut Source) -> Result<Option<bool>, Failure> {
        if self.token.is_none() {
            return Ok(None);
        }
        match self.get("/api/whoami-v2") {
            Ok((StatusCode::UNAUTHORIZED, _)) => Err(Failure::Credential {
                what: format!("Hugging Face does not know {}: nothing was started", self.origin(source)),
                remedy: self.remedy(source),
            }),
            Ok((status, _)) => Ok(Some(status.is_success())),
            Err(Unsendable) => Ok(Some(false)),
        }
    }

    /// Whether the token, or none, opens the model. A clear no is a failure.
    fn opens(&self, model: &str, source: &mut Source) -> Result<Option<String>, Failure> {
        let answer = self.get(&format!("/api/models/{model}/auth-check"));
        let no = |what: String, remedy: String| {
            Err(Failure::Credential { what: format!("{what}: nothing was started"), remedy })
        };
        let page = format!("{}/{model}", self.address);
        match answer {
            Ok((status, _)) if status.is_success() => Ok(None),
            Ok((_, code)) if code == "GatedRepo" => match &self.token {
                Some(_) => no(
                    format!(
                        "model {model} is gated, and the account of {} was not granted it",
                        self.origin(source)
                    ),
                    format!(
                        "Ask for access at {page}; a fine-grained token also needs the permission for public gated repositories ({TOKENS})."
                    ),
                ),
                None => no(
                    format!("model {model} is gated, and there is no token"),
                    format!("Ask for access at {page}. {}", self.remedy(source)),
                ),
            },
            Ok((_, code)) if code == "RepoNotFound" => match &self.token {
                Some(_) => no(
                    format!(
                        "there is no model {model}, or it is private and {} does not open it",
                        self.origin(source)
                    ),
                    format!("See {page} with the account of the token. {}", self.remedy(source)),
                ),
                None => no(
                    format!("there is no model {model}, or it is private and there is no token"),
                    self.remedy(source),
                ),
            },
            _ => Ok(Some(format!(
                "{} gave no clear answer about model {model}: whether it opens is not known",
                self.address
            ))),
        }
    }

    /// Asks; answers the status, and the Hub's own code of an error.
    fn get(&self, path: &str) -> Result<(StatusCode, String), Unsendable> {
        let mut url = format!("{}{path}", self.address);
        for _ in 0..=REDIRECTS {
            let mut request = Request::get(&url);
            if let Some(token) = &self.token {
                let bearer = Zeroizing::new(format!("Bearer {}", token.value.as_str()));
                let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| Unsendable)?;
                bearer.set_sensitive(true);
                request = request.header("Authorization", bearer);
            }
            let answer = asked(request.body(()).map_err(|_| Unsendable)?).ok_or(Unsendable)?;
            let header = |name| answer.headers().get(name).and_then(|text| text.to_str().ok());
            // A model that was renamed is elsewhere within the Hub.
            match header("Location")
                .filter(|place| answer.status().is_redirection() && place.starts_with("/api/"))
            {
                Some(place) => url = format!("{}{place}", self.address),
                None => return Ok((answer.status(), header("X-Error-Code").unwrap_or_default().to_owned())),
            }
        }
        Err(Unsendable)
    }

    /// The token in words.
    fn origin(&self, source: &mut Source) -> String {
        match self.token.as_ref().and_then(|token| token.name) {
            Some(name) => source.origin(PROVIDER, name, self.variables, self.options),
            None => "the token that `hf auth login` left in a file".to_owned(),
        }
    }

    /// What to do about it.
    fn remedy(&self, source: &Source) -> String {
        source.remedy(PROVIDER, TOKENS, self.options)
    }
}

/// The request could not be sent, or was not answered.
struct Unsendable;

/// The token that `huggingface_hub` would send by itself.
fn token(variables: &Variables) -> Option<Token> {
    if is_on(variables, "HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return None;
    }
    let variable = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
        .into_iter()
        .find_map(|name| variables.seen(name).map(|value| (name, value)));
    let (name, value) = match variable {
        Some((name, value)) if !value.trim().is_empty() => (Some(name), value),
        // It reads the file as well where a variable is blank.
        _ => (None, Zeroizing::new(std::fs::read_to_string(file(variables)?).ok()?)),
    };
    let value = Zeroizing::new(value.trim().to_owned());
    (!value.is_empty()).then_some(Token { value, name })
}

/// Where `hf auth login` leaves a token.
fn file(variables: &Variables) -> Option<PathBuf> {
    let folder = |name: &str| variables.seen(name).map(|value| PathBuf::from(value.as_str()));
    folder("HF_TOKEN_PATH").or_else(|| {
        let cache = || folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        let home = folder("HF_HOME").or_else(|| cache().map(|cache| cache.join("huggingface")));
        home.map(|home| home.join("token"))
    })
}

/// Whether a switch of the client is on.
fn is_on(variables: &Variables, name: &str) -> bool {
    let value = variables.seen(name);
    value.is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str()))
}

/// Whether a model is one of the Hub: a name, or an owner and a name, and no folder of this machine.
fn is_of_the_hub(model: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let parts: Vec<&str> = model.split('/').collect();
    parts.len() <= 2 && parts.iter().all(|part| is_name(part)) && !Path::new(model).exists()
}

#[cfg(test)]
mod tests {
    use super::is_of_the_hub;

    #[test]
    fn a_folder_is_no_model_of_the_hub() {
        for model in ["gpt2", "meta-llama/Llama-3.1-8B", "a/b.c_d"] {
            assert!(is_of_the_hub(model), "{model}");
        }
        for model in ["/models/a", "./a", "../a/b", "a/b/c", "a/../b", "", "a/", "src", "a/b?c", "a b"] {
            assert!(!is_of_the_hub(model), "{model}");
        }
    }
}
