//! `plugins/dedup` for three days of event time and not for one.

other_versions::export_dedup!(#[state(ttl = "3d", time = "event")]);
