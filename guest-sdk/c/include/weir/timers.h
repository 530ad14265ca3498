/* Timers of the key that is being worked on. A timer is named by its index in the operator's timers.
 *
 * Key, timer and time are a timer: setting it twice is setting it once, a key may have one at many times, and in one call the last word
 * counts. Both functions fail where the input is not keyed. */
#ifndef WEIR_TIMERS_H
#define WEIR_TIMERS_H

#include "context.h"

WEIR_C_BEGIN

/* Sets a timer to `time`, ms since the Unix epoch. One that is set to a time that has passed fires next. */
void weir_timer_set(weir_context *ctx, uint32_t timer, int64_t time);

/* Deletes a timer that was set to `time`; nothing where it was not. */
void weir_timer_delete(weir_context *ctx, uint32_t timer, int64_t time);

WEIR_C_END
#endif
