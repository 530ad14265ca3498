//! Reads what a job has set aside into its storage.

use serde_json::Value;
use weir_engine::checkpoint::paths;
use weir_engine::storage::Store;

/// The reports in all committed quarantine files.
pub async fn quarantined(store: &dyn Store) -> Vec<Value> {
    let mut reports = Vec::new();
    for path in store.list(paths::QUARANTINE).await.expect("the store lists") {
        let bytes = store.get(&path).await.expect("the store reads").expect("what is listed is there");
        let text = std::str::from_utf8(&bytes).expect("JSON is text");
        reports.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")));
    }
    reports
}
