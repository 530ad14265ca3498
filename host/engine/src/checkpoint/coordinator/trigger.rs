//! What a checkpoint is asked for by, and what follows from that alone.

use crate::element::BarrierAlignment;

/// What asked for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The interval.
    Periodic,
    /// The user.
    Requested,
    /// A savepoint, which is made of it: aligned whatever the job's setting.
    Savepoint,
    /// The same by a barrier that overtakes.
    UnalignedSavepoint,
    /// An operator changes over behind it: aligned, so that each record is worked off by one of the two.
    Upgrade,
    /// The dataflow is deployed anew from it: aligned, and sources go no further than this one.
    Redeploy,
    /// The user stops the job and makes a savepoint of this one: as [`Trigger::Stop`], and aligned whatever the job's setting.
    StopSavepoint,
    /// The user stops the job: sources go no further than this one.
    Stop,
    /// All input has ended: the last one, whose commit finishes the job.
    Final,
}

impl Trigger {
    /// As it stands in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Requested => "requested",
            Self::Savepoint | Self::UnalignedSavepoint => "savepoint",
            Self::Upgrade => "upgrade",
            Self::Redeploy => "redeploy",
            Self::StopSavepoint | Self::Stop => "stop",
            Self::Final => "final",
        }
    }

    /// True where no checkpoint of the attempt may follow it.
    pub fn is_last(self) -> bool {
        match self {
            Self::Redeploy | Self::StopSavepoint | Self::Stop | Self::Final => true,
            Self::Periodic | Self::Requested | Self::Savepoint | Self::UnalignedSavepoint | Self::Upgrade => false,
        }
    }

    /// True where sources go no further than this one.
    pub(crate) fn suspends(self) -> bool {
        matches!(self, Self::Redeploy | Self::StopSavepoint | Self::Stop)
    }

    /// True where it ends the job.
    pub(crate) fn ends_the_job(self) -> bool {
        self.is_last() && self != Self::Redeploy
    }

    /// What its barriers do with records in front of them, in a job whose checkpoints do `usual`.
    pub(super) fn alignment(self, usual: BarrierAlignment) -> BarrierAlignment {
        match self {
            Self::Periodic | Self::Requested | Self::Stop | Self::Final => usual,
            Self::Savepoint | Self::Upgrade | Self::Redeploy | Self::StopSavepoint => BarrierAlignment::Aligned,
            Self::UnalignedSavepoint => BarrierAlignment::Unaligned,
        }
    }
}
