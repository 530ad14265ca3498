//! What a vertex has counted, in every document that has vertices.

use super::{LagDocument, PluginDocument};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_engine::metrics::VertexMetrics;

/// Counters of a vertex. They cover this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VertexFigures {
    /// Records that came in.
    pub records_in: u64,
    /// Records that went out.
    pub records_out: u64,
    /// Records that failed alone and were put aside.
    pub quarantined: u64,
    /// Records that came too late for every window that they would have been put into.
    #[serde(default)]
    pub late: u64,
    /// Windows that were open at the last checkpoint's barrier, or that were taken over where there was none.
    #[serde(default)]
    pub open_windows: u64,
    /// Records that a source could not read and skipped.
    #[serde(default)]
    pub skipped: u64,
    /// Records of a source that were further ahead of the clock than `max-ahead`, and moved no watermark.
    #[serde(default)]
    pub ahead: u64,
    /// Bytes of state that an operator keeps, as they count against `limits.state-bytes`.
    #[serde(default)]
    pub state_bytes: u64,
    /// How far a source lags behind what there is, as of the last look at it; `None` where it has no splits, and for what is no source.
    #[serde(default)]
    pub lag: Option<LagDocument>,
    /// What its plugin has taken of what it may; `None`: it is known to have none.
    #[serde(default)]
    pub plugin: Option<PluginDocument>,
    /// What an operator counts itself, summed up.
    #[serde(default)]
    pub metrics: BTreeMap<String, i64>,
}

impl VertexFigures {
    /// What has been counted up to now.
    pub fn of(metrics: &VertexMetrics) -> Self {
        Self {
            records_in: metrics.records_in(),
            records_out: metrics.records_out(),
            quarantined: metrics.quarantined.get(),
            late: metrics.late.get(),
            open_windows: metrics.open_windows.get(),
            skipped: metrics.skipped.get(),
            ahead: metrics.ahead.get(),
            state_bytes: metrics.state_bytes.get(),
            lag: LagDocument::of(metrics.lag.get()),
            plugin: Some(PluginDocument::of(&metrics.plugin)),
            metrics: metrics.own.get(),
        }
    }
}
