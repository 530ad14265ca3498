//! Jobs of built-in steps, put together.

use super::*;
use crate::job_file::{SourceText, parse};

fn assembled(text: &str) -> Result<Assembly, Failure> {
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    assemble(&job, |_| panic!("no plugin in this job"))
}

const JOB: &str = "name = \"j\"
[sink.out]
connector = \"blackhole\"
input = \"count\"
[operator.count]
native = \"keyed-count\"
input = { from = \"first\", by = \"key\" }
[operator.first]
native = \"pass-through\"
input = \"in\"
[source.in]
connector = \"generator\"
count = 10
";

#[test]
fn limits_that_a_job_file_leaves_out_are_the_sandboxs_own() {
    let text = JOB.replacen("native = \"keyed-count\"", "plugin = \"p.wasm\"", 1);
    let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, std::path::Path::new("/jobs"), 2).expect("right");
    let step = job.operators.iter().find(|step| step.id.value == "count").expect("it is there");
    let Code::Plugin(code) = &step.code else { panic!("a plugin") };
    assert_eq!(settings(step, code).limits, weir_wasm::Limits::default());
}

#[track_caller]
fn check(from: &str, to: &str, expect: &str) {
    assert!(JOB.contains(from));
    let failure = assembled(&JOB.replacen(from, to, 1)).err().expect("something is wrong");
    assert_eq!((failure.text().as_str(), failure.exit_code()), (expect, 2));
}

#[test]
fn vertices_stand_in_the_direction_of_the_records() {
    let Assembly { graph, sinks } = assembled(JOB).expect("a fine job");
    let ids: Vec<_> = graph.vertices.iter().map(|vertex| vertex.id.as_str()).collect();
    assert_eq!((ids, sinks), (vec!["in", "first", "count", "out"], vec![3]));
    let edges: Vec<_> = graph.edges.iter().map(|edge| (edge.from, edge.to, edge.partitioning)).collect();
    assert_eq!(edges, [(0, 1, Partitioning::Forward), (1, 2, Partitioning::Key), (2, 3, Partitioning::Forward)]);
}

#[test]
fn an_operator_with_state_needs_an_input_by_key() {
    check(
        "{ from = \"first\", by = \"key\" }",
        "\"first\"",
        "job.toml:7:9: `count` keeps state by key (`totals`), but none of its inputs is distributed by key (write `input = { from = \"first\", by = \"key\" }`)",
    );
}

#[test]
fn what_a_source_does_not_set_aside_feeds_nothing() {
    let refused = |source: &str| {
        let text = JOB.replacen("connector = \"generator\"\ncount = 10", source, 1);
        let text = text.replacen("input = \"count\"", "inputs = [\"count\", \"in.quarantine\"]", 1);
        assembled(&text).err().map(|failure| failure.text())
    };
    let problem = "job.toml:4:20: `in` puts no record into quarantine";
    let generator = refused("connector = \"generator\"");
    assert_eq!(generator, Some(format!("{problem} (there is nothing that a `generator` source cannot read)")));
    let file = "connector = \"file\"\nformat = \"csv\"\npath = \"*.csv\"\nkey = \"k\"\n";
    assert_eq!(refused(file), Some(format!("{problem} (`on-error = \"quarantine\"` in [source.in] does)")));
    assert_eq!(refused(&format!("{file}on-error = \"quarantine\"")), None);
}

#[test]
fn records_without_keys_are_not_distributed_by_key() {
    let by_key = JOB.replacen("input = \"in\"", "input = { from = \"in\", by = \"key\" }", 1);
    assert!(assembled(&by_key).is_ok());
    let refused = |source: &str| {
        let text = by_key.replacen("connector = \"generator\"\ncount = 10", source, 1);
        assembled(&text).err().map(|failure| failure.text()).unwrap_or_default()
    };
    assert_eq!(
        refused("connector = \"file\"\npath = \"x.csv\"\nformat = \"csv\""),
        "job.toml:10:9: the records of `in` have no key, so they cannot be distributed by key (`key` in [source.in] names a column (`format = \"csv\"`) or a field (`format = \"jsonl\"`))"
    );
    assert_eq!(refused("connector = \"file\"\npath = \"x.csv\"\nformat = \"csv\"\nkey = \"k\""), "");
    assert!(refused("connector = \"stdin\"\nreplay = \"none\"").contains("`key` in [source.in] names a column"));
    assert_eq!(refused("connector = \"stdin\"\nreplay = \"none\"\nformat = \"csv\"\nkey = \"k\"\nrate = 5"), "");
}

