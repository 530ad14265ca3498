//! The whole way of a file, from its bytes to compiled code: everything that reads what a stranger wrote, with parsers that were made for what friends
//! write. In production it runs in a process of its own ([`super::child`]), which may die of it.
//!
//! At the end it links, instantiates and asks the plugin what it is: a rehearsal, so that what the host itself does afterwards with the compiled code
//! has been done once where it could do no harm.

use super::bounds::check_bounds;
use super::wire::{Answer, Examined};
use crate::engine::WasmEngine;
use crate::pack::{self, Problem};
use crate::plugin::{describe, link};
use crate::{world, world_version};
use std::error::Error;
use wasmtime::component::Component;

/// What is wanted of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A plugin that is ready to run.
    Compile,
    /// The component that a core module stands for, with the world's type added where it carries none.
    Pack,
    /// Whether it is of a newer world than this weir hosts, and nothing else.
    World,
}

impl Task {
    pub(crate) const ALL: [Self; 3] = [Self::Compile, Self::Pack, Self::World];

    /// Its name between the two processes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Pack => "pack",
            Self::World => "world",
        }
    }
}

/// Does it.
pub(crate) fn examine(task: Task, bytes: &[u8], engine: &WasmEngine) -> Answer {
    let done = match task {
        Task::Compile => compiled(bytes, engine),
        Task::Pack => packed(bytes).map(|component| Examined { imports: Vec::new(), component: Some(component), code: Vec::new() }),
        Task::World => world_version::check_not_newer(bytes)
            .map(|()| Examined { imports: Vec::new(), component: None, code: Vec::new() })
            .map_err(Refusal::from),
    };
    match done {
        Ok(examined) => Answer::Fits(examined),
        Err(Refusal::Problems(problems)) => Answer::Refused(problems),
        Err(Refusal::OutOfMemory) => Answer::OutOfMemory,
    }
}

enum Refusal {
    Problems(Vec<Problem>),
    OutOfMemory,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

/// What is cheap to know comes first: no parser that recurses sees what the bounds and the validator refuse.
fn hosted(bytes: &[u8]) -> Result<(), Refusal> {
    pack::check_container(bytes)?;
    check_bounds(bytes)?;
    pack::check_valid(bytes)?;
    Ok(world_version::check_world(bytes)?)
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    hosted(bytes)?;
    let component = pack::pack_adding_type(bytes)?;
    let problems = world::fit(&component).problems;
    if problems.is_empty() { Ok(component) } else { Err(Refusal::Problems(problems)) }
}

fn compiled(bytes: &[u8], engine: &WasmEngine) -> Result<Examined, Refusal> {
    hosted(bytes)?;
    let packed = pack::pack(bytes)?;
    let world::Fit { imports, problems } = world::fit(&packed);
    if !problems.is_empty() {
        return Err(Refusal::Problems(problems));
    }
    let failed = |what: &str, error: wasmtime::Error| match ran_out_of_memory(&error) {
        true => Refusal::OutOfMemory,
        false => Problem::new(format!("it cannot be {what}: {error:#}")).into(),
    };
    let component = Component::from_binary(&engine.engine, &packed).map_err(|error| failed("compiled", error))?;
    let pre = link(&component, engine).map_err(|error| failed("linked", error))?;
    describe(engine, &pre).map_err(Refusal::Problems)?;
    let code = component.serialize().map_err(|error| failed("compiled", error))?;
    let component = (packed != bytes).then_some(packed);
    Ok(Examined { imports, component, code })
}

/// Memory that the system refuses shows as an error where it was asked for with care.
fn ran_out_of_memory(error: &wasmtime::Error) -> bool {
    let is_refusal = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory)
            || cause.to_string().contains("os error 12")
    };
    error.chain().any(is_refusal)
}
