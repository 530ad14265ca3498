//! Where the number of a process means something.
//!
//! Another machine that shares the user's folder, and another namespace of processes on this one (a container), number their processes themselves: what is
//! registered there can neither be found alive nor be found dead from here.

use std::fs;

/// This place: the boot of the machine and the namespace of its processes; `None` where the system says neither.
pub(super) fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}-{}", boot.trim(), pid_namespace()?))
}

#[cfg(unix)]
fn pid_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self/ns/pid").ok().map(|namespace| namespace.ino())
}

#[cfg(not(unix))]
fn pid_namespace() -> Option<u64> {
    None
}

/// Whether a process that was registered at `place` can be judged from `here`. Versions that did not say where they ran are taken to have run here.
pub(super) fn is_here(place: Option<&str>, here: Option<&str>) -> bool {
    place.is_none() || place == here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_this_one_only_where_boot_and_namespace_are() {
        for (place, here, expect) in [
            (Some("boot-1"), Some("boot-1"), true),
            (Some("boot-1"), Some("boot-2"), false),
            (Some("other-1"), Some("boot-1"), false),
            (Some("boot-1"), None, false),
            (None, Some("boot-1"), true),
            (None, None, true),
        ] {
            assert_eq!(is_here(place, here), expect, "{place:?} {here:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_place_stays_the_same() {
        assert!(here().is_some_and(|place| Some(place) == here()));
    }
}
