//! Median, minimum, maximum; and what else the machine is doing.

/// Median, minimum and maximum of some runs.
pub struct Spread {
    pub median: f64,
    min: f64,
    max: f64,
}

/// Of at least one value.
pub fn spread(values: &[f64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    Spread { median, min: sorted[0], max: sorted[sorted.len() - 1] }
}

/// Prints a line of the table.
pub fn row(name: &str, spread: &Spread) {
    println!("  {name:<55} {:>9.3} ({:.3} to {:.3})", spread.median, spread.min, spread.max);
}

/// The machine's load averages.
pub fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").map_or_else(|_| "unknown".into(), |line| line.trim().to_owned())
}
