import java.io.Serializable;

/**
 * The events of weir's source `nexmark` (host/connectors/src/nexmark), the very same ones: event n is a function of seed, rate and n. Of fifty one is a person,
 * three are auctions and the others bids; people have 200 bytes on average, auctions 500, bids 100. All other parameters are the benchmark's, as constants for the JIT.
 */
final class Nexmark implements Serializable {
    static final int ROUND = 50, PEOPLE = 1, AUCTIONS = 3;
    private static final long BASE_TIME = 1436918400000L, FIRST_ID = 1000, FIRST_CATEGORY = 10, HOT_EVERY = 100, LEAD = 10;
    private static final long IN_FLIGHT = 100, ACTIVE = 1000;
    private static final int HOT_AUCTION = 2, HOT_BIDDER = 4, HOT_SELLER = 4;
    private static final long CHANNELS = 1L << 62;
    private static final byte[][] FIRST_NAMES = words("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter");
    private static final byte[][] LAST_NAMES = words("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris");
    private static final byte[][] CITIES = words("Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne");
    private static final byte[][] STATES = words("AZ", "CA", "ID", "OR", "WA", "WY");
    private static final byte[] COM = Text.ascii(".com");

    final long count, seed, rate;
    private transient Draws draws;
    private transient String[] names, urls;
    private transient Event event;

    Nexmark(long count, long seed, long rate) { this.count = count; this.seed = seed; this.rate = rate; }

    /** Before the first event, in the subtask. */
    void open() {
        draws = new Draws(seed);
        event = new Event();
        names = new String[4 + 10_000];
        urls = new String[names.length];
        String[] hot = {"Google", "Facebook", "Baidu", "Apple"};
        for (int k = 0; k < 4; k++) { draws.of(CHANNELS + k); names[k] = hot[k]; urls[k] = url(""); }
        for (int k = 0; k < 10_000; k++) {
            draws.of(CHANNELS + (1L << 32) + k);
            names[4 + k] = "channel-" + k;
            urls[4 + k] = url(draws.below(10) > 0 ? "&channel_id=" + Integer.toUnsignedString(Math.abs(Integer.reverse(k))) : "");
        }
    }

    private String url(String id) {
        Text t = new Text().add(Text.ascii("https://www.nexmark.com/"));
        for (int k = 0; k < 3; k++) { draws.text(5, '_', t); t.add('/'); }
        return Text.string(t.copy()) + "item.htm?query=1" + id;
    }

    long time(long number) { return BASE_TIME + number * 1000 / rate; }

    /** The event at this place of this round of fifty; it stands until the next is asked for. */
    Event at(long round, int offset) {
        long number = round * ROUND + offset;
        Event e = event;
        e.time = time(number);
        draws.of(number);
        if (offset >= PEOPLE + AUCTIONS) bid(e, round);
        else if (offset >= PEOPLE) auction(e, round, offset, number);
        else person(e, round);
        return e;
    }

    private void bid(Event e, long round) {
        long newest = round * AUCTIONS + AUCTIONS - 1, oldest = Math.max(0, newest - IN_FLIGHT);
        e.kind = Event.BID;
        e.id = FIRST_ID + (draws.isHot(HOT_AUCTION) ? newest / HOT_EVERY * HOT_EVERY : oldest + draws.below(newest - oldest + 1 + LEAD));
        e.who = FIRST_ID + (draws.isHot(HOT_BIDDER) ? round / HOT_EVERY * HOT_EVERY + 1 : somePerson(round));
        e.price = draws.price();
        int channel = (int) (draws.isHot(2) ? draws.below(4) : 4 + draws.below(10_000));
        e.channel = names[channel];
        e.url = urls[channel];
        extra(4 * 8, 100, e);
    }

    private void auction(Event e, long round, int offset, long number) {
        e.kind = Event.AUCTION;
        e.who = FIRST_ID + (draws.isHot(HOT_SELLER) ? round / HOT_EVERY * HOT_EVERY : somePerson(round));
        e.category = FIRST_CATEGORY + draws.below(5);
        e.price = draws.price();
        e.reserve = e.price + draws.price();
        long horizon = time(number + IN_FLIGHT * ROUND / AUCTIONS) - time(number);
        e.expires = e.time + 1 + draws.below(Math.max(1, horizon * 2));
        e.id = FIRST_ID + round * AUCTIONS + offset - PEOPLE;
        draws.text(20, ' ', e.texts[0].begin());
        draws.text(100, ' ', e.texts[1].begin());
        extra(6 * 8 + e.texts[0].length + e.texts[1].length, 500, e);
    }

    private void person(Event e, long round) {
        e.kind = Event.PERSON;
        e.id = FIRST_ID + round;
        e.name().begin().add(draws.word(FIRST_NAMES)).add(' ').add(draws.word(LAST_NAMES));
        draws.text(7, '_', e.texts[1].begin());
        draws.text(5, '_', e.texts[1].add('@'));
        e.texts[1].add(COM);
        Text card = e.texts[2].begin();
        for (int group = 0; group < 4; group++) {
            int n = (int) draws.below(10_000);
            if (group > 0) card.add(' ');
            card.add((char) ('0' + n / 1000)).add((char) ('0' + n / 100 % 10)).add((char) ('0' + n / 10 % 10)).add((char) ('0' + n % 10));
        }
        e.texts[3].begin().add(draws.word(CITIES));
        e.texts[4].begin().add(draws.word(STATES));
        int size = 8;
        for (Text t : e.texts) size += t.length;
        extra(size, 200, e);
    }

    /** One of the active people or of the next few. There is one new person a round. */
    private long somePerson(long round) {
        long people = round + 1, active = Math.min(people, ACTIVE);
        return people - active + draws.below(active + LEAD);
    }

    /** Fills an event of `size` bytes up to `average`, give or take a fifth. */
    private void extra(int size, int average, Event e) {
        int missing = Math.max(0, average - size), delta = (2 * missing + 5) / 10;
        draws.letters(missing - delta + (int) draws.below(2 * delta), e.extra.begin());
    }

    private static byte[][] words(String... words) {
        byte[][] all = new byte[words.length][];
        for (int k = 0; k < words.length; k++) all[k] = Text.ascii(words[k]);
        return all;
    }
}
