import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;

/** Rows as lines of a file a subtask, named as weir's `file` sink names its own, so that tests/nexmark/reference.py reads them. For checks: nothing is exactly once here. */
final class RowFiles implements Sink<String> {
    private final String folder;
    RowFiles(String folder) { this.folder = folder; }

    @Override public SinkWriter<String> createWriter(WriterInitContext c) throws IOException {
        Path path = Path.of(folder, "part-rows-" + c.getTaskInfo().getIndexOfThisSubtask() + "-1-0");
        Files.createDirectories(path.getParent());
        final Writer file = Files.newBufferedWriter(path);
        return new SinkWriter<>() {
            @Override public void write(String row, Context x) throws IOException { file.write(row); file.write('\n'); }
            @Override public void flush(boolean end) throws IOException { file.flush(); }
            @Override public void close() throws IOException { file.close(); }
        };
    }
}
