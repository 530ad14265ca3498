import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/** Counts by the start of their pane: what several windows share is counted once. */
public final class Panes {
    static final Flat.Info<Panes> INFO = new Flat.Info<>(Panes.class, new Ser());

    final TreeMap<Long, Counts> of = new TreeMap<>();
    private Counts spare = new Counts();
    private Counts newest;
    private long start = Long.MIN_VALUE;

    /** The counts of the pane that starts there. */
    Counts at(long start) {
        if (start == this.start) return newest;
        Counts counts = of.get(start);
        if (counts == null) {
            counts = spare != null ? spare : new Counts();
            spare = null;
            of.put(start, counts);
        }
        this.start = start;
        return newest = counts;
    }

    boolean has(long start) { return start == this.start || of.containsKey(start); }

    /** Forgets a pane; its arrays serve the next one. */
    void remove(long start) {
        Counts counts = of.remove(start);
        if (counts == null) return;
        counts.clear();
        spare = counts;
        if (start == this.start) this.start = Long.MIN_VALUE;
    }

    static final class Ser extends Flat<Panes> {
        @Override public Panes createInstance() { return new Panes(); }
        @Override public Panes copy(Panes p) {
            Panes c = new Panes();
            p.of.forEach((start, counts) -> c.at(start).addAll(counts));
            return c;
        }
        @Override public void serialize(Panes p, DataOutputView out) throws IOException {
            out.writeInt(p.of.size());
            for (Map.Entry<Long, Counts> e : p.of.entrySet()) {
                long[] pairs = new long[2 * e.getValue().size()];
                int[] at = {0};
                e.getValue().each((key, count) -> { pairs[at[0]++] = key; pairs[at[0]++] = count; });
                out.writeLong(e.getKey());
                out.writeInt(pairs.length);
                for (long x : pairs) out.writeLong(x);
            }
        }
        @Override public Panes deserialize(DataInputView in) throws IOException {
            Panes p = new Panes();
            for (int n = in.readInt(); n > 0; n--) {
                Counts counts = p.at(in.readLong());
                for (int k = in.readInt(); k > 0; k -= 2) counts.add(in.readLong(), in.readLong());
            }
            return p;
        }
        @Override public TypeSerializerSnapshot<Panes> snapshotConfiguration() { return new Snap(); }
        public static final class Snap extends SimpleTypeSerializerSnapshot<Panes> { public Snap() { super(Ser::new); } }
    }
}
