/* What the files of harctl share. A command builds a request for the daemon (hard/control.h says
 * which, and what comes back), and words the answer for a person. */
#ifndef HAR_HARCTL_HARCTL_H
#define HAR_HARCTL_HARCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_USAGE = 2 };

struct options {
    const char *socket; /* path */
    bool json;          /* print the answer as it came */
    uint32_t for_s;     /* --for; 0: not given */
    const char *reason; /* --reason, or NULL */
    bool failing;       /* --failing */
};

struct command {
    const char *word;
    const char *arguments; /* for the usage */
    const char *help;
    int min, max;          /* arguments */
    bool overrides;        /* takes --for and --reason */
    bool selects;          /* takes --failing */
    bool patient;          /* waits for its answer without end: what it asks for takes its time */
    const char *last_word; /* what the last argument must be, "up|down"; or NULL */
    /* A new request for so many arguments, or NULL without memory. */
    json_t *(*request)(const struct options *options, char **arguments, int count);
    /* Words an answer that is well, on standard output. */
    void (*show)(const struct options *options, const json_t *answer);
    bool (*is_healthy)(const json_t *answer); /* NULL: it is */
};

extern const struct command command_status, command_explain, command_check, command_drain,
    command_force, command_auto, command_reload;

/* --- ask.c: talking to the daemon --------------------------------------------------------------
 */

/* Sends request, which it borrows, and waits for the answer: a line without its line break, for
 * free(3). NULL when there is none, and then it has told why on standard error. */
char *ask(const struct options *options, const struct command *command, const json_t *request);

/* --- print.c: words for a person ---------------------------------------------------------------
 */

/* The values of an answer, whatever it holds. */
const char *text_of(const json_t *object, const char *key); /* NULL if it is none */
bool number_of(const json_t *object, const char *key, double *number);

/* A text with everything escaped that a terminal would obey. */
void print_text(FILE *out, const char *text);

/* Times as people read them: the first in the unit in which it is two or more ("119s", "3h"), the
 * second with three digits ("12.3ms"). "-" if the key holds none. For free(3); the program ends
 * when there is no memory. */
char *age_words(const json_t *object, const char *key);
char *latency_words(const json_t *object, const char *key);

/* As printf into a text for free(3), likewise. */
char *words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "192.0.2.1:80", "[2001:db8::1]:80"; without a port if that is 0. "-" without address. */
char *address_words(const json_t *object);

/* "192.0.2.1, 192.0.2.2", "nothing". */
char *answer_words(const json_t *host);

/* One word for what the operator says: "drained", "forced up"; NULL without an override. */
const char *override_word(const json_t *override);

/* How long and why, of an override: " for another 58m (upgrade)"; of one that was made just now
 * " for 2h, until 03:41"; without end " until `harctl auto HOST CANDIDATE`". */
char *override_end_words(const json_t *override, const char *host, const char *candidate,
                         bool is_new);

/* A table, whose columns are as wide as their widest cell. Owns the cells that it is given. */
struct table {
    size_t columns, count, room; /* cells */
    unsigned right;              /* a bit for each column of figures, the first the lowest */
    char **cells;
};
void table_add(struct table *table, char *cell);
void table_print(struct table *table, FILE *out); /* and empties it */

/* --- notes.c: what is wrong with a host --------------------------------------------------------
 */

/* Somebody is eligible, and this machine is not cut off. */
bool host_is_healthy(const json_t *host);

/* There is nothing to say of it: it is healthy, and so is every endpoint, and nobody overrides. */
bool host_is_well(const json_t *host);

/* A line for each thing that is not as it should be. */
void print_host_notes(const json_t *host);

/* The one that says who is answered when nobody is eligible; object is a host, or what overrides
 * are answered with. */
void print_failing(FILE *out, const json_t *object);

/* "401 hosts, 2 with nobody eligible, 3 endpoints down, 1 override" */
void print_summary(const json_t *hosts);

#endif
