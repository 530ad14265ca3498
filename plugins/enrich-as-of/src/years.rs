//! Years as times: what holds from a year on holds from its first moment on.

/// When a year begins, ms since the Unix epoch, in UTC. What is no year of four digits is the last of them.
pub fn start_of_year(year: u32) -> i64 {
    let before = i64::from(year.min(9_999)) - 1;
    (365 * before + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162) * 86_400_000
}
