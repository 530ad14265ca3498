/* The types of wit/operator.wit as the canonical ABI lays them out. A list and a string are a pointer and a length; a struct of C has the
 * layout of a record of the same fields. An option is a byte that says whether it is there, and what may be, aligned. */
#ifndef WEIR_ABI_PRIVATE_H
#define WEIR_ABI_PRIVATE_H

#include "../include/weir/bytes.h"

#define WEIR_ABI_VERSION "0.2.0"
#define WEIR_GUEST "weir:operator/guest@" WEIR_ABI_VERSION
#define WEIR_COLLECTIONS "weir:operator/collections@" WEIR_ABI_VERSION
#define WEIR_LOGGING "weir:operator/logging@" WEIR_ABI_VERSION

/* A list of anything but bytes. */
typedef struct abi_list {
    const void *items;
    size_t len;
} abi_list;

typedef struct abi_column {
    weir_bytes data, ends;
} abi_column;

typedef struct abi_keyed_column {
    weir_bytes keys;
    abi_column items;
} abi_keyed_column;

typedef struct abi_headers {
    weir_bytes ends;
    abi_column names, values;
} abi_headers;

typedef struct abi_context {
    uint32_t input;
    int64_t watermark, processing_time;
} abi_context;

typedef struct abi_windows {
    weir_bytes starts, ends;
} abi_windows;

typedef struct abi_batch {
    abi_column keys;
    weir_bytes key_of, keyless;
    abi_column values;
    weir_bytes valueless;
    abi_headers headers;
    weir_bytes timestamps;
    /* Of abi_keyed_column. */
    abi_list states;
    bool is_windowed;
    abi_windows windows;
} abi_batch;

typedef struct abi_process_call {
    abi_context context;
    abi_batch batch;
} abi_process_call;

typedef struct abi_window_batch {
    abi_column keys;
    abi_windows windows;
    weir_bytes reasons, revisions;
    abi_keyed_column replaces;
    abi_list states;
} abi_window_batch;

typedef struct abi_windows_call {
    abi_context context;
    abi_window_batch fired;
} abi_windows_call;

typedef struct abi_output {
    uint32_t output;
    weir_bytes passes, cause;
    abi_column values;
    weir_bytes valueless;
    abi_column keys;
    weir_bytes keyless;
    bool has_headers;
    abi_headers headers;
    weir_bytes timestamps;
} abi_output;

typedef struct abi_value_update {
    uint32_t state;
    weir_bytes cleared;
    abi_keyed_column set;
} abi_value_update;

typedef struct abi_key_counts {
    weir_bytes keys, counts;
} abi_key_counts;

typedef struct abi_list_update {
    uint32_t state;
    weir_bytes cleared;
    abi_key_counts popped, truncated;
    abi_keyed_column append;
} abi_list_update;

typedef struct abi_map_update {
    uint32_t state;
    weir_bytes cleared;
    abi_keyed_column removed, put;
    abi_column values;
} abi_map_update;

typedef struct abi_broadcast_update {
    uint32_t state;
    bool cleared;
    abi_column removed, put, values;
} abi_broadcast_update;

typedef struct abi_touch {
    uint32_t state;
    weir_bytes keys;
} abi_touch;

typedef struct abi_timers {
    weir_bytes keys, times;
} abi_timers;

typedef struct abi_timer_update {
    uint32_t timer;
    abi_timers set, deleted;
} abi_timer_update;

typedef struct abi_metric {
    weir_bytes name;
    int64_t delta;
} abi_metric;

typedef struct abi_effects {
    abi_list outputs, values, lists, maps, broadcasts, touched, timers, metrics;
} abi_effects;

typedef struct abi_failure {
    bool has_cause;
    uint32_t cause;
    weir_bytes message;
} abi_failure;

typedef struct abi_effects_result {
    bool failed;
    union {
        abi_effects effects;
        abi_failure failure;
    } as;
} abi_effects_result;

typedef struct abi_column_result {
    bool failed;
    union {
        abi_column column;
        weir_bytes message;
    } as;
} abi_column_result;

typedef struct abi_open_result {
    bool failed;
    weir_bytes message;
} abi_open_result;

typedef struct abi_optional_text {
    bool some;
    weir_bytes text;
} abi_optional_text;

typedef struct abi_record_schema {
    weir_bytes id;
    uint32_t version;
} abi_record_schema;

typedef struct abi_input {
    weir_bytes name;
    abi_list accepts;
    uint8_t partitioning;
} abi_input;

typedef struct abi_output_decl {
    weir_bytes name;
    bool has_schema;
    abi_record_schema schema;
} abi_output_decl;

typedef struct abi_ttl {
    uint64_t ms;
    uint8_t domain;
    bool refresh_on_read;
} abi_ttl;

typedef struct abi_state_decl {
    weir_bytes name;
    uint8_t kind;
    weir_bytes schema;
    uint32_t version;
    bool has_ttl;
    abi_ttl ttl;
    bool merges;
} abi_state_decl;

typedef struct abi_timer_decl {
    weir_bytes name;
    uint8_t domain;
} abi_timer_decl;

typedef struct abi_descriptor {
    weir_bytes name, version;
    abi_list inputs, outputs, states, timers;
    bool windowed;
} abi_descriptor;

typedef struct abi_list_page {
    abi_column items;
    bool has_next;
    uint64_t next;
} abi_list_page;

typedef struct abi_map_page {
    abi_column entries, values;
    bool has_next;
    weir_bytes next;
} abi_map_page;

/* The sizes that the canonical ABI gives, where pointers have four bytes. */
#ifdef __wasm__
_Static_assert(sizeof(abi_batch) == 132 && offsetof(abi_process_call, batch) == 24, "batch");
_Static_assert(sizeof(abi_output) == 4 + 16 + 16 + 8 + 16 + 8 + 44 + 8, "output");
_Static_assert(sizeof(abi_state_decl) == 56, "state-decl");
_Static_assert(sizeof(abi_list_page) == 32, "list-page");
_Static_assert(sizeof(abi_map_page) == 44, "map-page");
_Static_assert(sizeof(abi_effects_result) == 68, "result<effects, failure>");
#endif

#endif
