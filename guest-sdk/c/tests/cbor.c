/* The codec against the examples of RFC 8949, appendix A, and against hostile bytes. */
#include "check.h"

#include <string.h>

WEIR_LIST(Numbers, u64)
WEIR_MAP(Texts, string, string)
WEIR_MAP(Signs, i64, u8)
WEIR_OPTION(MaybeText, string)

#define TOTALS(FIELD) FIELD(u64, flights) FIELD(i64, total_delay) FIELD(MaybeText, seen)
WEIR_RECORD(Totals, TOTALS)
#define PAIR(FIELD) FIELD(u32, first) FIELD(bool, second)
WEIR_TUPLE(Pair, PAIR)
#define RETURNED(FIELD) FIELD(string, why) FIELD(i64, at)
WEIR_RECORD(Returned, RETURNED)
#define ORDER(CASE, CASE_OF) \
    CASE(ORDER_PENDING, Pending) CASE_OF(ORDER_SHIPPED, Shipped, u32) CASE_OF(ORDER_SPLIT, Split, Pair) CASE_OF(ORDER_RETURNED, Returned, Returned)
WEIR_ENUM(Order, ORDER)
WEIR_LIST(Orders, Order)

/* The value's encoding is this, and the encoding's value has it again. */
static void check_value(const weir_type *type, const void *value, const char *expect, int line) {
    weir_context *ctx = fresh();
    weir_buffer out = {0}, again = {0};
    uint64_t room[16];
    if (weir_encode(ctx, type, value, &out) != WEIR_OK || strcmp(to_hex(weir_written(&out)), expect) != 0) {
        check_failed(__FILE__, line, to_hex(weir_written(&out)));
    }
    if (weir_decode(ctx, type, from_hex(expect), room) != WEIR_OK || weir_encode(ctx, type, room, &again) != WEIR_OK ||
        !weir_equal(weir_written(&out), weir_written(&again))) {
        check_failed(__FILE__, line, expect);
    }
}

#define SAME(T, expect, ...) check_value(&weir_type_##T, &(weir_c_##T){__VA_ARGS__}, expect, __LINE__)

static void refused(const weir_type *type, const char *hex, const char *part, int line) {
    uint64_t room[16];
    weir_context *ctx = fresh();
    if (weir_decode(ctx, type, from_hex(hex), room) == WEIR_OK || !failed_with(ctx, part)) check_failed(__FILE__, line, hex);
}

#define REFUSED(T, hex, part) refused(&weir_type_##T, hex, part, __LINE__)

static void numbers_are_as_in_the_rfc(void) {
    SAME(u64, "00", 0);
    SAME(u64, "17", 23);
    SAME(u64, "1818", 24);
    SAME(u8, "18ff", 255);
    SAME(u64, "190100", 256);
    SAME(u32, "1a000f4240", 1000000);
    SAME(u64, "1b000000e8d4a51000", 1000000000000);
    SAME(u64, "1bffffffffffffffff", UINT64_MAX);
    SAME(i64, "20", -1);
    SAME(i16, "3903e7", -1000);
    SAME(i8, "387f", -128);
    SAME(i64, "3b7fffffffffffffff", INT64_MIN);
}

static void floats_are_as_in_the_rfc(void) {
    SAME(f64, "f90000", 0.0);
    SAME(f64, "f98000", -0.0);
    SAME(f64, "fb3ff199999999999a", 1.1);
    SAME(f32, "f93e00", 1.5f);
    SAME(f64, "f97bff", 65504.0);
    SAME(f64, "fa47c35000", 100000.0);
    SAME(f64, "fa7f7fffff", 3.4028234663852886e+38);
    SAME(f64, "fb7e37e43c8800759c", 1.0e300);
    SAME(f64, "f90001", 5.960464477539063e-8);
    SAME(f64, "f90400", 0.00006103515625);
    SAME(f64, "fbc010666666666666", -4.1);
    SAME(f64, "f97c00", __builtin_inf());
    SAME(f64, "f9fc00", -__builtin_inf());
    SAME(f64, "f97e00", __builtin_nan(""));
    SAME(f64, "fa33000000", 0x1p-25);
}

static void texts_arrays_and_simple_values_are_as_in_the_rfc(void) {
    SAME(bool, "f5", true);
    SAME(unit, "f6", 0);
    SAME(string, "62c3bc", (const uint8_t *)"ü", 2);
    SAME(bytes, "4401020304", (const uint8_t *)"\1\2\3\4", 4);
    uint64_t numbers[] = {1, 2, 3};
    SAME(Numbers, "83010203", numbers, 3);
    SAME(Numbers, "80", NULL, 0);
    SAME(MaybeText, "f6", false, {NULL, 0});
    SAME(MaybeText, "60", true, {NULL, 0});
}

static void map_keys_stand_in_the_order_of_their_encodings(void) {
    Signs_entry signs[] = {{100, 3}, {-1, 1}, {10, 2}};
    SAME(Signs, "a30a021864032001", signs, 3);
    Texts texts = {0};
    Texts_push(&texts, weir_text("aa"), weir_text("1"));
    Texts_push(&texts, weir_text("b"), weir_text("2"));
    Texts_push(&texts, weir_text("a"), weir_text("3"));
    check_value(&weir_type_Texts, &texts, "a361616133616261326261616131", __LINE__);
    Texts_push(&texts, weir_text("b"), weir_text("4"));
    weir_buffer out = {0};
    weir_context *ctx = fresh();
    CHECK(Texts_encode(ctx, &texts, &out) == WEIR_FAILED && failed_with(ctx, "one key twice"));
}

