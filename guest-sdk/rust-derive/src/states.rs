//! `#[derive(States)]`: numbers the handles of a struct in the order of its fields.

use crate::names::{checked, plain};
use crate::ttl::{Ttl, TtlAttributes};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitInt, LitStr, Result, Type};

/// One field: a state.
struct Handle<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    version: u32,
    /// What makes one value of two.
    merge: Option<Expr>,
    ttl: Option<Ttl>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let handles = handles(input)?;
    let ident = &input.ident;
    let fields: Vec<_> = handles.iter().map(|handle| handle.ident).collect();
    let new = (0_u32..).zip(&handles).map(|(number, handle)| handle.new_handle(number));
    let declarations = handles.iter().map(Handle::declaration);
    let lives = handles.iter().any(|handle| handle.ttl.is_some());
    let merge = merge(&handles);
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::weir_guest::States for #ident #type_generics #where_clause {
            const HAS_TTL: bool = #lives;

            fn new() -> Self {
                Self { #(#fields: #new),* }
            }

            fn declarations() -> ::std::vec::Vec<::weir_guest::state::StateDecl> {
                ::std::vec![#(#declarations),*]
            }

            fn for_each(&mut self, visit: &mut dyn FnMut(&mut dyn ::weir_guest::state::State)) {
                #(visit(&mut self.#fields);)*
            }

            #[inline(always)]
            fn select(&mut self, key: u32) {
                #(::weir_guest::state::State::select(&mut self.#fields, key);)*
            }

            #merge
        }
    })
}

impl Handle<'_> {
    fn new_handle(&self, number: u32) -> TokenStream {
        let Self { ty, name, .. } = self;
        let handle = quote! { <#ty as ::weir_guest::state::StateHandle>::new(#number, #name) };
        self.ttl.as_ref().map_or(handle.clone(), |ttl| ttl.handle(ty, &handle))
    }

    fn declaration(&self) -> TokenStream {
        let Self { ty, name, version, .. } = self;
        let merges = self.merge.is_some();
        let ttl = self.ttl.as_ref().map(|ttl| {
            let declaration = ttl.declaration();
            quote! { ttl: #declaration, }
        });
        quote! {
            ::weir_guest::state::StateDecl {
                merges: #merges,
                #ttl
                ..<#ty as ::weir_guest::state::StateHandle>::declare(#name, #version)
            }
        }
    }
}

/// The function that merges values of the states that say how; nothing where none does.
fn merge(handles: &[Handle<'_>]) -> TokenStream {
    let arms: Vec<_> = (0_u32..)
        .zip(handles)
        .filter_map(|(number, Handle { ty, name, merge, .. })| {
            let merge = merge.as_ref()?;
            Some(quote! { #number => <#ty as ::weir_guest::state::MergingState>::merge(#name, #merge, earlier, later), })
        })
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn merge(
            state: u32,
            earlier: &::weir_guest::state::Column,
            later: &::weir_guest::state::Column,
        ) -> ::std::option::Option<::weir_guest::Result<::weir_guest::state::Column>> {
            ::std::option::Option::Some(match state {
                #(#arms)*
                _ => return ::std::option::Option::None,
            })
        }
    }
}

fn handles(input: &DeriveInput) -> Result<Vec<Handle<'_>>> {
    let refuse = || {
        Error::new(input.ident.span(), "States is derived for structs with named fields: ValueState, ListState, MapState, BroadcastState")
    };
    let Data::Struct(data) = &input.data else { return Err(refuse()) };
    let Fields::Named(fields) = &data.fields else { return Err(refuse()) };
    let handles = fields.named.iter().map(handle).collect::<Result<Vec<_>>>()?;
    for (index, handle) in handles.iter().enumerate() {
        if handles[..index].iter().any(|before| before.name == handle.name) {
            return Err(Error::new(handle.ident.span(), format!("there are two states `{}`", handle.name)));
        }
    }
    Ok(handles)
}

fn handle(field: &Field) -> Result<Handle<'_>> {
    let Some(ident) = &field.ident else { return Err(Error::new_spanned(field, "a field without a name")) };
    let (mut name, mut version, mut merge) = (plain(ident), 1, None);
    let mut ttl = TtlAttributes::default();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("state")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = meta.value()?.parse::<LitStr>()?.value();
                return Ok(());
            }
            if meta.path.is_ident("version") {
                let literal: LitInt = meta.value()?.parse()?;
                version = literal.base10_parse()?;
                return if version > 0 { Ok(()) } else { Err(Error::new_spanned(literal, "versions count from 1")) };
            }
            if meta.path.is_ident("merge") {
                merge = Some(meta.value()?.parse()?);
                return Ok(());
            }
            if ttl.read(&meta)? {
                return Ok(());
            }
            Err(meta.error("`name`, `version`, `merge`, `ttl`, `time` and `refresh` are known here"))
        })?;
    }
    Ok(Handle { ident, ty: &field.ty, name: checked(name, ident.span())?, version, merge, ttl: ttl.finish()? })
}
