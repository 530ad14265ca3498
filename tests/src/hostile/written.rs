//! Modules and components that chance has written, valid ones: what nobody would write by hand gets past whoever only parses, and has to be compiled, entered or refused.

use super::files::{tiny_plugin, typed_plugin};
use arbitrary::{Arbitrary, Unstructured};
use wasm_smith::{Component, Config, Module};

/// Bytes of chance for a file: what is not read of them makes no difference.
const CHANCE: usize = 4096;

/// A file that `rng` writes; nothing where its bytes of chance come to nothing that is valid. `plugin` is a sound component.
pub(super) fn written(plugin: &[u8], rng: &mut fastrand::Rng) -> Option<Vec<u8>> {
    let chance: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(CHANCE).collect();
    let mut chance = Unstructured::new(&chance);
    // Any proposal may be in use, the more of them the rarer.
    let config = Config::arbitrary(&mut chance).ok()?;
    match rng.u8(..4) {
        0 => Some(Component::new(Config { exports: None, ..config }, &mut chance).ok()?.to_bytes()),
        1 => Some(Module::new(config, &mut chance).ok()?.to_bytes()),
        2 => Some(carrying(plugin, &Module::new(config, &mut chance).ok()?.to_bytes())),
        _ => plugin_like(config, &mut chance),
    }
}

/// A module that exports what a plugin has to, by its names and types, says that it is one, and does anything at all in its functions.
fn plugin_like(config: Config, chance: &mut Unstructured<'_>) -> Option<Vec<u8>> {
    // What else it exports or imports would be no part of the world, and what a plugin has none of would be refused in front of all that follows.
    let config = Config { exports: Some(tiny_plugin("")), max_imports: 0, min_imports: 0, memory64_enabled: false, ..config };
    Some(typed_plugin(Module::new(config, chance).ok()?.to_bytes()))
}

/// `plugin` with one more module, which nobody instantiates: it is read and compiled with the rest, and what loads has got through all of that.
fn carrying(plugin: &[u8], module: &[u8]) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    let mut bytes = [plugin, &[CORE_MODULE]].concat();
    let mut left = module.len();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    [&bytes, module].concat()
}
