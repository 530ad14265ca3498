/* Finds fields of one CSV row (RFC 4180) by their columns, reading no further than the last of them: for operators behind a csv source, which
 * hands them rows as values and the header as `setup->schemas`. */
#ifndef WEIR_CSV_H
#define WEIR_CSV_H

#include "context.h"

WEIR_C_BEGIN

/* Columns that may be asked for at once. */
#define WEIR_CSV_COLUMNS 32

/* The columns that are wanted of each row. */
typedef struct weir_csv {
    uint32_t wanted;
    /* In the order of the row: the column, and its place among the names. */
    struct {
        uint32_t column;
        uint32_t place;
    } ascending[WEIR_CSV_COLUMNS];
} weir_csv;

/* Finds the columns `names`, which end with NULL, of rows under `header`. A name has to stand there once, and be asked for once; it fails
 * with the header where it does not. */
weir_status weir_csv_find(weir_context *ctx, weir_bytes header, const char *const *names, weir_csv *csv);

/* The wanted fields in the order of the names. Fields in quotes lose them. It fails where the row has too few fields or is none. */
weir_status weir_csv_read(weir_context *ctx, const weir_csv *csv, weir_bytes row, weir_bytes *fields);

WEIR_C_END
#endif
