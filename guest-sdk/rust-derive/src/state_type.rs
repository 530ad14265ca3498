//! `#[derive(StateType)]`: follows serde's default layout of structs and enums.

use crate::names::{checked, plain};
use crate::serde_attributes::rename;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, Result, Type, Variant, parse_quote};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = named(&input.attrs, &input.ident)?;
    let body = match &input.data {
        Data::Struct(data) => structure(&name, &data.fields, input.ident.span())?,
        Data::Enum(data) if data.variants.is_empty() => {
            return Err(Error::new(input.ident.span(), "an enum without cases has no values to keep"));
        }
        Data::Enum(data) => {
            let cases = data.variants.iter().map(case).collect::<Result<Vec<_>>>()?;
            quote! { to.enumeration(#name, |cases| { #(#cases)* }); }
        }
        Data::Union(_) => return Err(Error::new(input.ident.span(), "a union cannot be kept in state")),
    };
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::weir_guest::StateType));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::weir_guest::StateType for #ident #type_generics #where_clause {
            fn describe(to: &mut ::weir_guest::state::Schema) {
                #body
            }
        }
    })
}

/// The statement that describes a struct, or what stands behind a case.
fn structure(name: &str, fields: &Fields, span: proc_macro2::Span) -> Result<TokenStream> {
    Ok(match fields {
        Fields::Unit => quote! { to.scalar("unit"); },
        Fields::Unnamed(fields) if fields.unnamed.is_empty() => {
            return Err(Error::new(span, "an empty tuple has no description; leave the parentheses out"));
        }
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let inner = field_type(&fields.unnamed[0])?;
            quote_spanned! { inner.span() => to.nested::<#inner>(); }
        }
        Fields::Unnamed(fields) => {
            let items = fields.unnamed.iter().map(field_type).collect::<Result<Vec<_>>>()?;
            let items = items.iter().map(|inner| quote_spanned! { inner.span() => items.item::<#inner>(); });
            quote! { to.tuple(|items| { #(#items)* }); }
        }
        Fields::Named(fields) => {
            let fields = fields.named.iter().map(named_field).collect::<Result<Vec<_>>>()?;
            quote! { to.record(#name, |fields| { #(#fields)* }); }
        }
    })
}

fn named_field(field: &Field) -> Result<TokenStream> {
    let inner = &field.ty;
    let Some(ident) = &field.ident else { return Err(Error::new_spanned(field, "a field without a name")) };
    let name = named(&field.attrs, ident)?;
    Ok(quote_spanned! { inner.span() => fields.field::<#inner>(#name); })
}

/// The type of a tuple's item, whose attributes must leave it as it is.
fn field_type(field: &Field) -> Result<&Type> {
    rename(&field.attrs)?;
    Ok(&field.ty)
}

fn case(variant: &Variant) -> Result<TokenStream> {
    let name = named(&variant.attrs, &variant.ident)?;
    if matches!(variant.fields, Fields::Unit) {
        return Ok(quote! { cases.unit(#name); });
    }
    let value = structure(&name, &variant.fields, variant.ident.span())?;
    Ok(quote! { cases.value(#name, |to| { #value }); })
}

fn named(attributes: &[Attribute], ident: &Ident) -> Result<String> {
    checked(rename(attributes)?.unwrap_or_else(|| plain(ident)), ident.span())
}
