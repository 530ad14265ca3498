/* The keyed operator of the conformance tests: each record is a command. See `tests/conformance/README.md`.
 *
 *     make -C guest-sdk/c plugin SOURCES="$PWD/tests/conformance/c/keyed.c" PLUGIN="$PWD/conformance_keyed.wasm" */
#include <weir.h>

enum { COMMANDS, RULES };
enum { MAIN, SIDE };
enum { SOON, TICK };

static const weir_input inputs[] = {{.name = "commands", .by = WEIR_BY_KEY}, {.name = "rules", .by = WEIR_BROADCAST}};
static const weir_output outputs[] = {{.name = "out"}, {.name = "side"}};
static const weir_timer timers[] = {{"soon", WEIR_EVENT_TIME}, {"tick", WEIR_PROCESSING_TIME}};

WEIR_OPTION(MaybeText, string)

/* What is kept of a key. In version 1 it was the count alone. */
#define SEEN(FIELD) FIELD(u64, count) FIELD(MaybeText, last) FIELD(i64, low)
WEIR_RECORD(Seen, SEEN)

WEIR_VALUE_STATE(seen, Seen, .version = 2)
WEIR_VALUE_STATE(blob, raw)
WEIR_LIST_STATE(items, string)
WEIR_MAP_STATE(entries, string, i64)
WEIR_VALUE_STATE(brief, u32, .ttl = {.ms = WEIR_HOURS(1), .domain = WEIR_EVENT_TIME, .refresh_on_read = true})
WEIR_BROADCAST_STATE(rules, string, string)
static weir_state *const states[] = {&seen, &blob, &items, &entries, &brief, &rules};

static struct {
    weir_bytes greeting, schema, subtask;
} self;

static const weir_bytes none = {(const uint8_t *)"none", 4};

static weir_status open(weir_context *ctx, const weir_setup *setup) {
    static const char *const settings[] = {"greeting", "fail-open", NULL};
    const weir_json *unknown = weir_json_unknown(setup->config, settings);
    weir_bytes why;
    if (unknown != NULL) return weir_fail(ctx, "unknown field `%.*s`", WEIR_SV(unknown->name));
    if (weir_json_as_text(weir_json_get(setup->config, "fail-open"), &why)) return weir_fail(ctx, "%.*s", WEIR_SV(why));
    self.greeting = weir_text("hello");
    weir_json_as_text(weir_json_get(setup->config, "greeting"), &self.greeting);
    self.schema = weir_is_absent(setup->schemas[COMMANDS]) ? none : setup->schemas[COMMANDS];
    self.subtask = weir_format("%u of %u", setup->subtask, setup->parallelism);
    return WEIR_OK;
}

static int64_t number_of(weir_context *ctx, weir_bytes text) {
    int64_t number = 0;
    if (!weir_parse_i64(text, &number)) weir_fail(ctx, "`%.*s` is no number", WEIR_SV(text));
    return number;
}

