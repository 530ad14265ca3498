"""word-count's count in PyFlink: records of 1,000 keys out of Flink's own generator, of each the key and how often it has come so far, as a line of JSON, to a sink that drops it.

    python pyflink_count.py RECORDS    # seconds by the clock, for that many records
"""

import json
import sys
import time

from pyflink.common import Configuration, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

# With more, the worker asks the JVM for each key that it has not seen.
KEYS = 1_000


class Count(KeyedProcessFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def process_element(self, value, ctx):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        yield json.dumps({"word": value[0], "count": count}, separators=(",", ":"))


def run(records: int) -> float:
    config = Configuration()
    # All keys of the state fit into the worker's cache, and bundles are as large as they may be: the best that is known.
    config.set_string("python.state.cache-size", str(2 * KEYS))
    config.set_string("python.fn-execution.bundle.size", "100000")
    env = StreamExecutionEnvironment.get_execution_environment(config)
    env.set_parallelism(1)
    tables = StreamTableEnvironment.create(env)
    tables.execute_sql(
        f"CREATE TABLE records (k INT) WITH ('connector' = 'datagen', 'number-of-rows' = '{records}', "
        f"'rows-per-second' = '100000000', 'fields.k.min' = '0', 'fields.k.max' = '{KEYS - 1}')"
    )
    tables.execute_sql("CREATE TABLE nothing (line STRING) WITH ('connector' = 'blackhole')")
    keyed = tables.to_data_stream(tables.sql_query("SELECT 'key-' || LPAD(CAST(k AS STRING), 12, '0') AS k FROM records"))
    lines = keyed.key_by(lambda row: row[0], key_type=Types.STRING()).process(Count(), output_type=Types.STRING())
    table = tables.from_data_stream(lines).alias("line")
    began = time.monotonic()
    table.execute_insert("nothing").wait()
    return time.monotonic() - began


if __name__ == "__main__":
    print(f"{run(int(sys.argv[1])):.2f} s")
