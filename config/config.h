/* What an operator wrote, checked and complete: every default is filled in, every path absolute,
 * every name a key (common/name.h). Built whole by config_load, then never changed, so that it can
 * be read without a lock and dropped at once. */
#ifndef HAR_CONFIG_CONFIG_H
#define HAR_CONFIG_CONFIG_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/error.h"

#define CONFIG_NO_LIMIT UINT32_MAX /* max_rtt_us that was not set */
#define CONFIG_ANSWERS_MAX 16
#define CONFIG_CANDIDATES_MAX 256
#define CONFIG_UPSTREAMS_MAX 16

enum check_type { CHECK_HTTP, CHECK_HTTPS, CHECK_TCP, CHECK_TLS, CHECK_NONE };
enum http_method { METHOD_GET, METHOD_HEAD };
enum selection { SELECT_BEST_RTT, SELECT_GROUP_RTT_RR, SELECT_ORDERED };
enum rtt_mode { RTT_TOTAL, RTT_CONNECT };
enum failure_mode { FAILURE_ALL, FAILURE_LAST, FAILURE_NONE, FAILURE_FORWARD, FAILURE_ADDRESSES };
enum family { FAMILY_ANY, FAMILY_BEST, FAMILY_IPV4, FAMILY_IPV6 };

struct config_status_range {
    uint16_t low, high; /* both included */
};

/* A resolver for the names that are not ours. */
struct config_upstream {
    struct har_address address;
    uint16_t port;     /* host order */
    uint32_t scope_id; /* interface of a link-local address; else 0 */
};

/* How to check one candidate. Shared: candidates without an override point to their host's. */
struct config_check {
    enum check_type type;
    uint16_t port; /* host order; 0 for CHECK_NONE */
    char *path;    /* http, https: begins with '/' */
    enum http_method method;
    char *host;     /* Host header and TLS server name; never NULL */
    char **headers; /* "Name: value" lines */
    size_t header_count;
    struct config_status_range *statuses;
    size_t status_count;
    char *body;       /* text that the body holds, or NULL */
    char *body_regex; /* POSIX extended expression that it matches, or NULL */
    regex_t *body_regex_compiled;
    bool tls_verify;
    char *ca_file, *cert_file, *key_file; /* or NULL */
    char *send, *expect;                  /* tcp, tls; or NULL */
    uint32_t interval_ms, fast_interval_ms, timeout_ms;
    unsigned rise, fall; /* consecutive results */
    bool tripwire;       /* keep an idle connection, and check at once when the peer closes it */
};

struct config_candidate {
    char *name;                       /* label; the address or host_name as text unless given */
    struct har_address address;       /* family 0, and nothing else, when there is a host_name */
    char *host_name;                  /* to be resolved, a key (common/name.h); or NULL */
    unsigned priority;                /* 0 is best */
    unsigned weight;                  /* 1 to 1000 */
    const struct config_check *check; /* owned by the config */
};

struct config_host {
    char *name;
    char **aliases;
    size_t alias_count;
    struct config_candidate *candidates;
    size_t candidate_count; /* 1 to CONFIG_CANDIDATES_MAX */
    enum selection selection;
    enum rtt_mode rtt_mode;
    uint32_t group_rtt_threshold_us;
    uint32_t max_rtt_us; /* or CONFIG_NO_LIMIT */
    uint32_t switch_margin_us;
    double switch_ratio; /* 0 to 1 */
    uint32_t switch_hold_ms;
    enum family family; /* FAMILY_IPV4, FAMILY_IPV6: the other one does not exist */
    enum failure_mode failure_mode;
    struct har_address *failure_addresses; /* FAILURE_ADDRESSES */
    size_t failure_address_count;          /* 1 to CONFIG_ANSWERS_MAX */
    unsigned answers;                      /* 1 to CONFIG_ANSWERS_MAX */
    uint32_t ttl_s;
};

struct config {
    char *ranking_db, *state_db, *control_socket;
    uint32_t max_stale_s;
    struct config_upstream
        *upstreams;               /* NULL: those of /etc/resolv.conf; else a list, perhaps empty */
    size_t upstream_count;        /* 0 to CONFIG_UPSTREAMS_MAX */
    uint32_t upstream_timeout_ms; /* per try */
    struct config_host *hosts;    /* sorted by name (strcmp) */
    size_t host_count;
    struct config_check **checks; /* owns what the candidates point to */
    size_t check_count;
};

/* All that is wrong with a configuration, one finished line each, in the order found. */
struct config_report {
    char **lines; /* "FILE:LINE:COL: message" or "FILE: KEY.PATH: message"; no line break */
    size_t count;
};
void config_report_done(struct config_report *report);

/* Reads path and the files of hosts.d beside it (names ending in .json, in strcmp order, dot files
 * passed over; the folder may be missing). On success *out is a new config that the caller frees
 * with config_free. Otherwise returns a negative har_code, *out is untouched and report holds
 * every error found, not the first alone. report must be zeroed by the caller before the call and
 * is released with config_report_done. Opens no socket and resolves nothing. */
int config_load(const char *path, struct config **out, struct config_report *report);
void config_free(struct config *config);

size_t config_count_candidates(const struct config *config);

/* The configuration in full, every default written out, as JSON that config_load reads back to the
 * same config. A new string for free(3), or NULL without memory. */
char *config_dump(const struct config *config);

/* True when both ask the very same thing of a server: then history may carry over. How often they
 * ask, how long they wait and what changes a state (interval, fast_interval, timeout, tripwire,
 * rise, fall) may differ. */
bool config_check_equal(const struct config_check *a, const struct config_check *b);
/* A number that equal checks share and others do not, for all practical purposes; on machines of
 * one byte order. */
uint64_t config_check_fingerprint(const struct config_check *check);

/* The word for it in a configuration file; "addresses" where there is none. Never NULL. */
const char *check_type_text(enum check_type type);
const char *selection_text(enum selection selection);
const char *failure_mode_text(enum failure_mode mode);

#endif
