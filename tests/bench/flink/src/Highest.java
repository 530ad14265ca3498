import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;
import java.util.ArrayList;

/**
 * The bids of a window of query 7 with the highest price, so far. The query also takes a bid of the window's end, which is the next one's, if it has that price;
 * such bids are kept apart, as they do not raise the price.
 */
public final class Highest {
    static final Flat.Info<Highest> INFO = new Flat.Info<>(Highest.class, new Ser());

    long price = -1;
    final ArrayList<Bid> best = new ArrayList<>(2), ofEnd = new ArrayList<>(0);

    void add(Bid b) {
        if (b.price < price) return;
        if (b.price > price) { price = b.price; best.clear(); }
        best.add(b);
    }

    static final class Ser extends Flat<Highest> {
        private static final Bid.Ser BIDS = new Bid.Ser();
        @Override public Highest createInstance() { return new Highest(); }
        @Override public Highest copy(Highest h) {
            Highest c = new Highest();
            c.price = h.price; c.best.addAll(h.best); c.ofEnd.addAll(h.ofEnd); // bids in a state are not written again
            return c;
        }
        @Override public void serialize(Highest h, DataOutputView out) throws IOException {
            out.writeLong(h.price); out.writeInt(h.best.size()); out.writeInt(h.ofEnd.size());
            for (Bid b : h.best) BIDS.serialize(b, out);
            for (Bid b : h.ofEnd) BIDS.serialize(b, out);
        }
        @Override public Highest deserialize(DataInputView in) throws IOException {
            Highest h = new Highest();
            h.price = in.readLong();
            int best = in.readInt(), ofEnd = in.readInt();
            while (best-- > 0) h.best.add(BIDS.deserialize(in));
            while (ofEnd-- > 0) h.ofEnd.add(BIDS.deserialize(in));
            return h;
        }
        @Override public TypeSerializerSnapshot<Highest> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Highest> { public Snap() { super(Ser::new); } }
    }
}
