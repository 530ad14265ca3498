//! The page of all commands is what `weir … --help` prints, command by command. Run with `WEIR_REFRESH_DOCS=1` its test writes it anew.

use crate::WEIR;
use crate::architecture::workspace;
use std::fmt::Write;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What stands in front of the commands.
const HEAD: &str = "# Every command

What each command prints with `--help`, which `weir` says itself wherever it is installed. What the commands are for is on [running jobs](running-jobs.md), with what goes on beside them.
`--output`, `-q` and `-h`, which `weir` lists, are every command's.
";

/// The first of the options that every command has. They stand behind its own, in front of its examples.
const OF_ALL: &str = "      --output <OUTPUT>";

/// Commands within commands at most: clap's own tree has two levels.
const DEPTH_MAX: usize = 4;

/// What a command says of itself. Without a terminal its lines have the same width everywhere.
fn help(words: &[&str]) -> String {
    let mut command = Command::new(WEIR);
    let output =
        command.arg0("weir").args(words).arg("--help").env_remove("COLUMNS").stdin(Stdio::null()).output().expect("the command runs");
    assert!(output.status.success(), "weir {} --help", words.join(" "));
    String::from_utf8(output.stdout).expect("a text")
}

/// The commands that a help lists, in its order.
fn listed(help: &str) -> Vec<&str> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is said of a command may go on in lines of its own, which stand further in.
    let named = list.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    named.filter(|name| *name != "help").collect()
}

/// A command's help without the options that every command has.
fn own(help: &str) -> String {
    let Some((own, rest)) = help.split_once(OF_ALL) else { return help.to_owned() };
    let examples = rest.find("\nExample").map_or("", |at| &rest[at..]);
    let own = own.trim_end();
    format!("{}\n{examples}", own.strip_suffix("Options:").unwrap_or(own).trim_end())
}

/// Writes a command and those within it behind `page`.
fn describe(words: &[&str], page: &mut String) {
    assert!(words.len() <= DEPTH_MAX, "weir {}", words.join(" "));
    let said = help(words);
    let name = ["weir"].iter().chain(words).copied().collect::<Vec<_>>().join(" ");
    let shown = if words.is_empty() { said.clone() } else { own(&said) };
    let text: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", text.join("\n")).expect("a text");
    for sub in listed(&said) {
        describe(&[words, &[sub]].concat(), page);
    }
}

#[test]
fn the_page_of_commands_is_what_they_say_themselves() {
    let mut made = HEAD.to_owned();
    describe(&[], &mut made);
    let path = workspace().join("host/docs/commands.md");
    if std::env::var_os("WEIR_REFRESH_DOCS").is_some() {
        fs::write(&path, &made).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == made, "{} says something else: WEIR_REFRESH_DOCS=1 cargo test --workspace --test it -- command_page", path.display());
}

#[test]
fn commands_are_found_in_a_help_and_what_is_said_of_them_is_none() {
    let help = "What it does\n\nCommands:\n  run    Runs\n         on\n  check  Checks\n  help   Print this\n\nOptions:\n  -q  less\n";
    assert_eq!(listed(help), ["run", "check"]);
    assert_eq!(listed("Options:\n  -q  less\n"), [""; 0]);
    assert_eq!(own("Runs\n\nOptions:\n      --output <OUTPUT>\n  -h\n\nExample:\n  x\n"), "Runs\n\nExample:\n  x\n");
    assert_eq!(own("Options:\n  --a\n\n      --output <OUTPUT>\n\nExample:\n  x\n"), "Options:\n  --a\n\nExample:\n  x\n");
}
