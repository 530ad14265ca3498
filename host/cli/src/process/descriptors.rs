//! How many descriptors the process may have: files, sockets and pipes together.

/// More than any job needs; some systems refuse to be asked for all that they would give.
const ENOUGH: u64 = 1 << 20;

/// Raises the bound on descriptors as far as the process may: what is set by default is meant for interactive shells. Where that fails it stays as it is.
#[cfg(unix)]
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard.min(ENOUGH)
    {
        _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(ENOUGH), hard);
    }
}

/// How many there may be.
#[cfg(unix)]
pub fn descriptor_limit() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(ENOUGH, |(soft, _)| soft)
}

/// Nothing is raised where there is no such bound.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() {}

/// Elsewhere there is no such bound.
#[cfg(not(unix))]
pub fn descriptor_limit() -> u64 {
    ENOUGH
}
