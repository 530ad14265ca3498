//! What the end of a process that gave no answer says of the file that it read. Pure.

use super::budget::Budget;
use super::child::STACK_BYTES;
use super::usage::Usage;
use crate::pack::Problem;
use std::time::Duration;

/// A bound that a file has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    Cpu,
    Wall,
    Memory,
    Stack,
    Answer,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// The signal that ended it, where one did.
    pub(super) signal: Option<i32>,
    /// Its exit code, else.
    pub(super) code: Option<i32>,
    /// The end of what it said on standard error.
    pub(super) said: String,
}

/// The signals with these numbers are the same on every system that is built for.
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = if cfg!(target_os = "linux") && cfg!(any(target_arch = "mips", target_arch = "mips64")) { 30 } else { 24 };

/// The bound that a process has passed that still runs.
pub(super) fn passed(usage: Usage, since: Duration, budget: &Budget) -> Option<Exceeded> {
    if usage.cpu > budget.cpu {
        Some(Exceeded::Cpu)
    } else if usage.memory > budget.memory {
        Some(Exceeded::Memory)
    } else if since > budget.wall {
        Some(Exceeded::Wall)
    } else {
        None
    }
}

/// What is wrong with a file whose process died without an answer.
pub(super) fn died(death: &Death, budget: &Budget) -> Problem {
    let said = |words: &str| death.said.contains(words);
    if said("has overflowed its stack") {
        exceeded(Exceeded::Stack, budget)
    } else if said("memory allocation of") || said("os error 12") {
        exceeded(Exceeded::Memory, budget)
    } else if death.signal == Some(SIGXCPU) {
        exceeded(Exceeded::Cpu, budget)
    } else {
        let how = match (death.signal, death.code) {
            (Some(SIGKILL), _) => "was killed (signal 9): by someone, or because the machine has no memory left".into(),
            (Some(signal), _) => format!("was ended by signal {signal}"),
            (None, code) => format!("ended with exit code {} and without an answer", code.unwrap_or(-1)),
        };
        let last = death.said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let last = crate::guest_text::printable(last, 300);
        let last = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
        Problem::new(format!("the process that examined it {how}{last}")).hint("build the plugin again; the job beside it is not touched")
    }
}

/// What is wrong with a file that asked for more than it is given.
pub(super) fn exceeded(bound: Exceeded, budget: &Budget) -> Problem {
    let longer = "a plugin is given that much by its size; where it is to be trusted, `limits.compile` of its operator gives it more: \
                  `compile = { time = \"60s\", memory = \"2GiB\" }`";
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    match bound {
        Exceeded::Cpu => Problem::new(format!(
            "to examine and compile it took more than {} of processor time (limits.compile.time)",
            seconds(budget.cpu)
        ))
        .hint(longer),
        Exceeded::Wall => {
            let (wall, cpu) = (seconds(budget.wall), seconds(budget.cpu));
            let what = format!("to examine and compile it was not done within {wall}, for {cpu} of processor time (limits.compile.time)");
            Problem::new(what).hint("the machine is very busy, or the file is made to keep it so; try again, or give it more time")
        }
        Exceeded::Memory => {
            let what = format!("to examine and compile it takes more than {} MiB of memory (limits.compile.memory)", mib(budget.memory));
            Problem::new(what).hint(longer)
        }
        Exceeded::Stack => {
            let what = format!("to examine it takes more than {} MiB of stack (a fixed limit)", mib(STACK_BYTES as u64));
            Problem::new(what).hint("its types, packages or functions go deeper into each other than any compiler makes them")
        }
        Exceeded::Answer => {
            let what = format!("its compiled code has more than {} MiB (a limit by the file's size)", mib(budget.answer));
            Problem::new(what).hint("build it optimised, and look at what generates its code")
        }
    }
}

/// Whole where they are whole.
pub(super) fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{:.1} s", time.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::CompileLimits;

    fn budget() -> Budget {
        CompileLimits { time: Some(Duration::from_secs(5)), memory: Some(64 << 20) }.budget(100)
    }

    fn check(signal: Option<i32>, said: &str, expect: &str) {
        let code = signal.is_none().then_some(3);
        let what = died(&Death { signal, code, said: said.into() }, &budget()).what;
        assert!(what.contains(expect), "{expect}: {what}");
    }

    #[test]
    fn each_way_to_die_names_its_limit() {
        check(Some(24), "", "more than 5 s of processor time (limits.compile.time)");
        check(
            Some(6),
            "\nthread 'compile' (7) has overflowed its stack\nfatal runtime error: stack overflow\n",
            "more than 8 MiB of stack",
        );
        check(Some(6), "memory allocation of 33554432 bytes failed\n", "more than 64 MiB of memory (limits.compile.memory)");
        check(Some(9), "", "was killed (signal 9)");
        check(Some(11), "oh\u{1b}[2J no\n", "was ended by signal 11; its last words: oh\\u{1b}[2J no");
        check(None, "", "ended with exit code 3 and without an answer");
    }

    #[test]
    fn a_process_is_ended_once_it_has_passed_a_bound_and_no_sooner() {
        let at = |cpu_ms, memory_mib: u64, since_s| {
            let usage = Usage { cpu: Duration::from_millis(cpu_ms), memory: memory_mib << 20 };
            passed(usage, Duration::from_secs(since_s), &budget())
        };
        assert_eq!((at(5_000, 64, 30), at(5_001, 0, 6)), (None, Some(Exceeded::Cpu)));
        assert_eq!((at(0, 65, 1), at(0, 0, 31)), (Some(Exceeded::Memory), Some(Exceeded::Wall)));
    }
}
