import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

import java.util.Map;
import java.util.TreeMap;

/**
 * First halves of aggregations, in the source's chain and before any exchange, as Flink SQL's planner puts them there (LocalWindowAggregate): plain memory of a subtask
 * without keys or timers, which goes on when a watermark closes it, or a barrier comes: so none of it is part of a checkpoint.
 */
abstract class Local<T> extends AbstractStreamOperator<T> implements OneInputStreamOperator<Event, T> {
    private transient StreamRecord<T> record;

    @Override public void open() throws Exception { super.open(); record = new StreamRecord<>(null); }
    @Override public void processWatermark(Watermark mark) throws Exception { flush(mark.getTimestamp()); super.processWatermark(mark); }
    @Override public void prepareSnapshotPreBarrier(long checkpoint) { flush(Long.MAX_VALUE); }

    /** Sends what is due at a watermark. */
    abstract void flush(long watermark);

    final void emit(T value, long time) { output.collect(record.replace(value, time)); }

    /** Query 5: how many bids an auction has in a pane. */
    static final class BidCounts extends Local<Counted> {
        private transient Panes panes;
        private transient Counted out;
        @Override public void open() throws Exception { super.open(); panes = new Panes(); out = new Counted(); }
        @Override public void processElement(StreamRecord<Event> r) {
            Event e = r.getValue();
            if (e.kind == Event.BID) panes.at(e.time - e.time % Queries.PANE).add(e.id, 1);
        }
        @Override void flush(long watermark) {
            while (!panes.of.isEmpty()) {
                long start = panes.of.firstKey(), last = start + Queries.PANE - 1;
                if (last > watermark) return;
                panes.of.get(start).each((auction, bids) -> emit(out.set(auction, start, bids), last));
                panes.remove(start);
            }
        }
    }

    /** Query 7: the highest bids of a window, and those of its end that may be as high. */
    static final class HighestBids extends Local<Bid> {
        private transient TreeMap<Long, Highest> windows;
        private transient Highest newest;
        private transient long start;
        @Override public void open() throws Exception { super.open(); windows = new TreeMap<>(); start = Long.MIN_VALUE; }
        @Override public void processElement(StreamRecord<Event> r) {
            Event e = r.getValue();
            if (e.kind != Event.BID) return;
            long window = e.time - e.time % Queries.SIZE;
            if (e.time == window) at(window - Queries.SIZE).ofEnd.add(Bid.of(e, e.extra.copy()).in(window - Queries.SIZE));
            if (window != start) { newest = at(window); start = window; }
            if (e.price >= newest.price) newest.add(Bid.of(e, e.extra.copy()).in(window));
        }
        private Highest at(long window) { return windows.computeIfAbsent(window, w -> new Highest()); }
        @Override void flush(long watermark) {
            while (!windows.isEmpty()) {
                Map.Entry<Long, Highest> first = windows.firstEntry();
                long end = first.getKey() + Queries.SIZE;
                if (end > watermark) return;
                for (Bid b : first.getValue().best) emit(b, end);
                for (Bid b : first.getValue().ofEnd) emit(b, end);
                windows.remove(first.getKey());
                if (first.getKey() == start) start = Long.MIN_VALUE;
            }
        }
    }

    /** Query 8: who is new, and who sells, each seller once a window; that one comes again after a checkpoint changes nothing. */
    static final class Users extends Local<User> {
        private transient Panes sellers;
        @Override public void open() throws Exception { super.open(); sellers = new Panes(); }
        @Override public void processElement(StreamRecord<Event> r) {
            Event e = r.getValue();
            if (e.kind == Event.PERSON) emit(User.named(e.id, e.name().copy()), e.time);
            else if (e.kind == Event.AUCTION && sellers.at(e.time - e.time % Queries.SIZE).add(e.who, 1)) emit(User.selling(e.who), e.time);
        }
        @Override void flush(long watermark) { while (!sellers.of.isEmpty() && sellers.of.firstKey() + Queries.SIZE <= watermark) sellers.remove(sellers.of.firstKey()); }
    }
}
