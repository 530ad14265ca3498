use super::families::FAMILIES;
use super::*;
use std::collections::BTreeSet;
use weir_engine::metrics::{LagUnit, SourceLag, SplitLag};

/// What is told of a job with one vertex of this id, whose counters `count` has set.
fn told(id: &str, count: impl FnOnce(&VertexMetrics)) -> String {
    let status = Arc::new(JobStatus::new(1));
    count(&status.metrics.vertices[0]);
    let vertices = vec![(id.to_owned(), status.metrics.vertices[0].clone())];
    let (now, uptime) = (Duration::from_secs(9), Duration::from_millis(2_500));
    text(&Look { job: "j".into(), status, vertices, outboxes: Vec::new(), now, uptime, process: (1.5, 4_096) }).expect("a text")
}

/// The value of the line that begins with this.
#[track_caller]
fn value<'t>(text: &'t str, line: &str) -> &'t str {
    let found = text.lines().find_map(|of| of.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{line}\n{text}"))
}

/// As the page and Prometheus have it: with the suffixes of the unit and of a counter.
fn full_name(family: &Family) -> String {
    let unit = family.unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
    let total = if matches!(family.kind, MetricType::Counter) { "_total" } else { "" };
    format!("{}{unit}{total}", family.name)
}

#[test]
fn figures_are_told_by_vertex_and_subtask() {
    let text = told("count", |metrics| {
        metrics.subtasks.of(1).records_in.add(7);
        metrics.subtasks.of(1).batch_time.observe(Duration::from_micros(300));
        metrics.subtasks.of(1).batch_time.observe(Duration::from_secs(1_000));
        metrics.late.add(3);
        metrics.own.add("seen", -4);
    });
    assert_eq!(value(&text, "weir_job_uptime_seconds{job_name=\"j\"}"), "2.5");
    assert_eq!(value(&text, "process_cpu_seconds_total{job_name=\"j\"}"), "1.5");
    let labels = "{job_name=\"j\",vertex=\"count\",subtask=\"1\"}";
    assert_eq!(value(&text, &format!("weir_records_in_total{labels}")), "7.0");
    assert_eq!(value(&text, "weir_records_in_total{job_name=\"j\",vertex=\"count\",subtask=\"0\"}"), "0.0");
    assert_eq!(value(&text, "weir_records_late_total{job_name=\"j\",vertex=\"count\"}"), "3.0");
    assert_eq!(value(&text, "weir_plugin_metric{job_name=\"j\",vertex=\"count\",name=\"seen\"}"), "-4.0");
    assert_eq!(value(&text, &format!("weir_batch_duration_seconds_count{labels}")), "2");
    let bucket =
        |bound: &str| format!("weir_batch_duration_seconds_bucket{{job_name=\"j\",vertex=\"count\",subtask=\"1\",le=\"{bound}\"}}");
    let buckets = ["0.0001", "0.0005", "300", "+Inf"].map(|bound| value(&text, &bucket(bound)));
    assert_eq!(buckets, ["0", "1", "1", "2"], "each has those below it");
    assert!(!text.contains("weir_watermark") && !text.contains("weir_task_busy"), "what is not known is not told");
}

