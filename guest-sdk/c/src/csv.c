/* Rows without quotes, which is nearly all of them, are searched eight bytes at a time. A row with a quote before the end of the last wanted
 * field goes the slow way, field by field. */
#include "internal.h"

#define LOW 0x0101010101010101u
#define HIGH 0x8080808080808080u

/* The high bit of each byte of `word` that is `byte`, exactly. */
static inline uint64_t bytes_equal(uint64_t word, uint8_t byte) {
    uint64_t differ = word ^ LOW * byte;
    return ~(((differ & ~HIGH) + ~HIGH) | differ) & HIGH;
}

/* The commas of a row, eight bytes at a time. */
typedef struct commas {
    weir_bytes row;
    /* Where the eight bytes begin that `found` is about. */
    size_t at;
    /* The high bit of each byte that is a comma and was not passed yet. */
    uint64_t found;
    bool ended;
} commas;

/* Looks at the next eight bytes, or as many as there are. False where there is a quote among them. */
static inline bool step(commas *commas) {
    size_t left = commas->at >= commas->row.size ? 0 : commas->row.size - commas->at;
    uint64_t word = 0;
    if (left >= 8) {
        __builtin_memcpy(&word, commas->row.data + commas->at, 8);
    } else {
        for (size_t i = left; i > 0; i--) word = word << 8 | commas->row.data[commas->at + i - 1];
        commas->ended = left == 0;
    }
    commas->found = bytes_equal(word, ',');
    return bytes_equal(word, '"') == 0;
}

/* Passes the first comma that was found, which there has to be, and says where it stands. */
static inline size_t pass(commas *commas) {
    size_t at = commas->at + (size_t)__builtin_ctzll(commas->found) / 8;
    commas->found &= commas->found - 1;
    return at;
}

/* Goes on to the next eight bytes. False where the row has ended, or there is a quote among them. */
static inline bool advance(commas *commas) {
    commas->at += 8;
    return step(commas) && !commas->ended;
}

/* Passes `count` commas, 1 at least, and says what stands behind the last of them. False where there are fewer, or a quote comes before. */
static inline bool skip(commas *commas, uint32_t count, size_t *behind) {
    for (;;) {
        uint32_t here = (uint32_t)__builtin_popcountll(commas->found);
        if (count <= here) break;
        count -= here;
        if (!advance(commas)) return false;
    }
    while (--count > 0) commas->found &= commas->found - 1;
    *behind = pass(commas) + 1;
    return true;
}

/* Passes the comma behind the field that begins here, if there is one. False where there is a quote before. */
static inline bool end_of_field(commas *commas, size_t *end) {
    while (commas->found == 0) {
        if (advance(commas)) continue;
        *end = commas->row.size;
        return commas->ended;
    }
    *end = pass(commas);
    return true;
}

/* The wanted fields of a row without quotes. False: it has some, or too few fields. */
static bool read_plain(const weir_csv *csv, weir_bytes row, weir_bytes *fields) {
    commas commas = {row, 0, 0, false};
    size_t start = 0, end = 0;
    uint32_t field = 0;
    if (!step(&commas)) return false;
    commas.ended = false;
    for (uint32_t wanted = 0; wanted < csv->wanted; wanted++) {
        uint32_t column = csv->ascending[wanted].column;
        if (commas.ended || (column > field && !skip(&commas, column - field, &start))) return false;
        if (!end_of_field(&commas, &end)) return false;
        fields[csv->ascending[wanted].place] = weir_bytes_of(row.data + start, end - start);
        start = end + 1;
        field = column + 1;
    }
    return true;
}

/* The fields of a row one after the other, quoted or not. */
typedef struct row_fields {
    weir_bytes rest;
    bool ended;
} row_fields;

/* A field up to its closing quote, with doubled quotes made single. */
static bool unquote(weir_context *ctx, row_fields *fields, weir_bytes *field) {
    weir_buffer text = {NULL, 0, 0, weir_current_arena};
    const uint8_t *data = fields->rest.data;
    size_t at = 1, size = fields->rest.size;
    for (;; at++) {
        if (at >= size) {
            weir_fail(ctx, "a quoted field does not end");
            return false;
        }
        if (data[at] == '"' && (at + 1 >= size || data[at + 1] != '"')) break;
        if (data[at] == '"') at++;
        weir_put_byte(&text, data[at]);
    }
    at++;
    if (at < size && data[at] != ',') {
        weir_fail(ctx, "`%c` follows a quoted field where a comma should", data[at]);
        return false;
    }
    *field = weir_written(&text);
    fields->ended = at >= size;
    if (!fields->ended) fields->rest = weir_bytes_of(data + at + 1, size - at - 1);
    return true;
}

/* False where there is no further field, or it fails. */
static bool next_field(weir_context *ctx, row_fields *fields, weir_bytes *field) {
    if (fields->ended) return false;
    if (fields->rest.size > 0 && fields->rest.data[0] == '"') return unquote(ctx, fields, field);
    size_t end = 0;
    while (end < fields->rest.size && fields->rest.data[end] != ',') end++;
    *field = weir_bytes_of(fields->rest.data, end);
    fields->ended = end == fields->rest.size;
    if (!fields->ended) fields->rest = weir_bytes_of(fields->rest.data + end + 1, fields->rest.size - end - 1);
    return true;
}

weir_status weir_csv_read(weir_context *ctx, const weir_csv *csv, weir_bytes row, weir_bytes *found) {
    if (weir_is_absent(row)) return weir_fail(ctx, "the record has no value");
    if (read_plain(csv, row, found)) return WEIR_OK;
    row_fields fields = {row, false};
    uint32_t wanted = 0;
    for (uint32_t number = 0; wanted < csv->wanted; number++) {
        weir_bytes field;
        if (!next_field(ctx, &fields, &field)) {
            return weir_fail(ctx, "the row has %u fields, and field %u is wanted", number, csv->ascending[wanted].column + 1);
        }
        if (number == csv->ascending[wanted].column) found[csv->ascending[wanted++].place] = field;
    }
    return WEIR_OK;
}

/* Puts a column among those that are wanted, in the order of the row. */
static void want(weir_csv *csv, uint32_t column, uint32_t place) {
    uint32_t at = csv->wanted++;
    for (; at > 0 && csv->ascending[at - 1].column > column; at--) csv->ascending[at] = csv->ascending[at - 1];
    csv->ascending[at].column = column;
    csv->ascending[at].place = place;
}

weir_status weir_csv_find(weir_context *ctx, weir_bytes header, const char *const *names, weir_csv *csv) {
    csv->wanted = 0;
    for (uint32_t place = 0; names[place] != NULL; place++) {
        row_fields fields = {header, weir_is_absent(header)};
        weir_bytes field;
        uint32_t found = 0, column = 0;
        for (uint32_t number = 0; next_field(ctx, &fields, &field); number++) {
            if (!weir_is(field, names[place])) continue;
            column = number;
            found++;
        }
        if (found != 1) {
            return weir_fail(ctx, "the header has %s column `%s`: %.*s", found == 0 ? "no" : "more than one", names[place], WEIR_SV(header));
        }
        for (uint32_t other = 0; other < csv->wanted; other++) {
            if (csv->ascending[other].column == column) return weir_fail(ctx, "the column `%s` is asked for twice", names[place]);
        }
        if (csv->wanted == WEIR_CSV_COLUMNS) return weir_fail(ctx, "%d columns are asked for at most", WEIR_CSV_COLUMNS);
        want(csv, column, place);
    }
    return WEIR_OK;
}
