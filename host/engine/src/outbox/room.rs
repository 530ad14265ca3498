//! How much output may wait for one sink: its bytes are in the job's storage, and each object is listed by every checkpoint until it is published.

/// How much output of complete checkpoints may wait for one sink. Where there is as much of either, the sink stops behind its next barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxRoom {
    /// Bytes of the staged objects.
    pub bytes: u64,
    /// Their number. Each subtask stages one at least for a checkpoint that it has records for, and a checkpoint lists all that wait: without this bound an
    /// idle stream with a target that is down makes metadata of any length.
    pub objects: u64,
}

impl Default for OutboxRoom {
    /// 1 GiB in 10,000 objects, which are about 2.5 MB of metadata.
    fn default() -> Self {
        Self { bytes: 1 << 30, objects: 10_000 }
    }
}

impl OutboxRoom {
    /// True where nothing more may wait beside `waiting`.
    pub(super) fn is_full_with(self, waiting: Self) -> bool {
        waiting.bytes >= self.bytes || waiting.objects >= self.objects
    }
}
