/* State against a plain model: random things are done to lists, maps and values through the SDK, over a host that hands out small pages. What
 * the operator sees has to be what the model says at any time, and what the host keeps after each call as well. */
#include "check.h"

#include <string.h>

#define KEYS 3
#define ENTRIES 40
#define ITEMS_MAX 400
#define PAGE 3

/* What is kept of a key. */
typedef struct kept {
    uint64_t items[ITEMS_MAX];
    size_t len;
    bool has_entry[ENTRIES];
    uint64_t entries[ENTRIES];
    bool has_number, has_text;
    uint64_t number;
    char text[64];
} kept;

static kept host[KEYS], model[KEYS];
static uint32_t seed = 7;

WEIR_LIST_STATE(items, u64)
WEIR_MAP_STATE(entries, u64, u64)
WEIR_VALUE_STATE(number, u64)
WEIR_VALUE_STATE(text, string)
static weir_state *const states[] = {&items, &entries, &number, &text};

static void encode_number(uint64_t value, weir_buffer *data, weir_buffer *ends) {
    weir_encode(&weir_the_context, &weir_type_u64, &value, data);
    weir_push_u32(ends, (uint32_t)data->size);
}

static uint64_t number_of(weir_bytes bytes) {
    uint64_t value = 0;
    CHECK(weir_decode(&weir_the_context, &weir_type_u64, bytes, &value) == WEIR_OK);
    return value;
}

uint64_t weir_host_list_length(uint32_t state, uint32_t key) { return state == 0 ? host[key].len : 0; }

void weir_host_list_read(uint32_t state, uint32_t key, uint64_t start, uint32_t max_bytes, abi_list_page *page) {
    weir_buffer data = {0}, ends = {0};
    size_t most = max_bytes == 1 ? 1 : PAGE;
    (void)state;
    for (size_t at = (size_t)start; at < host[key].len && at < start + most; at++) encode_number(host[key].items[at], &data, &ends);
    page->items = weir_column_of(&data, &ends);
}

void weir_host_map_get(uint32_t state, uint32_t key, const uint8_t *entry, size_t size, const uint8_t *ends, size_t ends_size,
                       abi_keyed_column *found) {
    weir_buffer keys = {0}, data = {0}, item_ends = {0};
    uint64_t name = number_of(weir_bytes_of(entry, size));
    CHECK(state == 1 && ends_size == 4 && ends[0] == size);
    if (host[key].has_entry[name]) {
        weir_push_u32(&keys, 0);
        encode_number(host[key].entries[name], &data, &item_ends);
    }
    found->keys = weir_written(&keys);
    found->items = weir_column_of(&data, &item_ends);
}

void weir_host_map_scan(uint32_t state, uint32_t key, uint32_t has_start, const uint8_t *start, size_t start_size, uint32_t max_bytes,
                        abi_map_page *page) {
    weir_buffer names = {0}, name_ends = {0}, values = {0}, value_ends = {0}, next = {0}, ignored = {0};
    uint64_t name = has_start ? number_of(weir_bytes_of(start, start_size)) : 0;
    (void)state;
    (void)max_bytes;
    for (; name < ENTRIES && name_ends.size < 4 * PAGE; name++) {
        if (!host[key].has_entry[name]) continue;
        encode_number(name, &names, &name_ends);
        encode_number(host[key].entries[name], &values, &value_ends);
    }
    page->entries = weir_column_of(&names, &name_ends);
    page->values = weir_column_of(&values, &value_ends);
    page->has_next = name < ENTRIES;
    encode_number(name, &next, &ignored);
    page->next = weir_written(&next);
}

void weir_host_broadcast_get(uint32_t state, const uint8_t *data, size_t size, const uint8_t *ends, size_t ends_size, abi_keyed_column *found) {
    (void)state, (void)data, (void)size, (void)ends, (void)ends_size, (void)found;
}

void weir_host_broadcast_scan(uint32_t state, uint32_t has_start, const uint8_t *start, size_t size, uint32_t max_bytes, abi_map_page *page) {
    (void)state, (void)has_start, (void)start, (void)size, (void)max_bytes, (void)page;
}

static size_t lines;

void weir_host_log(uint32_t level, const uint8_t *line, size_t size) {
    CHECK(level == 2 && weir_is(weir_bytes_of(line, size), "got \xef\xbf\xbd"));
    lines++;
}

