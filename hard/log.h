/* The log: one key=value line an event, to standard error.
 *
 *   time=2026-11-22T20:31:44.120Z level=notice event=state host=api.example.com ... */
#ifndef HAR_HARD_LOG_H
#define HAR_HARD_LOG_H

#include <stdbool.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

/* Lines less urgent than level are not written. LOG_NOTICE until it is called. */
void log_set_level(int level);

/* Whether a line of this level would be written; to spare the work of wording it. */
bool log_wants(int level);

/* Writes one line: event, then pairs of key and value up to a NULL key. A pair whose value is NULL
 * is left out. A value with anything but plain visible characters is quoted, and control bytes
 * in it are escaped, so that no peer can forge a line; one line is at most 4,096 bytes. The line
 * goes out in one write(2), or is dropped when that would wait: whoever reads the log must not be
 * able to stop the daemon. errno is kept. */
void log_event(int level, const char *event, ...) __attribute__((sentinel));

#endif
