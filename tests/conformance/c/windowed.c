/* The windowed operator of the conformance tests. See `tests/conformance/README.md`.
 *
 *     make -C guest-sdk/c plugin SOURCES="$PWD/tests/conformance/c/windowed.c" PLUGIN="$PWD/conformance_windowed.wasm" */
#include <weir.h>

static void add_numbers(int64_t *both, const int64_t *later) { *both += *later; }
static void add_times(uint64_t *both, const uint64_t *later) { *both += *later; }
static void keep_earlier(weir_bytes *both, const weir_bytes *later) {
    (void)both;
    (void)later;
}

WEIR_VALUE_STATE(sum, i64, .merge = WEIR_MERGE(i64, add_numbers))
WEIR_VALUE_STATE(first, string, .merge = WEIR_MERGE(string, keep_earlier))
WEIR_LIST_STATE(words, string)
WEIR_MAP_STATE(tally, string, u64, .merge = WEIR_MERGE(u64, add_times))
static weir_state *const states[] = {&sum, &first, &words, &tally};

static weir_status process(weir_context *ctx, const weir_record *record) {
    weir_bytes word, rest;
    int64_t number;
    uint64_t times = 0;
    if (weir_expect_text(ctx, record->value, "value") != WEIR_OK) return WEIR_FAILED;
    weir_split(record->value, ' ', &word, &rest);
    if (weir_is(word, "fail")) return weir_fail(ctx, "%.*s", WEIR_SV(rest));
    if (!weir_parse_i64(rest, &number)) return weir_fail(ctx, "`%.*s` is no number", WEIR_SV(rest));
    *sum_update(ctx) += number;
    if (first_get(ctx) == NULL) first_set(ctx, word);
    words_append(ctx, word);
    tally_get(ctx, word, &times);
    tally_put(ctx, word, times + 1);
    return WEIR_OK;
}

static void put_window(weir_buffer *out, weir_window window) {
    if (window.has_bounds) weir_putf(out, "%lld..%lld", (long long)window.start, (long long)window.end);
    else weir_put_byte(out, '-');
}

static void put_collections(weir_context *ctx, weir_buffer *out) {
    weir_list_iter word_iter = words_iter(ctx);
    weir_map_iter tally_entries = tally_iter(ctx);
    weir_bytes word;
    uint64_t times;
    weir_put_text(out, " words=");
    for (bool is_first = true; words_next(&word_iter, &word); is_first = false) weir_putf(out, "%s%.*s", is_first ? "" : ",", WEIR_SV(word));
    weir_put_text(out, " tally=");
    for (bool is_first = true; tally_next(&tally_entries, &word, &times); is_first = false) {
        weir_putf(out, "%s%.*s:%llu", is_first ? "" : ",", WEIR_SV(word), (unsigned long long)times);
    }
}

static weir_status on_window(weir_context *ctx, const weir_fired_window *fired) {
    static const char *const reasons[] = {"complete", "early", "correction"};
    const weir_bytes *begun = first_get(ctx);
    const int64_t *total = sum_get(ctx);
    if (begun != NULL && weir_is(*begun, "poison")) {
        weir_buffer window = {0};
        put_window(&window, fired->window);
        return weir_fail(ctx, "poison in %.*s", WEIR_SV(weir_written(&window)));
    }
    weir_buffer *out = weir_begin(ctx, 0);
    put_window(out, fired->window);
    weir_putf(out, " %s %u sum=", reasons[fired->reason], fired->revision);
    if (total != NULL) weir_put_i64(out, *total);
    else weir_put_text(out, "none");
    weir_put_text(out, " first=");
    weir_put(out, begun != NULL ? *begun : weir_text("none"));
    put_collections(ctx, out);
    weir_put_text(out, " replaces=");
    for (size_t at = 0; at < fired->replaces_len; at++) {
        if (at > 0) weir_put_byte(out, ',');
        put_window(out, fired->replaces[at]);
    }
    weir_end(ctx, 0);
    return WEIR_OK;
}

WEIR_OPERATOR = {
    .name = "conformance-windowed",
    .version = "1.0.0",
    .states = WEIR_ARRAY(states),
    .windowed = true,
    .process = process,
    .on_window = on_window,
};
