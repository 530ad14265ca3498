//! What the operating system gives this process: processors and their time, memory, descriptors.

mod cpu;
mod descriptors;
mod memory;

pub(crate) use cpu::cpu_seconds;
pub(crate) use descriptors::descriptor_limit;
pub use descriptors::raise_descriptor_limit;
pub(crate) use memory::{peak_memory_bytes, resident_memory_bytes, state_memory};

/// How many processors the process may use, which is the default of `parallelism`.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}
