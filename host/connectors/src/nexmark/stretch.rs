//! The events of one split that are still to come.

use super::plan::{EVENTS_MAX, Place, Plan};
use serde::{Deserialize, Serialize};
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, SplitState};

/// Which rounds a split has: one of each `stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitSpec {
    pub(super) residue: u32,
    pub(super) stride: u32,
}

/// One split and where it stands.
pub(super) struct Stretch {
    split: SplitState,
    spec: SplitSpec,
    /// `None`: finished.
    next: Option<Place>,
}

impl Stretch {
    /// The rest of `split`; an error where its position does not lie in it.
    pub(super) fn of(split: SplitState, plan: &Plan) -> Result<Self, EngineError> {
        let broken =
            |why: String| EngineError::new(ErrorKind::Corrupt, format!("read the split {:?} of the source nexmark: {why}", split.id));
        let spec = SplitSpec::deserialize(&split.spec).map_err(|e| broken(e.to_string()))?;
        if spec.residue >= spec.stride {
            return Err(broken(format!("{} of {} is none of its splits", spec.residue, spec.stride)));
        }
        let next = match &split.progress {
            SplitProgress::Unread => Some(spec.first()),
            SplitProgress::At(position) => {
                let number = position.as_u64().filter(|&number| number <= EVENTS_MAX);
                match number.map(|number| Place::of(number, plan)).filter(|&place| spec.has(place)) {
                    Some(next) => Some(next),
                    None => return Err(broken(format!("the position {position} does not lie in it"))),
                }
            }
            SplitProgress::Finished => None,
        };
        Ok(Self { spec, next: next.filter(|next| next.number(plan) < plan.end()), split })
    }

    /// Hands up to `most` events to `each`, until it says that it has enough.
    #[inline]
    pub(super) fn take(&mut self, most: usize, plan: &Plan, mut each: impl FnMut(Place) -> bool) {
        let (end, stride) = (plan.end(), u64::from(self.spec.stride));
        for _ in 0..most {
            let Some(place) = self.next else { return };
            let more = each(place);
            self.next = Some(place.next(stride, plan)).filter(|next| next.number(plan) < end);
            if !more {
                return;
            }
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.next.is_none()
    }

    pub(super) fn id(&self) -> &str {
        &self.split.id
    }

    /// How many events are still to come; `None`: they have no end.
    pub(super) fn left(&self, plan: &Plan) -> Option<u64> {
        let Some(next) = self.next else { return Some(0) };
        let end = Place::of(plan.count?, plan);
        Some(self.spec.events_before(end, plan) - self.spec.events_before(next, plan))
    }

    pub(super) fn state(&self, plan: &Plan) -> SplitState {
        let progress = match self.next {
            None => SplitProgress::Finished,
            Some(next) if self.split.progress == SplitProgress::Unread && next == self.spec.first() => SplitProgress::Unread,
            Some(next) => SplitProgress::At(next.number(plan).into()),
        };
        SplitState { progress, ..self.split.clone() }
    }
}

impl SplitSpec {
    fn first(self) -> Place {
        Place { round: self.residue.into(), offset: 0 }
    }

    fn has(self, place: Place) -> bool {
        place.round % u64::from(self.stride) == u64::from(self.residue)
    }

    /// How many events of the split stand before `place`, which may lie in another.
    fn events_before(self, place: Place, plan: &Plan) -> u64 {
        let rounds = (place.round + u64::from(self.stride - 1 - self.residue)) / u64::from(self.stride);
        rounds * plan.round() + if self.has(place) { place.offset } else { 0 }
    }
}
