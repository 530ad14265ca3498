//! `weir state list`: which states there are, and how much each holds.

use super::opened::{Opened, look_into};
use super::target::Target;
use crate::args::LookArgs;
use crate::commands::sizes::{state_lines, state_sizes};
use crate::context::Context;
use crate::documents::{OperatorStatesDocument, SCHEMA, StateListDocument};
use crate::failure::Failure;
use crate::storage::with_stores;
use weir_engine::inspect::OperatorState;

/// Lists the states of all operators, or of one.
pub(super) fn list(context: &Context, look: &LookArgs, operator: Option<&str>) -> Result<u8, Failure> {
    let target = Target::of(context, look)?;
    let document = with_stores(async |stores| look_into(stores, &target, async |opened| listed(opened, operator).await).await)?;
    context.print(&document, || text(&document))?;
    Ok(0)
}

async fn listed(opened: &Opened, operator: Option<&str>) -> Result<StateListDocument, Failure> {
    let wanted: Vec<OperatorState<'_>> = match operator {
        Some(id) => vec![opened.operator(id)?],
        None => opened.state().operators().collect(),
    };
    let mut operators = Vec::new();
    for operator in wanted {
        operators.push(OperatorStatesDocument { id: operator.id().to_owned(), states: state_sizes(operator).await? });
    }
    Ok(StateListDocument { schema: SCHEMA, of: opened.looked_into(), operators })
}

fn text(document: &StateListDocument) -> String {
    let StateListDocument { schema: _, of, operators } = document;
    let mut text = format!("state of {} in {}\n", of.job, of.place());
    for OperatorStatesDocument { id, states } in operators {
        text.push_str(&format!("  {id}{}\n", if states.is_empty() { ": no state" } else { "" }));
        text.push_str(&state_lines(states, operators.iter().flat_map(|operator| &operator.states)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{LookedInto, StateSizeDocument};
    use weir_engine::state::StateKind;

    #[test]
    fn a_list_tells_what_each_kind_of_state_holds() {
        let state = |name: &str, kind| StateSizeDocument {
            name: name.into(),
            kind,
            schema: "u64".into(),
            version: 2,
            keys: 1_000,
            entries: 2_000,
            bytes: 2_048,
        };
        let states =
            vec![state("v", StateKind::Value), state("l", StateKind::List), state("map", StateKind::Map), state("b", StateKind::Broadcast)];
        let operators =
            vec![OperatorStatesDocument { id: "op".into(), states }, OperatorStatesDocument { id: "split".into(), states: Vec::new() }];
        let of = LookedInto { job: "j".into(), checkpoint: 7, savepoint: Some("file:/b/1".into()) };
        let document = StateListDocument { schema: SCHEMA, of, operators };
        let expect = "state of j in savepoint file:/b/1 (checkpoint 7)
  op
    v    value      1,000 keys, 2.0 KiB  u64 (version 2)
    l    list       1,000 keys, 2,000 items, 2.0 KiB  u64 (version 2)
    map  map        1,000 keys, 2,000 entries, 2.0 KiB  u64 (version 2)
    b    broadcast  2,000 entries, 2.0 KiB  u64 (version 2)
  split: no state
";
        assert_eq!(text(&document), expect);
    }
}
