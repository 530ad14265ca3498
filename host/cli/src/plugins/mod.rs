//! The plugins of a job: built where they are missing, found in files or beside a checkpoint, compiled by one engine.

mod build;
mod compiler;
mod origin;

pub(crate) use build::{BuildEnvironment, Stale, ensure_built, ensure_target, noted_beside, plugin_file, stale};
pub(crate) use compiler::Compiler;
pub(crate) use origin::{
    GoingOn, PluginOrigin, PluginOrigins, Referenced, digest_of, moved_tags, refuse_newer_worlds, stand_ins, stored_plugins,
};
