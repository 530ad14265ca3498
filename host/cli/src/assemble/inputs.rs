//! Which of an operator's declared inputs each entry of its `inputs` feeds, and whether its states and timers get the inputs that they need.

use crate::job_file::{Input, OperatorStep, Partitioning, Problem, list_words, suggest};
use weir_engine::operator::{InputPartitioning, OperatorDescriptor};
use weir_engine::state::{StateDescriptor, StateKind};

/// For each input of `step` the number of the declared input that it feeds: the one that its `to` names, else the one at its place; one
/// declared input takes them all.
pub(super) fn numbers(step: &OperatorStep, descriptor: &OperatorDescriptor, problems: &mut Vec<Problem>) -> Vec<u32> {
    let named = step.inputs.iter().any(|input| input.to.is_some());
    let numbers: Vec<u32> = match (named, descriptor.inputs.len()) {
        (true, _) => step.inputs.iter().map(|input| by_name(input, step, descriptor, problems)).collect(),
        (false, 1) => vec![0; step.inputs.len()],
        (false, _) => (0..step.inputs.len() as u32).collect(),
    };
    if !named {
        problems.extend(wrong_count(step, descriptor));
    } else if let Some(unfed) = (0..).zip(&descriptor.inputs).find(|(number, _)| !numbers.contains(number)).map(|(_, input)| input) {
        let message = format!("nothing feeds the input `{}` of `{}`", unfed.name, step.id.value);
        problems
            .push(Problem::new(step.id.span.clone(), message).hint(format!("an entry of `inputs` with `to = \"{}\"` does", unfed.name)));
    }
    problems.extend(mixed(step, descriptor, &numbers));
    problems.extend(partitioned_otherwise(step, descriptor, &numbers));
    numbers
}

fn by_name(input: &Input, step: &OperatorStep, descriptor: &OperatorDescriptor, problems: &mut Vec<Problem>) -> u32 {
    let names = || descriptor.inputs.iter().map(|input| input.name.as_str());
    let Some(to) = &input.to else {
        if descriptor.inputs.len() > 1 {
            let message = format!("`{}` has several inputs, and this does not say which one it feeds", step.id.value);
            problems.push(
                Problem::new(input.span.clone(), message).hint(format!("with `to` in one entry each has one: {}", list_words(names()))),
            );
        }
        return 0;
    };
    let found = names().position(|name| name == to.value);
    found.map_or_else(
        || {
            let message = format!("`{}` has no input `{}`", step.id.value, to.value);
            problems.push(Problem::new(to.span.clone(), message).hint(suggest(&to.value, names())));
            0
        },
        |number| number as u32,
    )
}

fn wrong_count(step: &OperatorStep, descriptor: &OperatorDescriptor) -> Option<Problem> {
    let (declared, given) = (descriptor.inputs.len(), step.inputs.len());
    if declared == 1 || declared == given {
        return None;
    }
    let names = list_words(descriptor.inputs.iter().map(|input| input.name.as_str()));
    let message = format!("`{}` has {declared} inputs and is given {given}", step.id.value);
    let hint = format!("`inputs` names one for each of {names}, in this order, or says in each entry `to` which one it feeds");
    Some(Problem::new(step.id.span.clone(), message).hint(hint))
}

/// An input brings state by key, broadcasts, or neither: what feeds it must agree.
fn mixed(step: &OperatorStep, descriptor: &OperatorDescriptor, numbers: &[u32]) -> Option<Problem> {
    let brings = |by: Partitioning| match by {
        Partitioning::Key => "key",
        Partitioning::Broadcast => "broadcast",
        Partitioning::Forward | Partitioning::Rebalance => "neither",
    };
    let fed = || step.inputs.iter().zip(numbers);
    let first = |number: &u32| fed().find(|(_, other)| *other == number).map(|(input, _)| input);
    let (input, other, number) = fed().find_map(|(input, number)| {
        let other = first(number).filter(|other| brings(other.by) != brings(input.by))?;
        Some((input, other, *number as usize))
    })?;
    let name = descriptor.inputs.get(number).map_or("?", |input| input.name.as_str());
    let (by, other) = (input.by.name(), other.by.name());
    let message = format!("the input `{name}` of `{}` is fed by `{by}` from here and by `{other}` from elsewhere", step.id.value);
    let hint = "state by key and broadcasts belong to an input as a whole: write the same `by` wherever it is fed from";
    Some(Problem::new(input.span.clone(), message).hint(hint))
}

/// An input whose records the operator wants to come in another way.
fn partitioned_otherwise(step: &OperatorStep, descriptor: &OperatorDescriptor, numbers: &[u32]) -> Vec<Problem> {
    let problem = |(input, number): (&Input, &u32)| {
        let declared = descriptor.inputs.get(*number as usize)?;
        let wanted = match declared.partitioning {
            InputPartitioning::Any => return None,
            InputPartitioning::ByKey => Partitioning::Key,
            InputPartitioning::Broadcast => Partitioning::Broadcast,
        };
        let (name, id, by) = (&declared.name, &step.id.value, input.by.name());
        let message = format!("the input `{name}` of `{id}` is fed by `{by}`, and the operator takes it by `{}` only", wanted.name());
        let problem = Problem::new(input.span.clone(), message);
        (input.by != wanted).then(|| problem.hint(format!("write `by = \"{}\"` in this entry", wanted.name())))
    };
    step.inputs.iter().zip(numbers).filter_map(problem).collect()
}

/// States and timers that no input of `step` serves.
pub(super) fn unserved(step: &OperatorStep, descriptor: &OperatorDescriptor) -> Vec<Problem> {
    let by = |by| step.inputs.iter().any(|input| input.by == by);
    let names = |wanted: fn(&StateDescriptor) -> bool| {
        let names: Vec<_> = descriptor.states.iter().filter(|state| wanted(state)).map(|state| state.name.as_str()).collect();
        (!names.is_empty()).then(|| list_words(names))
    };
    let from = step.inputs.first().map_or("x".into(), Input::reference);
    let span = step.inputs.first().map_or(step.id.span.clone(), |input| input.span.clone());
    let id = &step.id.value;
    let mut problems = Vec::new();
    if !descriptor.timers.is_empty() && !by(Partitioning::Key) {
        let timers = list_words(descriptor.timers.iter().map(|timer| timer.name.as_str()));
        let message = format!("`{id}` has timers ({timers}), which belong to keys, but none of its inputs is distributed by key");
        problems.push(Problem::new(span.clone(), message).hint(format!("write `input = {{ from = \"{from}\", by = \"key\" }}`")));
    }
    // What windows need is said of them.
    if let Some(states) = names(|state| state.kind != StateKind::Broadcast).filter(|_| !by(Partitioning::Key) && !descriptor.windowed) {
        let message = format!("`{id}` keeps state by key ({states}), but none of its inputs is distributed by key");
        problems.push(Problem::new(span.clone(), message).hint(format!("write `input = {{ from = \"{from}\", by = \"key\" }}`")));
    }
    if let Some(states) = names(|state| state.kind == StateKind::Broadcast).filter(|_| !by(Partitioning::Broadcast)) {
        let message = format!("`{id}` keeps broadcast state ({states}), but none of its inputs is broadcast");
        problems.push(Problem::new(span, message).hint("give the input that fills it `by = \"broadcast\"`"));
    }
    problems
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
