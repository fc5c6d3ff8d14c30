#include "config/schema.h"

#include <string.h>
#include <strings.h>

#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct schema_word check_types[] = {
    {"http", CHECK_HTTP}, {"https", CHECK_HTTPS}, {"tcp", CHECK_TCP},
    {"tls", CHECK_TLS},   {"none", CHECK_NONE},   {NULL, 0},
};
static const struct schema_word methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {NULL, 0}};
static const struct schema_word selections[] = {
    {"best_rtt", SELECT_BEST_RTT}, {"ordered", SELECT_ORDERED}, {NULL, 0}};
static const struct schema_word rtt_modes[] = {
    {"total", RTT_TOTAL}, {"connect", RTT_CONNECT}, {NULL, 0}};
static const struct schema_word failure_modes[] = {
    {"all", FAILURE_ALL}, {"none", FAILURE_NONE}, {NULL, 0}};

#define HTTP (1U << CHECK_HTTP | 1U << CHECK_HTTPS)
#define TLS (1U << CHECK_HTTPS | 1U << CHECK_TLS)
#define TCP (1U << CHECK_TCP | 1U << CHECK_TLS)
#define NETWORK (HTTP | TCP)
#define ANY (NETWORK | 1U << CHECK_NONE)

/* One row reads like one entry of a manual. */
/* clang-format off */
#define IN_64_KIB 65536 /* how far into an answer a check looks */

#define AT(member) .offset = offsetof(struct config, member)
static const struct schema_key top_keys[] = {
    [TOP_RANKING_DB] = {.name = "ranking_db", .kind = KIND_PATH, AT(ranking_db),
                        .min = 1, .max = 4000, .fallback = "\"" HAR_RANKING_DB "\"",
                        .help = "Where the ranking is written; libnss_har reads the path it was built with"},
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
                         .help = "The servers: addresses, or objects for more than an address"},
    [HOST_SELECTION] = {.name = "selection", .kind = KIND_WORD, AT(selection),
                        .words = selections, .fallback = "\"best_rtt\"",
                        .help = "Which of the best priority answers: the fastest, or the first in order"},
    [HOST_RTT_MODE] = {.name = "rtt_mode", .kind = KIND_WORD, AT(rtt_mode),
                       .words = rtt_modes, .fallback = "\"total\"",
                       .help = "What is ranked: the time of a whole check, or of the TCP handshake"},
    [HOST_MAX_RTT] = {.name = "max_rtt", .kind = KIND_DURATION, AT(max_rtt_us),
                      .unit = UNIT_US, .min = 1000, .max = 60000000, .fallback = "null",
                      .help = "A candidate slower than this is not eligible"},
    [HOST_FAILURE_MODE] = {.name = "failure_mode", .kind = KIND_FAILURE_MODE,
                           .words = failure_modes, .min = 1, .max = CONFIG_ANSWERS_MAX,
                           .fallback = "\"all\"",
                           .help = "With nobody eligible: every candidate, an error, or these addresses"},
    [HOST_ANSWERS] = {.name = "answers", .kind = KIND_NUMBER, AT(answers),
                      .min = 1, .max = CONFIG_ANSWERS_MAX, .fallback = "1",
                      .help = "Addresses in one answer; above 1, getaddrinfo sorts them again (RFC 6724)"},
    [HOST_TTL] = {.name = "ttl", .kind = KIND_DURATION, AT(ttl_s),
                  .unit = UNIT_S, .min = 0, .max = 3600, .fallback = "\"1s\"",
                  .help = "How long a DNS client may keep an answer; for the DNS proxy to come"},
};
#undef AT

#define AT(member) .offset = offsetof(struct config_candidate, member)
static const struct schema_key candidate_keys[] = {
    [CANDIDATE_ADDRESS] = {.name = "address", .kind = KIND_ADDRESS, AT(address), .required = true,
                           .help = "An IPv4 or IPv6 address, without a port"},
    [CANDIDATE_NAME] = {.name = "name", .kind = KIND_LABEL, AT(name), .min = 1, .max = 64,
                        .fallback_text = "the address",
                        .help = "What logs and commands call it; unique within its host"},
    [CANDIDATE_PRIORITY] = {.name = "priority", .kind = KIND_NUMBER, AT(priority),
                            .min = 0, .max = 65535, .fallback = "0",
                            .help = "0 is best; a better priority wins over a faster server"},
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
    [CHECK_KEY_RISE] = {.name = "rise", .kind = KIND_NUMBER, AT(rise), .types = NETWORK,
                        .min = 1, .max = 100, .fallback = "2",
                        .help = "Good results in a row that bring it up"},
    [CHECK_KEY_FALL] = {.name = "fall", .kind = KIND_NUMBER, AT(fall), .types = NETWORK,
                        .min = 1, .max = 100, .fallback = "3",
                        .help = "Bad results in a row that take it down"},
};

#define FILE_BYTES .min = 1, .max = 4000, .fallback = "null"
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
