//! Processes of a server, and their memory.

use std::fs::{self, File};
use std::io::BufRead;
use std::os::unix::fs::FileExt;

use crate::cluster::Cluster;

/// A part of a process' memory that it can read and write.
#[derive(Debug, Clone)]
pub struct Region {
    /// The process.
    pub process: u32,
    /// Its line in `maps`.
    pub line: String,
    /// The first address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
}

impl Region {
    /// Whether other processes have it too.
    pub fn is_shared(&self) -> bool {
        self.line.split_whitespace().nth(1).is_some_and(|rights| rights.ends_with('s'))
    }

    /// The flags that the kernel keeps for it (`VmFlags`); none when the process has ended.
    pub fn flags(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(format!("/proc/{}/smaps", self.process)).ok()?;
        let range = self.line.split_whitespace().next().expect("a range");
        let lines = text.lines().skip_while(|line| !line.starts_with(range));
        let flags = lines.skip(1).find_map(|line| line.strip_prefix("VmFlags:"))?;
        Some(flags.split_whitespace().map(str::to_owned).collect())
    }
}

/// The regions of a process' memory that contain one of the needles. `Err` when we may not look.
pub fn regions_with(process: u32, needles: &[Vec<u8>]) -> Result<Vec<Region>, std::io::Error> {
    regions_where(process, |bytes| needles.iter().any(|needle| contains(bytes, needle)))
}

/// The regions of a process' memory whose bytes are such. `Err` when we may not look.
pub fn regions_where(process: u32, is_such: impl Fn(&[u8]) -> bool) -> Result<Vec<Region>, std::io::Error> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-') else { continue };
        let (Ok(start), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)) else {
            continue;
        };
        if !rights.starts_with("rw") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(end - start).expect("a length")];
        // Memory that cannot be read (a guard page, a device) holds nothing that was written.
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        if is_such(&bytes) {
            found.push(Region { process, line: line.into(), start, end });
        }
    }
    Ok(found)
}

/// Whether a process could not be looked at because it is not there any more: its folder has gone, or its memory (ESRCH).
pub fn has_ended(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}

/// Whether bytes contain others, which are at least two.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let mut rest = bytes;
    // The standard library looks for a single byte as fast as the machine can, also where the tests are built without optimisation.
    while rest.skip_until(needle[0]).is_ok_and(|skipped| skipped > 0) {
        if rest.starts_with(&needle[1..]) {
            return true;
        }
    }
    false
}

/// Whether bytes contain a part of an expanded AES-256 key: most of its words are the word before, and the one eight before,
/// added up. No key need be known for that.
pub fn has_key_schedule(bytes: &[u8]) -> bool {
    let (chunks, _) = bytes.as_chunks();
    let words: Vec<u32> = chunks.iter().map(|chunk| u32::from_ne_bytes(*chunk)).collect();
    words.windows(16).any(|w| {
        [9, 10, 11, 13, 14, 15].iter().all(|at| w[*at] == w[at - 8] ^ w[at - 1])
            && w.iter().all(|word| *word != 0)
            && w[1..].iter().all(|word| *word != w[0])
    })
}

/// The process of a server whose title contains this, if there is one.
pub fn titled(cluster: &Cluster, title: &str) -> Option<u32> {
    cluster.processes().into_iter().find(|id| {
        fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(title))
    })
}
