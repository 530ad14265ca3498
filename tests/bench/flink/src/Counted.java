import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** Bids for an auction in query 5: a bid itself, the count of a pane or that of a window, which begin at `start`. Also the accumulator that sums them up. */
public final class Counted {
    static final Flat.Info<Counted> INFO = new Flat.Info<>(Counted.class, new Ser());

    long auction, start, bids;

    Counted() {}
    Counted(long auction, long start, long bids) { set(auction, start, bids); }

    Counted set(long auction, long start, long bids) {
        this.auction = auction; this.start = start; this.bids = bids;
        return this;
    }

    String json() { return "{\"auction\":" + auction + ",\"num\":" + bids + "}"; }

    static final class Ser extends Flat<Counted> {
        @Override public int getLength() { return 24; }
        @Override public Counted createInstance() { return new Counted(); }
        @Override public Counted copy(Counted c) { return new Counted(c.auction, c.start, c.bids); }
        @Override public void serialize(Counted c, DataOutputView out) throws IOException { out.writeLong(c.auction); out.writeLong(c.start); out.writeLong(c.bids); }
        @Override public Counted deserialize(DataInputView in) throws IOException { return new Counted(in.readLong(), in.readLong(), in.readLong()); }
        @Override public TypeSerializerSnapshot<Counted> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Counted> { public Snap() { super(Ser::new); } }
    }
}
