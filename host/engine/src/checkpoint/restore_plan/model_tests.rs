//! Random plans against a plain model: every state of the checkpoint is looked up one by one, by what the rules say of it alone.

use super::tests::graph;
use super::*;
use crate::checkpoint::VertexIdentity;
use crate::state::WINDOW_STATE;
use std::fmt::Write;

const IDS: [&str; 4] = ["a", "b", "c", "d"];
const STATES: [&str; 3] = ["x", "y", "z"];
const WINDOWS: [&str; 4] = ["", "", "~hourly", "~daily"];

struct Case {
    was: GraphIdentity,
    now: GraphIdentity,
    options: RestoreOptions,
    /// Operators that keep nothing of any key.
    without_keys: BTreeSet<String>,
}

fn words(rng: &mut fastrand::Rng) -> String {
    let mut words = String::new();
    for id in IDS {
        if rng.u8(..4) == 0 {
            continue;
        }
        if rng.u8(..4) == 0 {
            write!(words, "{id}* ").expect("a text");
            continue;
        }
        let mut states = STATES.to_vec();
        rng.shuffle(&mut states);
        states.truncate(rng.usize(..=STATES.len()));
        let windows = WINDOWS[rng.usize(..WINDOWS.len())];
        let mut states: Vec<_> =
            states.iter().map(|state| format!("{state}:{}{}", if rng.u8(..8) == 0 { "m" } else { "v" }, rng.u8(1..4))).collect();
        states.insert(rng.usize(..=states.len()), windows.to_owned());
        write!(words, "{id}({}) ", states.join(",")).expect("a text");
    }
    words
}

fn case(rng: &mut fastrand::Rng) -> Case {
    let (was, mut now) = (graph(&words(rng)), graph(&words(rng)));
    if rng.bool() {
        // Mostly as it was.
        now = GraphIdentity { vertices: was.vertices.clone(), ..now };
        now.vertices.remove(IDS[rng.usize(..IDS.len())]);
    }
    let mut options = RestoreOptions::default();
    for id in IDS {
        if rng.u8(..5) == 0 {
            options.renames.insert(id.into(), IDS[rng.usize(..IDS.len())].into());
        }
        if rng.u8(..6) == 0 {
            options.drops.insert(id.into());
        }
        if rng.u8(..6) == 0 {
            options.drops.insert(format!("{id}.{}", STATES[rng.usize(..STATES.len())]));
        }
        if rng.u8(..8) == 0 {
            options.drops.insert(format!("{id}.{WINDOW_STATE}"));
        }
    }
    let without_keys = IDS.iter().filter(|_| rng.u8(..6) == 0).map(|id| (*id).to_owned()).collect();
    Case { was, now, options, without_keys }
}

/// `id.state` or `id` of a source, and what is known of it: everything that a graph keeps.
fn kept(graph: &GraphIdentity) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (id, vertex) in &graph.vertices {
        match vertex {
            VertexIdentity::Source { settings, .. } => _ = kept.insert(id.clone(), settings.to_string()),
            VertexIdentity::Operator { states, .. } => {
                kept.extend(states.iter().map(|state| (format!("{id}.{}", state.name), format!("{:?}{}", state.kind, state.version))));
            }
        }
    }
    kept
}