#[test]
fn rows_that_a_source_sets_aside_go_to_the_sink_that_takes_them_or_into_the_storage() {
    let on_error = "connector = \"file\"\npath = \"x.csv\"\nformat = \"csv\"\nkey = \"k\"\non-error = \"quarantine\"";
    let text = JOB.replacen("connector = \"generator\"\ncount = 10", on_error, 1);
    let of = |text: &str| {
        let Assembly { graph, sinks } = assembled(text).unwrap_or_else(|failure| panic!("{}", failure.text()));
        let id = |vertex: usize| graph.vertices[vertex].id.clone();
        let quarantine = graph.edges.iter().filter(|edge| edge.output == QUARANTINE_OUTPUT).map(|edge| (id(edge.from), id(edge.to)));
        (quarantine.collect::<Vec<_>>(), sinks)
    };
    assert_eq!(of(&text), (vec![("in".into(), "in.quarantine".into())], vec![3]));
    let taken = format!("{text}[sink.bad]\nconnector = \"blackhole\"\ninput = \"in.quarantine\"\n");
    assert_eq!(of(&taken), (vec![("in".into(), "bad".into())], vec![3, 4]));
    let by_key = text.replacen("from = \"first\", by", "from = \"in.quarantine\", by", 1);
    let refused = assembled(&by_key).err().map(|failure| failure.text()).unwrap_or_default();
    assert_eq!(refused, "job.toml:7:9: the records of `in.quarantine` have no key: they could not be read (leave `by` out)");
}

#[test]
fn a_side_output_has_to_be_declared() {
    check(
        "input = \"count\"",
        "input = \"count.slow\"",
        "job.toml:4:9: the plugin of `count` has no output `slow` (there are: `out`, `quarantine`)",
    );
}

#[test]
fn a_source_that_cannot_be_read_again_says_so_and_no_other_does() {
    check(
        "connector = \"generator\"\ncount = 10",
        "connector = \"stdin\"",
        "job.toml:12:13: `in` cannot be read again after a failure, and the job is exactly-once (`replay = \"none\"` says that records may be lost)",
    );
    check("count = 10", "replay = \"none\"", "job.toml:13:10: `in` can be read again after a failure, and always is (leave `replay` out)");
}

#[test]
fn a_connectors_complaint_stands_at_its_setting() {
    check("count = 10", "cuont = 10", "job.toml:13:1: the source `generator` has no setting `cuont` (did you mean `count`?)");
}

#[test]
fn an_unknown_connector_lists_the_known_ones() {
    let failure = assembled(&JOB.replacen("\"generator\"\ncount = 10", "\"pulsar\"", 1)).err().expect("no such connector");
    let expected = "job.toml:12:13: there is no source connector `pulsar` (known connectors: file, generator, ";
    assert!(failure.text().starts_with(expected), "{}", failure.text());
}

#[test]
fn a_source_that_would_read_what_its_own_job_writes_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data/in.csv"), "k,v\n").expect("a file");
    std::os::unix::fs::symlink("data", folder.path().join("link")).expect("a link");
    let refused = |path: &str, out: &str, storage: &str| {
        let text = format!(
            "name = \"j\"\n[checkpoints]\nstorage = {storage:?}\n[source.in]\nconnector = \"file\"\npath = {path:?}\n\
             [sink.out]\nconnector = \"file\"\ninput = \"in\"\npath = {out:?}\n"
        );
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, folder.path(), 2).expect("a job file that can be read");
        let assembled = assemble(&job, |_| panic!("no plugin in this job"));
        assembled.err().map(|failure| failure.text()).unwrap_or_default()
    };
    let check = |path: &str, out: &str, expect: &str| {
        let text = refused(path, out, "file:.weir");
        assert_eq!(text.split(" /").next(), Some(expect), "{text}");
    };
    let own = "job.toml:6:1: `in` would read what the sink `out` writes into";
    for (path, out) in
        [("data/*", "data"), ("**/*", "out"), ("data/../*/*", "link"), ("link/out/*", "data/out"), ("data/**", "data/x/../y")]
    {
        check(path, out, own);
    }
    for (path, out) in [("data/*.csv", "data"), ("data/*", "out"), ("data/*", "data/out"), ("**/*.csv", "out"), ("data/in.csv", "data")] {
        check(path, out, "");
    }
    assert!(refused("**/*.json", "out", "file:state").starts_with("job.toml:6:1: `in` would read what the job keeps its checkpoints in /"));
    assert_eq!(refused("**/*.json", "out", "file:.weir"), "");
}

