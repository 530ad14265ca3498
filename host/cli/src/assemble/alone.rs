//! One operator of a job by itself: what is said of it in the job file holds, and what feeds it is not looked at.

use super::{Plugin, engine_partitioning, inputs, settings, windows};
use crate::failure::Failure;
use crate::job_file::{Code, JobFile, OperatorStep};
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::OperatorFactory;
use weir_engine::element::KeyGroupRange;
use weir_engine::job::Partitioning;
use weir_engine::operator::Subtask;
use weir_engine::replay::SubtaskPlace;
use weir_wasm::{PluginConfig, WasmOperatorFactory};

/// An operator by itself.
pub struct Alone {
    /// The only subtask of it.
    pub place: SubtaskPlace,
    /// The declared inputs that the job feeds, with their numbers and how records come.
    pub inputs: Vec<(String, u32, Partitioning)>,
}

/// The operator of `step`, of a plugin and with the config that the job file has, or another. `schemas`: by the name of an input what is known of its records.
pub fn alone(
    job: &JobFile,
    step: &OperatorStep,
    plugin: Plugin,
    (config, schemas): (Option<&serde_json::Value>, &BTreeMap<String, String>),
) -> Result<Alone, Failure> {
    let Code::Plugin(code) = &step.code else {
        let id = &step.id.value;
        return Err(Failure::Usage {
            message: format!("`{id}` is built into weir"),
            hint: "what is tested is an operator with a `plugin`".into(),
        });
    };
    let mut settings = settings(step, code);
    if let Some(config) = config {
        settings.config = PluginConfig::new(config);
    }
    let factory: Arc<dyn OperatorFactory> = Arc::new(WasmOperatorFactory::new(plugin, settings)?);
    let descriptor = factory.descriptor();
    let mut problems = windows::problems(step, descriptor);
    problems.extend(inputs::unserved(step, descriptor));
    let numbers = inputs::numbers(step, descriptor, &mut problems);
    job.refuse(problems)?;
    let fed: BTreeMap<u32, Partitioning> =
        step.inputs.iter().zip(numbers).map(|(input, number)| (number, engine_partitioning(input.by))).collect();
    if let Some(unknown) = schemas.keys().find(|name| descriptor.inputs.iter().all(|input| input.name != **name)) {
        let names = crate::job_file::list_words(descriptor.inputs.iter().map(|input| input.name.as_str()));
        return Err(Failure::Usage { message: format!("`schemas` names `{unknown}`, which is no input"), hint: format!("it has {names}") });
    }
    let by = |wanted: Partitioning| fed.iter().filter(move |(_, by)| **by == wanted).map(|(number, _)| *number);
    let place = SubtaskPlace {
        subtask: Subtask { vertex: step.id.value.clone(), index: 0, parallelism: 1 },
        schemas: descriptor.inputs.iter().map(|input| schemas.get(&input.name).cloned()).collect(),
        broadcast_inputs: by(Partitioning::Broadcast).collect(),
        window: step.window.as_ref().filter(|_| descriptor.windowed).map(|window| window.settings.clone()),
        key_groups: by(Partitioning::Key).next().map(|_| KeyGroupRange { start: 0, end: job.max_parallelism }),
        max_parallelism: job.max_parallelism,
        factory: factory.clone(),
    };
    let name = |number: u32| descriptor.inputs.get(number as usize).map(|input| input.name.clone()).unwrap_or_default();
    Ok(Alone { place, inputs: fed.into_iter().map(|(number, by)| (name(number), number, by)).collect() })
}
