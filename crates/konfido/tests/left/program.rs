//! The program as a user runs it.

use std::process::{Command, Output};

/// Runs the program.
pub fn konfido(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konfido")).args(arguments).output().expect("konfido runs")
}

/// What it said on stdout, when it went well.
pub fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).expect("text")
}
