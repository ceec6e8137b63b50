//! An application that keeps its keys in its own tables, with all that people leave in such columns, and what each is worth.

use std::collections::BTreeMap;

use postgres::Client;

/// Stands in every plaintext that lies in the application's tables, and in nothing else.
pub const OLD: &str = "oldCanary";
/// Stands in every plaintext that lies there encrypted.
pub const SEALED: &str = "sealedCanary";
/// Stands in every token that was saved in hftok only.
pub const NEW: &str = "newCanary";

/// Users whose tokens change while everything else goes on.
pub const BUSY: std::ops::Range<i64> = 9000..9040;

/// The value that each key must resolve to, by provider, user, organisation and model.
pub type Usable = BTreeMap<(String, String, String, String), String>;

// Some tables are a superuser's, and some of a role that the migrator has nothing to do with.
const SCHEMA: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, huggingface_token text, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE INDEX users_token ON users (huggingface_token);
    CREATE TABLE organizations (id text PRIMARY KEY, huggingface_token text NOT NULL DEFAULT '');
    CREATE TABLE models (id int PRIMARY KEY, name text, huggingface_token text);
    CREATE TABLE system_settings (id int PRIMARY KEY, huggingface_token text);
    CREATE TABLE llm_models (id int PRIMARY KEY, provider text, model_id text, api_key_encrypted bytea);
    CREATE TABLE user_api_keys (id uuid PRIMARY KEY, user_id uuid, service text, api_key text);
    CREATE EXTENSION pgcrypto;
    CREATE ROLE migrator LOGIN IN ROLE hftok_admin;
    CREATE ROLE backend LOGIN IN ROLE hftok_service;
    GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO migrator, backend;
    CREATE ROLE shop;
    ALTER TABLE users OWNER TO shop;
    ALTER TABLE models OWNER TO shop;
    ALTER TABLE llm_models OWNER TO shop;";

/// The text of a column, and the value that hftok must make of it.
struct Cell {
    held: Option<String>,
    usable: Option<String>,
}

fn usable(value: String) -> Cell {
    Cell { held: Some(value.clone()), usable: Some(value) }
}

fn rubbish(value: &str) -> Cell {
    Cell { held: Some(value.into()), usable: None }
}

/// A token of Hugging Face's shape.
pub fn token(canary: &str, number: usize) -> String {
    format!("hf_{canary}{number:0>width$}", width = 34 - canary.len())
}

fn cell(number: usize, is_busy: bool) -> Cell {
    let token = token(OLD, number);
    if is_busy {
        return usable(token);
    }
    match number % 16 {
        0 => Cell { held: None, usable: None },
        1 => rubbish(""),
        2 => rubbish(" \n "),
        3 => rubbish("changeme"),
        4 => rubbish("YOUR_API_KEY"),
        5 => rubbish("xxx"),
        6 => rubbish("hf_••••••••1234"),
        7 => rubbish("****"),
        8 => Cell { held: Some(format!("Bearer {token}")), usable: Some(token) },
        9 => Cell { held: Some(format!("  {token}\n")), usable: Some(token) },
        10 => rubbish(&format!("sk-ant-api03-{OLD}-{number}")),
        11 => rubbish(&format!("\"{token}\"")),
        _ => usable(token),
    }
}

fn key(number: usize) -> uuid::Uuid {
    uuid::Uuid::from_u128((number as u128) << 96 | 0x4000_8000_0000_0000_0000)
}

