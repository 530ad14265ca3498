/* Whole numbers that are large enough for what lies between decimal digits and floats. */
#ifndef WEIR_BIG_PRIVATE_H
#define WEIR_BIG_PRIVATE_H

#include "internal.h"

/* Enough for 400 digits, and for 2^1075 times as much. */
#define WEIR_LIMBS 80

/* Lowest 32 bits first. */
typedef struct weir_big {
    uint32_t limbs[WEIR_LIMBS];
    int len;
} weir_big;

/* number * factor + more. */
void weir_big_times(weir_big *number, uint32_t factor, uint32_t more);

/* number * 2^bits. */
void weir_big_shift(weir_big *number, int bits);

int weir_big_compare(const weir_big *a, const weir_big *b);

/* How many bits it has. */
int weir_big_bits(const weir_big *number);

/* Takes what is no larger away. */
void weir_big_subtract(weir_big *from, const weir_big *number);

void weir_big_add(weir_big *to, const weir_big *number);

#endif
