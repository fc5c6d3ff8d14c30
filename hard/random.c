#include "hard/random.h"

#include <string.h>
#include <sys/random.h>

/* With up to 256 bytes a call, getrandom is neither interrupted nor short, and once the kernel has
 * started it does not fail: getrandom(2). */
#define CALL_BYTES 256

static void refill(struct random *random)
{
    for (size_t got = 0; got < sizeof random->bytes;) {
        ssize_t more = getrandom(random->bytes + got, CALL_BYTES, 0);
        if (more > 0)
            got += (size_t)more;
    }
    random->left = sizeof random->bytes;
}

static void take(struct random *random, void *bytes, size_t count)
{
    if (random->left < count)
        refill(random);
    uint8_t *from = random->bytes + sizeof random->bytes - random->left;
    memcpy(bytes, from, count);
    memset(from, 0, count); /* a used number is nobody's business */
    random->left -= count;
}

uint16_t random_16(struct random *random)
{
    uint16_t number;
    take(random, &number, sizeof number);
    return number;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    uint32_t number;
    take(random, &number, sizeof number);
    return (uint32_t)((uint64_t)number * limit >> 32);
}
