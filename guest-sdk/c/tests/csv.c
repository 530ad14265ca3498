#include "check.h"

#include <string.h>

static weir_csv columns(uint32_t first, uint32_t second) {
    weir_csv csv = {2, {{0, 0}}};
    bool ascends = first < second;
    csv.ascending[0].column = ascends ? first : second;
    csv.ascending[0].place = ascends ? 0 : 1;
    csv.ascending[1].column = ascends ? second : first;
    csv.ascending[1].place = ascends ? 1 : 0;
    return csv;
}

static void check_row(const char *row, uint32_t first, uint32_t second, const char *expect_first, const char *expect_second) {
    weir_csv csv = columns(first, second);
    weir_bytes fields[2];
    CHECK(weir_csv_read(fresh(), &csv, weir_text(row), fields) == WEIR_OK);
    CHECK(weir_is(fields[0], expect_first) && weir_is(fields[1], expect_second));
}

static void refused(const char *row, uint32_t first, uint32_t second, const char *part) {
    weir_csv csv = columns(first, second);
    weir_bytes fields[2];
    weir_context *ctx = fresh();
    CHECK(weir_csv_read(ctx, &csv, weir_text(row), fields) == WEIR_FAILED && failed_with(ctx, part));
}

static void fields_are_found_wherever_they_stand(void) {
    check_row("2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR", 8, 11, "11", "N14228");
    check_row("a,b", 1, 0, "b", "a");
    check_row("a,b,", 2, 1, "", "b");
    check_row(",,,,,,,,x", 8, 0, "x", "");
    check_row("12345678,2345678,345678", 0, 2, "12345678", "345678");
    check_row("\"a,b\",c", 0, 1, "a,b", "c");
    check_row("a,\"b \"\"and\"\" c\",d", 1, 2, "b \"and\" c", "d");
    check_row("\"\",\"\"\"\",x", 0, 1, "", "\"");
    refused("a,b", 0, 2, "the row has 2 fields, and field 3 is wanted");
    refused("\"a\",b", 0, 2, "the row has 2 fields, and field 3 is wanted");
    refused("\"a,b", 0, 1, "does not end");
    refused("\"a\"b,c", 0, 1, "`b` follows a quoted field");
}

/* The field at this place, found the plain way. */
static bool plainly(weir_bytes row, uint32_t column, weir_bytes *field) {
    weir_bytes rest = row;
    for (uint32_t at = 0;; at++) {
        bool more = weir_split(rest, ',', field, &rest);
        if (at == column) return true;
        if (!more) return false;
    }
}

static void a_search_by_words_finds_what_a_plain_one_finds(void) {
    static const uint32_t pairs[][2] = {{0, 1}, {1, 0}, {2, 4}, {3, 9}, {0, 7}};
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        size_t size = next_random(&seed) % sizeof bytes;
        for (size_t at = 0; at < size; at++) bytes[at] = (uint8_t)",,ab\xac-"[next_random(&seed) % 6];
        const uint32_t *pair = pairs[next_random(&seed) % 5];
        weir_csv csv = columns(pair[0], pair[1]);
        weir_bytes row = weir_bytes_of(bytes, size), fields[2], expect[2];
        bool is_there = plainly(row, pair[0], &expect[0]) && plainly(row, pair[1], &expect[1]);
        bool found = weir_csv_read(fresh(), &csv, row, fields) == WEIR_OK;
        CHECK(found == is_there && (!found || (weir_equal(fields[0], expect[0]) && weir_equal(fields[1], expect[1]))));
    }
}

static void columns_are_found_by_name_once(void) {
    static const char *const names[] = {"arr_delay", "tailnum", NULL}, *const twice[] = {"b", "a", "b", NULL}, *const missing[] = {"c", NULL};
    weir_csv csv;
    weir_context *ctx = fresh();
    CHECK(weir_csv_find(ctx, weir_text("year,\"tailnum\",arr_delay"), names, &csv) == WEIR_OK);
    CHECK(csv.ascending[0].column == 1 && csv.ascending[0].place == 1 && csv.ascending[1].column == 2 && csv.ascending[1].place == 0);
    CHECK(weir_csv_find(ctx, weir_text("a,b"), missing, &csv) == WEIR_FAILED && failed_with(ctx, "the header has no column `c`: a,b"));
    ctx = fresh();
    CHECK(weir_csv_find(ctx, weir_text("a,b"), twice, &csv) == WEIR_FAILED && failed_with(ctx, "asked for twice"));
    ctx = fresh();
    CHECK(weir_csv_find(ctx, weir_text("c,c"), missing, &csv) == WEIR_FAILED && failed_with(ctx, "more than one column `c`"));
}

void test_csv(void) {
    fields_are_found_wherever_they_stand();
    a_search_by_words_finds_what_a_plain_one_finds();
    columns_are_found_by_name_once();
}