/// Where everything that the checkpoint keeps goes: its name now, or `-` where it is dropped. `None`: the restore is refused.
fn model(case: &Case) -> Option<BTreeMap<String, String>> {
    let Case { was, now, options, without_keys } = case;
    let (before, after) = (kept(was), kept(now));
    let is_named = |name: &str| {
        let of_vertex = name.split('.').next().unwrap_or_default();
        options.drops.contains(name) || options.drops.contains(of_vertex)
    };
    // Every name that drops something is that of a source, a state, or an operator with states.
    let something = |name: &String| before.contains_key(name) || before.keys().any(|kept| kept.starts_with(&format!("{name}.")));
    if !options.drops.iter().all(something) {
        return None;
    }
    let there = |id: &String| was.vertices.contains_key(id);
    let mut claims: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for id in now.vertices.keys() {
        let candidates = [Some(id), options.renames.get(id)].into_iter().flatten();
        let candidates: BTreeSet<_> = candidates.filter(|old| there(old) && !options.drops.contains(*old)).collect();
        let lost = candidates.is_empty() && options.renames.get(id).is_some_and(|old| !there(old));
        if candidates.len() > 1 || lost {
            return None;
        }
        candidates.into_iter().for_each(|old| claims.entry(old).or_default().push(id));
    }
    let mut goes = BTreeMap::new();
    for (old, vertex) in &was.vertices {
        let claimed = claims.remove(old).unwrap_or_default();
        if claimed.len() > 1 {
            return None;
        }
        let Some(id) = claimed.first() else { continue };
        match (vertex, &now.vertices[*id]) {
            (VertexIdentity::Source { settings: a, .. }, VertexIdentity::Source { settings: b, .. }) if a == b => {}
            (VertexIdentity::Operator { .. }, VertexIdentity::Operator { .. }) => {}
            _ => return None,
        }
        for (name, described) in before.iter().filter(|(name, _)| name.split('.').next() == Some(old)) {
            let state = name.strip_prefix(old.as_str()).unwrap_or_default();
            let new_name = format!("{id}{state}");
            let Some(described_now) = after.get(&new_name).filter(|_| !is_named(name)) else { continue };
            // The same kind, and no older version.
            let (kind, version) = described.split_at(described.len() - 1);
            let (kind_now, version_now) = described_now.split_at(described_now.len() - 1);
            if !state.is_empty() && (kind != kind_now || version > version_now) {
                return None;
            }
            goes.insert(name.clone(), new_name);
        }
        // What goes on by windows goes on with them, and they are the same; or nothing of it is there.
        let (of_was, of_now) = (windows_of(vertex), windows_of(&now.vertices[*id]));
        let goes_on = goes.keys().any(|name| name.split('.').next() == Some(old));
        let windows_go = goes.contains_key(&format!("{old}.{WINDOW_STATE}"));
        let fits = of_was == of_now && (of_was.is_none() || windows_go);
        if matches!(vertex, VertexIdentity::Operator { .. }) && goes_on && !fits && !without_keys.contains(old) {
            return None;
        }
    }
    for name in before.keys() {
        if !goes.contains_key(name) {
            let (vertex, state) = name.split_once('.').unwrap_or((name, ""));
            // Windows of which none is open are gone by themselves, where their operator goes on.
            let is_idle = state == WINDOW_STATE && without_keys.contains(vertex) && goes_on_as(now, options, vertex);
            if !is_named(name) && !is_idle {
                return None;
            }
            goes.insert(name.clone(), "-".into());
        }
    }
    Some(goes)
}

/// The windows of an operator.
fn windows_of(vertex: &VertexIdentity) -> Option<&str> {
    match vertex {
        VertexIdentity::Operator { states, .. } => {
            states.iter().find(|state| state.name == WINDOW_STATE).map(|state| state.schema.as_str())
        }
        VertexIdentity::Source { .. } => None,
    }
}

/// Whether a vertex of the graph goes on with the one of the checkpoint that had this id.
fn goes_on_as(now: &GraphIdentity, options: &RestoreOptions, old: &str) -> bool {
    now.vertices.contains_key(old) || options.renames.iter().any(|(id, was)| was == old && now.vertices.contains_key(id))
}

/// The same of a plan.
fn of_plan(case: &Case, plan: &RestorePlan) -> BTreeMap<String, String> {
    let mut goes: BTreeMap<_, _> = kept(&case.was).into_keys().map(|name| (name, "-".to_owned())).collect();
    for (id, vertex) in &plan.vertices {
        let Some(from) = &vertex.from else { continue };
        if vertex.kind == PlannedKind::Source {
            goes.insert(from.clone(), id.clone());
        }
        let VertexIdentity::Operator { states, .. } = &case.now.vertices[id] else { continue };
        for (state, place) in vertex.states.iter().zip(plan.places(id)) {
            let to = place.map_or("-".into(), |place| format!("{id}.{}", states[place].name));
            goes.insert(format!("{from}.{}", state.name), to);
        }
    }
    goes
}

#[test]
fn plans_take_everything_over_once_or_drop_it_by_name_or_are_refused() {
    let (mut accepted, mut rng) = (0, fastrand::Rng::with_seed(5));
    for number in 0..60_000 {
        let case = case(&mut rng);
        let planned = {
            let was = Restorable { identity: &case.was, without_keys: case.without_keys.clone() };
            plan_identities(was, &case.now, &case.options)
        };
        let found = planned.refusals.is_empty().then(|| of_plan(&case, &planned.plan));
        assert_eq!(found, model(&case), "case {number}: {:?} → {:?}, {:?}: {planned:?}", case.was, case.now, case.options);
        accepted += u32::from(found.is_some());
    }
    assert!(accepted > 3_000, "{accepted} of the plans were accepted");
}
