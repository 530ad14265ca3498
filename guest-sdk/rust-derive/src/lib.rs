//! The derive macros of `weir-guest`: `States` for the struct of an operator's state handles, `StateType` for the description
//! of a type that is kept in state.
//!
//! Both refuse, at compile time, what the contract with the host cannot hold: names outside the grammar, serde attributes that change
//! the bytes in a way the description does not show.

mod names;
mod serde_attributes;
mod state_type;
mod states;
mod ttl;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct of state handles the states of an operator.
#[proc_macro_derive(States, attributes(state))]
pub fn derive_states(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    states::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Writes the description of a serde type in the grammar of `wit/schema.md`.
#[proc_macro_derive(StateType)]
pub fn derive_state_type(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    state_type::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
