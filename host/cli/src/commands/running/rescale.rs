//! `weir rescale`: another parallelism for a running job.

use super::{checkpoint_text, text_of};
use crate::api::RescaleRequest;
use crate::args::RescaleArgs;
use crate::client::JobClient;
use crate::context::Context;
use crate::failure::Failure;
use serde_json::{Value, json};

/// Gives a running job another parallelism.
pub(in crate::commands) fn rescale(context: &Context, args: &RescaleArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    context.screen.notice("rescaling");
    let request = RescaleRequest { parallelism: args.parallelism, operator: args.operator.clone() };
    let document = client.post("/v1/rescale", &json!(request))?;
    context.print_done(&document, || rescale_text(&document, args.operator.as_deref()))?;
    Ok(0)
}

fn rescale_text(document: &Value, operator: Option<&str>) -> String {
    let left_alone: Vec<String> =
        document["left_alone"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|id| format!("`{id}`")).collect();
    let what = match (operator, &left_alone[..]) {
        (Some(id), _) => format!("`{id}`"),
        (None, []) => "every step".to_owned(),
        (None, ids) => format!("every step but {}", ids.join(" and ")),
    };
    let (job, parallelism, from) = (text_of(document, "job"), &document["parallelism"], checkpoint_text(document));
    let pause = document["pause_ms"].as_f64().unwrap_or_default();
    format!("{job}: {what} has parallelism {parallelism} from {from} on; nothing came out for {pause:.0} ms\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rescale_names_the_steps_that_it_leaves_alone() {
        let text = |operator: Option<&str>, left_alone: &[&str]| {
            let document = json!({ "job": "j", "parallelism": 4, "checkpoint": 7, "pause_ms": 1.6, "left_alone": left_alone });
            rescale_text(&document, operator)
        };
        let from = "has parallelism 4 from checkpoint 7 on; nothing came out for 2 ms\n";
        assert_eq!(text(None, &[]), format!("j: every step {from}"));
        assert_eq!(text(None, &["in", "out"]), format!("j: every step but `in` and `out` {from}"));
        assert_eq!(text(Some("a"), &[]), format!("j: `a` {from}"));
    }
}