#[test]
fn no_name_breaks_out_of_its_label() {
    let text = told("in", |metrics| {
        let mut lag = SourceLag::default();
        lag.add("a\"} 1\nb\\", Some(SplitLag { amount: 5, unit: LagUnit::Bytes }));
        metrics.lag.set(0, lag);
    });
    assert_eq!(value(&text, r#"weir_source_split_lag_bytes{job_name="j",vertex="in",split="a\"} 1\nb\\"}"#), "5.0");
    assert!(!text.contains("weir_source_lag_records"), "it is known in bytes");
}

#[test]
fn there_are_so_many_splits_and_no_more() {
    let text = told("in", |metrics| {
        let mut lag = SourceLag::default();
        (0..1_000).for_each(|split| lag.add(&format!("s{split}"), Some(SplitLag { amount: split, unit: LagUnit::Records })));
        metrics.lag.set(0, lag);
    });
    let splits: Vec<&str> = text.lines().filter(|line| line.starts_with("weir_source_split_lag_records{")).collect();
    assert!(splits.len() == 64 && splits[0].contains("s999"), "{splits:?}");
}

#[test]
fn each_line_is_of_a_family_that_is_described_once_and_in_front_of_it() {
    let text = told("count", |metrics| metrics.subtasks.of(0).records_in.add(1));
    let (mut described, mut family) = (BTreeSet::new(), "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().expect("a name");
            assert!(described.insert(family), "{family} twice");
        }
        let name = line.trim_start_matches("# TYPE ").trim_start_matches("# HELP ");
        assert!(name.starts_with(family), "{line}");
        if !line.starts_with('#') {
            let number = line.rsplit(' ').next().expect("a value");
            assert!(number.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn names_are_as_prometheus_wants_them() {
    let names: BTreeSet<String> = FAMILIES.iter().map(full_name).collect();
    assert_eq!(names.len(), FAMILIES.len(), "each once");
    for family in FAMILIES {
        let name = family.name;
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(name.starts_with("weir_") || name.starts_with("process_"), "{name}");
        assert!(!name.ends_with("_total") && family.help.ends_with('.'), "{name}: {}", family.help);
    }
}

#[test]
fn the_page_of_metrics_is_made_from_the_families() {
    let row = |family: &Family| {
        let labels = match family.read {
            Read::Job(_) | Read::Checkpoints(_) => String::new(),
            Read::Vertex(_) | Read::Outbox(_) => "`vertex`".into(),
            Read::Named(name, _) => format!("`vertex`, `{name}`"),
            Read::Subtask(_) | Read::Batches(_) => "`vertex`, `subtask`".into(),
        };
        format!("| `{}` | {} | {labels} | {} |\n", full_name(family), family.kind.as_str(), family.help)
    };
    let table = format!("| metric | kind | labels | what it is |\n|---|---|---|---|\n{}", FAMILIES.iter().map(row).collect::<String>());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once("<!-- table: metrics -->\n").expect("a place for the table");
    let (_, after) = rest.split_once("<!-- end of table -->").expect("its end");
    let made = format!("{before}<!-- table: metrics -->\n{table}<!-- end of table -->{after}");
    if std::env::var_os("WEIR_REFRESH_DOCS").is_some() {
        std::fs::write(&path, &made).expect("written");
    } else {
        assert!(
            made == page,
            "host/docs/metrics.md says something else: WEIR_REFRESH_DOCS=1 cargo test --workspace --lib the_page_of_metrics"
        );
    }
}

/// The names in a text that begin as those of figures do.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("weir_") || word.starts_with("process_")).collect()
}

#[test]
fn what_alerts_and_the_dashboard_ask_for_is_told() {
    let mut told = BTreeSet::from(["weir_job".to_owned()]);
    for family in FAMILIES {
        let name = full_name(family);
        match family.kind {
            MetricType::Histogram => told.extend(["bucket", "count", "sum"].map(|part| format!("{name}_{part}"))),
            _ => _ = told.insert(name),
        }
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for file in ["prometheus/alerts.yml", "prometheus/grafana.json", "metrics.md"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let asked = names_in(&text);
        assert!(asked.len() >= 10, "{file} {asked:?}");
        let of_page = |name: &&str| file == "metrics.md" && FAMILIES.iter().any(|family| full_name(family) == **name);
        let wrong: Vec<&&str> = asked.iter().filter(|name| !told.contains(**name) && !of_page(name)).collect();
        assert!(wrong.is_empty(), "{file}: {wrong:?}");
    }
    let dashboard = std::fs::read_to_string(folder.join("prometheus/grafana.json")).expect("it is there");
    assert!(serde_json::from_str::<serde_json::Value>(&dashboard).is_ok_and(|dashboard| dashboard["panels"].is_array()));
}
