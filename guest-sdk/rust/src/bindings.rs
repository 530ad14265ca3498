//! The world `operator` of `wit/`, as Rust types and exports. Generated; the rest of the crate is written over it.
#![allow(unsafe_code, reason = "generated: the canonical ABI passes pointers and lengths")]
#![allow(missing_docs, clippy::all, reason = "generated: `wit/operator.wit` has the documentation")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "weir:operator/operator",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "::weir_guest::bindings",
});
