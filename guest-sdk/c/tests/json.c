#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refused(const char *text, const char *part) {
    weir_bytes why = weir_absent();
    bool is_refused = weir_json_parse(weir_text(text), &why) == NULL;
    CHECK(is_refused && memmem(why.data, why.size, part, strlen(part)) != NULL);
}

static void values_are_read(void) {
    const weir_json *json = weir_json_parse(weir_text(" {\"a\":[1,-2.5e3,true,null],\"t\":\"x\\n\\u00fc\\ud83e\\udd80\",\"n\":-9223372036854775808} "), NULL);
    weir_bytes text;
    int64_t number = 0;
    double real = 0;
    bool truth = false;
    CHECK(json != NULL && json->kind == WEIR_JSON_OBJECT);
    CHECK(weir_json_as_text(weir_json_get(json, "t"), &text) && weir_is(text, "x\nü🦀"));
    CHECK(weir_json_as_i64(weir_json_get(json, "n"), &number) && number == INT64_MIN);
    const weir_json *items = weir_json_get(json, "a");
    CHECK(weir_json_as_i64(items->first, &number) && number == 1);
    CHECK(weir_json_as_f64(items->first->next, &real) && real == -2500);
    CHECK(weir_json_as_bool(items->first->next->next, &truth) && truth);
    CHECK(items->first->next->next->next->kind == WEIR_JSON_NULL && items->first->next->next->next->next == NULL);
    CHECK(!weir_json_as_i64(items->first->next, &number) && !weir_json_as_bool(items, &truth) && weir_json_get(json, "b") == NULL);
    static const char *const known[] = {"a", "t", NULL};
    CHECK(weir_is(weir_json_unknown(json, known)->name, "n"));
}

static void what_is_no_json_is_refused(void) {
    refused("", "a value was expected");
    refused("{\"a\"}", "`:` was expected");
    refused("[1 2]", "`,` or `]`");
    refused("01", "a value was expected");
    refused("1.", "digits");
    refused("\"a", "does not end");
    refused("\"\\ud800x\"", "surrogate");
    refused("\"\\x\"", "no such escape");
    refused("tru", "a value was expected");
    refused("{} x", "something follows");
    refused("\xff", "not UTF-8");
    char deep[1000];
    memset(deep, '[', sizeof deep);
    deep[999] = 0;
    refused(deep, "nested deeper");
}

static void check_float(const char *text) {
    double read = 0;
    weir_json json = {WEIR_JSON_NUMBER, weir_absent(), weir_text(text), NULL, NULL};
    bool is_there = weir_json_as_f64(&json, &read);
    double expect = strtod(text, NULL);
    bool same = is_there ? memcmp(&read, &expect, sizeof read) == 0 : __builtin_isinf(expect);
    if (!same) check_failed(__FILE__, __LINE__, text);
}

static void floats_are_the_nearest_ones(void) {
    static const char *const texts[] = {"0",       "-0",       "1",     "0.1",   "1e22",    "1e23",  "123456789012345678901234567890", "5e-324", "2e-324", "2.5e-324",
                                        "1.7976931348623157e308", "1.8e308", "1e309",   "1e-400", "4.9406564584124654e-324", "2.2250738585072014e-308",
                                        "2.2250738585072011e-308", "9007199254740993", "9007199254740992.5", "0.000001e10", "8.5e-5"};
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) check_float(texts[at]);
    uint32_t seed = 3;
    for (int round = 0; round < 3000; round++) {
        char text[64];
        snprintf(text, sizeof text, "%u%u.%ue%d", next_random(&seed), next_random(&seed), next_random(&seed), (int)(next_random(&seed) % 660) - 340);
        if (text[0] != '0') check_float(text);
    }
}

static void check_digits(double value, const char *expect) {
    weir_buffer text = {0};
    weir_put_f64(&text, value);
    if (!weir_is(weir_written(&text), expect)) check_failed(__FILE__, __LINE__, expect);
}

static void floats_are_written_with_the_fewest_digits(void) {
    check_digits(0.0, "0.0");
    check_digits(-0.0, "-0.0");
    check_digits(1.0, "1.0");
    check_digits(0.1, "0.1");
    check_digits(-123.456, "-123.456");
    check_digits(0.3, "0.3");
    check_digits(0.1 + 0.2, "0.30000000000000004");
    check_digits(1e15, "1000000000000000.0");
    check_digits(1.234e16, "1.234e16");
    check_digits(0.00001234, "0.00001234");
    check_digits(1.234e-6, "1.234e-6");
    check_digits(1e23, "1e23");
    check_digits(5e-324, "5e-324");
    check_digits(1.7976931348623157e308, "1.7976931348623157e308");
    check_digits(2.2250738585072014e-308, "2.2250738585072014e-308");
    check_digits(9007199254740993.0, "9007199254740992.0");
    check_digits(__builtin_inf(), "null");
    uint32_t seed = 11;
    for (int round = 0; round < 3000; round++) {
        uint64_t bits = (uint64_t)next_random(&seed) << 40 ^ (uint64_t)next_random(&seed) << 20 ^ next_random(&seed);
        double value, again = 0;
        memcpy(&value, &bits, sizeof value);
        if (value != value || value - value != 0) continue;
        weir_buffer text = {0};
        weir_put_f64(&text, value);
        weir_json json = {WEIR_JSON_NUMBER, weir_absent(), weir_written(&text), NULL, NULL};
        CHECK(weir_json_as_f64(&json, &again) && memcmp(&value, &again, sizeof value) == 0);
        /* Fewer digits read back as another. */
        for (int digits = 1; digits < 17; digits++) {
            char shorter[64];
            snprintf(shorter, sizeof shorter, "%.*e", digits - 1, value);
            if (strtod(shorter, NULL) != value) continue;
            size_t count = 0;
            for (size_t at = 0; at < text.size && text.data[at] != 'e'; at++) count += text.data[at] >= '0' && text.data[at] <= '9';
            CHECK(text.data[text.size - 1] == '0' || text.data[0] == '0' || (text.size > 1 && text.data[1] == '0') || count == (size_t)digits);
            break;
        }
    }
}

void test_json(void) {
    values_are_read();
    what_is_no_json_is_refused();
    floats_are_the_nearest_ones();
    floats_are_written_with_the_fewest_digits();
}
