//! How steps hang together: ids, references, inputs, parallelism.

use super::*;

#[test]
fn the_default_parallelism_does_not_pass_the_number_of_key_groups() {
    assert_eq!(parsed(&GOOD.replace("name =", "max-parallelism = 1\nname =")).expect("right").parallelism, 1);
}

#[test]
fn partitioning_follows_the_parallelism_where_it_is_not_said() {
    let job = parsed(&GOOD.replace("path = \"out\"", "path = \"out\"\nparallelism = 1")).expect("right");
    assert_eq!(job.sinks[0].inputs[0].by, Partitioning::Rebalance);
    assert_eq!(parsed(GOOD).expect("right").sinks[0].inputs[0].by, Partitioning::Forward);
}

#[test]
fn steps_of_every_kind_may_have_had_another_id() {
    let renamed = GOOD.replace("path = \"data/*.csv\"", "path = \"data/*.csv\"\nwas = \"lines\"");
    let renamed = renamed.replace("plugin = ", "was = \"sums\"\nplugin = ").replace("path = \"out\"", "path = \"out\"\nwas = \"files\"");
    let renames = parsed(&renamed).expect("right").renames();
    assert_eq!(renames.into_iter().map(|(id, was)| format!("{was} {id}")).collect::<Vec<_>>(), ["sums delays", "files out", "lines rows"]);
    assert!(parsed(GOOD).expect("right").renames().is_empty());
    check(
        "path = \"out\"",
        "path = \"out\"\nwas = \"rows\"",
        "job.toml:16:7: `rows` is a step of this job, so `out` was not it (take `was` out; it renames a step, once)",
    );
    let twice = GOOD.replace("path = \"", "was = \"old\"\npath = \"");
    assert_eq!(
        parsed(&twice).expect_err("twice").to_string(),
        "job.toml:16:7: `rows` says already that it was `old` (only one step goes on with the state of another)"
    );
}

#[test]
fn what_belongs_to_the_source_or_into_a_name_is_said() {
    let input = "input = { from = \"rows\", by = \"key\" }";
    let source_says = |column: &str| {
        format!(
            "`by = \"key\"` distributes records by the key that they have; which column that is, their source says: `key = \"{column}\"`"
        )
    };
    let by = "`by` of an input of [operator.delays] is one of `key`, `forward`, `rebalance`, `broadcast`";
    check(input, "input = { from = \"rows\", by = \"card\" }", &format!("job.toml:10:31: {by} ({})", source_says("card")));
    check(input, "input = { from = \"rows\", by = \"kay\" }", &format!("job.toml:10:31: {by} (did you mean `key`?)"));
    check(
        input,
        "input = { from = \"rows\", by = \"key\", key = \"card\" }",
        &format!("job.toml:10:38: an input of [operator.delays] has no `key` ({})", source_says("card")),
    );
    check(
        "input = \"delays\"",
        "input = { from = \"delays\", output = \"late\" }",
        "job.toml:14:28: an input of [sink.out] has no `output` (a side output is named with its step: `from = \"delays.late\"`)",
    );
}

#[test]
fn references_lead_somewhere() {
    check("input = \"delays\"", "input = \"delay\"", "job.toml:14:9: no source or operator `delay` (did you mean `delays`?)");
    check("input = \"delays\"", "input = \"planes\"", "job.toml:14:9: no source or operator `planes` (there are: `delays`, `rows`)");
    check("from = \"rows\"", "from = \"out\"", "job.toml:10:9: `out` is a sink: nothing comes out of it");
    check("from = \"rows\"", "from = \"rows.late\"", "job.toml:10:9: the source `rows` has no output `late` (write `rows`)");
    check(
        "from = \"rows\"",
        "from = \"delays\"",
        "job.toml:10:9: the steps go in a circle: `delays` → `delays` (records flow from sources to sinks only)",
    );
    check("input = \"delays\"", "inputs = [\"delays\", \"delays\"]", "job.toml:14:21: `delays` is an input of this step already");
    check(
        "input = \"delays\"",
        "input = \"delays.quarantine\"",
        "job.toml:14:9: `delays` puts no record into quarantine (`on-failure = \"quarantine\"` in [operator.delays] does)",
    );
}

