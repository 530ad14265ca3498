/* What an operator declares: the table that its file defines as WEIR_OPERATOR. */
#ifndef WEIR_OPERATOR_H
#define WEIR_OPERATOR_H

#include "context.h"
#include "json.h"
#include "state.h"

WEIR_C_BEGIN

/* The name and version of a record type. */
typedef struct weir_record_schema {
    const char *id;
    uint32_t version;
} weir_record_schema;

/* How the records of an input have to come; a job that feeds it otherwise is refused. */
typedef enum weir_partitioning {
    /* As the job says. */
    WEIR_ANY = 0,
    /* By key, `by = "key"` in the job file: each record brings its key's state. */
    WEIR_BY_KEY = 1,
    /* To every subtask, `by = "broadcast"` in the job file: they may change broadcast state, and bring no state by key. */
    WEIR_BROADCAST = 2
} weir_partitioning;

/* What records come from. */
typedef struct weir_input {
    const char *name;
    weir_partitioning by;
    /* Record types that it takes; none: any. */
    const weir_record_schema *accepts;
    size_t accepts_len;
} weir_input;

/* Where records go. The names `quarantine` and `late` are the host's. */
typedef struct weir_output {
    const char *name;
    /* Its `id` is NULL where the records are not described. */
    weir_record_schema schema;
} weir_output;

/* A timer that keys may have. */
typedef struct weir_timer {
    const char *name;
    weir_time_domain domain;
} weir_timer;

/* What an operator is told when it is opened. */
typedef struct weir_setup {
    /* What the job file's `config` holds: an object, empty where there is none. */
    const weir_json *config;
    /* For each input what its source says of the records (csv: the header row); absent where no source feeds it directly. */
    const weir_bytes *schemas;
    size_t schemas_len;
    /* Which part of the operator this is, from 0, and of how many. */
    uint32_t subtask;
    uint32_t parallelism;
    /* It is fixed for the operator and subtask: it seeds chance that a replay repeats. */
    uint64_t seed;
} weir_setup;

/* A value of an older version of a state: a value, an item of a list, the value of an entry of a map or of broadcast state. */
typedef struct weir_old_value {
    /* The name of the state. */
    weir_bytes state;
    uint32_t from_version;
    weir_bytes bytes;
} weir_old_value;

/* An operator. Functions that it does not need are left out. */
typedef struct weir_operator {
    const char *name;
    const char *version;
    /* None: one input `in`. */
    struct {
        const weir_input *items;
        size_t len;
    } inputs;
    /* None: one output `out`. The first is the main one. */
    struct {
        const weir_output *items;
        size_t len;
    } outputs;
    struct {
        weir_state *const *items;
        size_t len;
    } states;
    struct {
        const weir_timer *items;
        size_t len;
    } timers;
    /* The job file gives the operator windows, and it keeps its state by key and window. `process` then changes the state of the record's
     * window and does nothing else; `on_window` reads it and emits. It has no timers, and no state a time to live. */
    bool windowed;
    /* Makes the operator. A failure fails the job with its message. Without it any setting in `config` is refused. */
    weir_status (*open)(weir_context *ctx, const weir_setup *setup);
    /* Works one record off. After a failure the whole batch had no effect and the record stands named: the job fails or quarantines it, as
     * its file says. */
    weir_status (*process)(weir_context *ctx, const weir_record *record);
    /* Works one timer off that is due, with its key's state. It is gone when this is called, and may be set anew. */
    weir_status (*on_timer)(weir_context *ctx, const weir_fired_timer *fired);
    /* Works one window of a key off that fires, with its state, which is read and not changed. */
    weir_status (*on_window)(weir_context *ctx, const weir_fired_window *fired);
    /* Brings one value to the version that is declared: puts its bytes to `out`. The new value follows from the old one alone; there is no
     * opened operator then, no record and no log. Without it values of an older version are refused as by weir_unknown_version. */
    weir_status (*migrate)(weir_context *ctx, const weir_old_value *old, weir_buffer *out);
} weir_operator;

/* The operator of this component. */
extern const weir_operator weir_the_operator;

/* Fails: there is no way from that state or version. The job does not start, and keeps its checkpoint. */
weir_status weir_unknown_version(weir_context *ctx, const weir_old_value *old);

/* It makes the linker take the component's exports out of an archive. */
extern const char weir_exports_are_linked;

/* What the linker misses where no file defines the operator. */
extern const char no_file_has_WEIR_OPERATOR;

WEIR_C_END

/* An array with its length, for the tables of an operator: `.states = WEIR_ARRAY(states)`. */
#define WEIR_ARRAY(array) {(array), sizeof(array) / sizeof *(array)}

/* Defines the operator: WEIR_OPERATOR = {.name = "count", .version = "0.1.0", .process = process}; */
#ifdef __cplusplus
#define WEIR_OPERATOR \
    extern "C" const char *const weir_links_exports = &weir_exports_are_linked; \
    extern "C" const char no_file_has_WEIR_OPERATOR = 0; \
    extern "C" const weir_operator weir_the_operator
#else
#define WEIR_OPERATOR \
    const char *const weir_links_exports = &weir_exports_are_linked; \
    const char no_file_has_WEIR_OPERATOR = 0; \
    const weir_operator weir_the_operator
#endif

#endif
