/* What an operator's functions are given: the record, the timer or the window, and the context through which they do everything else. */
#ifndef WEIR_CONTEXT_H
#define WEIR_CONTEXT_H

#include "bytes.h"

WEIR_C_BEGIN

/* No event time. */
#define WEIR_NO_TIME INT64_MIN

/* The call that is being worked on. */
typedef struct weir_context weir_context;

/* What the functions that stand in these headers know of a call; the rest is the SDK's. */
typedef struct weir_call {
    /* The key that is worked on; UINT32_MAX: none, or something has failed. */
    uint32_t key;
    /* The record, timer or window that is worked on. */
    uint32_t record;
    /* The main output, while it may be written to and each record inherits everything but its value. */
    struct weir_plain_output *plain;
} weir_call;

/* How a function of the operator ends. */
typedef enum weir_status { WEIR_OK = 0, WEIR_FAILED = 1 } weir_status;

/* The bounds of a window, ms since the Unix epoch: from `start` on, up to and without `end`. */
typedef struct weir_window {
    /* False: the operator is not windowed, the window has none (a count, a global one), or they are not known before it fires (a session). */
    bool has_bounds;
    int64_t start;
    int64_t end;
} weir_window;

/* A name and a value that travel beside a record. */
typedef struct weir_header {
    weir_bytes name;
    weir_bytes value;
} weir_header;

/* Headers in order. */
typedef struct weir_headers {
    const weir_header *items;
    size_t len;
} weir_headers;

/* One record. */
typedef struct weir_record {
    /* Absent: the delete of a keyed stream, which is not the empty value. */
    weir_bytes value;
    /* Absent: the record has no key, which is not the empty key. */
    weir_bytes key;
    /* Event time, ms since the Unix epoch; WEIR_NO_TIME: none. */
    int64_t timestamp;
    /* The window that it is shown in, in a windowed operator. */
    weir_window window;
    /* Index into the operator's inputs. */
    uint32_t input;
    /* The number by which the SDK knows it. */
    uint32_t index;
} weir_record;

/* A timer that is due. */
typedef struct weir_fired_timer {
    /* Index into the operator's timers. */
    uint32_t timer;
    /* The key that it was set for. */
    weir_bytes key;
    /* The time that it was set to, ms since the Unix epoch: not the time that it is, which may be later. */
    int64_t time;
} weir_fired_timer;

/* Why a window fires. */
typedef enum weir_reason {
    /* It is complete: its time has come, it is full, or the input has ended. */
    WEIR_ON_TIME = 0,
    /* It goes on, and the job file wants to hear of it meanwhile. */
    WEIR_EARLY = 1,
    /* Records have come that were late, and in time for the job file's `lateness`. */
    WEIR_CORRECTION = 2
} weir_reason;

/* A window of a key that fires. */
typedef struct weir_fired_window {
    weir_bytes key;
    weir_window window;
    weir_reason reason;
    /* How often it has fired before: 0 the first time. */
    uint32_t revision;
    /* Windows that have fired and became part of this one, so that what was said of them holds no more. Sessions alone have any. */
    const weir_window *replaces;
    size_t replaces_len;
} weir_fired_window;

/* Fails what is being worked on: the record, timer or window is named, and the whole call has no effect. The first failure of a call counts.
 * It returns WEIR_FAILED, so that `return weir_fail(ctx, "…");` ends the function. */
weir_status weir_fail(weir_context *ctx, const char *format, ...) WEIR_FORMAT(2, 3);

/* True once something has failed. */
bool weir_has_failed(const weir_context *ctx);

/* WEIR_OK where `bytes` are UTF-8 text. Else it fails, and says that `what` is absent or no text. */
weir_status weir_expect_text(weir_context *ctx, weir_bytes bytes, const char *what);

/* The headers of the record that is being worked on; of timers and windows none. */
weir_headers weir_record_headers(weir_context *ctx);

/* The value of the record's last header of this name; absent where it has none. */
weir_bytes weir_record_header(weir_context *ctx, const char *name);

/* Event time up to which the input is complete, ms since the Unix epoch. It is the same for all records of a batch, and batches may be cut
 * anywhere: what is emitted must not depend on it. WEIR_NO_TIME: there is none yet. INT64_MAX: the input has ended. */
int64_t weir_watermark(const weir_context *ctx);

/* Milliseconds since the Unix epoch, the same for all records of a batch. */
int64_t weir_processing_time(const weir_context *ctx);

/* Adds to one of the operator's counters, whose name has letters, digits, `_`, `-` and `.`, 64 at most. */
void weir_metric(weir_context *ctx, const char *name, int64_t delta);

WEIR_C_END
#endif
