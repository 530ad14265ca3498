//! A file as a whole: all of its problems at once, each shown where it stands.

use super::*;

#[test]
fn all_problems_of_a_file_come_at_once() {
    let text =
        GOOD.replace("name = ", "nmae = ").replace("input = \"delays\"", "input = \"x\"").replace("connector = \"file\"\npath", "path");
    let error = parsed(&text).expect_err("wrong");
    let messages: Vec<_> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
    let expect = [
        "the job file has no `name`",
        "unknown key `nmae` in the job file",
        "[source.rows] has no `connector`",
        "no source or operator `x`",
    ];
    assert_eq!(messages, expect);
}

#[test]
fn what_is_not_toml_is_shown_where_it_breaks() {
    let error = parsed("name = \"a\nparallelism = = 2\n").expect_err("not TOML");
    assert!(error.problems.len() >= 2, "{error}");
    assert!(error.problems.iter().all(|problem| problem.message.starts_with("this is not TOML: ")), "{error}");
    let twice = parsed("name = \"a\"\nname = \"b\"\n").expect_err("a key twice");
    assert_eq!(twice.to_string(), "job.toml:2:1: this is not TOML: duplicate key");
}

#[test]
fn a_report_shows_file_line_excerpt_and_hint() {
    let error = parsed(&GOOD.replacen("input = \"delays\"", "input = \"delay\"", 1)).expect_err("dangling");
    let expect = "  × no source or operator `delay`
    ╭─[job.toml:14:9]
 13 │ connector = \"file\"
 14 │ input = \"delay\"
    ·         ───┬───
    ·            ╰── nothing comes from here
 15 │ path = \"out\"
    ╰────
  help: did you mean `delays`?
";
    assert_eq!(error.render(false), expect);
}

#[test]
fn no_cut_of_a_good_file_panics() {
    for end in (0..GOOD.len()).filter(|&end| GOOD.is_char_boundary(end)) {
        if let Err(error) = parsed(&GOOD[..end]) {
            assert!(!error.problems.is_empty() && !error.render(false).is_empty());
        }
    }
}

#[test]
fn what_the_file_does_not_say_itself_is_read_and_named_as_it_is_written() {
    // A variable that cargo sets.
    let text = GOOD.replace("delays.wasm", "${CARGO_PKG_NAME}/delays.wasm").replace("name = \"flights\"", "name = \"${CARGO_PKG_NAME}\"");
    let job = parsed(&text).expect("the file is right");
    let Code::Plugin(code) = &job.operators[0].code else { panic!("a plugin") };
    assert_eq!((&*job.name, &*code.path.value), ("weir", "weir/delays.wasm"));
    assert_eq!(job.plugin_of("delays"), Some("${CARGO_PKG_NAME}/delays.wasm"), "whoever sets it otherwise names no other component");
    let unset =
        "the variable `WEIR_NOT_SET_ANYWHERE` is not set (set it for the process that runs weir; a dollar that stands for itself is `$$`)";
    check("name = \"flights\"", "name = \"${WEIR_NOT_SET_ANYWHERE}\"", &format!("job.toml:2:8: `name` of the job file: {unset}"));
    check_with(
        "[checkpoints]\ninterval = \"${WEIR_NOT_SET_ANYWHERE}\"\n",
        &format!("job.toml:17:12: `interval` of [checkpoints]: {unset}"),
    );
}
