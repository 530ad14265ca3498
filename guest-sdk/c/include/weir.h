/* weir's SDK for operators in C and C++.
 *
 * An operator is a function of a record and a context, and one table, WEIR_OPERATOR, that says what it declares. The README beside this
 * folder shows how one is written; each header below says what its functions promise.
 *
 * Memory: what the SDK hands out lives until the function that was called returns (`process`, `on_timer`, `on_window`, `migrate`), and what
 * it hands out in `open` lives as long as the instance. There is nothing to free.
 *
 * Failure: a call that fails says so once, to the context. It gives something harmless back, and the record counts as failed whatever its
 * function returns, so that only what matters on the way has to be looked at. */
#ifndef WEIR_H
#define WEIR_H

#include "weir/bytes.h"
#include "weir/context.h"
#include "weir/csv.h"
#include "weir/emit.h"
#include "weir/json.h"
#include "weir/log.h"
#include "weir/operator.h"
#include "weir/state.h"
#include "weir/timers.h"
#include "weir/types.h"

#endif
