//! docs/commands.md and the help of the program name the same commands.

use std::collections::BTreeSet;
use std::process::Command;

fn help(path: &[String]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_konfido")).args(path).arg("--help").output();
    String::from_utf8(done.expect("konfido runs").stdout).expect("help is text")
}

/// Commands below a path, by the help's own list; leaves have none.
fn below(path: &[String]) -> Vec<Vec<String>> {
    let text = help(path);
    let Some((_, list)) = text.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let known = names.filter(|name| !name.is_empty() && *name != "help");
    known.map(|name| [path, &[name.to_owned()]].concat()).collect()
}

fn leaves(path: &[String]) -> BTreeSet<String> {
    let below = below(path);
    if below.is_empty() {
        return BTreeSet::from([path.join(" ")]);
    }
    below.iter().flat_map(|path| leaves(path)).collect()
}

#[test]
fn the_page_of_commands_names_every_command_and_no_other() {
    let page = include_str!("../../../docs/commands.md");
    let (_, table) = page.split_once("| command | does |").expect("the page has the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let known = leaves(&[]);
    let mut named = BTreeSet::new();
    for row in rows {
        let usage = row.split('`').nth(1).expect("a row begins with a command");
        let words: Vec<&str> = usage.split_whitespace().collect();
        let mut command = (1..=words.len()).map(|end| words[..end].join(" "));
        let command = command.rfind(|words| known.contains(words));
        let command = command.unwrap_or_else(|| panic!("{usage}: there is no such command"));
        let text = help(&command.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for option in usage.split(['[', ']', ' ', '|']).filter(|word| word.starts_with("--")) {
            assert!(text.contains(option), "{command} has no {option}");
        }
        named.insert(command);
    }
    assert_eq!(named, known);
}
