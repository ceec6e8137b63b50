//! A file of JSON objects, in a list or one after the other, read object by object: it may be larger than the memory.
//!
//! What must stay true: what is read lies in two buffers that do not move and are wiped; a fault names the row, and nothing of it.

use std::io::Read;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// More than any credential has with all that is said of it.
const LARGEST: usize = 1024 * 1024;

/// The objects of a stream.
pub struct Elements<R> {
    /// Where they come from, and how it is called.
    stream: R,
    /// How the stream is called.
    name: String,
    /// What was read of it.
    read: Zeroizing<Vec<u8>>,
    /// How much of that was looked at.
    at: usize,
    /// The object that was given last.
    element: Zeroizing<Vec<u8>>,
    /// How many were given.
    count: u64,
    /// Whether they are in a list; not known before the first one.
    is_list: Option<bool>,
}

impl<R: Read> Elements<R> {
    /// Nothing is read yet.
    pub fn new(stream: R, name: &str) -> Self {
        Self {
            stream,
            name: name.to_owned(),
            read: Zeroizing::new(Vec::with_capacity(64 * 1024)),
            at: 0,
            element: Zeroizing::new(Vec::with_capacity(LARGEST)),
            count: 0,
            is_list: None,
        }
    }

    /// The next object as text, and its number, from 1 on. It need not be JSON between its braces.
    pub fn next(&mut self) -> Result<Option<(u64, &str)>, Failure> {
        let mut first = self.after_space()?;
        let is_list = match self.is_list {
            Some(is_list) => is_list,
            None => {
                let is_list = first == Some(b'[');
                if is_list {
                    first = self.after_space()?;
                }
                *self.is_list.insert(is_list)
            }
        };
        if is_list && self.count > 0 && first == Some(b',') {
            first = self.after_space()?;
        } else if is_list && self.count > 0 && first == Some(b'{') {
            return Err(self.fault("no comma stands before row"));
        }
        match first {
            None if is_list => return Err(self.fault("the list ends before row")),
            None => return Ok(None),
            Some(b']') if is_list => {
                return match self.after_space()? {
                    None => Ok(None),
                    Some(_) => Err(self.fault("something stands behind the list, where there is no row")),
                };
            }
            Some(b'{') => self.object()?,
            Some(_) => return Err(self.fault("no object is row")),
        }
        self.count += 1;
        match str::from_utf8(&self.element) {
            Ok(text) => Ok(Some((self.count, text))),
            Err(_) => Err(Failure::Usage(format!("{}: row {} is not text", self.name, self.count))),
        }
    }

    /// Reads the rest of an object whose first brace was read.
    fn object(&mut self) -> Result<(), Failure> {
        self.element.clear();
        self.element.push(b'{');
        let (mut depth, mut is_text, mut is_escaped) = (1_u32, false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                return Err(self.fault("it ends within row"));
            };
            if self.element.len() == LARGEST {
                return Err(self.fault("too large is row"));
            }
            self.element.push(byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_text => is_escaped = true,
                b'"' => is_text = !is_text,
                b'{' | b'[' if !is_text => depth += 1,
                b'}' | b']' if !is_text => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// The first byte that is no space.
    fn after_space(&mut self) -> Result<Option<u8>, Failure> {
        loop {
            match self.byte()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                other => return Ok(other),
            }
        }
    }

    /// The next byte.
    fn byte(&mut self) -> Result<Option<u8>, Failure> {
        if self.at == self.read.len() {
            let most = self.read.capacity();
            self.read.clear();
            self.at = 0;
            let stream = self.stream.by_ref().take(most as u64);
            { stream }.read_to_end(&mut self.read).map_err(Failure::io(self.name.clone()))?;
        }
        let byte = self.read.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// What is wrong with the next row.
    fn fault(&self, what: &str) -> Failure {
        Failure::Usage(format!("{}: {what} {}", self.name, self.count + 1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut elements = Elements::new(text.as_bytes(), "it");
        let mut found = Vec::new();
        loop {
            match elements.next() {
                Ok(Some((_, element))) => found.push(element.to_owned()),
                Ok(None) => return Ok(found),
                Err(failure) => return Err(failure.to_string()),
            }
        }
    }

    #[test]
    fn lists_and_lines_are_read() {
        let rows = [r#"{"a": "}]\"\\", "b": [{}]}"#, "{}"].map(str::to_owned).to_vec();
        assert_eq!(read(&format!(" [ {} , {} ]\n", rows[0], rows[1])), Ok(rows.clone()));
        assert_eq!(read(&format!("{}\n{}", rows[0], rows[1])), Ok(rows));
        assert_eq!((read(""), read("[]")), (Ok(vec![]), Ok(vec![])));
    }

    #[test]
    fn a_row_may_lie_across_what_is_read_at_once() {
        let row = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        assert_eq!(read(&format!("[{row},{row}]")).map(|rows| rows == [row.clone(), row]), Ok(true));
        let row = format!("{{\"a\":\"{}\"}}", "x".repeat(LARGEST));
        assert_eq!(read(&row), Err("it: too large is row 1".to_owned()));
    }

    #[test]
    fn a_fault_names_the_row_only() {
        for (text, fault) in [
            ("[{} {}]", "it: no comma stands before row 2"),
            ("[{}", "it: the list ends before row 2"),
            ("[{}, \"secret\"]", "it: no object is row 2"),
            ("{\"a\": \"secret", "it: it ends within row 1"),
            ("[] {}", "it: something stands behind the list, where there is no row 1"),
        ] {
            assert_eq!(read(text), Err(fault.to_owned()));
        }
    }
}