static void change_list(weir_context *ctx, kept *of) {
    uint64_t count = next_random(&seed) % 8, value = next_random(&seed);
    switch (next_random(&seed) % 6) {
    case 0:
        items_pop_front(ctx, count);
        if (count > of->len) count = of->len;
        memmove(of->items, of->items + count, (of->len - count) * sizeof *of->items);
        of->len -= count;
        break;
    case 1:
        items_truncate(ctx, count * 3);
        if (count * 3 < of->len) of->len = count * 3;
        break;
    case 2:
        if (count > 0) break;
        items_clear(ctx);
        of->len = 0;
        break;
    default:
        if (of->len == ITEMS_MAX) break;
        items_append(ctx, value);
        of->items[of->len++] = value;
    }
}

static void change_map(weir_context *ctx, kept *of) {
    uint64_t name = next_random(&seed) % ENTRIES, value = next_random(&seed);
    uint32_t what = next_random(&seed) % 12;
    if (what == 0) {
        entries_clear(ctx);
        memset(of->has_entry, 0, sizeof of->has_entry);
    } else if (what < 4) {
        entries_remove(ctx, name);
        of->has_entry[name] = false;
    } else {
        entries_put(ctx, name, value);
        of->has_entry[name] = true;
        of->entries[name] = value;
    }
}

static void change_values(weir_context *ctx, kept *of) {
    uint32_t what = next_random(&seed) % 6;
    char longer[64] = {0};
    if (what == 0) {
        number_clear(ctx);
        text_clear(ctx);
        of->has_number = of->has_text = false;
        of->number = 0;
    } else if (what == 1) {
        number_set(ctx, next_random(&seed) % 1000);
        of->number = *number_get(ctx);
        of->has_number = true;
    } else if (what < 4) {
        CHECK(*number_update(ctx) == of->number);
        of->number = *number_update(ctx) += 7;
        of->has_number = true;
    } else {
        memset(longer, 'a' + (int)(next_random(&seed) % 26), next_random(&seed) % (sizeof longer - 1));
        if (what == 4) text_set(ctx, weir_text(longer));
        else *text_update(ctx) = weir_copy(weir_text(longer));
        memcpy(of->text, longer, sizeof longer);
        of->has_text = true;
    }
}

static void look_at_list(weir_context *ctx, const kept *of) {
    uint64_t at = next_random(&seed) % (of->len + 3), value = 0;
    CHECK(items_len(ctx) == of->len);
    CHECK(items_get(ctx, at, &value) == (at < of->len) && (at >= of->len || value == of->items[at]));
    weir_list_iter iter = items_iter(ctx);
    size_t seen = 0;
    for (; items_next(&iter, &value); seen++) CHECK(seen < of->len && value == of->items[seen]);
    CHECK(seen == of->len);
}

static void look_at_map(weir_context *ctx, const kept *of) {
    uint64_t name = next_random(&seed) % ENTRIES, value = 0, expect = 0;
    CHECK(entries_contains(ctx, name) == of->has_entry[name]);
    CHECK(entries_get(ctx, name, &value) == of->has_entry[name] && (!of->has_entry[name] || value == of->entries[name]));
    weir_map_iter iter = entries_iter(ctx);
    while (entries_next(&iter, &name, &value)) {
        while (expect < ENTRIES && !of->has_entry[expect]) expect++;
        CHECK(expect == name && value == of->entries[name]);
        expect++;
    }
    while (expect < ENTRIES && !of->has_entry[expect]) expect++;
    CHECK(expect == ENTRIES && entries_is_empty(ctx) == (memchr(of->has_entry, 1, sizeof of->has_entry) == NULL));
}

static void look_at_values(weir_context *ctx, const kept *of) {
    const uint64_t *now = number_get(ctx);
    const weir_bytes *words = text_get(ctx);
    CHECK((now != NULL) == of->has_number && (now == NULL || *now == of->number));
    CHECK((words != NULL) == of->has_text && (words == NULL || weir_is(*words, of->text)));
}

