//! The binary: command line, configuration, lifecycle, demo.

fn main() {}
