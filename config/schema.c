#include "config/schema.h"

#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "common/name.h"
#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema_word check_types[] = {
    {"http", CHECK_HTTP}, {"https", CHECK_HTTPS}, {"tcp", CHECK_TCP},
    {"tls", CHECK_TLS},   {"none", CHECK_NONE},   {NULL, 0},
};
static const struct schema_word methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {NULL, 0}};
static const struct schema_word selections[] = {{"best_rtt", SELECT_BEST_RTT},
                                                {"group_rtt_rr", SELECT_GROUP_RTT_RR},
                                                {"ordered", SELECT_ORDERED},
                                                {NULL, 0}};
static const struct schema_word rtt_modes[] = {
    {"total", RTT_TOTAL}, {"connect", RTT_CONNECT}, {NULL, 0}};
static const struct schema_word failure_modes[] = {{"all", FAILURE_ALL},
                                                   {"last", FAILURE_LAST},
                                                   {"none", FAILURE_NONE},
                                                   {"forward", FAILURE_FORWARD},
                                                   {NULL, 0}};
static const struct schema_word families[] = {{"any", FAMILY_ANY},
                                              {"best", FAMILY_BEST},
                                              {"ipv4", FAMILY_IPV4},
                                              {"ipv6", FAMILY_IPV6},
                                              {NULL, 0}};

#define HTTP (1U << CHECK_HTTP | 1U << CHECK_HTTPS)
#define TLS (1U << CHECK_HTTPS | 1U << CHECK_TLS)
#define TCP (1U << CHECK_TCP | 1U << CHECK_TLS)
#define NETWORK (HTTP | TCP)
#define ANY (NETWORK | 1U << CHECK_NONE)

/* One row reads like one entry of a manual. */
/* clang-format off */
#define IN_64_KIB 65536 /* how far into an answer a check looks */

#define PATH_BYTES .min = 1, .max = 4000
#define SOCKET_BYTES 103 /* that fit a socket's address with ".new" and NUL: see control_socket.c */
_Static_assert(SOCKET_BYTES + sizeof ".new" <= sizeof((struct sockaddr_un *)0)->sun_path,
               "unix(7) has less room");
_Static_assert(sizeof HAR_CONTROL_SOCKET - 1 <= SOCKET_BYTES, "configure sees to it");

#define AT(member) .offset = offsetof(struct config, member)
static const struct schema_key top_keys[] = {
    [TOP_UPSTREAMS] = {.name = "upstreams", .kind = KIND_UPSTREAMS, .min = 0, .max = CONFIG_UPSTREAMS_MAX,
                       .fallback = "null",
                       .none_text = "those of /etc/resolv.conf",
                       .help = "Resolvers for every other name and for candidates that are host names"},
    [TOP_UPSTREAM_TIMEOUT] = {.name = "upstream_timeout", .kind = KIND_DURATION, AT(upstream_timeout_ms),
                              .unit = UNIT_MS, .min = 50, .max = 30000, .fallback = "\"2s\"",
                              .help = "How long an upstream may take to answer, at each try"},
    [TOP_RANKING_DB] = {.name = "ranking_db", .kind = KIND_PATH, AT(ranking_db), PATH_BYTES,
                        .fallback = "\"" HAR_RANKING_DB "\"",
                        .help = "Where the ranking is written; libnss_har reads the path it was built with"},
    [TOP_STATE_DB] = {.name = "state_db", .kind = KIND_PATH, AT(state_db), PATH_BYTES,
                      .fallback = "\"" HAR_STATE_DB "\"",
                      .help = "History, counters and overrides, which survive a restart"},
    [TOP_CONTROL_SOCKET] = {.name = "control_socket", .kind = KIND_PATH, AT(control_socket),
                            .min = 1, .max = SOCKET_BYTES, .fallback = "\"" HAR_CONTROL_SOCKET "\"",
                            .help = "Where harctl reaches the daemon"},
    [TOP_MAX_STALE] = {.name = "max_stale", .kind = KIND_DURATION, AT(max_stale_s),
                       .unit = UNIT_S, .min = 1, .max = 30 * 86400, .fallback = "\"10m\"",
                       .help = "With the daemon dead for longer than this, libnss_har stops answering"},
    [TOP_DEFAULTS] = {.name = "defaults", .kind = KIND_OBJECT, .fallback = "{}",
                      .help = "Keys that every host inherits: all but candidates and aliases"},
    [TOP_HOSTS] = {.name = "hosts", .kind = KIND_OBJECT, .fallback = "{}",
                   .help = "Name to host; each file of hosts.d holds just such an object"},
};
#undef AT

