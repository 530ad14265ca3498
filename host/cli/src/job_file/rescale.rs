//! A job with another parallelism than its file says: what a rescale asks for, and what a restart goes on with.

use super::model::{Input, JobFile, Partitioning};
use std::collections::BTreeMap;
use weir_connectors::{sink_capabilities, source_capabilities};
use weir_engine::state::MAX_PARALLELISM_LIMIT;

/// Channels between the subtasks of a job: every edge but a `forward` one has one from each sender to each receiver, and each costs some hundred bytes.
pub const CHANNELS_MAX: u64 = 1 << 20;

impl JobFile {
    /// The parallelism of every step, by id.
    pub fn parallelisms(&self) -> BTreeMap<String, u32> {
        let sources = self.sources.iter().map(|step| (&step.id.value, step.parallelism));
        let operators = self.operators.iter().map(|step| (&step.id.value, step.parallelism));
        let sinks = self.sinks.iter().map(|step| (&step.id.value, step.parallelism));
        sources.chain(operators).chain(sinks).map(|(id, parallelism)| (id.clone(), parallelism)).collect()
    }

    /// What the file says of each step's parallelism; 0 where it says nothing, and it follows from the machine.
    pub fn said_parallelisms(&self) -> BTreeMap<String, u32> {
        let of_machine = |parallelism: u32| !self.says_parallelism && parallelism == self.parallelism;
        self.parallelisms().into_iter().map(|(id, own)| (id, if of_machine(own) { 0 } else { own })).collect()
    }

    /// What a step reads that only one subtask can read, whatever is asked for.
    fn single_reader(&self, id: &str) -> Option<&'static str> {
        let source = self.sources.iter().find(|source| source.id.value == id)?;
        source_capabilities(&source.connector.value).single_reader
    }

    /// Whether a step gets another parallelism when that of the whole job changes: what reads what only one can read, or writes standard output,
    /// keeps its own.
    pub fn follows_job(&self, id: &str) -> bool {
        let writes = self.sinks.iter().any(|sink| sink.id.value == id && sink_capabilities(&sink.connector.value).owns_stdout);
        !writes && self.single_reader(id).is_none()
    }

    /// The ids of the steps that get another parallelism when that of the whole job changes, and of those that keep theirs. Where all keep it: why, and what to do.
    pub fn followers(&self) -> Result<(Vec<String>, Vec<String>), (String, String)> {
        let (follow, keep): (Vec<String>, Vec<String>) = self.parallelisms().into_keys().partition(|id| self.follows_job(id));
        if !follow.is_empty() {
            return Ok((follow, keep));
        }
        let why = |id: &String| match self.single_reader(id) {
            Some(input) => format!("`{id}` reads {input} and keeps its own"),
            None => format!("`{id}` writes standard output and keeps its own"),
        };
        let whys: Vec<String> = keep.iter().map(why).collect();
        let message = format!("no step gets another parallelism with that of the job: {}", whys.join(", "));
        Err((message, "name a step that can have another: `--operator ID`".into()))
    }

    /// The job with this parallelism of these steps. Edges of which the file does not say how records are distributed follow. An error says what does
    /// not go.
    pub fn rescaled(&self, wanted: &BTreeMap<String, u32>) -> Result<Self, String> {
        let known = self.parallelisms();
        for (id, &parallelism) in wanted {
            if !known.contains_key(id) {
                let ids: Vec<&str> = known.keys().map(String::as_str).collect();
                return Err(format!("the job has no step `{id}`; it has {}", ids.join(", ")));
            }
            if !(1..=MAX_PARALLELISM_LIMIT).contains(&parallelism) {
                return Err(format!("`{id}` cannot have parallelism {parallelism}; it is from 1 to {MAX_PARALLELISM_LIMIT}"));
            }
            if let Some(input) = self.single_reader(id).filter(|_| parallelism != 1) {
                return Err(format!("`{id}` reads {input}, which one subtask does"));
            }
        }
        let now = |id: &str| wanted.get(id).or_else(|| known.get(id)).copied().unwrap_or(1);
        let mut job = self.clone();
        job.sources.iter_mut().for_each(|step| step.parallelism = now(&step.id.value));
        for step in &mut job.operators {
            step.parallelism = now(&step.id.value);
            let keyed = step.inputs.iter().any(|input| input.by == Partitioning::Key);
            if keyed && step.parallelism > job.max_parallelism {
                let (id, parallelism, most) = (&step.id.value, step.parallelism, job.max_parallelism);
                return Err(format!(
                    "`{id}` has keyed state in {most} key groups (`max-parallelism`), which {parallelism} subtasks cannot share"
                ));
            }
            follow(&step.id.value, step.parallelism, &mut step.inputs, now)?;
        }
        for step in &mut job.sinks {
            step.parallelism = now(&step.id.value);
            follow(&step.id.value, step.parallelism, &mut step.inputs, now)?;
        }
        match job.crowded() {
            None => Ok(job),
            Some((_, message)) => Err(message),
        }
    }

    /// The input that brings the most channels, where all together are too many, and what to say of it.
    pub(super) fn crowded(&self) -> Option<(&Input, String)> {
        let parallelism = self.parallelisms();
        let operators = self.operators.iter().map(|step| (&step.id.value, step.parallelism, &step.inputs));
        let steps = operators.chain(self.sinks.iter().map(|step| (&step.id.value, step.parallelism, &step.inputs)));
        let inputs = steps.flat_map(|(id, to, inputs)| inputs.iter().map(move |input| (id, to, input)));
        let channels = inputs.map(|(id, to, input)| {
            let from = parallelism.get(&input.from).copied().unwrap_or(1);
            let senders = if input.by == Partitioning::Forward { 1 } else { u64::from(from) };
            (senders * u64::from(to), id, from, to, input)
        });
        let channels: Vec<_> = channels.collect();
        let all: u64 = channels.iter().map(|(channels, ..)| channels).sum();
        let (_, id, from, to, input) = channels.into_iter().max_by_key(|(channels, ..)| *channels).filter(|_| all > CHANNELS_MAX)?;
        let message = format!(
            "{from} subtasks of `{}` each send to {to} of `{id}`: with {all} channels between its subtasks the job has more than {CHANNELS_MAX}",
            input.from
        );
        Some((input, message))
    }
}

