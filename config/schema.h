/* Every key of a configuration file, one row each: its type, bounds, default, unit and one line of
 * help. The loader, the dumper, "did you mean" and the manual's table read these rows; nothing else
 * knows how a key is spelled, what it may hold or what it is when nobody gives it. */
#ifndef HAR_CONFIG_SCHEMA_H
#define HAR_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The objects of a file, and the rows of each in the order in which they are read and dumped. */
enum schema_scope {
    SCOPE_TOP,       /* struct config */
    SCOPE_HOST,      /* struct config_host */
    SCOPE_CANDIDATE, /* struct config_candidate */
    SCOPE_CHECK,     /* struct config_check */
    SCOPE_TLS,       /* struct config_check: its part about TLS */
    SCOPE_COUNT
};

enum top_key {
    TOP_UPSTREAMS,
    TOP_UPSTREAM_TIMEOUT,
    TOP_RANKING_DB,
    TOP_STATE_DB,
    TOP_CONTROL_SOCKET,
    TOP_MAX_STALE,
    TOP_DEFAULTS,
    TOP_HOSTS
};

enum host_key {
    HOST_ALIASES, /* before the candidates, which must not be named like one */
    HOST_CHECK,   /* before the candidates, which inherit it */
    HOST_CANDIDATES,
    HOST_SELECTION,
    HOST_RTT_MODE,
    HOST_GROUP_RTT_THRESHOLD,
    HOST_MAX_RTT,
    HOST_SWITCH_MARGIN,
    HOST_SWITCH_RATIO,
    HOST_SWITCH_HOLD,
    HOST_FAILURE_MODE,
    HOST_ANSWERS,
    HOST_FAMILY,
    HOST_TTL
};

enum candidate_key {
    CANDIDATE_ADDRESS,
    CANDIDATE_NAME,
    CANDIDATE_PRIORITY,
    CANDIDATE_WEIGHT,
    CANDIDATE_CHECK
};

enum check_key {
    CHECK_KEY_TYPE, /* first: it decides which others apply */
    CHECK_KEY_PORT,
    CHECK_KEY_PATH,
    CHECK_KEY_METHOD,
    CHECK_KEY_HOST,
    CHECK_KEY_HEADERS,
    CHECK_KEY_STATUS,
    CHECK_KEY_BODY,
    CHECK_KEY_BODY_REGEX,
    CHECK_KEY_TLS,
    CHECK_KEY_SEND,
    CHECK_KEY_EXPECT,
    CHECK_KEY_INTERVAL,
    CHECK_KEY_FAST_INTERVAL,
    CHECK_KEY_TIMEOUT,
    CHECK_KEY_TRIPWIRE,
    CHECK_KEY_RISE,
    CHECK_KEY_FALL
};

enum tls_key { TLS_VERIFY, TLS_CA_FILE, TLS_CERT_FILE, TLS_KEY_FILE };

#define SCHEMA_KEYS_MAX 32 /* rows of one object: a set of them fits a uint32_t */

/* What a value is, and what is stored at the row's offset for it. */
enum schema_kind {
    KIND_DURATION,     /* uint32_t, in the row's unit */
    KIND_NUMBER,       /* unsigned */
    KIND_RATIO,        /* double, the nearest to a whole number of millionths */
    KIND_PORT,         /* uint16_t */
    KIND_SWITCH,       /* bool */
    KIND_WORD,         /* an enum */
    KIND_TEXT,         /* char * */
    KIND_LABEL,        /* char *, no blank or control byte */
    KIND_URL_PATH,     /* char *, begins with '/', no blank or control byte */
    KIND_REGEX,        /* char *; body_regex_compiled beside it */
    KIND_NAME,         /* char *, a host name as its key (common/name.h) */
    KIND_FILE,         /* char *, absolute, readable when it was loaded */
    KIND_PATH,         /* char *, absolute */
    KIND_SERVER,       /* address, or host_name */
    KIND_UPSTREAMS,    /* upstreams and their count */
    KIND_NAMES,        /* aliases and their count */
    KIND_HEADERS,      /* headers and their count */
    KIND_STATUSES,     /* statuses and their count */
    KIND_FAILURE_MODE, /* failure_mode, failure_addresses and their count */
    KIND_CANDIDATES,   /* candidates and their count */
    KIND_OBJECT        /* one with rows of its own; nothing is stored for it */
};

/* What a KIND_DURATION is stored in, as microseconds. */
enum schema_unit { UNIT_US = 1, UNIT_MS = 1000, UNIT_S = 1000000 };

struct schema_word {
    const char *text; /* NULL ends a list */
    int value;
};

struct schema_key {
    const char *name;
    enum schema_kind kind;
    enum schema_unit unit;           /* KIND_DURATION */
    uint32_t min, max;               /* both allowed: the number, units, bytes, or elements */
    const struct schema_word *words; /* KIND_WORD, KIND_FAILURE_MODE */
    size_t offset;                   /* in the struct of its scope */
    unsigned types; /* SCOPE_CHECK: a bit 1 << enum check_type for each that has it */
    bool required;
    bool single;          /* each host has its own: not in defaults */
    const char *fallback; /* the default as JSON; "null": none, and null undoes an inherited one */
    const char *fallback_text; /* the default in words, when it depends on others */
    const char *none_text;     /* what null means, where that is not "none" */
    const char *help;
};

struct schema_object {
    const char *title; /* "a host" */
    const struct schema_key *keys;
    size_t count;
};

const struct schema_object *schema_object(enum schema_scope scope);

/* The row of that name, or NULL. */
const struct schema_key *schema_find(enum schema_scope scope, const char *name);

/* The name that was probably meant: one a few slips of the keyboard away, or NULL. */
const char *schema_nearest(enum schema_scope scope, const char *name);

/* The first other object that has a key of exactly that name, or NULL. */
const struct schema_object *schema_elsewhere(enum schema_scope scope, const char *name);

/* May it be null, which is "none"? */
bool schema_optional(const struct schema_key *key);

/* The word for value. It must be one of the list. */
const char *schema_word(const struct schema_word *words, int value);

#endif