static weir_status process(weir_context *ctx, const weir_record *record) {
    kept *of = &model[record->key.data[0]];
    for (int rounds = (int)(next_random(&seed) % 3); rounds >= 0; rounds--) {
        change_list(ctx, of);
        change_map(ctx, of);
        change_values(ctx, of);
    }
    look_at_list(ctx, of);
    look_at_map(ctx, of);
    look_at_values(ctx, of);
    weir_emitf(ctx, "%u", record->index);
    if (record->index == 0) weir_log_warn("got %c", 0xff);
    weir_metric(ctx, "m\xff", 1);
    return record->value.size > 0 ? weir_fail(ctx, "as it was told to\xff") : WEIR_OK;
}

WEIR_OPERATOR = {.name = "model", .version = "1", .states = WEIR_ARRAY(states), .process = process};

/* What the host does with the updates of a list, in its order. */
static void apply_list(const abi_list_update *update) {
    for (size_t at = 0; at < update->cleared.size / 4; at++) host[weir_u32_at(update->cleared, at)].len = 0;
    for (size_t at = 0; at < update->popped.keys.size / 4; at++) {
        kept *of = &host[weir_u32_at(update->popped.keys, at)];
        size_t count = (size_t)weir_s64_at(update->popped.counts, at);
        if (count > of->len) count = of->len;
        memmove(of->items, of->items + count, (of->len - count) * sizeof *of->items);
        of->len -= count;
    }
    for (size_t at = 0; at < update->truncated.keys.size / 4; at++) {
        kept *of = &host[weir_u32_at(update->truncated.keys, at)];
        size_t len = (size_t)weir_s64_at(update->truncated.counts, at);
        if (len < of->len) of->len = len;
    }
    for (size_t at = 0; at < update->append.keys.size / 4; at++) {
        kept *of = &host[weir_u32_at(update->append.keys, at)];
        of->items[of->len++] = number_of(weir_column_item(&update->append.items, at));
    }
}

static void apply_map(const abi_map_update *update) {
    for (size_t at = 0; at < update->cleared.size / 4; at++) {
        memset(host[weir_u32_at(update->cleared, at)].has_entry, 0, sizeof host->has_entry);
    }
    for (size_t at = 0; at < update->removed.keys.size / 4; at++) {
        host[weir_u32_at(update->removed.keys, at)].has_entry[number_of(weir_column_item(&update->removed.items, at))] = false;
    }
    for (size_t at = 0; at < update->put.keys.size / 4; at++) {
        kept *of = &host[weir_u32_at(update->put.keys, at)];
        uint64_t name = number_of(weir_column_item(&update->put.items, at));
        of->has_entry[name] = true;
        of->entries[name] = number_of(weir_column_item(&update->values, at));
    }
}

static void apply_value(const abi_value_update *update) {
    bool is_number = update->state == 2;
    uint32_t named = 0;
    for (size_t at = 0; at < update->cleared.size / 4; at++) {
        kept *of = &host[weir_u32_at(update->cleared, at)];
        named |= 1u << weir_u32_at(update->cleared, at);
        *(is_number ? &of->has_number : &of->has_text) = false;
        if (is_number) of->number = 0;
    }
    for (size_t at = 0; at < update->set.keys.size / 4; at++) {
        uint32_t key = weir_u32_at(update->set.keys, at);
        weir_bytes value = weir_column_item(&update->set.items, at), words;
        CHECK((named >> key & 1) == 0);
        named |= 1u << key;
        *(is_number ? &host[key].has_number : &host[key].has_text) = true;
        if (is_number) host[key].number = number_of(value);
        else if (weir_decode(&weir_the_context, &weir_type_string, value, &words) == WEIR_OK) {
            memset(host[key].text, 0, sizeof host->text);
            memcpy(host[key].text, words.data, words.size);
        }
    }
}

/* The values that travel with a batch of all keys. */
static abi_keyed_column values_of(bool is_number) {
    weir_buffer keys = {0}, data = {0}, ends = {0};
    for (uint32_t key = 0; key < KEYS; key++) {
        if (!(is_number ? host[key].has_number : host[key].has_text)) continue;
        weir_bytes words = weir_text(host[key].text);
        weir_push_u32(&keys, key);
        weir_encode(&weir_the_context, is_number ? &weir_type_u64 : &weir_type_string, is_number ? (void *)&host[key].number : (void *)&words, &data);
        weir_push_u32(&ends, (uint32_t)data.size);
    }
    abi_keyed_column column = {weir_written(&keys), weir_column_of(&data, &ends)};
    return column;
}

