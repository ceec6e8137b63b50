//! The provider that is probably meant by a name that none has: `HuggingFace`, `hugging_face`, `gemini`, `opanai`.
//!
//! What must stay true: the answer is one of the known names. The given name stands in no message, because it may be a key that
//! was put into the wrong parameter.

use super::{Provider, builtin};

/// Longer names are like none.
const LETTERS_MAX: usize = 64;
/// A shorter name is found within too many others.
const PART_LEAST: usize = 4;
/// A shorter word of a label says too little: AI, API, Cloud.
const WORD_LEAST: usize = 6;

/// The name that is most like the given one, if one is: of a built-in provider, or of those that were registered.
pub fn nearest<'a>(given: &str, registered: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = folded(given);
    if given.is_empty() || given.len() > LETTERS_MAX {
        return None;
    }
    let builtin = builtin().iter().map(|provider| (provider.id.as_str(), Some(provider)));
    let known = builtin.chain(registered.into_iter().map(|name| (name, None)));
    let ranked = known.filter_map(|(name, provider)| Some((rank(&given, name, provider)?, name)));
    ranked.min().map(|(_, name)| name)
}

/// How far two names are apart; the least is the most alike.
type Rank = (u8, usize);

/// How far the given letters are from a provider, if they are near it at all.
fn rank(given: &[u8], name: &str, provider: Option<&Provider>) -> Option<Rank> {
    let name = folded(name);
    if name == given {
        return Some((0, 0));
    }
    if provider.is_some_and(|provider| is_called(provider, given)) {
        return Some((1, name.len()));
    }
    // `openai_api_key`, `azure_openai_eu`: the longest name that is in it.
    if name.len() >= PART_LEAST && given.windows(name.len()).any(|part| part == name) {
        return Some((2, LETTERS_MAX.saturating_sub(name.len())));
    }
    let apart = distance(given, &name);
    let most = if given.len() >= 7 { 2 } else { usize::from(given.len() >= PART_LEAST) };
    (apart <= most).then_some((3, apart))
}

/// Whether people call a provider so: by its label or a word of it, or as its variables begin (`HF_TOKEN`).
fn is_called(provider: &Provider, given: &[u8]) -> bool {
    let mut words = provider.label.split_whitespace().map(folded).filter(|word| word.len() >= WORD_LEAST);
    let mut beginnings = provider.variables().filter_map(|variable| variable.split('_').next());
    folded(&provider.label) == given
        || words.any(|word| word == given)
        || beginnings.any(|beginning| folded(beginning) == given)
}

/// The letters and digits alone, in lower case.
fn folded(name: &str) -> Vec<u8> {
    // One more than is looked at, so that a longer name is seen to be one.
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    letters.take(LETTERS_MAX + 1).collect()
}

/// How many letters have to be put in, left out, replaced or swapped with the next.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let of = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = of(&last, column) + usize::from(letter != against);
            let put_in = of(&next, column).min(of(&last, column + 1)) + 1;
            let is_swapped = row > 0
                && column > 0
                && one.get(row - 1) == Some(against)
                && other.get(column - 1) == Some(letter);
            let swapped = if is_swapped { of(&before, column - 1) + 1 } else { usize::MAX };
            next.push(replaced.min(put_in).min(swapped));
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LETTERS_MAX, distance, nearest};

    fn of(given: &str) -> Option<&'static str> {
        nearest(given, ["acme_ai"])
    }

    #[test]
    fn case_and_hyphens_do_not_count_and_labels_do() {
        for (given, meant) in [
            ("HuggingFace", "huggingface"),
            ("hugging_face", "huggingface"),
            ("hugging-face", "huggingface"),
            ("Hugging Face", "huggingface"),
            ("azure-openai", "azure_openai"),
            ("OpenAI", "openai"),
            ("gemini", "google"),
            ("hf", "huggingface"),
            ("HF_TOKEN_HUGGINGFACE", "huggingface"),
            ("AcmeAI", "acme_ai"),
            ("Google-Cloud", "google_cloud"),
            ("openai_api_key", "openai"),
            ("azure_openai_eu", "azure_openai"),
            ("hugingface", "huggingface"),
            ("opanai", "openai"),
            ("gorq", "groq"),
            ("anthropics", "anthropic"),
        ] {
            assert_eq!(of(given), Some(meant), "{given}");
        }
    }

    #[test]
    fn a_name_like_none_has_no_nearest() {
        let long = "a".repeat(LETTERS_MAX + 1);
        for given in ["", "--", "ollama", "elevenlabs", "x", "ai", "hf_abcdefgh", "日本", &long] {
            assert_eq!(of(given), None, "{given}");
        }
    }

    #[test]
    fn letters_that_differ() {
        for (one, other, apart) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("abc", "ca", 3),
            ("abcd", "abxd", 1),
            ("abc", "abcd", 1),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), apart, "{one} {other}");
            assert_eq!(distance(other.as_bytes(), one.as_bytes()), apart, "{other} {one}");
        }
    }
}
