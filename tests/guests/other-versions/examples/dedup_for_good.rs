//! `plugins/dedup` without a time to live: a key that has passed never passes again.

other_versions::export_dedup!();
