import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** ASCII in a buffer that is used again from one event to the next: no String is made of a text that nobody asks for (as in Flink SQL's binary strings). */
final class Text {
    byte[] bytes = new byte[64];
    int length;

    /** Clears it. */
    Text begin() { length = 0; return this; }

    /** The bytes, with room for `more` behind the last. */
    byte[] room(int more) {
        if (bytes.length < length + more) bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, length + more));
        return bytes;
    }

    Text add(byte[] more) {
        System.arraycopy(more, 0, room(more.length), length, more.length);
        length += more.length;
        return this;
    }

    Text add(char sign) { room(1)[length++] = (byte) sign; return this; }

    byte[] copy() { return Arrays.copyOf(bytes, length); }

    static byte[] ascii(String text) { return text.getBytes(StandardCharsets.ISO_8859_1); }
    static String string(byte[] ascii) { return new String(ascii, StandardCharsets.ISO_8859_1); }

    void write(DataOutputView out) throws IOException { out.writeInt(length); out.write(bytes, 0, length); }
    void read(DataInputView in) throws IOException {
        length = 0;
        int l = in.readInt();
        in.readFully(room(l), 0, l);
        length = l;
    }
}
