import org.apache.flink.api.connector.source.*;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource.NumberSequenceSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

import java.util.*;
import java.util.concurrent.CompletableFuture;

/**
 * Nexmark's events as a FLIP-27 source, a batch of them per pollNext. As in weir split r of s has the rounds k with k mod s = r, so that all subtasks read the same
 * time at once and no watermark waits; subtask r asks for split r. A split is known by "r/s", its next event and the last one of all.
 */
final class NexmarkSource implements Source<Event, NumberSequenceSplit, Collection<NumberSequenceSplit>> {
    static final int BATCH = 128;
    private final Nexmark events;
    private final NumberSequenceSource serializers = new NumberSequenceSource(0, 1);

    NexmarkSource(Nexmark events) { this.events = events; }

    @Override public Boundedness getBoundedness() { return Boundedness.BOUNDED; }
    @Override public SimpleVersionedSerializer<NumberSequenceSplit> getSplitSerializer() { return serializers.getSplitSerializer(); }
    @Override public SimpleVersionedSerializer<Collection<NumberSequenceSplit>> getEnumeratorCheckpointSerializer() { return serializers.getEnumeratorCheckpointSerializer(); }

    @Override public SplitEnumerator<NumberSequenceSplit, Collection<NumberSequenceSplit>> createEnumerator(SplitEnumeratorContext<NumberSequenceSplit> c) {
        List<NumberSequenceSplit> splits = new ArrayList<>();
        int stride = c.currentParallelism();
        for (long r = 0; r < stride && r * Nexmark.ROUND < events.count; r++) splits.add(new NumberSequenceSplit(r + "/" + stride, r * Nexmark.ROUND, events.count - 1));
        return restoreEnumerator(c, splits);
    }

    @Override public SplitEnumerator<NumberSequenceSplit, Collection<NumberSequenceSplit>> restoreEnumerator(SplitEnumeratorContext<NumberSequenceSplit> c, Collection<NumberSequenceSplit> left) {
        final List<NumberSequenceSplit> splits = new ArrayList<>(left);
        return new SplitEnumerator<>() {
            @Override public void start() {}
            @Override public void handleSplitRequest(int subtask, String host) {
                for (Iterator<NumberSequenceSplit> it = splits.iterator(); it.hasNext();) {
                    NumberSequenceSplit s = it.next();
                    if (number(s.splitId(), 0) % c.currentParallelism() != subtask) continue;
                    it.remove();
                    c.assignSplit(s, subtask);
                }
                c.signalNoMoreSplits(subtask);
            }
            @Override public void addSplitsBack(List<NumberSequenceSplit> back, int subtask) { splits.addAll(back); }
            @Override public void addReader(int subtask) {}
            @Override public Collection<NumberSequenceSplit> snapshotState(long id) { return new ArrayList<>(splits); }
            @Override public void close() {}
        };
    }

    /** The residue (0) or the stride (1) of "r/s". */
    static int number(String splitId, int which) { return Integer.parseInt(splitId.split("/")[which]); }

    @Override public SourceReader<Event, NumberSequenceSplit> createReader(SourceReaderContext c) {
        final Stat.Ctr read = new Stat.Ctr(c.getIndexOfSubtask());
        final Nexmark events = this.events;
        return new SourceReader<>() {
            final List<NumberSequenceSplit> waiting = new ArrayList<>();
            String id; // of the split that is being read; none: null
            long round, stride, end;
            int offset;
            boolean noMore;
            CompletableFuture<Void> available = new CompletableFuture<>();

            @Override public void start() { events.open(); if (waiting.isEmpty()) c.sendSplitRequest(); else noMore = true; }
            @Override public InputStatus pollNext(ReaderOutput<Event> out) {
                if (id == null && !begin()) return noMore ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
                int made = 0;
                for (; made < BATCH && round * Nexmark.ROUND + offset < end; made++) {
                    Event e = events.at(round, offset);
                    out.collect(e, e.time);
                    if (++offset == Nexmark.ROUND) { offset = 0; round += stride; }
                }
                read.add(made);
                if (made < BATCH) id = null;
                return InputStatus.MORE_AVAILABLE;
            }
            private boolean begin() {
                if (waiting.isEmpty()) { read.flush(); return false; }
                NumberSequenceSplit s = waiting.remove(0);
                id = s.splitId(); stride = number(id, 1); end = s.to() + 1;
                round = s.from() / Nexmark.ROUND; offset = (int) (s.from() % Nexmark.ROUND);
                return true;
            }
            @Override public List<NumberSequenceSplit> snapshotState(long checkpoint) {
                List<NumberSequenceSplit> all = new ArrayList<>(waiting);
                long next = round * Nexmark.ROUND + offset;
                if (id != null && next < end) all.add(new NumberSequenceSplit(id, next, end - 1));
                return all;
            }
            @Override public CompletableFuture<Void> isAvailable() { return id != null || !waiting.isEmpty() || noMore ? CompletableFuture.completedFuture(null) : available; }
            @Override public void addSplits(List<NumberSequenceSplit> more) { waiting.addAll(more); available.complete(null); }
            @Override public void notifyNoMoreSplits() { noMore = true; available.complete(null); }
            @Override public void close() { read.flush(); }
        };
    }
}
