//! A terminal that a process reads from: what a test types there comes as from a keyboard.

use nix::pty::openpty;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

/// A pseudo-terminal.
pub struct Keyboard {
    typed: File,
    read: OwnedFd,
}

impl Keyboard {
    /// One that nobody reads from yet.
    pub fn new() -> Self {
        let terminal = openpty(None, None).expect("the system has pseudo-terminals");
        Self { typed: terminal.master.into(), read: terminal.slave }
    }

    /// The end to read from.
    pub fn read_from(&self) -> OwnedFd {
        self.read.try_clone().expect("a second handle")
    }

    /// A line, and the key that ends it.
    pub fn types(&mut self, line: &str) {
        self.typed.write_all(format!("{line}\n").as_bytes()).expect("it is typed");
    }
}

impl Default for Keyboard {
    fn default() -> Self {
        Self::new()
    }
}