static uint8_t digit_of(uint8_t digit) { return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

static weir_bytes bytes_of(weir_bytes digits) {
    weir_buffer bytes = {0};
    for (size_t at = 0; at + 1 < digits.size; at += 2) {
        weir_put_byte(&bytes, (uint8_t)(digit_of(digits.data[at]) << 4 | digit_of(digits.data[at + 1])));
    }
    return weir_written(&bytes);
}

static void emit_hex(weir_context *ctx, weir_bytes bytes) {
    weir_buffer *out = weir_begin(ctx, MAIN);
    for (size_t at = 0; at < bytes.size; at++) weir_putf(out, "%02x", bytes.data[at]);
    weir_end(ctx, MAIN);
}

static void emit_number(weir_context *ctx, bool is_there, int64_t number) {
    if (is_there) weir_emitf(ctx, "%lld", (long long)number);
    else weir_emit(ctx, none);
}

/* Commands about the value states. False: it is none of them. */
static bool values(weir_context *ctx, weir_bytes name, weir_bytes rest) {
    if (weir_is(name, "count")) {
        Seen *now = seen_update(ctx);
        weir_bytes before = now->last.some ? now->last.value : none;
        now->count += 1;
        now->low -= 1;
        now->last = (MaybeText){rest.size > 0, rest};
        weir_emitf(ctx, "%llu %.*s", (unsigned long long)now->count, WEIR_SV(before));
    } else if (weir_is(name, "huge")) {
        seen_set(ctx, (Seen){UINT64_MAX, {true, rest}, INT64_MIN});
    } else if (weir_is(name, "seen")) {
        const Seen *now = seen_get(ctx);
        if (now == NULL) weir_emit(ctx, none);
        else weir_emitf(ctx, "%llu %.*s %lld", (unsigned long long)now->count, WEIR_SV(now->last.some ? now->last.value : none), (long long)now->low);
    } else if (weir_is(name, "blob")) {
        blob_set(ctx, bytes_of(rest));
    } else if (weir_is(name, "blob?")) {
        const weir_bytes *now = blob_get(ctx);
        if (now == NULL) weir_emit(ctx, none);
        else emit_hex(ctx, *now);
    } else if (weir_is(name, "brief")) {
        brief_set(ctx, (uint32_t)number_of(ctx, rest));
    } else if (weir_is(name, "brief?")) {
        const uint32_t *now = brief_get(ctx);
        emit_number(ctx, now != NULL, now != NULL ? *now : 0);
    } else if (weir_is(name, "forget")) {
        seen_clear(ctx);
        blob_clear(ctx);
        items_clear(ctx);
        entries_clear(ctx);
        brief_clear(ctx);
    } else {
        return false;
    }
    return true;
}

static void emit_items(weir_context *ctx) {
    weir_list_iter iter = items_iter(ctx);
    weir_buffer *out = weir_begin(ctx, MAIN);
    weir_putf(out, "%llu ", (unsigned long long)items_len(ctx));
    bool first = true;
    for (weir_bytes item; items_next(&iter, &item); first = false) {
        if (!first) weir_put_byte(out, ',');
        weir_put(out, item);
    }
    weir_end(ctx, MAIN);
}

static void emit_entries(weir_context *ctx) {
    weir_map_iter iter = entries_iter(ctx);
    weir_buffer *out = weir_begin(ctx, MAIN);
    weir_bytes name;
    bool first = true;
    for (int64_t number; entries_next(&iter, &name, &number); first = false) {
        weir_putf(out, "%s%.*s=%lld", first ? "" : ",", WEIR_SV(name), (long long)number);
    }
    weir_end(ctx, MAIN);
}

static void emit_rules(weir_context *ctx) {
    weir_map_iter iter = rules_iter(ctx);
    weir_buffer *out = weir_begin(ctx, MAIN);
    weir_bytes name;
    bool first = true;
    for (weir_bytes rule; rules_next(&iter, &name, &rule); first = false) {
        weir_putf(out, "%s%.*s=%.*s", first ? "" : ",", WEIR_SV(name), WEIR_SV(rule));
    }
    weir_end(ctx, MAIN);
}

/* Commands about the list, the map and the rules. */
static bool collections(weir_context *ctx, weir_bytes name, weir_bytes rest) {
    weir_bytes text, behind;
    int64_t number = 0;
    if (weir_is(name, "append")) items_append(ctx, rest);
    else if (weir_is(name, "pop")) items_pop_front(ctx, (uint64_t)number_of(ctx, rest));
    else if (weir_is(name, "truncate")) items_truncate(ctx, (uint64_t)number_of(ctx, rest));
    else if (weir_is(name, "clear-items")) items_clear(ctx);
    else if (weir_is(name, "item")) weir_emit(ctx, items_get(ctx, (uint64_t)number_of(ctx, rest), &text) ? text : none);
    else if (weir_is(name, "items")) emit_items(ctx);
    else if (weir_is(name, "put")) {
        weir_split(rest, ' ', &text, &behind);
        entries_put(ctx, text, number_of(ctx, behind));
    } else if (weir_is(name, "remove")) entries_remove(ctx, rest);
    else if (weir_is(name, "clear-entries")) entries_clear(ctx);
    else if (weir_is(name, "entry")) {
        bool is_there = entries_get(ctx, rest, &number);
        emit_number(ctx, is_there, number);
    } else if (weir_is(name, "entries")) emit_entries(ctx);
    else if (weir_is(name, "rule")) weir_emit(ctx, rules_get(ctx, rest, &text) ? text : none);
    else if (weir_is(name, "rules")) emit_rules(ctx);
    else return false;
    return true;
}

static void emit_long(weir_context *ctx, int64_t size) {
    weir_buffer *out = weir_begin(ctx, MAIN);
    while (size-- > 0) weir_put_byte(out, 'x');
    weir_end(ctx, MAIN);
}

static void emit_with_header(weir_context *ctx, weir_bytes value) {
    weir_headers given = weir_record_headers(ctx);
    weir_header *items = (weir_header *)weir_alloc((given.len + 1) * sizeof *items);
    for (size_t at = 0; at < given.len; at++) items[at] = given.items[at];
    items[given.len] = (weir_header){weir_text("seen"), value};
    weir_headers headers = {items, given.len + 1};
    weir_emit_record(ctx, &(weir_new_record){.value = weir_text("header"), .headers = &headers});
}

static void emit_headers(weir_context *ctx) {
    weir_headers given = weir_record_headers(ctx), no_headers = {NULL, 0};
    weir_buffer text = {0};
    for (size_t at = 0; at < given.len; at++) {
        weir_putf(&text, "%s%.*s=%.*s", at == 0 ? "" : ",", WEIR_SV(given.items[at].name), WEIR_SV(given.items[at].value));
    }
    weir_emit_record(ctx, &(weir_new_record){.value = weir_written(&text), .headers = &no_headers});
}

/* Commands about what is emitted. */
static bool emits(weir_context *ctx, weir_bytes name, weir_bytes rest) {
    int64_t time = WEIR_NO_TIME;
    if (weir_is(name, "echo")) weir_emit(ctx, rest);
    else if (weir_is(name, "long")) emit_long(ctx, number_of(ctx, rest));
    else if (weir_is(name, "pass")) weir_pass(ctx);
    else if (weir_is(name, "pass-side")) weir_pass_to(ctx, SIDE);
    else if (weir_is(name, "both")) {
        weir_pass(ctx);
        weir_emit_text(ctx, "made");
    } else if (weir_is(name, "side")) weir_emit_to(ctx, SIDE, rest);
    else if (weir_is(name, "absent")) weir_emit_absent(ctx);
    else if (weir_is(name, "key")) weir_emit_keyed(ctx, rest, weir_text("keyed"));
    else if (weir_is(name, "keyless")) weir_emit_keyed(ctx, weir_absent(), weir_text("keyless"));
    else if (weir_is(name, "at")) {
        time = number_of(ctx, rest);
        weir_emit_record(ctx, &(weir_new_record){.value = weir_text("at"), .timestamp = &time});
    } else if (weir_is(name, "timeless")) weir_emit_record(ctx, &(weir_new_record){.value = weir_text("timeless"), .timestamp = &time});
    else if (weir_is(name, "header")) emit_with_header(ctx, rest);
    else if (weir_is(name, "headers")) emit_headers(ctx);
    else return false;
    return true;
}

/* Commands about time. */
static bool times(weir_context *ctx, const weir_record *record, weir_bytes name, weir_bytes rest) {
    if (weir_is(name, "timer")) weir_timer_set(ctx, SOON, number_of(ctx, rest));
    else if (weir_is(name, "untimer")) weir_timer_delete(ctx, SOON, number_of(ctx, rest));
    else if (weir_is(name, "tick")) weir_timer_set(ctx, TICK, number_of(ctx, rest));
    else if (weir_is(name, "untick")) weir_timer_delete(ctx, TICK, number_of(ctx, rest));
    else if (weir_is(name, "time")) emit_number(ctx, record->timestamp != WEIR_NO_TIME, record->timestamp);
    else if (weir_is(name, "watermark")) emit_number(ctx, weir_watermark(ctx) != WEIR_NO_TIME, weir_watermark(ctx));
    else if (weir_is(name, "clock")) emit_number(ctx, true, weir_processing_time(ctx));
    else return false;
    return true;
}

/* Everything else. */
static weir_status others(weir_context *ctx, weir_bytes name, weir_bytes rest) {
    if (weir_is(name, "config")) weir_emit(ctx, self.greeting);
    else if (weir_is(name, "schema")) weir_emit(ctx, self.schema);
    else if (weir_is(name, "subtask")) weir_emit(ctx, self.subtask);
    else if (weir_is(name, "log")) weir_log_info("%.*s", WEIR_SV(rest));
    else if (weir_is(name, "metric")) weir_metric(ctx, "metric", number_of(ctx, rest));
    else if (weir_is(name, "fail")) return weir_fail(ctx, "%.*s", WEIR_SV(rest));
    else return weir_fail(ctx, "no command `%.*s`", WEIR_SV(name));
    return WEIR_OK;
}

static weir_status rule(weir_context *ctx, weir_bytes text) {
    weir_bytes name, value;
    if (weir_expect_text(ctx, text, "value") != WEIR_OK) return WEIR_FAILED;
    bool has_value = weir_split(text, '=', &name, &value);
    if (weir_is(text, "*")) rules_clear(ctx);
    else if (has_value) rules_put(ctx, name, value);
    else rules_remove(ctx, name);
    return WEIR_OK;
}

static weir_status process(weir_context *ctx, const weir_record *record) {
    weir_bytes value = record->value, name, rest;
    if (record->input == RULES) return rule(ctx, value);
    if (weir_is_absent(value)) {
        weir_emit_to(ctx, SIDE, weir_absent());
        return WEIR_OK;
    }
    if (!weir_is_utf8(value)) {
        weir_buffer *out = weir_begin(ctx, MAIN);
        for (size_t at = value.size; at > 0; at--) weir_put_byte(out, value.data[at - 1]);
        weir_end(ctx, MAIN);
        return WEIR_OK;
    }
    weir_split(value, ' ', &name, &rest);
    if (values(ctx, name, rest) || collections(ctx, name, rest) || emits(ctx, name, rest) || times(ctx, record, name, rest)) return WEIR_OK;
    return others(ctx, name, rest);
}

static weir_status on_timer(weir_context *ctx, const weir_fired_timer *fired) {
    long long time = fired->time;
    if (time % 1000 == 777) return weir_fail(ctx, "poison at %lld", time);
    const Seen *before = seen_get(ctx);
    weir_bytes count = before == NULL ? none : weir_format("%llu", (unsigned long long)before->count);
    if (fired->timer == TICK) {
        weir_emit_to(ctx, SIDE, weir_format("tick %.*s %lld %.*s", WEIR_SV(fired->key), time, WEIR_SV(count)));
        return WEIR_OK;
    }
    weir_emitf(ctx, "soon %.*s %lld %.*s", WEIR_SV(fired->key), time, WEIR_SV(count));
    Seen *now = seen_update(ctx);
    now->count += 1;
    if (now->last.some && weir_is(now->last.value, "again") && time % 100 != 0) weir_timer_set(ctx, SOON, time + 10);
    return WEIR_OK;
}

static weir_status migrate(weir_context *ctx, const weir_old_value *old, weir_buffer *out) {
    if (!weir_is(old->state, "seen") || old->from_version != 1) return weir_unknown_version(ctx, old);
    Seen now = {0};
    if (weir_decode(ctx, &weir_type_u64, old->bytes, &now.count) != WEIR_OK) return WEIR_FAILED;
    return Seen_encode(ctx, &now, out);
}

WEIR_OPERATOR = {
    .name = "conformance-keyed",
    .version = "2.0.0",
    .inputs = WEIR_ARRAY(inputs),
    .outputs = WEIR_ARRAY(outputs),
    .states = WEIR_ARRAY(states),
    .timers = WEIR_ARRAY(timers),
    .open = open,
    .process = process,
    .on_timer = on_timer,
    .migrate = migrate,
};
