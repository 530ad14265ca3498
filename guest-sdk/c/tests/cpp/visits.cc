// An operator in C++, over the headers that C uses, with a type of each kind.
#include <weir.h>

// Its constructor has run before the first record.
struct Registry {
    int64_t base;
    Registry() : base(static_cast<int64_t>(weir_text("constructed").size)) {}
};
static Registry registry;

#define VISITS(FIELD) FIELD(u64, count) FIELD(string, last) FIELD(bool, seen)
WEIR_RECORD(Visits, VISITS)
WEIR_LIST(Names, string)
WEIR_OPTION(MaybeNames, Names)
WEIR_MAP(Counts, string, u64)
#define ROUTE(FIELD) FIELD(string, from) FIELD(string, to)
WEIR_TUPLE(Route, ROUTE)
#define ORDER(CASE, CASE_OF) CASE(ORDER_PENDING, pending) CASE_OF(ORDER_SHIPPED, shipped, Route)
WEIR_ENUM(Order, ORDER)
#define ALL(FIELD) \
    FIELD(Names, names) FIELD(MaybeNames, maybe) FIELD(Counts, counts) FIELD(Order, order) FIELD(Route, route) FIELD(f32, ratio) \
    FIELD(unit, nothing) FIELD(bytes, data) FIELD(i8, small)
WEIR_RECORD(All, ALL)

WEIR_VALUE_STATE(visits, Visits, .version = 3)
WEIR_VALUE_STATE(all, All)
WEIR_LIST_STATE(history, string, .name = "the-history")
WEIR_MAP_STATE(by_value, string, u64, .ttl = {.ms = WEIR_DAYS(1), .domain = WEIR_PROCESSING_TIME})
static weir_state *const states[] = {&visits, &all, &history, &by_value};
static const weir_output outputs[] = {{"out", {"visit", 1}}, {"often", {}}};

static weir_status process(weir_context *ctx, const weir_record *record) {
    auto *now = visits_update(ctx);
    now->count++;
    now->last = record->value;
    history_append(ctx, record->value);
    uint64_t before = 0;
    by_value_get(ctx, record->value, &before);
    by_value_put(ctx, record->value, before + 1);

    auto *kept = all_update(ctx);
    Names_push(&kept->names, record->value);
    Counts_push(&kept->counts, weir_format("n%d", static_cast<int>(kept->counts.len)), kept->counts.len);
    kept->order.which = kept->names.len % 2 == 0 ? ORDER_SHIPPED : ORDER_PENDING;
    if (kept->order.which == ORDER_SHIPPED) kept->order.shipped = Route{weir_text("x"), weir_text("y")};
    kept->maybe.some = true;
    kept->maybe.value = kept->names;
    kept->ratio = 0.5f;
    kept->small = -7;
    kept->data = weir_text("\xff");
    weir_emitf(ctx, "%llu %lld %.3f", static_cast<unsigned long long>(now->count), static_cast<long long>(registry.base), 2.0005);
    return WEIR_OK;
}

WEIR_OPERATOR = {
    .name = "cpp-visits",
    .version = "1.2.3",
    .outputs = WEIR_ARRAY(outputs),
    .states = WEIR_ARRAY(states),
    .process = process,
};
