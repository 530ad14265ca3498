import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** What query 7 gives of a bid, and the start of the window that the bid may be the highest of. Its channel and address nobody asks for, so they stay behind. */
public final class Bid {
    static final Flat.Info<Bid> INFO = new Flat.Info<>(Bid.class, new Ser());
    private static final byte[] NONE = {};

    long auction, bidder, price, time, window;
    byte[] extra = NONE;

    static Bid of(Event e, byte[] extra) {
        Bid b = new Bid();
        b.auction = e.id; b.bidder = e.who; b.price = e.price; b.time = e.time; b.extra = extra;
        return b;
    }

    Bid in(long window) { this.window = window; return this; }

    String json() {
        return "{\"auction\":" + auction + ",\"bidder\":" + bidder + ",\"price\":" + price + ",\"dateTime\":" + time + ",\"extra\":\"" + Text.string(extra) + "\"}";
    }

    static final class Ser extends Flat<Bid> {
        @Override public Bid createInstance() { return new Bid(); }
        @Override public Bid copy(Bid b) {
            Bid c = new Bid();
            c.auction = b.auction; c.bidder = b.bidder; c.price = b.price; c.time = b.time; c.window = b.window; c.extra = b.extra; // the bytes are never written again
            return c;
        }
        @Override public void serialize(Bid b, DataOutputView out) throws IOException {
            out.writeLong(b.auction); out.writeLong(b.bidder); out.writeLong(b.price); out.writeLong(b.time); out.writeLong(b.window);
            bytes(b.extra, out);
        }
        @Override public Bid deserialize(DataInputView in) throws IOException {
            Bid b = new Bid();
            b.auction = in.readLong(); b.bidder = in.readLong(); b.price = in.readLong(); b.time = in.readLong(); b.window = in.readLong();
            b.extra = bytes(in);
            return b;
        }
        @Override public TypeSerializerSnapshot<Bid> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Bid> { public Snap() { super(Ser::new); } }
    }
}