#[test]
fn a_circle_is_shown_in_the_direction_of_the_records() {
    let second = "[operator.again]\nnative = \"pass-through\"\ninput = \"delays\"\n";
    let text = format!(
        "{}{second}",
        GOOD.replace("{ from = \"rows\", by = \"key\" }", "[\"rows\", \"again\"]").replace("input = [", "inputs = [")
    );
    let error = parsed(&text).expect_err("a circle");
    assert_eq!(
        error.to_string(),
        "job.toml:18:9: the steps go in a circle: `delays` → `again` → `delays` (records flow from sources to sinks only)"
    );
}

#[test]
fn ids_are_unique_over_all_steps() {
    check(
        "[sink.out]",
        "[sink.rows]",
        "job.toml:12:7: there is another step with the id `rows` (ids are unique over sources, operators and sinks)",
    );
    check("[sink.out]", "[sink.\"a b\"]", "job.toml:12:7: `a b` is not an id (an id has 1 to 64 letters, digits, `-` and `_`)");
}

#[test]
fn inputs_are_checked() {
    check("input = \"delays\"", "", "job.toml:12:7: [sink.out] has no `input` (for example `input = \"some-source\"`)");
    check(
        "input = \"delays\"",
        "inputs = []",
        "job.toml:14:10: `inputs` of [sink.out] is a list of inputs (for example `inputs = [\"a\", { from = \"b\", by = \"key\" }]`)",
    );
    check(
        "by = \"key\"",
        "by = \"keys\"",
        "job.toml:10:31: `by` of an input of [operator.delays] is one of `key`, `forward`, `rebalance`, `broadcast` (did you mean `key`?)",
    );
    check(
        "by = \"key\"",
        "on = \"key\"",
        "job.toml:10:26: unknown key `on` in an input of [operator.delays] (there are: `from`, `by`, `to`)",
    );
    check(
        "input = \"delays\"",
        "input = 3",
        "job.toml:14:9: an input of [sink.out] is a text or a table (for example `\"x\"` or `{ from = \"x\", by = \"key\" }`)",
    );
}

#[test]
fn partitioning_fits_the_parallelism() {
    check(
        "input = \"delays\"",
        "parallelism = 1\ninput = { from = \"delays\", by = \"forward\" }",
        "job.toml:15:33: `delays` has parallelism 2 and this step 1: `forward` needs the same (`by = \"rebalance\"` distributes the records in turn)",
    );
    check(
        "plugin = \"delays.wasm\"",
        "plugin = \"delays.wasm\"\nparallelism = 200",
        "job.toml:10:15: `delays` has parallelism 200, but there are 128 key groups (`max-parallelism` is the number of key groups)",
    );
}

#[test]
fn a_job_without_ends_is_refused() {
    let error = parsed("name = \"a\"\n").expect_err("nothing in it");
    assert_eq!(
        error.to_string(),
        "job.toml:1:11: the job has no source (for example `[source.lines]` with `connector = \"stdin\"`)\n\
         job.toml:1:11: the job has no sink (for example `[sink.out]` with `connector = \"stdout\"`)"
    );
}

#[test]
fn one_key_group_is_one_and_a_known_key_is_listed_once() {
    let one = GOOD.replacen("name = \"flights\"", "name = \"flights\"\nmax-parallelism = 1\nparallelism = 1", 1);
    let two = one.replacen("plugin = ", "parallelism = 2\nplugin = ", 1);
    assert!(parsed(&two).expect_err("too many").to_string().contains("but there is 1 key group "));
    let error = parsed(&GOOD.replacen("plugin = ", "zzzzzzzz = 1\nplugin = ", 1)).expect_err("unknown").to_string();
    assert_eq!(error.matches("`native`").count(), 1, "{error}");
}
