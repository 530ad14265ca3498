import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Second half of query 5's counts by auction, and the first one of their maximum. Its key is a bucket of auctions, not an auction: one object of state and one timer
 * serve them all, and of a window only the bucket's hottest go on.
 */
final class HotInBucket extends KeyedProcessFunction<Integer, Counted, Counted> {
    private transient ValueState<Panes> state;
    private transient Counts window;
    private transient Hottest hottest;
    private transient Counted out;

    @Override public void open(OpenContext c) {
        state = getRuntimeContext().getState(new ValueStateDescriptor<>("panes", Panes.INFO));
        window = new Counts();
        hottest = new Hottest();
        out = new Counted();
    }

    @Override public void processElement(Counted c, Context context, Collector<Counted> to) throws Exception {
        Panes panes = state.value();
        if (panes == null) panes = new Panes();
        if (!panes.has(c.start)) context.timerService().registerEventTimeTimer(c.start + Queries.PANE - 1);
        panes.at(c.start).add(c.auction, c.bids);
        state.update(panes);
    }

    /** The window that ends here, behind one of its panes at least. */
    @Override public void onTimer(long time, OnTimerContext context, Collector<Counted> to) throws Exception {
        long end = time + 1, start = end - Queries.SIZE;
        Panes panes = state.value();
        window.clear();
        for (Counts pane : panes.of.subMap(start, end).values()) window.addAll(pane);
        hottest.clear();
        window.each(hottest::add);
        for (int k = 0; k < hottest.size; k++) to.collect(out.set(hottest.auctions[k], start, hottest.bids));
        panes.remove(start);
        if (!panes.of.subMap(start, end).isEmpty()) context.timerService().registerEventTimeTimer(time + Queries.PANE);
        if (panes.of.isEmpty()) state.clear(); else state.update(panes);
    }
}