static size_t calls;

/* One call with some records, of which the last is told to fail where `fails`. */
static void call(abi_effects_result *result, bool fails) {
    static const uint8_t keys[] = {0, 1, 2};
    static const uint32_t key_ends[] = {1, 2, 3};
    abi_process_call made;
    weir_buffer key_of = {0}, ends = {0}, times = {0};
    uint32_t count = 1 + next_random(&seed) % 8;
    for (uint32_t at = 0; at < count; at++) {
        weir_push_u32(&key_of, next_random(&seed) % KEYS);
        weir_push_u32(&ends, fails && at + 1 == count);
        weir_push_i64(&times, at);
    }
    abi_keyed_column columns[4];
    memset(columns, 0, sizeof columns);
    memset(&made, 0, sizeof made);
    columns[2] = values_of(true);
    columns[3] = values_of(false);
    made.batch.keys.data = weir_bytes_of(keys, sizeof keys);
    made.batch.keys.ends = weir_bytes_of(key_ends, sizeof key_ends);
    made.batch.key_of = weir_written(&key_of);
    made.batch.values.data = weir_text("x");
    made.batch.values.ends = weir_written(&ends);
    made.batch.timestamps = weir_written(&times);
    made.batch.states.items = columns;
    made.batch.states.len = 4;
    weir_process(result, &made);
    CHECK(result->failed == fails);
    CHECK(lines == ++calls);
    if (!fails) CHECK(weir_is(((const abi_metric *)result->as.effects.metrics.items)->name, "m\xef\xbf\xbd"));
    if (fails) CHECK(result->as.failure.has_cause && result->as.failure.cause == count - 1 && weir_is(result->as.failure.message, "as it was told to\xef\xbf\xbd"));
    else CHECK(result->as.effects.outputs.len == 1 && ((const abi_output *)result->as.effects.outputs.items)->cause.size == 4 * count);
}

/* What counts is the same. */
static bool same(const kept *a, const kept *b) {
    if (a->len != b->len || memcmp(a->items, b->items, a->len * sizeof *a->items) != 0) return false;
    for (size_t at = 0; at < ENTRIES; at++) {
        if (a->has_entry[at] != b->has_entry[at] || (a->has_entry[at] && a->entries[at] != b->entries[at])) return false;
    }
    if (a->has_number != b->has_number || a->has_text != b->has_text) return false;
    return (!a->has_number || a->number == b->number) && (!a->has_text || strcmp(a->text, b->text) == 0);
}

/* The operator has no `.migrate`: values of an older version are refused as every other language refuses them. */
static void test_no_way_from_an_older_version(void) {
    abi_column_result result;
    weir_buffer data = {0}, ends = {0};
    encode_number(5, &data, &ends);
    abi_column values = weir_column_of(&data, &ends);
    weir_migrate_values(&result, 2, 1, &values);
    CHECK(result.failed && weir_is(result.as.message, "model cannot migrate state `number` from version 1"));
    weir_after_call();
}

void test_state(void) {
    test_no_way_from_an_older_version();
    abi_open_result opened;
    abi_list no_schemas = {NULL, 0};
    weir_open(&opened, weir_text("{\"x\":1}"), no_schemas, 0, 1, 0);
    CHECK(opened.failed && weir_is(opened.message, "read the config of model: unknown field `x`"));
    weir_open(&opened, weir_text(""), no_schemas, 0, 1, 0);
    CHECK(!opened.failed);
    for (int round = 0; round < 3000 && checks_failed == 0; round++) {
        abi_effects_result result;
        bool fails = next_random(&seed) % 10 == 0;
        call(&result, fails);
        if (fails) {
            memcpy(model, host, sizeof model);
        } else {
            const abi_effects *effects = &result.as.effects;
            for (size_t at = 0; at < effects->lists.len; at++) apply_list((const abi_list_update *)effects->lists.items + at);
            for (size_t at = 0; at < effects->maps.len; at++) apply_map((const abi_map_update *)effects->maps.items + at);
            for (size_t at = 0; at < effects->values.len; at++) apply_value((const abi_value_update *)effects->values.items + at);
        }
        for (int key = 0; key < KEYS; key++) CHECK(same(&host[key], &model[key]));
        weir_after_call();
    }
}
