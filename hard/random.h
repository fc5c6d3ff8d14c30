/* Random numbers that nobody can guess: ids of questions, places of sockets. */
#ifndef HAR_HARD_RANDOM_H
#define HAR_HARD_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of getrandom(2), fetched many at a time. All zero is empty, and ready for use. */
struct random {
    uint8_t bytes[512];
    size_t left; /* the last ones of bytes */
};

uint16_t random_16(struct random *random);

/* Uniform in 0..limit-1, to a bias of less than limit / 2^32; limit is not 0. */
uint32_t random_below(struct random *random, uint32_t limit);

#endif