#define AT(member) .offset = offsetof(struct config_host, member)
static const struct schema_key host_keys[] = {
    [HOST_ALIASES] = {.name = "aliases", .kind = KIND_NAMES, AT(aliases),
                      .min = 0, .max = 256, .single = true, .fallback = "[]",
                      .help = "Further names with the same answer"},
    [HOST_CHECK] = {.name = "check", .kind = KIND_OBJECT, .fallback = "{\"type\": \"http\"}",
                    .help = "How to check each candidate; key by key over what is inherited"},
    [HOST_CANDIDATES] = {.name = "candidates", .kind = KIND_CANDIDATES,
                         .min = 1, .max = CONFIG_CANDIDATES_MAX, .required = true, .single = true,
                         .help = "The servers: addresses or host names, or objects for more than that"},
    [HOST_SELECTION] = {.name = "selection", .kind = KIND_WORD, AT(selection),
                        .words = selections, .fallback = "\"best_rtt\"",
                        .help = "Which of the best priority answers: the fastest, a group of them in rotation, or the first in order"},
    [HOST_RTT_MODE] = {.name = "rtt_mode", .kind = KIND_WORD, AT(rtt_mode),
                       .words = rtt_modes, .fallback = "\"total\"",
                       .help = "What is ranked: the time of a whole check, or of the TCP handshake"},
    [HOST_GROUP_RTT_THRESHOLD] = {.name = "group_rtt_threshold", .kind = KIND_DURATION,
                                  AT(group_rtt_threshold_us), .unit = UNIT_US, .min = 0, .max = 60000000,
                                  .fallback = "\"10ms\"",
                                  .help = "How much slower than the fastest one may be in its group (group_rtt_rr)"},
    [HOST_MAX_RTT] = {.name = "max_rtt", .kind = KIND_DURATION, AT(max_rtt_us),
                      .unit = UNIT_US, .min = 1000, .max = 60000000, .fallback = "null",
                      .help = "A candidate slower than this is not eligible"},
    [HOST_SWITCH_MARGIN] = {.name = "switch_margin", .kind = KIND_DURATION, AT(switch_margin_us),
                            .unit = UNIT_US, .min = 0, .max = 60000000, .fallback = "\"10ms\"",
                            .help = "Another replaces the best only when faster by this, and by switch_ratio"},
    [HOST_SWITCH_RATIO] = {.name = "switch_ratio", .kind = KIND_RATIO, AT(switch_ratio),
                           .min = 0, .max = 1, .fallback = "0.2",
                           .help = "The same as a part of the best one's latency: 0.2 is a fifth"},
    [HOST_SWITCH_HOLD] = {.name = "switch_hold", .kind = KIND_DURATION, AT(switch_hold_ms),
                          .unit = UNIT_MS, .min = 0, .max = 86400000, .fallback = "\"30s\"",
                          .help = "After such a switch, how long until the next one"},
    [HOST_FAILURE_MODE] = {.name = "failure_mode", .kind = KIND_FAILURE_MODE,
                           .words = failure_modes, .min = 1, .max = CONFIG_ANSWERS_MAX,
                           .fallback = "\"all\"",
                           .help = "With nobody eligible: every candidate, the last good answer, an error, upstream's, or these addresses"},
    [HOST_ANSWERS] = {.name = "answers", .kind = KIND_NUMBER, AT(answers),
                      .min = 1, .max = CONFIG_ANSWERS_MAX, .fallback = "1",
                      .help = "Addresses in one answer; above 1, getaddrinfo sorts them again (RFC 6724)"},
    [HOST_FAMILY] = {.name = "family", .kind = KIND_WORD, AT(family),
                     .words = families, .fallback = "\"any\"",
                     .help = "The best of each family, of the winner's family alone, or of this one, and no other is checked"},
    [HOST_TTL] = {.name = "ttl", .kind = KIND_DURATION, AT(ttl_s),
                  .unit = UNIT_S, .min = 0, .max = 3600, .fallback = "\"1s\"",
                  .help = "How long a DNS client may keep an answer; for the DNS proxy to come"},
};
#undef AT

