//! Which states a new plugin does not go on with.

use weir_wasm::PluginInfo;

/// The states of operator `id` that `new` has no more, or with another type that nothing leads to, each as `ID.STATE`.
pub fn lost_states(id: &str, old: &PluginInfo, new: &PluginInfo) -> Vec<String> {
    let goes_on = |state: &weir_engine::state::StateDescriptor| {
        let now = new.states.iter().find(|other| other.name == state.name);
        now.is_some_and(|now| {
            now.kind == state.kind && (now.version > state.version || (now.version == state.version && now.schema == state.schema))
        })
    };
    old.states.iter().filter(|state| !goes_on(state)).map(|state| format!("{id}.{}", state.name)).collect()
}
