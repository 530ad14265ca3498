import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Chance as weir's source `nexmark` has it (host/connectors/src/nexmark/draws.rs), draw by draw, so that both are given the same events. */
final class Draws {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int STEPS = 4096;
    private static final double[] PRICES = new double[STEPS + 1];

    static {
        PRICES[0] = 100.0;
        for (int k = 0; k < STEPS; k++) PRICES[k + 1] = PRICES[k] * 1.0033786221027048;
    }

    private final long seed;
    private long state;

    Draws(long seed) { this.seed = mixed(seed + GOLDEN); }

    /** From here on the draws are those of event `number`. */
    void of(long number) { state = mixed(number * GOLDEN ^ seed); }

    private static long mixed(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    private long next() { return mixed(state += GOLDEN); }

    /** Uniform over 0 to end - 1: the high half of an unsigned product. */
    long below(long end) {
        long draw = next();
        return Math.multiplyHigh(draw, end) + ((draw >> 63) & end);
    }

    boolean isHot(long ratio) { return below(ratio) > 0; }

    byte[] word(byte[][] words) { return words[(int) below(words.length)]; }

    /** A price in cents; products alone, so that no last bit depends on a library. */
    long price() {
        long draw = next();
        int step = (int) (draw >>> 52);
        double part = (double) (draw << 12 >>> 32) * (1.0 / 4294967296.0);
        return (long) (PRICES[step] + (PRICES[step + 1] - PRICES[step]) * part + 0.5);
    }

    /** Letters to the end of `out`, eight of a draw. */
    void letters(int length, Text out) {
        byte[] to = out.room(length + 8);
        long z = state; // in a register while the loop runs
        for (int at = out.length, end = at + length; at < end; at += 8) LONGS.set(to, at, eightLetters(mixed(z += GOLDEN)));
        state = z;
        out.length += length;
    }

    /** Of each byte a letter, byte * 26 / 256, in lanes of 16 bits. */
    private static long eightLetters(long draw) {
        final long lanes = 0x00ff00ff00ff00ffL;
        long even = (((draw & lanes) * 26) >>> 8) & lanes, odd = (((draw >>> 8) & lanes) * 26) & ~lanes;
        return (even | odd) + 0x6161616161616161L;
    }

    /** The benchmark's string: 3 to most - 1 signs, of 13 one a gap. */
    void text(int most, char gap, Text out) {
        int length = 3 + (int) below(most - 3);
        byte[] to = out.room(length);
        for (int k = 0; k < length; k++) to[out.length++] = (byte) (below(13) == 0 ? gap : 'a' + below(26));
    }
}
