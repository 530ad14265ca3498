//! `plugins/dedup` by the clock: a key that has passed passes again a day later, whatever time its records have.

other_versions::export_dedup!(#[state(ttl = "1d")]);