#[test]
fn settings_that_do_not_go_together_are_refused_where_they_stand() {
    check(
        "connector = \"generator\"\ncount = 10",
        "connector = \"file\"\npath = \"x\"\nfollow = true\nsplit = \"64MiB\"",
        "job.toml:15:1: `split` has no meaning with `follow = true`: what grows cannot be cut into ranges (leave one of the two out)",
    );
}

#[test]
fn a_watermark_needs_times_and_an_order_that_is_kept() {
    let refused = |source: &str| {
        let text = JOB.replacen("connector = \"generator\"\ncount = 10", source, 1);
        assembled(&text).err().map(|failure| failure.text())
    };
    let no_time = |line: u32| format!("job.toml:{line}:1: the records of `in` have no time that a watermark could be made of");
    let setting = "`timestamp` in [source.in] names a column (`format = \"csv\"`) or a field (`format = \"jsonl\"`)";
    let generator = refused("connector = \"generator\"\nwatermark = {}");
    assert_eq!(generator, Some(format!("{} (leave `watermark` out: a `generator` source gives none)", no_time(13))));
    let file = "connector = \"file\"\npath = \"*.csv\"\nformat = \"csv\"\nkey = \"k\"";
    assert_eq!(refused(&format!("{file}\nwatermark = {{}}")), Some(format!("{} ({setting})", no_time(16))));
    let stdin = "connector = \"stdin\"\nreplay = \"none\"\nformat = \"jsonl\"\nkey = \"k\"";
    assert_eq!(refused(&format!("{stdin}\nwatermark = {{}}")), Some(format!("{} ({setting})", no_time(16))));
    let timed = format!("{file}\ntimestamp = \"t\"\nwatermark = {{ order = \"name\" }}");
    assert_eq!(refused(&timed), None);
    let by_name = |more: &str| format!("{timed}\n{more}");
    let side_by_side = "`in` does not read what it reads in the order of names (leave `order` out; files without `follow` are read so)";
    assert_eq!(refused(&by_name("follow = true")), Some(format!("job.toml:17:15: {side_by_side}")));
    let nexmark = "connector = \"nexmark\"\ncount = 10\nwatermark = { order = \"name\" }";
    let nexmark = refused(nexmark).unwrap_or_default();
    assert!(nexmark.contains(&format!("job.toml:14:15: {side_by_side}")), "{nexmark}");
}

#[test]
fn what_a_watermark_says_is_what_its_source_does() {
    let source =
        "connector = \"file\"\npath = \"*.csv\"\nformat = \"csv\"\nkey = \"k\"\ntimestamp = { field = \"t\", format = \"unix-s\" }";
    let with = |more: &str| assembled(&JOB.replacen("connector = \"generator\"\ncount = 10", &format!("{source}\n{more}"), 1));
    let watermark = |more: &str| with(more).expect("a fine job").graph.vertices[0].watermark.clone();
    assert_eq!(watermark(""), None);
    let settings = watermark("watermark = { delay = \"2s\", order = \"name\" }").expect("it makes some");
    assert_eq!((settings.delay.as_secs(), settings.in_order), (2, true));
}

#[test]
fn what_is_wrong_within_a_table_of_a_connector_is_shown_at_its_place() {
    let refused = |timestamp: &str| {
        let source = format!("connector = \"file\"\npath = \"*.csv\"\nformat = \"csv\"\nkey = \"k\"\ntimestamp = {timestamp}");
        let text = JOB.replacen("connector = \"generator\"\ncount = 10", &source, 1);
        assembled(&text).err().map(|failure| failure.text()).unwrap_or_default()
    };
    let unknown = refused("{ field = \"t\", fromat = \"unix-s\" }");
    assert_eq!(unknown, "job.toml:16:28: `timestamp` of the source `file` has no setting `fromat` (did you mean `format`?)");
    assert!(refused("{ field = \"t\", format = \"unix\" }").starts_with("job.toml:16:28: there is no format of times `unix`"));
    assert!(refused("{ format = \"unix-s\" }").starts_with("job.toml:16:1: `timestamp` has no `field`"));
}
