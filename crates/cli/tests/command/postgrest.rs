//! A real PostgREST in front of a server. `HFTOK_POSTGREST` is the program; `crates/cli/tests/run.sh` installs it.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hftok_tests::cluster::Cluster;
use ring::hmac;
use tempfile::TempDir;

const SECRET: &str = "a secret of this test only, long enough for HS256";

/// Longer than it takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// PostgREST, until it is dropped.
pub struct Postgrest {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgrest {
    /// Starts it for a database of this server; none, with a word, where there is no program.
    pub fn start(cluster: &Cluster, database: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("HFTOK_POSTGREST") else {
            println!("skipped: HFTOK_POSTGREST names no PostgREST");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
        let child = Command::new(program)
            .env_clear()
            .env(
                "PGRST_DB_URI",
                format!(
                    "postgresql:///{database}?host={}&port=5432&user=authenticator",
                    cluster.folder().display()
                ),
            )
            .env("PGRST_DB_SCHEMAS", "hftok")
            .env("PGRST_DB_ANON_ROLE", "anon")
            .env("PGRST_JWT_SECRET", SECRET)
            .env("PGRST_SERVER_HOST", "127.0.0.1")
            .env("PGRST_SERVER_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("a log"))
            .stderr(File::options().append(true).open(&log).expect("a log"))
            .spawn()
            .expect("it starts");
        let started = Self { child, port, _folder: folder };
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("Schema cache loaded") && said.contains("Listening on port") {
                return Some(started);
            }
            assert!(begun.elapsed() < PATIENCE, "PostgREST does not start: {said}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Postgrest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A JWT for a role, and for a user where it has one, that ends in so many seconds.
pub fn jwt(role: &str, user: Option<&str>, seconds: i64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let end = i64::try_from(now).expect("it fits") + seconds;
    let claims = serde_json::json!({ "role": role, "sub": user, "exp": end });
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}
