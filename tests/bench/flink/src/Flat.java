import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

import java.io.IOException;

/** What the hand-written serializers of the Nexmark jobs have in common: a type gives its fields' reading, writing and copying. */
abstract class Flat<T> extends TypeSerializerSingleton<T> {
    @Override public boolean isImmutableType() { return false; }
    @Override public int getLength() { return -1; }
    @Override public T copy(T from, T reuse) { return copy(from); }
    @Override public T deserialize(T reuse, DataInputView in) throws IOException { return deserialize(in); }
    @Override public void copy(DataInputView in, DataOutputView out) throws IOException { serialize(deserialize(in), out); }

    static byte[] bytes(DataInputView in) throws IOException {
        byte[] b = new byte[in.readUnsignedShort()];
        in.readFully(b, 0, b.length);
        return b;
    }
    static void bytes(byte[] b, DataOutputView out) throws IOException { out.writeShort(b.length); out.write(b, 0, b.length); }

    /** A type with such a serializer. */
    static final class Info<T> extends TypeInformation<T> {
        final Class<T> type;
        final Flat<T> serializer;
        Info(Class<T> type, Flat<T> serializer) { this.type = type; this.serializer = serializer; }
        @Override public boolean isBasicType() { return false; }
        @Override public boolean isTupleType() { return false; }
        @Override public int getArity() { return 1; }
        @Override public int getTotalFields() { return 1; }
        @Override public Class<T> getTypeClass() { return type; }
        @Override public boolean isKeyType() { return false; }
        @Override public TypeSerializer<T> createSerializer(SerializerConfig c) { return serializer; }
        public TypeSerializer<T> createSerializer(ExecutionConfig c) { return serializer; }
        @Override public String toString() { return type.getSimpleName(); }
        @Override public boolean equals(Object o) { return o instanceof Info && ((Info<?>) o).type == type; }
        @Override public int hashCode() { return type.hashCode(); }
        @Override public boolean canEqual(Object o) { return o instanceof Info; }
    }
}
