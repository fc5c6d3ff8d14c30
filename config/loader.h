/* Inside the loader: what its files share. Nothing outside config/ includes this.
 *
 *   load.c        files and the top level
 *   load_names.c  names defined twice, the order of hosts
 *   load_host.c   a host and its candidates
 *   load_check.c  a check, laid over the one that it inherits from
 *   load_object.c any JSON object: its members sorted under the rows of schema.c
 *   value.c       one value, as its row says; value_name.c names and addresses, value_list.c lists
 *   report.c      what is wrong, a line each, in the words of words.c
 *
 * A function that reads says whether it got a value. If not, what is wrong is in the report
 * already, or the memory has failed; the caller goes on with the next value, so that all is
 * reported. */
#ifndef HAR_CONFIG_LOADER_H
#define HAR_CONFIG_LOADER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "config/config.h"
#include "config/memory.h"
#include "config/schema.h"
#include "config/words.h"

/* A check while layer after layer is laid over it. What depends on other keys, and was not given
 * yet, is zero: port, host, fast_interval_ms, timeout_ms. */
struct check_draft {
    struct config_check check;
    bool type_unknown; /* it was given wrong: what depends on it is not looked at */
};

struct host_draft {
    struct config_host host;
    struct check_draft check;
};

/* A host as it was read, before all are sorted. */
struct loaded_host {
    struct loaded_host *next;
    struct config_host host;
    const char *file;    /* where it stands */
    const char *written; /* the name there */
    bool in_hosts;       /* under "hosts", not at the top of a file of hosts.d */
};

struct loaded_check {
    struct loaded_check *next;
    struct config_check *check;
};

struct loader {
    struct config *config;        /* what is being built */
    struct memory *memory;        /* for all of it */
    struct memory *scratch;       /* for the time of loading */
    const char *file;             /* that is being read, as the operator knows it */
    const char *folder;           /* where relative paths begin: absolute, that of the main file */
    struct config_check plain;    /* a check that nobody wrote a word about */
    struct config_candidate bare; /* a candidate of which nothing is known but its defaults */
    struct host_draft defaults;   /* what every host starts from */
    struct loaded_host *hosts, **hosts_end;
    size_t host_count;
    struct loaded_check *checks;
    struct config_report *report;
    enum har_code code; /* the first thing wrong */
    bool failed;        /* a line of the report was lost for want of memory */
};

/* --- report.c --- */

/* Adds "FILE: PLACE: message". */
void report_value(struct loader *loader, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds "... found VALUE; allowed: message". */
void report_found(struct loader *loader, const struct place *place, const json_t *found,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for a text that is no value: a name that is a key. */
void report_quoted(struct loader *loader, const struct place *place, const char *found,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, allowed being what the row says. */
void report_row(struct loader *loader, const struct place *place, const struct schema_key *key,
                const json_t *found);
void report_missing(struct loader *loader, const struct place *place, const struct schema_key *key);
void report_unknown(struct loader *loader, const struct place *place, enum schema_scope scope,
                    const char *name);
/* Adds "... name is defined already in FILE: PLACE". */
void report_taken(struct loader *loader, const struct place *place, const char *name,
                  const char *first_file, const struct place *first_place);
/* Adds "FILE: what: errno's text". */
void report_errno(struct loader *loader, const char *what, int error);
/* Adds "FILE:LINE:COL: message". */
void report_syntax(struct loader *loader, const json_error_t *error);

/* --- load_object.c --- */

/* Sorts the members of a JSON object under their rows: values[i] is that of row i, or NULL.
 * Reports unknown keys. False when it is no object at all. */
bool object_sort(struct loader *loader, const struct place *place, enum schema_scope scope,
                 const json_t *json, const json_t *values[SCHEMA_KEYS_MAX]);

/* Sets of rows, a bit 1 << row each. */
struct object_rows {
    uint32_t read, refused;
};

/* Reads into object every value there is that has no function of its own. */
struct object_rows object_read(struct loader *loader, const struct place *place,
                               enum schema_scope scope, const json_t *const values[SCHEMA_KEYS_MAX],
                               void *object);

/* Sets the constant defaults of a scope's rows. */
void object_defaults(struct loader *loader, enum schema_scope scope, void *object);

/* Is it a comment? */
bool object_is_comment(const char *key);

/* --- value.c, value_name.c, value_list.c --- */

/* One value on its way from JSON into its struct. */
struct value {
    struct loader *loader;
    const struct place *place;
    const struct schema_key *key;
    const json_t *json;
    void *object; /* the struct of the row's scope */
};

bool value_read(const struct value *value);
/* Reports what the row allows; false. */
bool value_refuse(const struct value *value);
/* May that be a server's, as har_address_unusable has it? json: the value that it was in. */
bool value_is_usable(struct loader *loader, const struct place *place, const json_t *json,
                     const struct har_address *address);
/* The address of a server. allowed: the words for an error. */
bool value_read_address(struct loader *loader, const struct place *place, const json_t *json,
                        const char *allowed, struct har_address *out);
/* A host name as written in text; *out is its key. */
bool value_read_name(struct loader *loader, const struct place *place, const char *text,
                     char **out);
bool value_read_server(const struct value *value, struct config_candidate *candidate);
bool value_read_upstreams(const struct value *value, struct config *config);
bool value_read_names(const struct value *value, struct config_host *host);
bool value_read_headers(const struct value *value, struct config_check *check);
bool value_read_statuses(const struct value *value, struct config_check *check);
bool value_read_failure_mode(const struct value *value, struct config_host *host);

/* --- load_check.c --- */

/* Lays what json gives over draft. */
void check_overlay(struct loader *loader, const struct place *place, const json_t *json,
                   struct check_draft *draft);
/* Makes a check of it, complete, owned by the configuration; host is the name it belongs to. place
 * is where its keys belong. NULL when something is missing. */
const struct config_check *check_finish(struct loader *loader, const struct place *place,
                                        const struct check_draft *draft, char *host);

/* --- load_host.c --- */

/* Lays the object "defaults" over loader->defaults. */
void host_read_defaults(struct loader *loader, const struct place *place, const json_t *json);
/* Reads a host into *out. name is its key; an empty text if it has no good one. */
void host_read(struct loader *loader, const struct place *place, const json_t *json, char *name,
               struct config_host *out);

/* --- load_names.c --- */

/* Fills hosts, an array of loader->host_count, sorted by name; reports every name that means two.
 * False without memory. */
bool names_sort(struct loader *loader, struct config_host *hosts);

#endif