#define AT(member) .offset = offsetof(struct config_candidate, member)
static const struct schema_key candidate_keys[] = {
    [CANDIDATE_ADDRESS] = {.name = "address", .kind = KIND_SERVER, .required = true,
                           .help = "An IPv4 or IPv6 address or a host name, without a port"},
    [CANDIDATE_NAME] = {.name = "name", .kind = KIND_LABEL, AT(name), .min = 1, .max = HAR_NAME_MAX,
                        .fallback_text = "the address",
                        .help = "What logs and commands call it; unique within its host"},
    [CANDIDATE_PRIORITY] = {.name = "priority", .kind = KIND_NUMBER, AT(priority),
                            .min = 0, .max = 65535, .fallback = "0",
                            .help = "0 is best; a better priority wins over a faster server"},
    [CANDIDATE_WEIGHT] = {.name = "weight", .kind = KIND_NUMBER, AT(weight),
                          .min = 1, .max = 1000, .fallback = "100",
                          .help = "Its share of the rotation beside those of its group (group_rtt_rr)"},
    [CANDIDATE_CHECK] = {.name = "check", .kind = KIND_OBJECT, .fallback_text = "that of the host",
                         .help = "What this candidate's check has otherwise; key by key"},
};
#undef AT

#define AT(member) .offset = offsetof(struct config_check, member)
static const struct schema_key check_keys[] = {
    [CHECK_KEY_TYPE] = {.name = "type", .kind = KIND_WORD, AT(type), .types = ANY,
                        .words = check_types, .fallback = "\"http\"",
                        .help = "What a check does; none: always up, ranked as written"},
    [CHECK_KEY_PORT] = {.name = "port", .kind = KIND_PORT, AT(port), .types = NETWORK,
                        .min = 1, .max = 65535,
                        .fallback_text = "80 for http, 443 for https; required for tcp and tls",
                        .help = "Inherited only together with the type"},
    [CHECK_KEY_PATH] = {.name = "path", .kind = KIND_URL_PATH, AT(path), .types = HTTP,
                        .min = 1, .max = 2048, .fallback = "\"/\"",
                        .help = "What is asked for; it may hold a query"},
    [CHECK_KEY_METHOD] = {.name = "method", .kind = KIND_WORD, AT(method), .types = HTTP,
                          .words = methods, .fallback = "\"GET\"",
                          .help = "HEAD spares the body, which then cannot be looked at"},
    [CHECK_KEY_HOST] = {.name = "host", .kind = KIND_NAME, AT(host), .types = HTTP | TLS,
                        .fallback_text = "the name of the host",
                        .help = "Host header and TLS server name"},
    [CHECK_KEY_HEADERS] = {.name = "headers", .kind = KIND_HEADERS, AT(headers), .types = HTTP,
                           .min = 0, .max = 64, .fallback = "{}",
                           .help = "Further headers, name to value; all of them replace inherited ones"},
    [CHECK_KEY_STATUS] = {.name = "status", .kind = KIND_STATUSES, AT(statuses), .types = HTTP,
                          .min = 1, .max = 32, .fallback = "\"200-299\"",
                          .help = "Good status codes: a code, a range, or an array of them"},
    [CHECK_KEY_BODY] = {.name = "body", .kind = KIND_TEXT, AT(body), .types = HTTP,
                        .min = 1, .max = IN_64_KIB, .fallback = "null",
                        .help = "Text that the first 64 KiB of the body hold"},
    [CHECK_KEY_BODY_REGEX] = {.name = "body_regex", .kind = KIND_REGEX, AT(body_regex), .types = HTTP,
                              .min = 1, .max = 4096, .fallback = "null",
                              .help = "POSIX extended expression that matches the first 64 KiB"},
    [CHECK_KEY_TLS] = {.name = "tls", .kind = KIND_OBJECT, .types = TLS, .fallback = "{}",
                       .help = "Whom to trust and who we are; key by key over what is inherited"},
    [CHECK_KEY_SEND] = {.name = "send", .kind = KIND_TEXT, AT(send), .types = TCP,
                        .min = 1, .max = IN_64_KIB, .fallback = "null",
                        .help = "Text to send once connected"},
    [CHECK_KEY_EXPECT] = {.name = "expect", .kind = KIND_TEXT, AT(expect), .types = TCP,
                          .min = 1, .max = IN_64_KIB, .fallback = "null",
                          .help = "Text that the answer holds"},
    [CHECK_KEY_INTERVAL] = {.name = "interval", .kind = KIND_DURATION, AT(interval_ms), .types = NETWORK,
                            .unit = UNIT_MS, .min = 100, .max = 86400000, .fallback = "\"10s\"",
                            .help = "Between the starts of two checks, give or take a tenth"},
    [CHECK_KEY_FAST_INTERVAL] = {.name = "fast_interval", .kind = KIND_DURATION, AT(fast_interval_ms),
                                 .types = NETWORK, .unit = UNIT_MS, .min = 100, .max = 86400000,
                                 .fallback_text = "the smaller of interval and 1s",
                                 .help = "The same while a failure or a recovery is confirmed"},
    [CHECK_KEY_TIMEOUT] = {.name = "timeout", .kind = KIND_DURATION, AT(timeout_ms), .types = NETWORK,
                           .unit = UNIT_MS, .min = 10, .max = 60000,
                           .fallback_text = "the smaller of interval and 3s",
                           .help = "For a whole check; above the interval, the next one starts when it has ended"},
    [CHECK_KEY_TRIPWIRE] = {.name = "tripwire", .kind = KIND_SWITCH, AT(tripwire), .types = NETWORK,
                            .fallback = "false",
                            .help = "Keep an idle TCP connection, and check at once when the server closes it"},
    [CHECK_KEY_RISE] = {.name = "rise", .kind = KIND_NUMBER, AT(rise), .types = NETWORK,
                        .min = 1, .max = 100, .fallback = "2",
                        .help = "Good results in a row that bring it up"},
    [CHECK_KEY_FALL] = {.name = "fall", .kind = KIND_NUMBER, AT(fall), .types = NETWORK,
                        .min = 1, .max = 100, .fallback = "3",
                        .help = "Bad results in a row that take it down"},
};

