/* Durations as operators write them: "250ms", "1.5s", "2m", "1h", "1d". Pure. */
#ifndef HAR_CONFIG_DURATION_H
#define HAR_CONFIG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define DURATION_TEXT_MAX 32 /* bytes, with the NUL */

/* Reads digits, perhaps a fraction, and a unit, without blanks. False, and *us untouched, for
 * anything else, for a part of a microsecond, and for more than DURATION_MAX_US. */
bool duration_parse(const char *text, uint64_t *us);
#define DURATION_MAX_US UINT64_C(1000000000000000) /* some 31 years */

/* The same for a plain number of seconds, rounded to a microsecond. */
bool duration_from_seconds(double seconds, uint64_t *us);

/* Writes the shortest exact text: "90s", not "1.5m", and "1d", not "24h". Returns text. */
char *duration_format(uint64_t us, char text[DURATION_TEXT_MAX]);

/* As people read them: rounded down, in the unit in which it is two or more ("119s", "3h"); and a
 * short one rounded to three digits ("12.3ms"). */
char *duration_format_age(uint64_t us, char text[DURATION_TEXT_MAX]);
char *duration_format_latency(uint64_t us, char text[DURATION_TEXT_MAX]);

#endif
