//! Random plans against a plain model: every state of the checkpoint is looked up one by one, by what the rules say of it alone.

use super::tests::graph;
use super::*;
use crate::checkpoint::VertexIdentity;
use std::fmt::Write;

const IDS: [&str; 4] = ["a", "b", "c", "d"];
const STATES: [&str; 3] = ["x", "y", "z"];

struct Case {
    was: GraphIdentity,
    now: GraphIdentity,
    options: RestoreOptions,
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
        let states: Vec<_> =
            states.iter().map(|state| format!("{state}:{}{}", if rng.u8(..8) == 0 { "m" } else { "v" }, rng.u8(1..4))).collect();
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
    }
    Case { was, now, options }
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
    let Case { was, now, options } = case;
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
    }
    for name in before.keys() {
        if !goes.contains_key(name) {
            if !is_named(name) {
                return None;
            }
            goes.insert(name.clone(), "-".into());
        }
    }
    Some(goes)
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
        let planned = plan_identities(&case.was, &case.now, &case.options);
        let found = planned.refusals.is_empty().then(|| of_plan(&case, &planned.plan));
        assert_eq!(found, model(&case), "case {number}: {:?} → {:?}, {:?}: {planned:?}", case.was, case.now, case.options);
        accepted += u32::from(found.is_some());
    }
    assert!(accepted > 3_000, "{accepted} of the plans were accepted");
}
