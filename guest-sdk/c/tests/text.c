/* Formats, numbers, times, UTF-8 and the sort, against those of the C library where it has them. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAME(...) \
    do { \
        char expect[512]; \
        snprintf(expect, sizeof expect, __VA_ARGS__); \
        CHECK(weir_is(weir_format(__VA_ARGS__), expect)); \
    } while (0)

static void formats_are_those_of_printf(void) {
    SAME("%d %i %u", -1, INT32_MIN, UINT32_MAX);
    SAME("%" PRId64 " %" PRIu64 " %zu %jd", INT64_MIN, UINT64_MAX, (size_t)7, (intmax_t)-7);
    SAME("[%5d] [%-5d] [%05d] [%+d] [%05d]", 42, 42, 42, 42, -42);
    SAME("%x %X %08x %lx", 0xbeefu, 0xbeefu, 0xbeefu, 1ul << 33);
    SAME("%s|%10s|%-10s|%.2s|%.*s|%c%%", "text", "text", "text", "text", 3, "text", 'c');
    SAME("%.2f %f %.0f %.3f %8.1f|%-8.1f|%+.1f", 2.005, 1.5, 2.5, -0.0005, 3.14159, 3.14159, 1.0);
    SAME("%.1f %.2f %.1f", 0.05, 999.999, -0.0);
    SAME("%f %f", 1e15, 123456789.125);
}

static void numbers_are_read_whole_or_not_at_all(void) {
    int64_t number = 5;
    uint64_t big = 5;
    CHECK(weir_parse_i64(weir_text("-9223372036854775808"), &number) && number == INT64_MIN);
    CHECK(weir_parse_i64(weir_text("9223372036854775807"), &number) && number == INT64_MAX);
    CHECK(weir_parse_u64(weir_text("18446744073709551615"), &big) && big == UINT64_MAX);
    static const char *const refused[] = {"", "-", "1x", " 1", "+1", "9223372036854775808", "-9223372036854775809", "18446744073709551616"};
    for (size_t at = 0; at < sizeof refused / sizeof *refused; at++) CHECK(!weir_parse_i64(weir_text(refused[at]), &number));
    CHECK(number == INT64_MAX && !weir_parse_u64(weir_text("18446744073709551616"), &big));
}

static void check_time(int64_t ms, const char *expect) {
    weir_buffer text = {0};
    weir_put_time(&text, ms);
    CHECK(weir_is(weir_written(&text), expect));
}

static void times_are_written_as_people_read_them(void) {
    check_time(0, "1970-01-01T00:00:00Z");
    check_time(-1, "1969-12-31T23:59:59.999Z");
    check_time(1357034400000, "2013-01-01T10:00:00Z");
    check_time(951782399000, "2000-02-28T23:59:59Z");
    check_time(951782400050, "2000-02-29T00:00:00.050Z");
    check_time(4107542400000, "2100-03-01T00:00:00Z");
}

static void what_is_no_utf8_is_refused(void) {
    static const char *const right[] = {"", "61", "c3bc", "e697a5", "f09fa680", "ed9fbf", "ee8080", "f48fbfbf"};
    static const char *const wrong[] = {"ff", "80", "c0af", "c3", "e0808f", "eda080", "f0808080", "f4908080", "f5808080", "e697", "61c3"};
    for (size_t at = 0; at < sizeof right / sizeof *right; at++) CHECK(weir_is_utf8(from_hex(right[at])));
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) CHECK(!weir_is_utf8(from_hex(wrong[at])));
    size_t at = 0;
    weir_bytes text = weir_text("aü日🦀");
    CHECK(weir_next_char(text, &at) == 'a' && weir_next_char(text, &at) == 0xfc && weir_next_char(text, &at) == 0x65e5);
    CHECK(weir_next_char(text, &at) == 0x1f980 && at == text.size);
}

static void check_valid(const char *hex, const char *expect) {
    weir_bytes given = from_hex(hex), valid = weir_valid_text(given, weir_current_arena);
    CHECK(weir_is_utf8(valid) && weir_is(valid, expect));
    CHECK(!weir_is_utf8(given) || valid.data == given.data);
}

static void what_is_no_utf8_is_replaced_for_the_host(void) {
    check_valid("", "");
    check_valid("61c3bc", "aü");
    check_valid("676f7420ff", "got \xef\xbf\xbd");
    check_valid("fffe61c3bc80c3", "\xef\xbf\xbd" "aü" "\xef\xbf\xbd");
    check_valid("eda08061", "\xef\xbf\xbd" "a");
    static const struct {
        const char *hex;
        size_t begun;
    } ends[] = {{"", 0}, {"61", 0}, {"c3", 1}, {"c3bc", 0}, {"61e697", 2}, {"e697a5", 0}, {"f09fa6", 3}, {"f09f", 2}, {"f09fa680", 0}, {"808080", 0}, {"ff", 1}};
    for (size_t at = 0; at < sizeof ends / sizeof *ends; at++) CHECK(weir_begun_char(from_hex(ends[at].hex)) == ends[at].begun);
}

static void bytes_of_every_length_are_copied(void) {
    uint8_t from[300], to[301];
    for (size_t at = 0; at < sizeof from; at++) from[at] = (uint8_t)(at * 7 + 1);
    for (size_t size = 0; size <= sizeof from; size++) {
        memset(to, 0, sizeof to);
        weir_copy_to(to, from, size);
        CHECK(memcmp(to, from, size) == 0 && to[size] == 0);
    }
}

static void json_texts_are_escaped(void) {
    weir_buffer text = {0};
    weir_put_json_text(&text, weir_bytes_of("a\"\\\n\x01\x7fü\0", 9));
    CHECK(weir_is(weir_written(&text), "\"a\\\"\\\\\\n\\u0001\x7fü\\u0000\""));
}

static int by_first(const void *a, const void *b, void *with) {
    (void)with;
    return ((const uint8_t *)a)[0] - ((const uint8_t *)b)[0];
}

static void the_sort_keeps_the_order_of_what_is_equal(void) {
    uint32_t seed = 1;
    for (size_t len = 0; len < 200; len++) {
        uint8_t items[200][2];
        for (size_t at = 0; at < len; at++) {
            items[at][0] = (uint8_t)(next_random(&seed) % 16);
            items[at][1] = (uint8_t)at;
        }
        weir_sort(items, len, 2, by_first, NULL);
        for (size_t at = 1; at < len; at++) {
            CHECK(items[at - 1][0] < items[at][0] || (items[at - 1][0] == items[at][0] && items[at - 1][1] < items[at][1]));
        }
    }
}

void test_text(void) {
    formats_are_those_of_printf();
    numbers_are_read_whole_or_not_at_all();
    times_are_written_as_people_read_them();
    what_is_no_utf8_is_refused();
    what_is_no_utf8_is_replaced_for_the_host();
    bytes_of_every_length_are_copied();
    json_texts_are_escaped();
    the_sort_keeps_the_order_of_what_is_equal();
}
