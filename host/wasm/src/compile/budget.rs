//! What reading and compiling one plugin may take. It grows with the file: a Python interpreter is a hundred times a filter, and as honest.

use std::time::Duration;

const TIME: Duration = Duration::from_secs(5);
const TIME_PER_MB: Duration = Duration::from_secs(5);
const MEMORY: u64 = 512 << 20;
const MEMORY_PER_MB: u64 = 64 << 20;
const MB: u64 = 1_000_000;
/// A busy machine gives a good plugin its time later, but it does give it.
const WALL_FACTOR: u32 = 6;
/// Bytes of compiled code, of any file, and for each byte of it: optimised code takes three to six times what its WebAssembly does, and so much
/// may come into the memory of the job itself.
const CODE: u64 = 8 << 20;
const CODE_PER_BYTE: u64 = 10;

/// What an operator of a job file says of it (`limits.compile`); nothing: what the file's size gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompileLimits {
    /// Processor time, of all threads together.
    pub time: Option<Duration>,
    /// Bytes of memory.
    pub memory: Option<u64>,
}

/// The bounds for one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Processor time, of all threads together.
    pub(crate) cpu: Duration,
    /// Time on the clock.
    pub(crate) wall: Duration,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Bytes of what comes of it: code, component and what is said of them.
    pub(crate) answer: u64,
}

impl CompileLimits {
    /// The limits that hold for a file of `bytes` bytes: what is not said follows from its size.
    pub fn for_file(&self, bytes: u64) -> Self {
        let Budget { cpu, memory, .. } = self.budget(usize::try_from(bytes).unwrap_or(usize::MAX));
        Self { time: Some(cpu), memory: Some(memory) }
    }

    /// The bounds for a file of `bytes` bytes.
    pub(crate) fn budget(&self, bytes: usize) -> Budget {
        let bytes = bytes as u64;
        let time_by_size = TIME + TIME_PER_MB.mul_f64(bytes as f64 / MB as f64);
        let cpu = self.time.unwrap_or(time_by_size);
        let memory = self.memory.unwrap_or(MEMORY + bytes.saturating_mul(MEMORY_PER_MB) / MB);
        Budget { cpu, wall: cpu * WALL_FACTOR, memory, answer: CODE + bytes.saturating_mul(CODE_PER_BYTE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_file_unless_the_job_says_otherwise() {
        let by_size = |bytes| {
            let budget = CompileLimits::default().budget(bytes);
            (budget.cpu.as_secs(), budget.memory >> 20)
        };
        assert_eq!((by_size(0), by_size(1_000_000), by_size(18_000_000)), ((5, 512), (10, 576), (95, 1_664)));
        let said = CompileLimits { time: Some(Duration::from_secs(2)), memory: Some(1 << 30) }.budget(18_000_000);
        assert_eq!((said.cpu.as_secs(), said.wall.as_secs(), said.memory), (2, 12, 1 << 30));
    }
}
