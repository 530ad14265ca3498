/* Flights in, keyed by aircraft: a running count and total of arrival delays out.
 *
 * A record's value is a CSV row whose header the source hands to `open`. For each row that knows its `tailnum` and `arr_delay` one JSON line
 * is emitted: `{"tailnum":"N14228","flights":1,"total_delay":11}`. With the config `{"emit":"mean"}` every row gives a CSV line instead: the
 * aircraft, its rows so far, and its mean delay in minutes (`N14228,1,11.00`). */
#include <weir.h>

/* The sums over an aircraft's rows, kept as they lie in memory: here a record's cost counts. */
typedef struct Totals {
    uint64_t rows;
    /* Rows with a known arrival delay. */
    uint64_t flights;
    /* The sum of the delays, in minutes. */
    int64_t total_delay;
} Totals;
WEIR_RAW_STRUCT(Totals)

WEIR_VALUE_STATE(totals, Totals)
static weir_state *const states[] = {&totals};

static struct {
    bool emit_mean;
    weir_csv columns;
} self;

enum { TAILNUM, ARR_DELAY, WANTED };

static weir_status open(weir_context *ctx, const weir_setup *setup) {
    static const char *const settings[] = {"emit", NULL};
    static const char *const wanted[] = {"tailnum", "arr_delay", NULL};
    const weir_json *unknown = weir_json_unknown(setup->config, settings), *emit = weir_json_get(setup->config, "emit");
    if (unknown != NULL) return weir_fail(ctx, "unknown field `%.*s`, expected `emit`", WEIR_SV(unknown->name));
    weir_bytes what = weir_text("totals");
    if (emit != NULL && !weir_json_as_text(emit, &what)) return weir_fail(ctx, "`emit` is \"totals\" or \"mean\"");
    if (!weir_is(what, "totals") && !weir_is(what, "mean")) return weir_fail(ctx, "`emit` is \"totals\" or \"mean\", and not `%.*s`", WEIR_SV(what));
    self.emit_mean = weir_is(what, "mean");
    if (setup->schemas_len == 0 || weir_is_absent(setup->schemas[0])) {
        return weir_fail(ctx, "flight-delays needs the header of its rows: let a csv source feed it directly");
    }
    return weir_csv_find(ctx, setup->schemas[0], wanted, &self.columns);
}

/* What is not known is written so, or is empty. */
static bool is_known(weir_bytes field) { return field.size > 0 && !weir_is(field, "NA"); }

/* A delay in whole minutes. */
static weir_status minutes(weir_context *ctx, weir_bytes field, int64_t *delay) {
    size_t digits = field.size - (field.data[0] == '-');
    if (digits <= 9 && weir_parse_i64(field, delay)) return WEIR_OK;
    return weir_fail(ctx, "the arrival delay `%.*s` is no number of minutes", WEIR_SV(field));
}

static int64_t add_saturated(int64_t sum, int64_t delay) {
    int64_t result;
    if (!__builtin_add_overflow(sum, delay, &result)) return result;
    return delay < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t multiply_saturated(int64_t a, int64_t b) {
    int64_t limit = INT64_MAX / b;
    return a > limit ? INT64_MAX : a < -limit ? INT64_MIN : a * b;
}

static void put_totals(weir_buffer *out, weir_bytes tailnum, const Totals *now) {
    weir_put_text(out, "{\"tailnum\":");
    weir_put_json_text(out, tailnum);
    weir_put_text(out, ",\"flights\":");
    weir_put_u64(out, now->flights);
    weir_put_text(out, ",\"total_delay\":");
    weir_put_i64(out, now->total_delay);
    weir_put_byte(out, '}');
}

/* The mean has two decimals, halves rounded up, and is empty while no delay is known. */
static void put_mean(weir_buffer *out, weir_bytes tailnum, const Totals *now) {
    weir_put(out, tailnum);
    weir_put_byte(out, ',');
    weir_put_u64(out, now->rows);
    weir_put_byte(out, ',');
    if (now->flights == 0 || now->flights > INT64_MAX / 2) return;
    int64_t flights = (int64_t)now->flights, twice = add_saturated(multiply_saturated(now->total_delay, 200), flights);
    int64_t hundredths = twice / (2 * flights) - (twice % (2 * flights) < 0);
    if (hundredths < 0) weir_put_byte(out, '-');
    uint64_t magnitude = hundredths < 0 ? 0 - (uint64_t)hundredths : (uint64_t)hundredths;
    weir_put_u64(out, magnitude / 100);
    weir_put_byte(out, '.');
    weir_put_byte(out, (uint8_t)('0' + magnitude % 100 / 10));
    weir_put_byte(out, (uint8_t)('0' + magnitude % 10));
}

static weir_status process(weir_context *ctx, const weir_record *record) {
    weir_bytes fields[WANTED];
    int64_t delay = 0;
    if (weir_csv_read(ctx, &self.columns, record->value, fields) != WEIR_OK) return WEIR_FAILED;
    bool has_delay = is_known(fields[ARR_DELAY]), has_tailnum = is_known(fields[TAILNUM]);
    if (has_delay && minutes(ctx, fields[ARR_DELAY], &delay) != WEIR_OK) return WEIR_FAILED;
    if (!self.emit_mean && !(has_delay && has_tailnum)) return WEIR_OK;
    if (!self.emit_mean && weir_expect_text(ctx, fields[TAILNUM], "tailnum") != WEIR_OK) return WEIR_FAILED;

    Totals *now = totals_update(ctx);
    now->rows += 1;
    now->flights += has_delay;
    now->total_delay = add_saturated(now->total_delay, delay);
    weir_buffer *out = weir_begin(ctx, 0);
    if (self.emit_mean) put_mean(out, fields[TAILNUM], now);
    else put_totals(out, fields[TAILNUM], now);
    weir_end(ctx, 0);
    return WEIR_OK;
}

WEIR_OPERATOR = {.name = "flight-delays", .version = "0.1.0", .states = WEIR_ARRAY(states), .open = open, .process = process};
