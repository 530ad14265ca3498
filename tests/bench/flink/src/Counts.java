import java.util.Arrays;

/** How often each number came: open addressing over two arrays of primitives. 0 is no number that can be counted (ids begin at 1000). */
final class Counts {
    private long[] keys = new long[16], counts = new long[16];
    private int size;

    interface Each { void of(long key, long count); }

    /** Adds, and says whether the number is new. */
    boolean add(long key, long more) {
        int mask = keys.length - 1, at = slot(key, mask);
        if (keys[at] == key) { counts[at] += more; return false; }
        if (2 * ++size > keys.length) { grow(); at = slot(key, keys.length - 1); }
        keys[at] = key;
        counts[at] = more;
        return true;
    }

    private int slot(long key, int mask) {
        int at = (int) ((key * 0x9e3779b97f4a7c15L) >>> 40) & mask;
        while (keys[at] != key && keys[at] != 0) at = (at + 1) & mask;
        return at;
    }

    private void grow() {
        long[] k = keys, c = counts;
        keys = new long[2 * k.length];
        counts = new long[2 * k.length];
        for (int i = 0; i < k.length; i++) if (k[i] != 0) { int at = slot(k[i], keys.length - 1); keys[at] = k[i]; counts[at] = c[i]; }
    }

    void each(Each each) { for (int i = 0; i < keys.length; i++) if (keys[i] != 0) each.of(keys[i], counts[i]); }
    void addAll(Counts o) { for (int i = 0; i < o.keys.length; i++) if (o.keys[i] != 0) add(o.keys[i], o.counts[i]); }
    void clear() { Arrays.fill(keys, 0); size = 0; }
    int size() { return size; }
}
