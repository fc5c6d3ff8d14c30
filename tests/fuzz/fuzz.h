/* What libFuzzer and tests/fuzz/replay.c ask of a target: any bytes, taken in without a crash, a
 * hang or a broken promise. A promise is an assertion that holds in every build. */
#ifndef HAR_TESTS_FUZZ_FUZZ_H
#define HAR_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
