//! The page on the sandbox has the limits that there are, with the defaults that hold, and weir-wasm has the same ones by itself.

use super::*;
use crate::job_file::model::Code;
use crate::job_file::tables::LIMITS;
use weir_connectors::Fallback;
use weir_engine::runtime::DATA_STACK_BYTES;
use weir_wasm::{GUEST_STACK_BYTES, Limits};

/// The rows of the page's table of limits: what is bounded, the settings, the defaults.
fn rows() -> Vec<[String; 3]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sandbox.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (_, table) = page.split_once("| what | setting of `limits` | default | what passes it |\n|---|---|---|---|\n").expect("its table");
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    };
    table.lines().take_while(|line| line.starts_with('|')).map(row).collect()
}

/// The names of a cell: `` `output-bytes`, `output-records` ``; of a table only its own.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).map(|name| name.split(' ').next().unwrap_or_default()).collect()
}

/// A default as it stands in a job file: `16 MiB` is `16MiB`, `100,000` is `100000`.
fn as_written(default: &str) -> String {
    default.chars().filter(|letter| !matches!(letter, ' ' | ',')).collect()
}

#[test]
fn the_page_on_the_sandbox_has_each_limit_once_with_its_default() {
    let mut said = Vec::new();
    for [_, settings, defaults] in rows() {
        let names = names(&settings);
        let several: Vec<&str> = if names.len() > 1 { defaults.split(", ").collect() } else { vec![&defaults] };
        assert_eq!(names.is_empty(), settings.starts_with("none: "), "{settings}");
        said.extend(names.iter().zip(several).map(|(name, default)| ((*name).to_owned(), default.to_owned())));
    }
    for setting in LIMITS {
        let told: Vec<&str> = said.iter().filter(|(name, _)| name == setting.name).map(|(_, default)| default.as_str()).collect();
        let [default] = told[..] else { panic!("`{}` stands once in the table, and not as {told:?}", setting.name) };
        match setting.fallback {
            Fallback::Value(value) => assert_eq!(as_written(default), value, "{}", setting.name),
            Fallback::Found(words) => assert_eq!(default, words, "{}", setting.name),
            Fallback::Nothing => assert!(["not counted", "by the size of the file"].contains(&default), "{}: {default}", setting.name),
            Fallback::Required(_) => panic!("no limit has to be said: {}", setting.name),
        }
    }
    assert_eq!(said.len(), LIMITS.len(), "{said:?}");
}

#[test]
fn the_page_on_the_sandbox_has_the_stack_of_a_guest_and_its_part_of_a_data_threads() {
    let last = rows().pop().expect("the stack is the last");
    assert_eq!(last[0], "the guest's stack");
    let part = match DATA_STACK_BYTES / GUEST_STACK_BYTES {
        2 => "half",
        3 => "a third",
        4 => "a quarter",
        other => panic!("one {other}th"),
    };
    assert_eq!(last[1], format!("none: {} KiB, {part} of a data thread's", GUEST_STACK_BYTES >> 10));
}

#[test]
fn the_limits_that_a_job_file_leaves_out_are_those_of_a_plugin_by_itself() {
    let job = parsed(GOOD).expect("right");
    let Code::Plugin(code) = &job.operators[0].code else { panic!("it is a plugin") };
    let (own, said) = (Limits::default(), &code.limits);
    assert_eq!((said.memory, said.recycle_memory, said.table_elements), (own.memory, own.recycle_memory, own.table_elements));
    assert_eq!((said.time_per_batch, said.fuel_per_record), (own.time_per_batch, own.fuel_per_record));
    assert_eq!((said.output_bytes, said.output_records), (own.output_bytes, own.output_records));
    assert_eq!((said.state_bytes_per_key, said.log_bytes_per_s), (own.state_bytes_per_key, own.log_bytes_per_s));
    assert_eq!(job.operators[0].state_bytes, own.state_bytes);
}
