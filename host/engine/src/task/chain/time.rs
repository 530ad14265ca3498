//! How event time goes through a chain: what is due at it fires first, each node hears of it behind what those in front of it emit, and those behind a node that
//! makes watermarks of its own hear of these.

use super::{Chain, Node, NodeBody, Target};
use crate::element::{END_OF_TIME, Progress, Watermark};
use crate::error::EngineError;
use crate::task::{OperatorSubtask, OutputTime};
use std::task::{Context, Poll};

impl Chain {
    /// Event time has made progress, and [`Self::advance`] works it off.
    pub fn begin_progress(&mut self, progress: Progress) {
        if let (Progress::Watermark(Watermark(watermark)), Some(head)) = (progress, self.head_operator()) {
            head.set_watermark(watermark);
        }
        self.progress = Some(progress);
    }

    /// The operator at the head, which alone may have keyed state: `key` edges end at the head of a task.
    fn head_operator(&mut self) -> Option<&mut OperatorSubtask> {
        if self.has_source_at_head() { None } else { self.nodes.first_mut()?.body.operator() }
    }

    /// True where [`Self::advance`] has something to do. Nothing that came behind is worked off before.
    pub fn is_due(&mut self) -> bool {
        self.head_operator().is_some_and(OperatorSubtask::is_due) || self.progress.is_some()
    }

    /// In how many ms a timer by the clock is due.
    pub(crate) fn next_by_clock(&mut self) -> Option<u64> {
        self.head_operator()?.next_by_clock()
    }

    /// One call of timers that are due; or, where none is, what is left to do of the progress of event time. A barrier may pass in between: what is left fires
    /// behind it.
    pub async fn advance(&mut self) -> Result<(), EngineError> {
        let fired = match self.head_operator() {
            Some(head) => head.fire().await?,
            None => None,
        };
        match (fired, self.progress) {
            (Some(emitted), _) => {
                self.route_all(0, emitted)?;
                self.work_off().await
            }
            (None, Some(progress)) => {
                self.tell_all(progress).await?;
                if progress == Progress::Watermark(END_OF_TIME) {
                    self.output_times().for_each(|(_, time)| time.end());
                }
                self.progress = None;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Event time has made progress, which is worked off at once.
    pub async fn on_progress(&mut self, progress: Progress) -> Result<(), EngineError> {
        self.begin_progress(progress);
        while self.is_due() {
            self.advance().await?;
        }
        Ok(())
    }

    /// Each operator hears of it in turn, and what it emits then has been worked off by those behind it, or stands in front of the watermark on the edges, before
    /// they hear of it themselves. The end of time is not sent: the end of the input says so.
    async fn tell_all(&mut self, progress: Progress) -> Result<(), EngineError> {
        let heads = self.heads();
        self.tell(heads, progress).await
    }

    /// Tells those behind a node what time its output has come to.
    pub(crate) async fn tell_behind(&mut self, node: usize, progress: Progress) -> Result<(), EngineError> {
        let behind = self.behind(node).collect();
        self.tell(behind, progress).await
    }

    /// The progress of a node's output, where there is some to tell. There may be more to work off.
    pub(crate) fn look_at_output_time(&mut self) -> Option<(usize, Progress)> {
        self.output_times().find_map(|(node, time)| Some((node, time.look()?)))
    }

    /// The task waits. Ready with the progress of a node's output. `is_caught_up`: there is nothing that it could work off, and not just for now.
    pub(crate) fn poll_output_time(&mut self, is_caught_up: impl Fn() -> bool, cx: &mut Context<'_>) -> Poll<(usize, Progress)> {
        for (node, time) in self.output_times() {
            if let Poll::Ready(progress) = time.poll(is_caught_up(), cx) {
                return Poll::Ready((node, progress));
            }
        }
        Poll::Pending
    }

    fn output_times(&mut self) -> impl Iterator<Item = (usize, &mut OutputTime)> {
        self.nodes.iter_mut().enumerate().filter_map(|(node, of)| Some((node, of.time.as_deref_mut()?)))
    }

    /// Where what a node emits goes; the last is the first.
    fn behind(&self, node: usize) -> impl Iterator<Item = Target> {
        let Node { routes, quarantine, late, .. } = &self.nodes[node];
        let reserved = late.iter().rev().chain(quarantine.iter().rev());
        reserved.chain(routes.iter().rev().flat_map(|targets| targets.iter().rev())).copied()
    }

    async fn tell(&mut self, mut ahead: Vec<Target>, progress: Progress) -> Result<(), EngineError> {
        while let Some(target) = ahead.pop() {
            match target {
                Target::Edge(_) if progress == Progress::Watermark(END_OF_TIME) => {}
                Target::Edge(edge) => self.output.send_progress(edge, progress),
                Target::Node { node, .. } => {
                    self.tell_node(node, progress).await?;
                    if self.nodes[node].time.is_none() || progress == Progress::Watermark(END_OF_TIME) {
                        ahead.extend(self.behind(node));
                    }
                }
            }
        }
        Ok(())
    }

    /// Where what reaches the task goes first; the last is the first.
    fn heads(&self) -> Vec<Target> {
        if self.has_source_at_head() {
            return self.source_quarantine.iter().rev().chain(self.source_routes.iter().rev()).copied().collect();
        }
        if self.nodes.is_empty() { Vec::new() } else { vec![Target::Node { node: 0, input: 0 }] }
    }

    fn has_source_at_head(&self) -> bool {
        !self.source_routes.is_empty() || !self.source_quarantine.is_empty()
    }

    async fn tell_node(&mut self, place: usize, progress: Progress) -> Result<(), EngineError> {
        self.nodes[place].metrics.watermark.set(self.subtask, progress.time());
        let Progress::Watermark(Watermark(watermark)) = progress else { return Ok(()) };
        let NodeBody::Operator(subtask) = &mut self.nodes[place].body else { return Ok(()) };
        subtask.set_watermark(watermark);
        let call = subtask.watermark_call();
        let emitted = subtask.call(&call).await?;
        self.route_all(place, emitted)?;
        self.work_off().await
    }
}
