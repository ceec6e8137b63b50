//! Where a dump comes from: a file, a folder or standard input, and in which format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use crate::failure::Failure;
use crate::offline::unfit;

/// What is in a file that was given to be opened.
pub enum Content {
    /// An age file, in either of its forms.
    Age(Box<dyn BufRead + Send>),
    /// A dump in plain text.
    Plain(Box<dyn BufRead + Send>),
    /// What `hftok export` wrote, in the clear: it was decrypted on the way here.
    Export(Box<dyn BufRead + Send>),
}

/// The first line of an export.
const EXPORT: &[u8] = b"{\"hftok_export\":";

/// Opens what was given: a path, or `-` for standard input.
pub fn content(path: &Path) -> Result<Content, Failure> {
    let name = path.display().to_string();
    if path.as_os_str() == "-" {
        return of_stream(Box::new(BufReader::new(io::stdin())), "standard input");
    }
    if path.is_dir() {
        return restored(Some(path), None, &name);
    }
    let mut file = BufReader::new(File::open(path).map_err(Failure::io(name.clone()))?);
    let is_archive = is_archive(file.fill_buf().map_err(Failure::io(name.clone()))?);
    // pg_restore finds its way in a file better than in a stream.
    if is_archive { restored(Some(path), None, &name) } else { of_stream(Box::new(file), &name) }
}

impl Content {
    /// What a stream holds that was decrypted.
    pub fn of_decrypted(stream: Box<dyn BufRead + Send>, name: &str) -> Result<Self, Failure> {
        of_stream(stream, name)
    }
}

/// What a stream holds, by how it begins.
fn of_stream(mut stream: Box<dyn BufRead + Send>, name: &str) -> Result<Content, Failure> {
    let head = stream.fill_buf().map_err(Failure::io(name))?;
    if head.starts_with(b"age-encryption.org/") || head.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        Ok(Content::Age(stream))
    } else if head.starts_with(EXPORT) {
        Ok(Content::Export(stream))
    } else if is_archive(head) {
        restored(None, Some(stream), name)
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Err(unfit(name, "it is compressed", "gunzip --stdout FILE | hftok open -"))
    } else if head.is_empty() {
        Err(unfit(name, "it is empty", "Make the dump anew."))
    } else {
        Ok(Content::Plain(stream))
    }
}

/// Whether this begins a dump that pg_restore makes plain: the custom format, or a tar file.
fn is_archive(head: &[u8]) -> bool {
    head.starts_with(b"PGDMP") || head.starts_with(b"toc.dat\0")
}

/// The dump in plain text, by pg_restore: only the rows of hftok's tables.
fn restored(
    path: Option<&Path>,
    stream: Option<Box<dyn BufRead + Send>>,
    name: &str,
) -> Result<Content, Failure> {
    let mut program = Command::new("pg_restore");
    program.args(["--data-only", "--schema=hftok_private", "--file=-"]);
    if let Some(path) = path {
        // A name that begins with a dash is no option.
        program.arg("--").arg(path);
    }
    // It needs no way to a server, and nothing of ours.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HFTOK_") || text.starts_with("PG") {
            program.env_remove(&name);
        }
    }
    let given = if stream.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = program.stdin(given).stdout(Stdio::piped()).spawn().map_err(Failure::io(
        "pg_restore, which reads dumps that are no plain text, and comes with Postgres' client programs",
    ))?;
    if let (Some(mut stream), Some(mut input)) = (stream, child.stdin.take()) {
        // Where it ends early pg_restore says why, by its exit code.
        thread::spawn(move || io::copy(&mut stream, &mut input));
    }
    let output = child.stdout.take().ok_or_else(|| {
        unfit(name, "pg_restore has no output", "Make the dump plain: pg_restore --file=- DUMP")
    })?;
    Ok(Content::Plain(Box::new(BufReader::new(Restored { child, output }))))
}

/// The output of pg_restore. Its end is an error where the program failed: what came before may not be all.
struct Restored {
    /// The program.
    child: Child,
    /// What it prints.
    output: ChildStdout,
}

impl Read for Restored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.output.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.child.wait()?.success() {
            return Err(io::Error::other("pg_restore failed"));
        }
        Ok(read)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // It has ended, or nobody reads what it prints.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
