//! What wasmtime generates from `wit/operator.wit`. Parameters are borrowed: a column goes from a batch into the guest's memory in one copy.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "weir:operator/operator",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