fn follow(id: &str, parallelism: u32, inputs: &mut [Input], now: impl Fn(&str) -> u32) -> Result<(), String> {
    for input in inputs {
        let from = now(&input.from);
        if input.natural {
            input.by = Partitioning::natural(from, parallelism);
        } else if input.by == Partitioning::Forward && from != parallelism {
            return Err(format!(
                "`{}` would have parallelism {from} and `{id}` {parallelism}, but the edge between them is `by = \"forward\"`; rescale both",
                input.from
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{SourceText, parse};
    use super::*;
    use std::path::Path;

    fn job(by: &str) -> JobFile {
        let text = format!(
            "name = \"j\"\nparallelism = 2\nmax-parallelism = 4\n[source.in]\nconnector = \"generator\"\n[operator.a]\nnative = \"pass-through\"\n\
             input = \"in\"\n[operator.b]\nnative = \"keyed-count\"\ninput = {{ from = \"a\", by = \"key\" }}\n[sink.out]\nconnector = \"blackhole\"\n\
             input = {{ from = \"b\"{by} }}\n"
        );
        parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 1).expect("a fine job")
    }

    #[test]
    fn what_follows_from_the_machine_is_not_said_by_the_file() {
        let said = |head: &str, out: &str| {
            let text = format!(
                "name = \"j\"\n{head}[source.in]\nconnector = \"generator\"\n[sink.out]\nconnector = \"blackhole\"\ninput = \"in\"\n{out}"
            );
            let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 3).expect("a fine job");
            job.said_parallelisms().into_values().collect::<Vec<_>>()
        };
        assert_eq!(said("", ""), [0, 0]);
        assert_eq!(said("", "parallelism = 2\n"), [0, 2]);
        assert_eq!(said("parallelism = 3\n", ""), [3, 3]);
    }

    /// The parallelism of b and out and how their edge goes, or what is wrong.
    fn check(by: &str, wanted: &[(&str, u32)], expect: &str) {
        let wanted = wanted.iter().map(|(id, parallelism)| ((*id).to_owned(), *parallelism)).collect();
        let outcome = job(by).rescaled(&wanted).map(|job| {
            let (b, out) = (&job.operators[1], &job.sinks[0]);
            format!("{} {} {}", b.parallelism, out.parallelism, out.inputs[0].by.name())
        });
        let text = outcome.unwrap_or_else(|wrong| wrong);
        assert!(text.starts_with(expect), "{text}");
    }

    #[test]
    fn edges_follow_the_parallelism_unless_the_file_says_how_they_go() {
        check("", &[], "2 2 forward");
        check("", &[("b", 3)], "3 2 rebalance");
        check("", &[("b", 3), ("out", 3)], "3 3 forward");
        check(", by = \"rebalance\"", &[("b", 3), ("out", 3)], "3 3 rebalance");
        check(", by = \"forward\"", &[("b", 3)], "`b` would have parallelism 3 and `out` 2");
    }

    #[test]
    fn steps_on_standard_input_and_output_keep_their_parallelism() {
        let followers = |source: &str, sink: &str| {
            let text = format!("name = \"j\"\n[source.in]\n{source}\n[sink.out]\nconnector = {sink:?}\ninput = \"in\"\n");
            let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 1).expect("a fine job");
            job.followers().map(|(follow, keep)| (follow.join(" "), keep.join(" "))).map_err(|(message, _)| message)
        };
        let (generator, stdin) = ("connector = \"generator\"", "connector = \"stdin\"\nreplay = \"none\"");
        assert_eq!(followers(generator, "blackhole"), Ok(("in out".into(), String::new())));
        assert_eq!(followers(generator, "stdout"), Ok(("in".into(), "out".into())));
        assert_eq!(followers(stdin, "blackhole"), Ok(("out".into(), "in".into())));
        let none = "no step gets another parallelism with that of the job: `in` reads standard input and keeps its own, `out` writes standard output and keeps its own";
        assert_eq!(followers(stdin, "stdout"), Err(none.into()));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        check("", &[("c", 3)], "the job has no step `c`; it has a, b, in, out");
        check("", &[("b", 0)], "`b` cannot have parallelism 0; it is from 1 to 32768");
        check("", &[("b", 5)], "`b` has keyed state in 4 key groups");
        for too_many in [32_769, 1_000_000, u32::MAX] {
            check("", &[("a", too_many)], &format!("`a` cannot have parallelism {too_many}; it is from 1 to 32768"));
        }
    }

    #[test]
    fn the_channels_between_subtasks_are_bounded() {
        check("", &[("in", 32_768), ("a", 32_768)], "2 2 forward");
        check("", &[("in", 1_024), ("a", 1_022)], "2 2 forward");
        check("", &[("in", 1_024), ("a", 1_025)], "1024 subtasks of `in` each send to 1025 of `a`: with 1051652 channels");
    }
}
