import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** What query 8 knows of somebody in a window: the name of one who is new, and whether there is an auction. The two sides of the join are such, and the accumulator too. */
public final class User {
    static final Flat.Info<User> INFO = new Flat.Info<>(User.class, new Ser());
    private static final byte[] UNKNOWN = {};

    long id, start;
    byte[] name = UNKNOWN;
    boolean sells;

    static User named(long id, byte[] name) { User u = new User(); u.id = id; u.name = name; return u; }
    static User selling(long id) { User u = new User(); u.id = id; u.sells = true; return u; }

    /** Takes in what another record says of the same person. */
    User and(User o) {
        id = o.id;
        if (o.name.length > 0) name = o.name;
        sells |= o.sells;
        return this;
    }

    boolean isDue() { return sells && name.length > 0; }

    String json() { return "{\"id\":" + id + ",\"name\":\"" + Text.string(name) + "\",\"stime\":" + start + "}"; }

    static final class Ser extends Flat<User> {
        @Override public User createInstance() { return new User(); }
        @Override public User copy(User u) { User c = new User().and(u); c.start = u.start; return c; }
        @Override public void serialize(User u, DataOutputView out) throws IOException { out.writeLong(u.id); out.writeLong(u.start); out.writeBoolean(u.sells); bytes(u.name, out); }
        @Override public User deserialize(DataInputView in) throws IOException {
            User u = new User();
            u.id = in.readLong(); u.start = in.readLong(); u.sells = in.readBoolean(); u.name = bytes(in);
            return u;
        }
        @Override public TypeSerializerSnapshot<User> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<User> { public Snap() { super(Ser::new); } }
    }
}