#define FILE_BYTES PATH_BYTES, .fallback = "null"
static const struct schema_key tls_keys[] = {
    [TLS_VERIFY] = {.name = "verify", .kind = KIND_SWITCH, AT(tls_verify), .fallback = "true",
                    .help = "Whether the server's certificate has to be good"},
    [TLS_CA_FILE] = {.name = "ca_file", .kind = KIND_FILE, AT(ca_file), FILE_BYTES,
                     .help = "Authorities to trust instead of the system's (PEM)"},
    [TLS_CERT_FILE] = {.name = "cert_file", .kind = KIND_FILE, AT(cert_file), FILE_BYTES,
                       .help = "Our certificate (PEM); the key may be in the same file"},
    [TLS_KEY_FILE] = {.name = "key_file", .kind = KIND_FILE, AT(key_file), FILE_BYTES,
                      .help = "Its private key (PEM)"},
};
#undef AT
/* clang-format on */

static const struct schema_object objects[SCOPE_COUNT] = {
    [SCOPE_TOP] = {"the configuration", top_keys, COUNT(top_keys)},
    [SCOPE_HOST] = {"a host", host_keys, COUNT(host_keys)},
    [SCOPE_CANDIDATE] = {"a candidate", candidate_keys, COUNT(candidate_keys)},
    [SCOPE_CHECK] = {"a check", check_keys, COUNT(check_keys)},
    [SCOPE_TLS] = {"the tls of a check", tls_keys, COUNT(tls_keys)},
};

_Static_assert(COUNT(check_keys) <= SCHEMA_KEYS_MAX, "a set of rows must fit a uint32_t");

const struct schema_object *schema_object(enum schema_scope scope)
{
    return &objects[scope];
}

const struct schema_key *schema_find(enum schema_scope scope, const char *name)
{
    for (size_t i = 0; i < objects[scope].count; i++) {
        if (strcmp(objects[scope].keys[i].name, name) == 0)
            return &objects[scope].keys[i];
    }
    return NULL;
}

const struct schema_object *schema_elsewhere(enum schema_scope scope, const char *name)
{
    for (unsigned other = 0; other < SCOPE_COUNT; other++) {
        if (other != scope && schema_find((enum schema_scope)other, name) != NULL)
            return &objects[other];
    }
    return NULL;
}

bool schema_optional(const struct schema_key *key)
{
    return key->fallback != NULL && strcmp(key->fallback, "null") == 0;
}

const char *schema_word(const struct schema_word *words, int value)
{
    while (words->text != NULL && words->value != value)
        words++;
    return words->text != NULL ? words->text : "?";
}
