/* Timers: what a call does to one is folded, so that the last word counts and the host is told one thing. */
#include "internal.h"

/* What was done to a timer. */
typedef struct timer_change {
    int64_t time;
    uint32_t timer, key;
    bool set;
} timer_change;

static void change(weir_context *ctx, uint32_t timer, int64_t time, bool set) {
    if (ctx->has_failed) return;
    if (timer >= weir_the_operator.timers.len) {
        weir_fail(ctx, "%s sets timer %u, and declares %zu", weir_the_operator.name, timer, weir_the_operator.timers.len);
        return;
    }
    if (ctx->now.key == WEIR_NO_KEY || ctx->phase < WEIR_RECORDS) {
        weir_fail(ctx, "timer `%s` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file",
                  weir_the_operator.timers.items[timer].name);
        return;
    }
    timer_change made = {time, timer, ctx->now.key, set};
    __builtin_memcpy(weir_extend(&ctx->timers, sizeof made), &made, sizeof made);
}

void weir_timer_set(weir_context *ctx, uint32_t timer, int64_t time) { change(ctx, timer, time, true); }
void weir_timer_delete(weir_context *ctx, uint32_t timer, int64_t time) { change(ctx, timer, time, false); }

/* It is the same for changes of the same timer. */
static int compare(const void *a, const void *b, void *with) {
    const timer_change *x = (const timer_change *)a, *y = (const timer_change *)b;
    (void)with;
    if (x->timer != y->timer) return x->timer < y->timer ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->time < y->time ? -1 : x->time > y->time;
}

/* What is told of one timer, of all keys. */
typedef struct timer_columns {
    weir_buffer set_keys, set_times, deleted_keys, deleted_times;
} timer_columns;

static abi_timer_update update_of(uint32_t timer, const timer_columns *columns) {
    abi_timer_update update = {timer,
                               {weir_written(&columns->set_keys), weir_written(&columns->set_times)},
                               {weir_written(&columns->deleted_keys), weir_written(&columns->deleted_times)}};
    return update;
}

static void add(timer_columns *columns, const timer_change *change) {
    weir_push_u32(change->set ? &columns->set_keys : &columns->deleted_keys, change->key);
    weir_push_i64(change->set ? &columns->set_times : &columns->deleted_times, change->time);
}

abi_list weir_timers_finish(weir_context *ctx) {
    timer_change *changes = (timer_change *)(void *)ctx->timers.data;
    size_t len = ctx->timers.size / sizeof *changes;
    abi_list list = {NULL, 0};
    if (len == 0) return list;
    weir_sort(changes, len, sizeof *changes, compare, NULL);
    abi_timer_update *updates =
        (abi_timer_update *)weir_arena_zeroed(&weir_call_arena, weir_the_operator.timers.len * sizeof *updates);
    weir_buffer none = weir_call_buffer();
    timer_columns columns = {none, none, none, none};
    for (size_t at = 0; at < len; at++) {
        bool is_last_word = at + 1 == len || compare(&changes[at], &changes[at + 1], NULL) != 0;
        if (is_last_word) add(&columns, &changes[at]);
        if (at + 1 < len && changes[at + 1].timer == changes[at].timer) continue;
        updates[list.len++] = update_of(changes[at].timer, &columns);
        columns = (timer_columns){none, none, none, none};
    }
    list.items = updates;
    return list;
}