static void records_and_cases_are_as_schemas_say(void) {
    SAME(Totals, "a3647365656e617867666c6967687473036b746f74616c5f64656c617924", 3, -5, {true, {(const uint8_t *)"x", 1}});
    SAME(Order, "6750656e64696e67", ORDER_PENDING, {0});
    SAME(Order, "a1675368697070656405", ORDER_SHIPPED, {.Shipped = 5});
    SAME(Order, "a16553706c69748201f5", ORDER_SPLIT, {.Split = {1, true}});
    SAME(Order, "a16852657475726e6564a262617401637768796177", ORDER_RETURNED, {.Returned = {{(const uint8_t *)"w", 1}, 1}});
    CHECK(weir_is(weir_schema(&weir_type_Totals), "Totals{flights:u64,total_delay:i64,seen:option<string>}"));
    CHECK(weir_is(weir_schema(&weir_type_Orders),
                  "list<Order[Pending,Shipped(u32),Split(tuple<u32,bool>),Returned(Returned{why:string,at:i64})]>"));
    CHECK(weir_is(weir_schema(&weir_type_Signs), "map<i64,u8>"));
}

static void what_is_not_deterministic_is_refused(void) {
    REFUSED(u64, "1817", "shortest form");
    REFUSED(u64, "1900ff", "shortest form");
    REFUSED(f64, "fa3fc00000", "shortest form");
    REFUSED(f64, "f97e01", "shortest form");
    REFUSED(string, "7801", "shortest form");
    REFUSED(Numbers, "9f01ff", "indefinite length");
    REFUSED(Signs, "a202010101", "not in order");
    REFUSED(Signs, "a201010102", "stands twice");
    REFUSED(u64, "c000", "a tag");
    REFUSED(u64, "0000", "1 bytes follow");
}

static void hostile_bytes_are_refused(void) {
    REFUSED(u64, "", "0 left");
    REFUSED(string, "7bffffffffffffffff", "with 0 left");
    REFUSED(Numbers, "9bffffffffffffffff", "items in 0 bytes");
    REFUSED(Texts, "bbffffffffffffffff", "items in 0 bytes");
    REFUSED(string, "61ff", "not UTF-8");
    REFUSED(i64, "3bffffffffffffffff", "is no i64");
    REFUSED(u8, "190100", "is no u8");
    REFUSED(u64, "20", "is no u64");
    REFUSED(u64, "1c", "begins no item");
    REFUSED(Order, "a2", "a text was expected");
    REFUSED(Order, "a16750656e64696e67f6", "has no value");
    REFUSED(Order, "6553706c6974", "has a value");
    REFUSED(Totals, "a0", "is missing");
    REFUSED(Pair, "8101", "1 items where 2");
}

static void fields_may_be_unknown_and_options_missing(void) {
    Totals totals;
    CHECK(Totals_decode(fresh(), from_hex("a367666c69676874730167756e6b6e6f776e818101" "6b746f74616c5f64656c617902"), &totals) == WEIR_OK);
    CHECK(totals.flights == 1 && totals.total_delay == 2 && !totals.seen.some);
}

static void random_bytes_do_no_harm_and_what_decodes_encodes_to_the_same_bytes(void) {
    static const weir_type *const types[] = {&weir_type_Texts, &weir_type_Orders, &weir_type_Signs, &weir_type_f64, &weir_type_Numbers};
    uint32_t seed = 8949;
    for (int round = 0; round < 50000; round++) {
        uint8_t bytes[12];
        size_t size = next_random(&seed) % sizeof bytes;
        for (size_t at = 0; at < size; at++) bytes[at] = (uint8_t)next_random(&seed);
        if (size > 0) bytes[0] = (uint8_t)(round % 2 == 0 ? bytes[0] : 0x80 | (bytes[0] & 0x23));
        const weir_type *type = types[next_random(&seed) % 5];
        uint64_t room[16];
        weir_buffer again = {0};
        if (weir_decode(fresh(), type, weir_bytes_of(bytes, size), room) != WEIR_OK) continue;
        CHECK(weir_encode(fresh(), type, room, &again) == WEIR_OK && weir_equal(weir_written(&again), weir_bytes_of(bytes, size)));
    }
}

static void nesting_is_bounded(void) {
    char deep[200001];
    memset(deep, 0, sizeof deep);
    for (size_t at = 0; at < 200000; at += 2) memcpy(deep + at, "81", 2);
    char record[200100] = "a167756e6b6e6f776e";
    strcat(record, deep);
    REFUSED(Totals, record, "nested deeper than 64");
}

void test_cbor(void) {
    numbers_are_as_in_the_rfc();
    floats_are_as_in_the_rfc();
    texts_arrays_and_simple_values_are_as_in_the_rfc();
    map_keys_stand_in_the_order_of_their_encodings();
    records_and_cases_are_as_schemas_say();
    what_is_not_deterministic_is_refused();
    hostile_bytes_are_refused();
    fields_may_be_unknown_and_options_missing();
    random_bytes_do_no_harm_and_what_decodes_encodes_to_the_same_bytes();
    nesting_is_bounded();
}
