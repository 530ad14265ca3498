import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/**
 * An event of Nexmark, a person, an auction or a bid, as one flat object with fields for all three. The source fills the same one again and again (object reuse);
 * whoever stands behind it in its chain takes out what it needs, so that in these jobs no whole event is ever serialized.
 */
public final class Event {
    static final int PERSON = 0, AUCTION = 1, BID = 2;
    static final Flat.Info<Event> INFO = new Flat.Info<>(Event.class, new Ser());

    int kind;
    long time;
    /** Of a person or an auction; of a bid the auction that it is for. */
    long id;
    /** The seller of an auction, the bidder of a bid. */
    long who;
    /** Of a bid; of an auction the initial bid. */
    long price;
    long reserve, expires, category;
    /** A person's name, email address, credit card, city and state; an auction's item name and description. */
    final Text[] texts = {new Text(), new Text(), new Text(), new Text(), new Text()};
    final Text extra = new Text();
    /** Of a bid: channel and url are among 10,004 that are made once, and shared. */
    String channel = "", url = "";

    Text name() { return texts[0]; }

    static final class Ser extends Flat<Event> {
        @Override public Event createInstance() { return new Event(); }
        @Override public Event copy(Event e) {
            Event c = new Event();
            c.kind = e.kind; c.time = e.time; c.id = e.id; c.who = e.who; c.price = e.price; c.reserve = e.reserve; c.expires = e.expires; c.category = e.category;
            for (int k = 0; k < e.texts.length; k++) c.texts[k].add(e.texts[k].copy());
            c.extra.add(e.extra.copy()); c.channel = e.channel; c.url = e.url;
            return c;
        }
        @Override public void serialize(Event e, DataOutputView out) throws IOException {
            out.writeByte(e.kind);
            for (long x : new long[] {e.time, e.id, e.who, e.price, e.reserve, e.expires, e.category}) out.writeLong(x);
            for (Text t : e.texts) t.write(out);
            e.extra.write(out);
            out.writeUTF(e.channel); out.writeUTF(e.url);
        }
        @Override public Event deserialize(DataInputView in) throws IOException {
            Event e = new Event();
            e.kind = in.readByte();
            e.time = in.readLong(); e.id = in.readLong(); e.who = in.readLong(); e.price = in.readLong();
            e.reserve = in.readLong(); e.expires = in.readLong(); e.category = in.readLong();
            for (Text t : e.texts) t.read(in);
            e.extra.read(in);
            e.channel = in.readUTF(); e.url = in.readUTF();
            return e;
        }
        @Override public TypeSerializerSnapshot<Event> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Event> { public Snap() { super(Ser::new); } }
    }
}
