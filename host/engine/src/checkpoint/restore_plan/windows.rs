//! Keyed state of a windowed operator is kept by key and window, and belongs to windows as they were: other windows, or none, cannot go on with it.

use super::planner::Planner;
use super::texts::{self, state_name};
use super::{Remedy, RestoreRefusal, StateFate, StatePlan, VertexPlan};
use crate::state::{StateDescriptor, StateKind, WINDOW_STATE};

/// The states of an operator in the checkpoint and now.
#[derive(Clone, Copy)]
pub(super) struct BothStates<'a> {
    pub was: &'a [StateDescriptor],
    pub is: &'a [StateDescriptor],
}

/// The windows of an operator with these states, in words; `None`: it has none.
fn windows(states: &[StateDescriptor]) -> Option<&str> {
    states.iter().find(|state| state.name == WINDOW_STATE).map(|state| state.schema.as_str())
}

impl Planner<'_> {
    /// What becomes of the state that keeps an operator's windows. That they are the same, [`Self::check_windows`] looks at.
    pub(super) fn window_state(&mut self, origin: &str, is: &[StateDescriptor]) -> StatePlan {
        let place = is.iter().position(|state| state.name == WINDOW_STATE);
        let fate = match place {
            _ if self.drop_state(origin, WINDOW_STATE) => StateFate::Dropped,
            Some(place) => StateFate::Kept { place },
            None => StateFate::Dropped,
        };
        StatePlan { name: WINDOW_STATE.to_owned(), fate }
    }

    /// Refuses to go on with state by windows that are not there any more, or are others.
    pub(super) fn check_windows(&mut self, origin: &str, states: BothStates<'_>, plan: &mut VertexPlan) {
        let (before, now) = (windows(states.was), windows(states.is));
        if self.has_no_keys(origin) || (before, now) == (None, None) {
            return;
        }
        let is_keyed = |plan: &StatePlan| states.was.iter().any(|state| state.name == plan.name && state.kind != StateKind::Broadcast);
        let goes_on = plan.states.iter().any(|state| is_keyed(state) && state.fate.place().is_some());
        let is_dropped = self.drops(&state_name(origin, WINDOW_STATE));
        let reason = match (before, now) {
            (Some(before), now) if now != Some(before) && (goes_on || !is_dropped) => texts::other_windows(origin, Some(before), now),
            (None, Some(_)) if goes_on => texts::other_windows(origin, None, now),
            (Some(_), Some(_)) if goes_on && is_dropped => texts::windows_alone(origin),
            _ => return,
        };
        plan.states.iter_mut().filter(|state| is_keyed(state)).for_each(|state| state.fate = StateFate::Refused);
        self.add_refusal(RestoreRefusal::new(reason, Remedy::GiveUp(origin.to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{GIVE_UP, check, graph, options, refused};
    use super::super::*;

    const HOURLY: &str = "op(a:v1,~hourly)";

    #[test]
    fn windows_that_are_the_same_go_on() {
        let plan = check(HOURLY, "op(~hourly,b:m1,a:v1)", "", &["op.b: new, begins empty"]);
        assert_eq!(plan.places("op"), [Some(2), Some(0)]);
    }

    #[test]
    fn other_windows_do_not_go_on_with_what_is_kept_by_those_that_were() {
        let others = "the windows of `op` were `hourly`, and are `daily` now: what is kept of those that are open belongs to no other";
        refused(HOURLY, "op(a:v1,~daily)", "", &[others], "`--drop-state op` gives up");
        refused("op(~hourly)", "op(~daily)", "", &[others], "`--drop-state op` gives up");
        refused(HOURLY, "sums(a:v1,~daily)", "sums<op", &[others], "`--drop-state op` gives up");
        // What is kept in windows is not named one by one, and neither are these alone.
        refused(HOURLY, "op(a:v1,~daily)", "-op.a", &[others], GIVE_UP);
        refused(HOURLY, "op(a:v1,~daily)", "-op.weir:window", &[others], GIVE_UP);
        check(HOURLY, "op(a:v1,~daily)", "-op", &["op: new, begins empty", "op: dropped (a, weir:window)"]);
        let each = ["op.a: new, begins empty", "op.weir:window: new, begins empty", "op.a: dropped", "op.weir:window: dropped"];
        check(HOURLY, "op(a:v1,~daily)", "-op.a -op.weir:window", &each);
    }

    #[test]
    fn state_by_key_does_not_go_on_by_windows_nor_the_other_way_round() {
        let gone = "the windows of `op` were `hourly`, and it has none now: what is kept of those that are open belongs to no key alone";
        refused(HOURLY, "op(a:v1)", "", &[gone], GIVE_UP);
        refused("op(~hourly)", "op", "", &[gone], GIVE_UP);
        refused(HOURLY, "op(a:v1)", "-op.weir:window", &[gone], GIVE_UP);
        check(HOURLY, "op(a:v1)", "-op", &["op: new, begins empty", "op: dropped (a, weir:window)"]);
        let come = "`op` had no windows, and they are `hourly` now: what it keeps by key is in none of them";
        refused("op(a:v1)", HOURLY, "", &[come], GIVE_UP);
        check("op(a:v1)", HOURLY, "-op.a", &["op.a: new, begins empty", "op.weir:window: new, begins empty", "op.a: dropped"]);
        // What is broadcast belongs to no key.
        check("op(r:b1)", "op(r:b1,~hourly)", "", &["op.weir:window: new, begins empty"]);
    }

    #[test]
    fn what_is_kept_in_windows_does_not_go_on_without_them() {
        let alone = "`--drop-state op.weir:window` drops the windows of `op` and not what is kept in them";
        refused(HOURLY, HOURLY, "-op.weir:window", &[alone], GIVE_UP);
        check(HOURLY, HOURLY, "-op.a", &["op.a: new, begins empty", "op.a: dropped"]);
    }

    #[test]
    fn where_no_window_is_open_they_may_be_others() {
        let planned = |was: &str, now: &str| {
            let was = graph(was);
            let without_keys = ["op".to_owned()].into();
            plan_identities(Restorable { identity: &was, without_keys }, &graph(now), &options(""))
        };
        for (was, now) in [(HOURLY, "op(a:v1,~daily)"), (HOURLY, "op(a:v1)"), ("op(a:v1)", HOURLY)] {
            let planned = planned(was, now);
            assert_eq!(planned.refusals, [], "{was} → {now}");
            assert_eq!(planned.plan.places("op").first(), Some(&Some(0)), "{was} → {now}");
        }
        assert_eq!(planned(HOURLY, "op(a:m1,~hourly)").refusals.len(), 1, "other rules hold");
    }

    #[test]
    fn of_a_running_job_it_is_said_how_a_start_gives_them_up() {
        let planned = plan_identities(&graph(HOURLY), &graph("op(a:v1,~daily)"), &options(""));
        assert!(planned.plan.vertices["op"].states.iter().all(|state| state.fate == StateFate::Refused));
        let error = planned.accepted_in_place("it cannot change").expect_err("refused");
        assert!(error.to_string().starts_with("it cannot change\n  the windows of `op` were `hourly`"), "{error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.starts_with("only a start drops state: ") && hint.ends_with("`weir run JOBFILE --drop-state op`"), "{hint}");
    }
}