/// Builds the application's tables, and says which values are worth something.
pub fn build(client: &mut Client) -> Usable {
    client.batch_execute(SCHEMA).expect("the schema");
    let mut all = Usable::new();
    let mut keep = |provider: &str, user: &str, org: &str, model: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert((provider.to_owned(), user.to_owned(), org.to_owned(), model.to_owned()), value);
        }
    };

    let ids: Vec<i64> = (0..10_000).collect();
    let cells: Vec<_> = (0..10_000).map(|n| cell(n, BUSY.contains(&(n as i64)))).collect();
    let held: Vec<_> = cells.iter().map(|cell| cell.held.clone()).collect();
    for (id, cell) in cells.into_iter().enumerate() {
        keep("huggingface", &id.to_string(), "", "", cell.usable);
    }
    insert(client, "INSERT INTO users SELECT * FROM unnest($1::bigint[], $2::text[])", &[&ids, &held]);

    let slugs: Vec<_> = (0..100).map(|n| format!("org-{n}")).collect();
    let cells: Vec<_> = (0..100).map(|n| cell(20_000 + n, false)).collect();
    let held: Vec<_> = cells.iter().map(|cell| cell.held.clone().unwrap_or_default()).collect();
    for (slug, cell) in slugs.iter().zip(cells) {
        keep("huggingface", "", slug, "", cell.usable);
    }
    insert(
        client,
        "INSERT INTO organizations SELECT * FROM unnest($1::text[], $2::text[])",
        &[&slugs, &held],
    );

    // The models of every tenth name are there twice: the later row goes before, if it is worth something.
    let ids: Vec<i32> = (0..55).collect();
    let names: Vec<_> =
        (0..55).map(|n| format!("org/model-{}", if n < 50 { n } else { (n - 50) * 10 })).collect();
    let cells: Vec<_> = (0..55).map(|n| cell(30_000 + n, false)).collect();
    let held: Vec<_> = cells.iter().map(|cell| cell.held.clone()).collect();
    for (name, cell) in names.iter().zip(cells) {
        keep("huggingface", "", "", name, cell.usable);
    }
    let models = "INSERT INTO models SELECT * FROM unnest($1::int[], $2::text[], $3::text[])";
    insert(client, models, &[&ids, &names, &held]);
    insert(client, "INSERT INTO system_settings VALUES (1, $1)", &[&token(OLD, 40_000)]);
    keep("huggingface", "", "", "", Some(token(OLD, 40_000)));

    for n in 0..50_i32 {
        let (value, model) = (format!("sk-proj-{SEALED}{n:0>20}"), format!("llm-{n}"));
        let password = if n % 6 == 0 { "another password" } else { "the password" };
        let encrypt =
            "INSERT INTO llm_models VALUES ($1, 'OpenAI', $2, CASE WHEN $1 % 7 = 1 THEN 'no message'::bytea
            ELSE pgp_sym_encrypt($3, $4) END)";
        insert(client, encrypt, &[&n, &model, &value, &password]);
        keep("openai", "", "", &model, (n % 6 != 0 && n % 7 != 1).then_some(value));
    }

    // Up to three keys for a user and a service, the last that is worth something wins.
    let numbers = 0..4000_usize;
    let ids: Vec<_> = numbers.clone().map(key).collect();
    let users: Vec<_> = numbers.clone().map(|n| key(50_000 + n % 1500)).collect();
    let services: Vec<_> = numbers.clone().map(|n| if n % 2 == 0 { "openai" } else { "groq" }).collect();
    let value = |n| if n % 2 == 0 { format!("sk-proj-{OLD}{n:0>20}") } else { format!("gsk_{OLD}{n:0>20}") };
    let held: Vec<_> = numbers.clone().map(|n| if n % 7 == 0 { "xxx".into() } else { value(n) }).collect();
    for n in numbers {
        keep(services[n], &users[n].to_string(), "", "", (n % 7 != 0).then(|| value(n)));
    }
    let keys =
        "INSERT INTO user_api_keys SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])";
    insert(client, keys, &[&ids, &users, &services, &held]);
    client.batch_execute("ANALYZE").expect("ANALYZE");
    all
}

#[track_caller]
fn insert(client: &mut Client, sql: &str, values: &[&(dyn postgres::types::ToSql + Sync)]) {
    client.execute(sql, values).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}
