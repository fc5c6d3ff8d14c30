/* The one clock by which the daemon measures and plans. */
#ifndef HAR_COMMON_CLOCK_H
#define HAR_COMMON_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC: never set, never steps. */
int64_t har_now_us(void);

#endif
