//! A question that is asked again and again, while what is true changes.

use postgres::Client;

/// Placeholders for the two tokens in statements and in answers.
const TOKENS: [(&str, &str); 2] =
    [("{one}", "hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ("{two}", "hf_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")];
/// The walk over every level.
pub const WALK: &str = "SELECT hftok.resolve_hf_token('alice', 'acme', 'model')";
/// A named secret.
pub const NAMED: &str = "SELECT hftok.get_secret('name')";
/// Gives the user of [`WALK`] a token.
pub const SAVE: &str = "SELECT hftok.save_hf_token('{one}', p_user_id => 'alice')";
/// The answer where there is none.
pub const NOTHING: &str = "-";

/// Runs statements in which `{one}` and `{two}` stand for tokens.
#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    let filled = TOKENS.iter().fold(sql.to_owned(), |text, (mark, token)| text.replace(mark, token));
    client.batch_execute(&filled).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// The answer, tokens as in statements; of an error the SQLSTATE and the outcome of the walk. Within a transaction an error ends only the question.
#[track_caller]
pub fn ask(client: &mut Client, question: &str) -> String {
    let is_within = client.batch_execute("SAVEPOINT question").is_ok();
    let answer = client.query_one(question, &[]);
    if is_within {
        let end = if answer.is_ok() { "RELEASE question" } else { "ROLLBACK TO question" };
        client.batch_execute(end).expect(end);
    }
    match answer {
        Ok(row) => {
            let value = row.get::<_, Option<String>>(0).unwrap_or_else(|| NOTHING.into());
            TOKENS.iter().fold(value, |value, (mark, token)| value.replace(token, mark))
        }
        Err(error) => {
            let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}")).clone();
            let detail = error.detail().unwrap_or_default();
            let outcome = detail.split_once(r#""outcome":""#).and_then(|(_, rest)| rest.split_once('"'));
            let words = [Some(error.code().code()), outcome.map(|(outcome, _)| outcome)];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    }
}
