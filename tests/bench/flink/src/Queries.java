import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

import java.time.Duration;

/**
 * Nexmark's queries 0, 5, 7 and 8; the last three with the rows that tests/nexmark/reference.py gives, in two plans each.
 *
 * `local`, the best that is known: written by hand, halves of the aggregations before the exchange (Local) and buckets of keys that share a state and a timer
 * (HotInBucket). It spares work by another plan than that of weir's jobs.
 * `windows`: Flink's own windows with incremental aggregates, in the steps of weir's jobs (plugins/nexmark/q5.toml and so on), but for query 7, where
 * buckets of bids are cheaper keys than auctions.
 */
final class Queries {
    /** Windows are so long; ms. */
    static final long SIZE = 10_000;
    /** Those of query 5 begin so often, and so long are the panes that they share. */
    static final long PANE = 2_000;
    /** Keys where any will do, as many as there are key groups. */
    static final int BUCKETS = 128;
    /** Fewer of them where there is little to do. */
    static final int FEW = 32;

    private final boolean local;
    private final DataStream<Event> events;

    Queries(StreamExecutionEnvironment env, Nexmark nexmark, String plan) {
        if (!plan.equals("local") && !plan.equals("windows")) throw new IllegalArgumentException("plan=local or plan=windows, not " + plan);
        local = plan.equals("local");
        // As late as the benchmark lets events be.
        events = env.fromSource(new NexmarkSource(nexmark), WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofSeconds(4)), "events", Event.INFO).uid("events");
    }

    /** The query to its sink: none, or files that reference.py reads. */
    void build(String query, String out) {
        switch (query) {
            // What the source costs alone.
            case "q0": events.filter(e -> e.kind == Event.BID).uid("bids").sinkTo(new DiscardingSink<>()).uid("sink"); break;
            case "q5": sink(q5(), Counted::json, out); break;
            case "q7": sink(q7(), Bid::json, out); break;
            case "q8": sink(q8(), User::json, out); break;
            default: throw new IllegalArgumentException("no query " + query);
        }
    }

    private static <T> void sink(DataStream<T> rows, MapFunction<T, String> json, String out) {
        if (out == null) rows.sinkTo(new DiscardingSink<>()).uid("sink");
        else rows.map(json).returns(Types.STRING).uid("json").sinkTo(new RowFiles(out)).uid("sink");
    }

    /** Hot items: of every 10 s, one every 2 s, the auctions with the most bids. */
    private DataStream<Counted> q5() {
        return (local ? hottestOfBuckets() : countsOfWindows())
            .keyBy(c -> c.start, Types.LONG).window(TumblingEventTimeWindows.of(Duration.ofMillis(PANE)))
            .aggregate(new Hottest.Of(), (WindowFunction<Hottest, Counted, Long, TimeWindow>) (start, window, results, to) -> {
                Hottest h = results.iterator().next();
                for (int k = 0; k < h.size; k++) to.collect(new Counted(h.auctions[k], start, h.bids));
            }, Hottest.INFO, Counted.INFO).uid("hottest");
    }

    private DataStream<Counted> hottestOfBuckets() {
        return events.transform("count", Counted.INFO, new Local.BidCounts()).uid("count")
            .keyBy(c -> (int) (c.auction % FEW), Types.INT).process(new HotInBucket()).returns(Counted.INFO).uid("buckets");
    }

    /** Each bid counts in one pane, not in five windows; the second aggregate has the same keys and needs no exchange. */
    private DataStream<Counted> countsOfWindows() {
        DataStream<Counted> panes = events.flatMap(new OneBid()).returns(Counted.INFO).uid("bids")
            .keyBy(c -> c.auction, Types.LONG).window(TumblingEventTimeWindows.of(Duration.ofMillis(PANE)))
            .aggregate(new Sum(), new Started(), Counted.INFO, Counted.INFO).uid("panes");
        return DataStreamUtils.reinterpretAsKeyedStream(panes, c -> c.auction, Types.LONG)
            .window(SlidingEventTimeWindows.of(Duration.ofMillis(SIZE), Duration.ofMillis(PANE)))
            .aggregate(new Sum(), new Started(), Counted.INFO, Counted.INFO).uid("counts");
    }

    static final class OneBid extends RichFlatMapFunction<Event, Counted> {
        private transient Counted one;
        @Override public void open(OpenContext c) { one = new Counted(); }
        @Override public void flatMap(Event e, Collector<Counted> to) { if (e.kind == Event.BID) to.collect(one.set(e.id, 0, 1)); }
    }

    static final class Sum implements AggregateFunction<Counted, Counted, Counted> {
        @Override public Counted createAccumulator() { return new Counted(); }
        @Override public Counted add(Counted c, Counted sum) { sum.auction = c.auction; sum.bids += c.bids; return sum; }
        @Override public Counted getResult(Counted sum) { return sum; }
        @Override public Counted merge(Counted a, Counted b) { return add(b, a); }
    }

    static final class Started implements WindowFunction<Counted, Counted, Long, TimeWindow> {
        @Override public void apply(Long auction, TimeWindow window, Iterable<Counted> sums, Collector<Counted> to) {
            Counted sum = sums.iterator().next();
            to.collect(sum.set(auction, window.getStart(), sum.bids));
        }
    }

    /** Highest bid of every 10 s, all of them where several are. A window's bids come with its end as their time, which is the last ms of a window of those behind. */
    private DataStream<Bid> q7() {
        return (local ? events.transform("highest", Bid.INFO, new Local.HighestBids()).uid("highest") : highestOfBuckets())
            .keyBy(b -> b.window, Types.LONG).window(TumblingEventTimeWindows.of(Duration.ofMillis(SIZE), Duration.ofMillis(1)))
            .aggregate(new HighestOf(true), (WindowFunction<Highest, Bid, Long, TimeWindow>) (start, window, results, to) -> {
                Highest h = results.iterator().next();
                h.best.forEach(to::collect);
                for (Bid b : h.ofEnd) if (b.price == h.price) to.collect(b);
            }, Highest.INFO, Bid.INFO).uid("highest-of-all");
    }

    /** Windows with the ms of their end. Whose bids are looked at together does not matter here: buckets by price, as it is even. */
    private DataStream<Bid> highestOfBuckets() {
        return events.flatMap((FlatMapFunction<Event, Bid>) (e, to) -> { if (e.kind == Event.BID) to.collect(Bid.of(e, e.extra.copy())); }).returns(Bid.INFO).uid("bids")
            .keyBy(b -> (int) (b.price % BUCKETS), Types.INT).window(SlidingEventTimeWindows.of(Duration.ofMillis(SIZE + 1), Duration.ofMillis(SIZE)))
            .aggregate(new HighestOf(false), (WindowFunction<Highest, Bid, Integer, TimeWindow>) (bucket, window, results, to) -> {
                Highest h = results.iterator().next();
                for (Bid b : h.best) to.collect(Bid.INFO.serializer.copy(b).in(window.getStart()));
                for (Bid b : h.ofEnd) to.collect(Bid.INFO.serializer.copy(b).in(window.getStart()));
            }, Highest.INFO, Bid.INFO).uid("highest");
    }

    /** Bids come out of an exchange, where each is an object of its own, so that they can be kept as they are. */
    static final class HighestOf implements AggregateFunction<Bid, Highest, Highest> {
        /** Whether bids know their window. Where they do not, those of a multiple of 10 s are of the window's start or end, and kept apart. */
        private final boolean known;
        HighestOf(boolean known) { this.known = known; }
        @Override public Highest createAccumulator() { return new Highest(); }
        @Override public Highest add(Bid b, Highest h) {
            if (known ? b.time == b.window + SIZE : b.time % SIZE == 0) h.ofEnd.add(b); else h.add(b);
            return h;
        }
        @Override public Highest getResult(Highest h) { return h; }
        @Override public Highest merge(Highest a, Highest b) { b.best.forEach(a::add); a.ofEnd.addAll(b.ofEnd); return a; }
    }

    /** Monitor new users: who came and put something up for auction within the same 10 s. Both sides in one stream, so that the join is an aggregate and keeps no lists. */
    private DataStream<User> q8() {
        DataStream<User> users = local ? events.transform("users", User.INFO, new Local.Users()).uid("users")
            : events.flatMap((FlatMapFunction<Event, User>) (e, to) -> {
                if (e.kind == Event.PERSON) to.collect(User.named(e.id, e.name().copy()));
                else if (e.kind == Event.AUCTION) to.collect(User.selling(e.who));
            }).returns(User.INFO).uid("users");
        return users.keyBy(u -> u.id, Types.LONG).window(TumblingEventTimeWindows.of(Duration.ofMillis(SIZE)))
            .aggregate(new UserOf(), (WindowFunction<User, User, Long, TimeWindow>) (id, window, results, to) -> {
                User u = results.iterator().next();
                if (!u.isDue()) return;
                u.start = window.getStart();
                to.collect(u);
            }, User.INFO, User.INFO).uid("new-users");
    }

    static final class UserOf implements AggregateFunction<User, User, User> {
        @Override public User createAccumulator() { return new User(); }
        @Override public User add(User u, User known) { return known.and(u); }
        @Override public User getResult(User known) { return known; }
        @Override public User merge(User a, User b) { return a.and(b); }
    }
}
