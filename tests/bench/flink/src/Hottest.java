import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;
import java.util.Arrays;

/** The auctions with the most bids of a window of query 5, so far: an accumulator that keeps only those. */
public final class Hottest {
    static final Flat.Info<Hottest> INFO = new Flat.Info<>(Hottest.class, new Ser());

    long bids;
    long[] auctions = new long[2];
    int size;

    void clear() { bids = 0; size = 0; }

    void add(long auction, long count) {
        if (count < bids) return;
        if (count > bids) { bids = count; size = 0; }
        if (size == auctions.length) auctions = Arrays.copyOf(auctions, 2 * size);
        auctions[size++] = auction;
    }

    static final class Of implements AggregateFunction<Counted, Hottest, Hottest> {
        @Override public Hottest createAccumulator() { return new Hottest(); }
        @Override public Hottest add(Counted c, Hottest h) { h.add(c.auction, c.bids); return h; }
        @Override public Hottest getResult(Hottest h) { return h; }
        @Override public Hottest merge(Hottest a, Hottest b) { for (int k = 0; k < b.size; k++) a.add(b.auctions[k], b.bids); return a; }
    }

    static final class Ser extends Flat<Hottest> {
        @Override public Hottest createInstance() { return new Hottest(); }
        @Override public Hottest copy(Hottest h) { Hottest c = new Hottest(); c.bids = h.bids; c.auctions = h.auctions.clone(); c.size = h.size; return c; }
        @Override public void serialize(Hottest h, DataOutputView out) throws IOException {
            out.writeLong(h.bids); out.writeInt(h.size);
            for (int k = 0; k < h.size; k++) out.writeLong(h.auctions[k]);
        }
        @Override public Hottest deserialize(DataInputView in) throws IOException {
            Hottest h = new Hottest();
            h.bids = in.readLong(); h.size = in.readInt(); h.auctions = new long[Math.max(2, h.size)];
            for (int k = 0; k < h.size; k++) h.auctions[k] = in.readLong();
            return h;
        }
        @Override public TypeSerializerSnapshot<Hottest> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Hottest> { public Snap() { super(Ser::new); } }
    }
}
