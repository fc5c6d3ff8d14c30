/* config/: from files to structs or lines, and back. The samples are in tests/unit/config. */
#include "config/config.h"

#include <dirent.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/duration.h"
#include "config/schema.h"
#include "tests/support/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- Helpers --- */

static const char *source_folder(void)
{
    const char *folder = getenv("HAR_SRCDIR");
    return folder != NULL ? folder : ".";
}

/* Goes into a folder of the sources, so that file names in errors are short. */
static void enter(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", source_folder(), folder);
    ck_assert_msg(chdir(path) == 0, "%s", path);
}

/* A file's text for free(3). */
static char *read_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* A folder of the test's own, as working directory. */
static char sandbox[] = "/tmp/har-check_config-XXXXXX";

static void make_sandbox(void)
{
    ck_assert_ptr_nonnull(mkdtemp(sandbox));
    ck_assert_int_eq(chdir(sandbox), 0);
}

static void remove_sandbox(void)
{
    unlink("har.json");
    unlink("dump.json");
    rmdir("folder.json");
    ck_assert_int_eq(rmdir(sandbox), 0);
}

#define POISON ((struct config *)(uintptr_t)0x5a5a5a5a)

static struct config *load(const char *path)
{
    struct config *config = POISON;
    struct config_report report = {0};
    int code = config_load(path, &config, &report);
    ck_assert_msg(code == HAR_OK, "%s: %d: %s", path, code,
                  report.count > 0 ? report.lines[0] : "no word of why");
    ck_assert_uint_eq(report.count, 0);
    ck_assert(config != NULL && config != POISON);
    config_report_done(&report);
    return config;
}

static struct config *load_text(const char *text)
{
    write_text("har.json", text);
    return load("har.json");
}

/* All lines of the report of a load that fails, for free(3). */
static char *load_errors(const char *path, int *code)
{
    struct config *config = POISON;
    struct config_report report = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    *code = config_load(path, &config, &report);
    ck_assert_msg(*code < 0, "%s was accepted", path);
    ck_assert_ptr_eq(config, POISON);
    ck_assert_uint_gt(report.count, 0);
    for (size_t i = 0; i < report.count; i++)
        fprintf(out, "%s\n", report.lines[i]);
    fclose(out);
    config_report_done(&report);
    ck_assert_ptr_null(report.lines);
    return text;
}

static void expect_errors(const char *path, int code, const char *expected)
{
    int found_code;
    char *errors = load_errors(path, &found_code);
    ck_assert_str_eq(errors, expected);
    ck_assert_int_eq(found_code, code);
    free(errors);
}

/* --- Samples --- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* Calls visit for each X.json and each X/har.json of the working directory, with the name of the
 * file of expected lines beside it. Returns how many there were. */
static unsigned each_sample(void (*visit)(const char *path, const char *expected))
{
    struct dirent **entries;
    int count = scandir(".", &entries, NULL, alphasort);
    unsigned samples = 0;
    ck_assert_int_gt(count, 0);
    for (int i = 0; i < count; i++) {
        char path[600], expected[600];
        const char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/har.json", name);
        snprintf(expected, sizeof expected, "%s/expected", name);
        if (ends_with(name, ".json")) {
            snprintf(path, sizeof path, "%s", name);
            snprintf(expected, sizeof expected, "%.*sexpected", (int)strlen(name) - 4, name);
        }
        if (access(path, F_OK) == 0) {
            visit(path, expected);
            samples++;
        }
        free(entries[i]);
    }
    free(entries);
    return samples;
}

static void check_invalid(const char *path, const char *expected)
{
    int code;
    char *errors = load_errors(path, &code), *lines = read_text(expected);
    ck_assert_str_eq(errors, lines);
    free(errors);
    free(lines);
}

START_TEST(invalid_samples_give_the_expected_lines)
{
    enter("tests/unit/config/invalid");
    ck_assert_uint_ge(each_sample(check_invalid), 73);
}
END_TEST

/* What is dumped is read back to what gives the same dump. */
static void check_round_trip(const char *path, const char *expected)
{
    (void)expected;
    char dump_path[sizeof sandbox + 20];
    struct config *config = load(path);
    char *first = config_dump(config);
    config_free(config);
    ck_assert_ptr_nonnull(first);
    snprintf(dump_path, sizeof dump_path, "%s/dump.json", sandbox);
    write_text(dump_path, first);
    config = load(dump_path);
    char *second = config_dump(config);
    config_free(config);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}

START_TEST(valid_samples_survive_a_dump)
{
    make_sandbox();
    enter("tests/unit/config/valid");
    ck_assert_uint_ge(each_sample(check_round_trip), 13);
    enter("config");
    check_round_trip("har.json.example", NULL);
    ck_assert_int_eq(chdir(sandbox), 0);
    remove_sandbox();
}
END_TEST

/* --- What is read --- */

START_TEST(defaults_are_those_of_the_manual)
{
    enter("tests/unit/config/valid");
    struct config *config = load("one.json");
    ck_assert_str_eq(config->ranking_db, HAR_RANKING_DB);
    ck_assert_str_eq(config->state_db, HAR_STATE_DB);
    ck_assert_str_eq(config->control_socket, HAR_CONTROL_SOCKET);
    ck_assert_ptr_null(config->upstreams);
    ck_assert_uint_eq(config->upstream_count, 0);
    ck_assert_uint_eq(config->upstream_timeout_ms, 2000);
    ck_assert_uint_eq(config->max_stale_s, 600);
    ck_assert_uint_eq(config->host_count, 1);
    const struct config_host *host = &config->hosts[0];
    ck_assert_str_eq(host->name, "a.example.com");
    ck_assert_uint_eq(host->alias_count, 0);
    ck_assert_uint_eq(host->candidate_count, 1);
    ck_assert_int_eq(host->selection, SELECT_BEST_RTT);
    ck_assert_int_eq(host->rtt_mode, RTT_TOTAL);
    ck_assert_uint_eq(host->group_rtt_threshold_us, 10000);
    ck_assert_uint_eq(host->max_rtt_us, CONFIG_NO_LIMIT);
    ck_assert_uint_eq(host->switch_margin_us, 10000);
    ck_assert_double_eq(host->switch_ratio, 0.2);
    ck_assert_uint_eq(host->switch_hold_ms, 30000);
    ck_assert_int_eq(host->family, FAMILY_ANY);
    ck_assert_int_eq(host->failure_mode, FAILURE_ALL);
    ck_assert_uint_eq(host->failure_address_count, 0);
    ck_assert_uint_eq(host->answers, 1);
    ck_assert_uint_eq(host->ttl_s, 1);
    ck_assert_str_eq(host->candidates[0].name, "192.0.2.1");
    ck_assert_ptr_null(host->candidates[0].host_name);
    ck_assert_uint_eq(host->candidates[0].priority, 0);
    ck_assert_uint_eq(host->candidates[0].weight, 100);
    ck_assert_uint_eq(config->check_count, 1);
    const struct config_check *check = host->candidates[0].check;
    ck_assert_ptr_eq(check, config->checks[0]);
    ck_assert_int_eq(check->type, CHECK_HTTP);
    ck_assert_uint_eq(check->port, 80);
    ck_assert_str_eq(check->path, "/");
    ck_assert_int_eq(check->method, METHOD_GET);
    ck_assert_str_eq(check->host, "a.example.com");
    ck_assert_uint_eq(check->header_count, 0);
    ck_assert_uint_eq(check->status_count, 1);
    ck_assert_uint_eq(check->statuses[0].low, 200);
    ck_assert_uint_eq(check->statuses[0].high, 299);
    ck_assert(check->body == NULL && check->body_regex == NULL && check->send == NULL);
    ck_assert_uint_eq(check->interval_ms, 10000);
    ck_assert_uint_eq(check->fast_interval_ms, 1000);
    ck_assert_uint_eq(check->timeout_ms, 3000);
    ck_assert(!check->tripwire);
    ck_assert_uint_eq(check->rise, 2);
    ck_assert_uint_eq(check->fall, 3);
    config_free(config);
}
END_TEST

START_TEST(short_intervals_shorten_what_depends_on_them)
{
    make_sandbox();
    struct config *config = load_text("{\"hosts\": {\"a\": {\"candidates\": [\"192.0.2.1\"], "
                                      "\"check\": {\"interval\": \"400ms\"}}}}");
    ck_assert_uint_eq(config->checks[0]->fast_interval_ms, 400);
    ck_assert_uint_eq(config->checks[0]->timeout_ms, 400);
    config_free(config);
    remove_sandbox();
}
END_TEST

START_TEST(every_kind_of_check_is_read)
{
    enter("tests/unit/config/valid");
    struct config *config = load("every_check.json");
    ck_assert_uint_eq(config->host_count, 5);
    const struct config_check *http = config->hosts[0].candidates[0].check;
    const struct config_check *https = config->hosts[1].candidates[0].check;
    const struct config_check *none = config->hosts[2].candidates[0].check;
    const struct config_check *tcp = config->hosts[3].candidates[0].check;
    const struct config_check *tls = config->hosts[4].candidates[0].check;
    ck_assert_uint_eq(http->port, 8080);
    ck_assert_str_eq(http->path, "/?q=1");
    ck_assert_int_eq(http->method, METHOD_HEAD);
    ck_assert_str_eq(http->host, "other.example.com");
    ck_assert_uint_eq(http->header_count, 2);
    ck_assert_str_eq(http->headers[0], "Accept: text/plain");
    ck_assert_str_eq(http->headers[1], "X-Tab: a\tb");
    ck_assert_uint_eq(http->status_count, 3);
    ck_assert(http->statuses[0].low == 200 && http->statuses[0].high == 200);
    ck_assert(http->statuses[1].low == 301 && http->statuses[1].high == 301);
    ck_assert(http->statuses[2].low == 400 && http->statuses[2].high == 404);
    ck_assert_uint_eq(https->port, 443);
    ck_assert_str_eq(https->body, "ok");
    ck_assert_int_eq(regexec(https->body_regex_compiled, "abba", 0, NULL, 0), 0);
    ck_assert_int_eq(regexec(https->body_regex_compiled, "abc", 0, NULL, 0), REG_NOMATCH);
    ck_assert(!https->tls_verify);
    ck_assert(https->ca_file[0] == '/' && ends_with(https->ca_file, "/valid/every_check.json"));
    ck_assert_int_eq(none->type, CHECK_NONE);
    ck_assert_uint_eq(none->port, 0);
    ck_assert_int_eq(tcp->type, CHECK_TCP);
    ck_assert_str_eq(tcp->send, "PING\r\n");
    ck_assert_str_eq(tcp->expect, "+PONG");
    ck_assert_uint_eq(tcp->interval_ms, 1500);
    ck_assert_uint_eq(tcp->timeout_ms, 250);
    ck_assert_str_eq(tcp->host, "tcp.example.com");
    ck_assert_int_eq(tls->type, CHECK_TLS);
    ck_assert(tls->tls_verify && tls->cert_file != NULL && tls->key_file == NULL);
    config_free(config);
}
END_TEST

static void check_inherited(const struct config_host *plain)
{
    const struct config_check *check = plain->candidates[0].check;
    ck_assert_int_eq(plain->selection, SELECT_ORDERED);
    ck_assert_int_eq(plain->rtt_mode, RTT_CONNECT);
    ck_assert_uint_eq(plain->max_rtt_us, 250500);
    ck_assert_int_eq(plain->failure_mode, FAILURE_ADDRESSES);
    ck_assert_uint_eq(plain->failure_address_count, 1);
    ck_assert_uint_eq(plain->answers, 2);
    ck_assert_uint_eq(plain->ttl_s, 5);
    ck_assert_uint_eq(check->port, 8443);
    ck_assert_str_eq(check->path, "/health");
    ck_assert_str_eq(check->host, "plain.example.com");
    ck_assert_uint_eq(check->header_count, 1);
    ck_assert_str_eq(check->body, "ok");
    ck_assert_uint_eq(check->interval_ms, 2000);
    ck_assert_uint_eq(check->timeout_ms, 2000);
    ck_assert(!check->tls_verify && check->ca_file == NULL);
}

static void check_overridden(const struct config_host *over)
{
    const struct config_check *own = over->candidates[0].check;
    const struct config_check *redis = over->candidates[1].check;
    const struct config_check *http = over->candidates[2].check;
    ck_assert_int_eq(over->failure_mode, FAILURE_NONE);
    ck_assert_uint_eq(over->failure_address_count, 0);
    ck_assert_uint_eq(over->max_rtt_us, CONFIG_NO_LIMIT);
    ck_assert_int_eq(own->type, CHECK_HTTPS);
    ck_assert_uint_eq(own->port, 8443);
    ck_assert_str_eq(own->path, "/other");
    ck_assert_uint_eq(own->header_count, 0);
    ck_assert_ptr_null(own->body);
    ck_assert(!own->tls_verify && own->ca_file != NULL);
    ck_assert_int_eq(redis->type, CHECK_TCP);
    ck_assert_uint_eq(redis->port, 6379);
    ck_assert(redis->path == NULL && redis->ca_file == NULL && redis->status_count == 0);
    ck_assert_uint_eq(redis->interval_ms, 2000);
    /* Another type starts from its own port, not from the inherited one. */
    ck_assert_int_eq(http->type, CHECK_HTTP);
    ck_assert_uint_eq(http->port, 80);
    ck_assert_str_eq(http->path, "/other");
}

/* Nothing that is inherited means anything to it. */
static void check_none(const struct config_check *none)
{
    ck_assert_int_eq(none->type, CHECK_NONE);
    ck_assert_uint_eq(none->port, 0);
    ck_assert_str_eq(none->host, "none.example.com");
    ck_assert(none->path == NULL && none->body == NULL && none->header_count == 0);
    ck_assert_uint_eq(none->interval_ms, 10000);
    ck_assert_uint_eq(none->timeout_ms, 3000);
}

START_TEST(hosts_and_candidates_inherit_key_by_key)
{
    enter("tests/unit/config/valid");
    struct config *config = load("inherit.json");
    ck_assert_uint_eq(config->max_stale_s, 90);
    ck_assert(ends_with(config->ranking_db, "/valid/ranking.db") && config->ranking_db[0] == '/');
    ck_assert_uint_eq(config->host_count, 4);
    check_none(config->hosts[0].candidates[0].check);
    check_overridden(&config->hosts[1]);
    check_inherited(&config->hosts[2]);
    ck_assert_uint_eq(config->hosts[3].candidates[0].check->port, 1);
    ck_assert_uint_eq(config->hosts[3].candidates[1].check->port, 2);
    ck_assert_uint_eq(config->check_count, 7);
    config_free(config);
}
END_TEST

static void check_upstream(const struct config_upstream *upstream, const char *text, uint16_t port)
{
    char found[HAR_ADDRESS_TEXT_MAX];
    ck_assert_str_eq(har_address_format(&upstream->address, found), text);
    ck_assert_uint_eq(upstream->port, port);
}

START_TEST(resolvers_and_selection_are_read)
{
    enter("tests/unit/config/valid");
    struct config *config = load("every_key.json");
    ck_assert_uint_eq(config->upstream_count, 4);
    check_upstream(&config->upstreams[0], "127.0.0.1", 5300);
    check_upstream(&config->upstreams[1], "::1", 5300);
    check_upstream(&config->upstreams[2], "192.0.2.53", 53);
    check_upstream(&config->upstreams[3], "2001:db8::53", 53);
    ck_assert_uint_eq(config->upstream_timeout_ms, 1500);
    ck_assert(ends_with(config->state_db, "/valid/state.db") && config->state_db[0] == '/');
    ck_assert_str_eq(config->control_socket, "/tmp/control.sock");
    const struct config_host *a = &config->hosts[0], *b = &config->hosts[1], *c = &config->hosts[2];
    ck_assert_int_eq(a->selection, SELECT_GROUP_RTT_RR);
    ck_assert_uint_eq(a->group_rtt_threshold_us, 2500);
    ck_assert_uint_eq(a->switch_margin_us, 5000);
    ck_assert_double_eq(a->switch_ratio, 0.333333);
    ck_assert_uint_eq(a->switch_hold_ms, 60000);
    ck_assert_int_eq(a->family, FAMILY_BEST);
    ck_assert_int_eq(a->failure_mode, FAILURE_LAST);
    ck_assert_uint_eq(a->candidates[0].weight, 100);
    ck_assert_uint_eq(a->candidates[1].weight, 300);
    ck_assert(a->candidates[0].check->tripwire);
    ck_assert_int_eq(b->failure_mode, FAILURE_FORWARD);
    ck_assert_double_eq(b->switch_ratio, 1);
    ck_assert(!b->candidates[0].check->tripwire);
    ck_assert(!c->candidates[0].check->tripwire); /* nothing is asked of it */
    config_free(config);
}
END_TEST

START_TEST(no_upstreams_are_not_those_of_resolv_conf)
{
    make_sandbox();
    struct config *config = load_text("{\"upstreams\": []}");
    ck_assert_ptr_nonnull(config->upstreams);
    ck_assert_uint_eq(config->upstream_count, 0);
    char *dump = config_dump(config);
    ck_assert_ptr_nonnull(strstr(dump, "\"upstreams\": []"));
    free(dump);
    config_free(config);
    config = load_text("{\"upstreams\": null}");
    ck_assert_ptr_null(config->upstreams);
    dump = config_dump(config);
    ck_assert_ptr_nonnull(strstr(dump, "\"upstreams\": null"));
    free(dump);
    config_free(config);
    remove_sandbox();
}
END_TEST

static void check_host_name(const struct config_candidate *candidate, const char *host_name,
                            const char *name)
{
    ck_assert_str_eq(candidate->host_name, host_name);
    ck_assert_str_eq(candidate->name, name);
    ck_assert_int_eq(candidate->address.family, 0);
}

START_TEST(candidates_may_be_host_names)
{
    enter("tests/unit/config/valid");
    struct config *config = load("host_names.json");
    const struct config_host *host = &config->hosts[0];
    ck_assert_uint_eq(host->candidate_count, 9);
    check_host_name(&host->candidates[0], "web.example.net", "web.example.net");
    check_host_name(&host->candidates[1], "web.example.net", "web.example.net");
    ck_assert_uint_eq(host->candidates[1].check->port, 8080);
    check_host_name(&host->candidates[2], "web2.example.net", "two");
    ck_assert_uint_eq(host->candidates[2].weight, 7);
    ck_assert_ptr_null(host->candidates[3].host_name);
    ck_assert_int_eq(host->candidates[3].address.family, AF_INET);
    ck_assert_uint_eq(strlen(host->candidates[4].name), 253);
    check_host_name(&host->candidates[7], "1.2.3.4a", "1.2.3.4a");
    /* Another configured host is a name like any other, and so are its own ones: all addresses that
     * the upstreams know. */
    check_host_name(&config->hosts[1].candidates[0], "a.example.com", "a.example.com");
    check_host_name(&config->hosts[1].candidates[1], "d.example.com", "d.example.com");
    check_host_name(&config->hosts[1].candidates[2], "d2.example.com", "d2.example.com");
    config_free(config);
}
END_TEST

START_TEST(candidates_without_a_word_share_a_check)
{
    enter("tests/unit/config/valid");
    struct config *config = load("many_candidates.json");
    const struct config_host *host = &config->hosts[0];
    ck_assert_uint_eq(host->candidate_count, 256);
    ck_assert_uint_eq(config->check_count, 1);
    ck_assert_ptr_eq(host->candidates[0].check, host->candidates[255].check);
    config_free(config);
}
END_TEST

START_TEST(hosts_d_is_read_in_order_and_all_is_sorted)
{
    enter("tests/unit/config/valid");
    struct config *config = load("folder/har.json");
    ck_assert_uint_eq(config->host_count, 3);
    ck_assert_str_eq(config->hosts[0].name, "a.example.com");
    ck_assert_str_eq(config->hosts[1].name, "b.example.com");
    ck_assert_str_eq(config->hosts[2].name, "d.example.com");
    ck_assert_uint_eq(config->hosts[2].ttl_s, 7);
    /* Relative to the main file, for the files of hosts.d too. */
    ck_assert(ends_with(config->hosts[1].candidates[0].check->cert_file, "/valid/folder/ca.pem"));
    config_free(config);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    make_sandbox();
    ck_assert_int_eq(mkdir("folder.json", 0700), 0);
    expect_errors("missing.json", HAR_ERR_IO, "missing.json: open: No such file or directory\n");
    expect_errors("folder.json", HAR_ERR_IO, "folder.json: read: Is a directory\n");
    expect_errors("no/har.json", HAR_ERR_IO, "no/har.json: open: No such file or directory\n");
    expect_errors("a\nb.json", HAR_ERR_IO, "a\\u000ab.json: open: No such file or directory\n");
    remove_sandbox();
}
END_TEST

START_TEST(the_code_is_that_of_the_first_error)
{
    enter("tests/unit/config/invalid");
    int code;
    free(load_errors("syntax_comma.json", &code));
    ck_assert_int_eq(code, HAR_ERR_SYNTAX);
    free(load_errors("words.json", &code));
    ck_assert_int_eq(code, HAR_ERR_VALUE);
    free(load_errors("all_files/har.json", &code)); /* further ones are of every code */
    ck_assert_int_eq(code, HAR_ERR_VALUE);
}
END_TEST

/* --- Bounds, from the table --- */

/* A configuration in which one key has a value; steals value. For free(3). */
static char *with_value(enum schema_scope scope, const char *name, json_t *value)
{
    const char *type = strcmp(name, "fast_interval") == 0 ? "1d" : "10s";
    json_t *top = json_pack("{s{}s{s{s[{ss}]s{ss}}}}", "defaults", "hosts", "a", "candidates",
                            "address", "192.0.2.1", "check", "interval", type);
    json_t *host = json_object_get(json_object_get(top, "hosts"), "a");
    json_t *check = json_object_get(host, "check");
    json_t *candidate = json_array_get(json_object_get(host, "candidates"), 0);
    json_t *objects[] = {top, host, candidate, check, NULL};
    if (strcmp(name, "interval") == 0)
        json_object_set_new(check, "fast_interval", json_string("100ms"));
    ck_assert_ptr_nonnull(objects[scope]);
    ck_assert_int_eq(json_object_set_new(objects[scope], name, value), 0);
    char *text = json_dumps(top, 0);
    json_decref(top);
    return text;
}

static bool accepts(enum schema_scope scope, const struct schema_key *key, json_t *value)
{
    struct config *config = POISON;
    struct config_report report = {0};
    char *text = with_value(scope, key->name, value);
    write_text("har.json", text);
    bool good = config_load("har.json", &config, &report) == HAR_OK;
    ck_assert(good == (report.count == 0));
    if (good)
        config_free(config);
    config_report_done(&report);
    free(text);
    return good;
}

/* number of the row's units, as a value. */
static json_t *in_units(const struct schema_key *key, int64_t number)
{
    char text[DURATION_TEXT_MAX];
    if (key->kind != KIND_DURATION)
        return json_integer(number);
    if (number < 0)
        return json_integer(-1);
    return json_string(duration_format((uint64_t)number * key->unit, text));
}

START_TEST(numbers_and_durations_have_their_bounds)
{
    unsigned tried = 0;
    make_sandbox();
    for (unsigned scope = SCOPE_TOP; scope < SCOPE_TLS; scope++) {
        const struct schema_object *object = schema_object((enum schema_scope)scope);
        for (size_t i = 0; i < object->count; i++) {
            const struct schema_key *key = &object->keys[i];
            enum schema_scope in = (enum schema_scope)scope;
            if (key->kind != KIND_NUMBER && key->kind != KIND_RATIO && key->kind != KIND_PORT &&
                key->kind != KIND_DURATION)
                continue;
            ck_assert_msg(accepts(in, key, in_units(key, key->min)), "%s: min", key->name);
            ck_assert_msg(accepts(in, key, in_units(key, key->max)), "%s: max", key->name);
            ck_assert_msg(!accepts(in, key, in_units(key, (int64_t)key->min - 1)), "%s: below",
                          key->name);
            ck_assert_msg(!accepts(in, key, in_units(key, (int64_t)key->max + 1)), "%s: above",
                          key->name);
            tried++;
        }
    }
    ck_assert_uint_ge(tried, 17);
    remove_sandbox();
}
END_TEST

/* A text of that many bytes that every kind of text allows. */
static json_t *long_text(size_t length)
{
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    text[length] = '\0';
    if (length > 0)
        text[0] = '/';
    json_t *json = json_string(text);
    free(text);
    return json;
}

START_TEST(texts_have_their_bounds)
{
    static const struct {
        enum schema_scope scope;
        unsigned key;
    } cases[] = {{SCOPE_CANDIDATE, CANDIDATE_NAME}, {SCOPE_CHECK, CHECK_KEY_PATH},
                 {SCOPE_CHECK, CHECK_KEY_BODY},     {SCOPE_CHECK, CHECK_KEY_BODY_REGEX},
                 {SCOPE_TOP, TOP_RANKING_DB},       {SCOPE_TOP, TOP_STATE_DB},
                 {SCOPE_TOP, TOP_CONTROL_SOCKET}};
    make_sandbox();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct schema_key *key = &schema_object(cases[i].scope)->keys[cases[i].key];
        size_t least = key->min + (key->kind == KIND_PATH ? 1 : 0);
        ck_assert(accepts(cases[i].scope, key, long_text(least)));
        ck_assert(accepts(cases[i].scope, key, long_text(key->max)));
        ck_assert(!accepts(cases[i].scope, key, long_text(0)));
        ck_assert(!accepts(cases[i].scope, key, long_text(key->max + 1)));
    }
    remove_sandbox();
}
END_TEST

/* It is told apart from one that is long by itself: a socket's path has few bytes. */
START_TEST(a_path_is_bounded_with_its_folder)
{
    const struct schema_key *key = schema_find(SCOPE_TOP, "control_socket");
    char folder[4096], name[4096];
    make_sandbox();
    ck_assert_ptr_nonnull(getcwd(folder, sizeof folder));
    size_t left = key->max - strlen(folder) - 1;
    memset(name, 's', sizeof name);
    name[left] = '\0';
    ck_assert(accepts(SCOPE_TOP, key, json_string(name)));
    name[left] = 's';
    name[left + 1] = '\0';
    ck_assert(!accepts(SCOPE_TOP, key, json_string(name)));
    remove_sandbox();
}
END_TEST

START_TEST(ratios_are_dumped_as_they_were_written)
{
    static const char *const cases[][2] = {{"0", "0"},
                                           {"0.0", "0"},
                                           {"1", "1"},
                                           {"1.0", "1"},
                                           {"0.2", "0.2"},
                                           {"0.1", "0.1"},
                                           {"0.3", "0.3"},
                                           {"0.7", "0.7"},
                                           {"0.05", "0.05"},
                                           {"0.333333", "0.333333"},
                                           {"0.999999", "0.999999"},
                                           {"2e-1", "0.2"},
                                           {"0.0000004", "0"},
                                           {"0.9999996", "1"},
                                           {"0.12345678", "0.123457"}};
    make_sandbox();
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[200], expected[60];
        snprintf(text, sizeof text,
                 "{\"hosts\": {\"a\": {\"candidates\": [\"192.0.2.1\"], \"switch_ratio\": %s}}}",
                 cases[i][0]);
        snprintf(expected, sizeof expected, "\"switch_ratio\": %s,", cases[i][1]);
        struct config *config = load_text(text);
        char *dump = config_dump(config);
        ck_assert_msg(strstr(dump, expected) != NULL, "%s", cases[i][0]);
        ck_assert_double_eq(config->hosts[0].switch_ratio, strtod(cases[i][1], NULL));
        free(dump);
        config_free(config);
    }
    remove_sandbox();
}
END_TEST

/* --- Durations --- */

START_TEST(durations_are_read_exactly)
{
    static const struct {
        const char *text;
        uint64_t us;
    } cases[] = {
        {"0s", 0},
        {"250ms", 250000},
        {"5s", 5000000},
        {"2m", 120000000},
        {"1h", UINT64_C(3600000000)},
        {"1d", UINT64_C(86400000000)},
        {"1.5s", 1500000},
        {"0.001ms", 1},
        {"007s", 7000000},
        {"999999999s", UINT64_C(999999999000000)},
        {"11574d", UINT64_C(999993600000000)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t us = 0x5a5a;
        ck_assert_msg(duration_parse(cases[i].text, &us), "%s", cases[i].text);
        ck_assert_uint_eq(us, cases[i].us);
    }
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
    static const char *const bad[] = {
        "",           "s",           "5",      "-5s",           "+5s",           " 5s",
        "5 s",        "5s ",         "5S",     "5.s",           ".5s",           "1e3s",
        "0x5s",       "5ss",         "1h30m",  "5us",           "1,5s",          "0.0001ms",
        "1.0000001s", "1000000001s", "11575d", "999999999999d", "9999999999999s"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t us = 0x5a5a;
        ck_assert_msg(!duration_parse(bad[i], &us), "%s", bad[i]);
        ck_assert_uint_eq(us, 0x5a5a);
    }
}
END_TEST

START_TEST(seconds_are_rounded_to_a_microsecond)
{
    uint64_t us = 0x5a5a;
    ck_assert(duration_from_seconds(0.1, &us));
    ck_assert_uint_eq(us, 100000);
    ck_assert(duration_from_seconds(1.001, &us)); /* times 1e6 that is a little less */
    ck_assert_uint_eq(us, 1001000);
    ck_assert(duration_from_seconds(1e9, &us));
    ck_assert_uint_eq(us, DURATION_MAX_US);
    us = 0x5a5a;
    ck_assert(!duration_from_seconds(-0.001, &us));
    ck_assert(!duration_from_seconds(1.1e9, &us));
    ck_assert(!duration_from_seconds(1e300, &us));
    ck_assert_uint_eq(us, 0x5a5a);
}
END_TEST

START_TEST(durations_are_written_shortest)
{
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "0.001ms"},
        {1500, "1.5ms"},
        {250000, "250ms"},
        {1500000, "1500ms"},
        {90000000, "90s"},
        {120000000, "2m"},
        {UINT64_C(5400000000), "90m"},
        {UINT64_C(86400000000), "1d"},
        {1001, "1.001ms"},
        {DURATION_MAX_US - 1, "999999999999.999ms"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[DURATION_TEXT_MAX];
        memset(text, '#', sizeof text);
        ck_assert_str_eq(duration_format(cases[i].us, text), cases[i].text);
    }
}
END_TEST

START_TEST(durations_are_rounded_for_people)
{
    static const struct {
        uint64_t us;
        const char *age, *latency;
    } cases[] = {
        {0, "0s", "0s"},
        {999, "0s", "0.999ms"},
        {12349, "0s", "12.3ms"},
        {12350, "0s", "12.4ms"},
        {999600, "0s", "1s"},
        {1500000, "1s", "1500ms"},
        {119999999, "119s", "2m"},
        {120000000, "2m", "2m"},
        {UINT64_C(3725000000), "62m", "3730s"},
        {UINT64_C(7199999999), "119m", "2h"},
        {UINT64_C(90000000000), "25h", "25h"},
        {UINT64_C(259199000000), "2d", "259000s"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[DURATION_TEXT_MAX];
        memset(text, '#', sizeof text);
        ck_assert_str_eq(duration_format_age(cases[i].us, text), cases[i].age);
        ck_assert_str_eq(duration_format_latency(cases[i].us, text), cases[i].latency);
    }
}
END_TEST

/* --- The same question? --- */

/* Loads a host with a check and a candidate that changes it. Is it still the same question? */
static bool same_with(const char *check, const char *change)
{
    char text[1000];
    snprintf(text, sizeof text,
             "{\"hosts\": {\"a\": {\"check\": {%s}, \"candidates\": [\"192.0.2.1\", "
             "{\"address\": \"192.0.2.2\", \"check\": {%s}}]}}}",
             check, change);
    struct config *config = load_text(text);
    const struct config_candidate *candidates = config->hosts[0].candidates;
    ck_assert_ptr_ne(candidates[0].check, candidates[1].check);
    bool same = config_check_equal(candidates[0].check, candidates[1].check);
    ck_assert(same == config_check_equal(candidates[1].check, candidates[0].check));
    ck_assert(config_check_equal(candidates[0].check, candidates[0].check));
    ck_assert(same == (config_check_fingerprint(candidates[0].check) ==
                       config_check_fingerprint(candidates[1].check)));
    config_free(config);
    return same;
}

START_TEST(checks_are_equal_when_they_ask_the_same)
{
    static const char https[] = "\"type\": \"https\", \"headers\": {\"X-A\": \"1\"}";
    static const char *const https_changes[] = {
        "\"port\": 8080",
        "\"path\": \"/other\"",
        "\"method\": \"HEAD\"",
        "\"host\": \"b\"",
        "\"headers\": {\"X-A\": \"2\"}",
        "\"headers\": {}",
        "\"status\": 200",
        "\"status\": [\"200-299\", 301]",
        "\"body\": \"ok\"",
        "\"body_regex\": \"ok\"",
        "\"tls\": {\"verify\": false}",
        "\"tls\": {\"ca_file\": \"har.json\"}",
        "\"tls\": {\"cert_file\": \"har.json\"}",
        "\"tls\": {\"cert_file\": \"har.json\", \"key_file\": \"har.json\"}",
        "\"type\": \"http\", \"port\": 443",
        "\"type\": \"tls\", \"port\": 443",
    };
    static const char tls[] = "\"type\": \"tls\", \"port\": 1, \"send\": \"x\", "
                              "\"tls\": {\"cert_file\": \"har.json\"}";
    static const char *const tls_changes[] = {
        "\"send\": \"y\"", "\"send\": null", "\"expect\": \"x\"",
        "\"tls\": {\"key_file\": \"har.json\"}", "\"type\": \"tcp\", \"port\": 1"};
    make_sandbox();
    for (size_t i = 0; i < COUNT(https_changes); i++)
        ck_assert_msg(!same_with(https, https_changes[i]), "%s", https_changes[i]);
    for (size_t i = 0; i < COUNT(tls_changes); i++)
        ck_assert_msg(!same_with(tls, tls_changes[i]), "%s", tls_changes[i]);
    ck_assert(same_with(https, ""));
    ck_assert(same_with(tls, "\"send\": \"x\""));
    ck_assert(same_with(https, "\"interval\": \"5s\", \"fast_interval\": \"2s\", "
                               "\"timeout\": \"1s\", \"rise\": 1, \"fall\": 1, "
                               "\"tripwire\": true"));
    remove_sandbox();
}
END_TEST

START_TEST(check_types_have_words)
{
    ck_assert_str_eq(check_type_text(CHECK_HTTP), "http");
    ck_assert_str_eq(check_type_text(CHECK_HTTPS), "https");
    ck_assert_str_eq(check_type_text(CHECK_TCP), "tcp");
    ck_assert_str_eq(check_type_text(CHECK_TLS), "tls");
    ck_assert_str_eq(check_type_text(CHECK_NONE), "none");
}
END_TEST

/* --- har.schema.json says what the table says --- */

static void check_default(const struct schema_key *key, const json_t *property)
{
    const json_t *found = json_object_get(property, "default");
    /* Where the ranking is depends on how it was built. */
    if (key->fallback == NULL || key->kind == KIND_PATH) {
        ck_assert_msg(found == NULL, "%s", key->name);
        return;
    }
    json_t *expected = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    ck_assert_msg(json_equal(found, expected), "%s: default", key->name);
    json_decref(expected);
}

static void check_bound(const struct schema_key *key, const json_t *property, const char *name,
                        double expected)
{
    const json_t *found = json_object_get(property, name);
    ck_assert_msg(json_is_number(found) && json_number_value(found) == expected, "%s: %s",
                  key->name, name);
}

static void check_bounds(const struct schema_key *key, const json_t *property)
{
    static const char *const names[][2] = {
        [KIND_DURATION] = {"minimum", "maximum"},     [KIND_NUMBER] = {"minimum", "maximum"},
        [KIND_PORT] = {"minimum", "maximum"},         [KIND_TEXT] = {"minLength", "maxLength"},
        [KIND_LABEL] = {"minLength", "maxLength"},    [KIND_URL_PATH] = {"minLength", "maxLength"},
        [KIND_REGEX] = {"minLength", "maxLength"},    [KIND_FILE] = {"minLength", "maxLength"},
        [KIND_PATH] = {"minLength", "maxLength"},     [KIND_NAMES] = {"minItems", "maxItems"},
        [KIND_CANDIDATES] = {"minItems", "maxItems"}, [KIND_UPSTREAMS] = {"minItems", "maxItems"},
        [KIND_RATIO] = {"minimum", "maximum"},        [KIND_OBJECT] = {NULL, NULL},
    };
    double scale = key->kind == KIND_DURATION ? (double)key->unit / UNIT_S : 1;
    if (names[key->kind][0] == NULL)
        return;
    check_bound(key, property, names[key->kind][0], key->min * scale);
    check_bound(key, property, names[key->kind][1], key->max * scale);
}

static void check_words(const struct schema_key *key, const json_t *property)
{
    const json_t *words = json_object_get(property, "enum");
    size_t count = 0;
    if (key->kind == KIND_FAILURE_MODE)
        words = json_object_get(json_array_get(json_object_get(property, "anyOf"), 0), "enum");
    else if (key->kind != KIND_WORD)
        return;
    for (; key->words[count].text != NULL; count++)
        ck_assert_msg(count < json_array_size(words) &&
                          strcmp(json_string_value(json_array_get(words, count)),
                                 key->words[count].text) == 0,
                      "%s: %s", key->name, key->words[count].text);
    ck_assert_uint_eq(json_array_size(words), count);
}

START_TEST(the_json_schema_says_what_the_table_says)
{
    static const char *const paths[SCOPE_COUNT] = {NULL, "host_keys", "candidate", "check", "tls"};
    enter("config");
    json_t *schema = json_load_file("har.schema.json", JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(schema);
    const json_t *parts = json_object_get(schema, "$defs");
    for (unsigned scope = SCOPE_TOP; scope < SCOPE_COUNT; scope++) {
        const struct schema_object *object = schema_object((enum schema_scope)scope);
        const json_t *part = scope == SCOPE_TOP ? schema : json_object_get(parts, paths[scope]);
        const json_t *properties = json_object_get(part, "properties");
        ck_assert_uint_eq(json_object_size(properties), object->count);
        for (size_t i = 0; i < object->count; i++) {
            const struct schema_key *key = &object->keys[i];
            const json_t *property = json_object_get(properties, key->name);
            const char *help = json_string_value(json_object_get(property, "description"));
            ck_assert_msg(help != NULL && strcmp(help, key->help) == 0, "%s: help", key->name);
            check_default(key, property);
            check_bounds(key, property);
            check_words(key, property);
        }
    }
    json_decref(schema);
}
END_TEST

START_TEST(every_row_is_complete)
{
    for (unsigned scope = SCOPE_TOP; scope < SCOPE_COUNT; scope++) {
        const struct schema_object *object = schema_object((enum schema_scope)scope);
        for (size_t i = 0; i < object->count; i++) {
            const struct schema_key *key = &object->keys[i];
            ck_assert_ptr_nonnull(key->name);
            ck_assert_msg(key->help != NULL, "%s", key->name);
            ck_assert_msg(key->required || (key->fallback == NULL) != (key->fallback_text == NULL),
                          "%s needs one default", key->name);
            ck_assert_msg(scope != SCOPE_CHECK || key->types != 0, "%s", key->name);
            ck_assert_msg(key->kind != KIND_DURATION || key->unit != 0, "%s", key->name);
            ck_assert_ptr_eq(schema_find((enum schema_scope)scope, key->name), key);
        }
    }
}
END_TEST

/* --- Memory --- */

static size_t allocations_left;

static void *scarce_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

/* Loads with n allocations. False, and everything released, unless that was enough. */
static bool load_with(size_t n, const char *path)
{
    struct config *config = POISON;
    struct config_report report = {0};
    allocations_left = n;
    int code = config_load(path, &config, &report);
    allocations_left = SIZE_MAX;
    if (code == HAR_OK) {
        config_free(config);
        ck_assert_uint_eq(report.count, 0);
        return true;
    }
    /* jansson takes some of its own failures for bad syntax; ours have their code. */
    ck_assert_msg(code == HAR_ERR_MEMORY || code == HAR_ERR_SYNTAX, "%zu allocations: %d: %s", n,
                  code, report.count > 0 ? report.lines[0] : "");
    ck_assert_ptr_eq(config, POISON);
    config_report_done(&report);
    return false;
}

static bool dump_with(size_t n, const struct config *config)
{
    allocations_left = n;
    char *text = config_dump(config);
    allocations_left = SIZE_MAX;
    bool enough = text != NULL;
    free(text);
    return enough;
}

START_TEST(without_memory_nothing_is_half_done)
{
    size_t n = 0;
    enter("tests/unit/config/valid");
    json_set_alloc_funcs(scarce_malloc, free);
    while (!load_with(n, "every_check.json"))
        n++;
    ck_assert_uint_gt(n, 100);
    while (!load_with(n, "folder/har.json"))
        n++;
    while (!load_with(n, "every_key.json"))
        n++;
    while (!load_with(n, "host_names.json"))
        n++;
    struct config *config = load("every_check.json");
    for (n = 0; !dump_with(n, config);)
        n++;
    ck_assert_uint_gt(n, 100);
    config_free(config);
    config = load("every_key.json");
    for (n = 0; !dump_with(n, config);)
        n++;
    config_free(config);
}
END_TEST

START_TEST(free_takes_null)
{
    struct config_report report = {0};
    config_free(NULL);
    config_report_done(&report);
}
END_TEST

/* --- All of it --- */

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *samples = add_case(suite, "samples");
    tcase_add_test(samples, invalid_samples_give_the_expected_lines);
    tcase_add_test(samples, valid_samples_survive_a_dump);
    TCase *reading = add_case(suite, "reading");
    tcase_add_test(reading, defaults_are_those_of_the_manual);
    tcase_add_test(reading, short_intervals_shorten_what_depends_on_them);
    tcase_add_test(reading, every_kind_of_check_is_read);
    tcase_add_test(reading, hosts_and_candidates_inherit_key_by_key);
    tcase_add_test(reading, resolvers_and_selection_are_read);
    tcase_add_test(reading, no_upstreams_are_not_those_of_resolv_conf);
    tcase_add_test(reading, candidates_may_be_host_names);
    tcase_add_test(reading, candidates_without_a_word_share_a_check);
    tcase_add_test(reading, hosts_d_is_read_in_order_and_all_is_sorted);
    tcase_add_test(reading, files_that_cannot_be_read);
    tcase_add_test(reading, the_code_is_that_of_the_first_error);
    TCase *bounds = add_case(suite, "bounds");
    tcase_add_test(bounds, numbers_and_durations_have_their_bounds);
    tcase_add_test(bounds, texts_have_their_bounds);
    tcase_add_test(bounds, a_path_is_bounded_with_its_folder);
    tcase_add_test(bounds, ratios_are_dumped_as_they_were_written);
    TCase *durations = add_case(suite, "durations");
    tcase_add_test(durations, durations_are_read_exactly);
    tcase_add_test(durations, what_is_no_duration_is_refused);
    tcase_add_test(durations, seconds_are_rounded_to_a_microsecond);
    tcase_add_test(durations, durations_are_written_shortest);
    tcase_add_test(durations, durations_are_rounded_for_people);
    TCase *checks = add_case(suite, "checks");
    tcase_add_test(checks, checks_are_equal_when_they_ask_the_same);
    tcase_add_test(checks, check_types_have_words);
    TCase *schema = add_case(suite, "schema");
    tcase_add_test(schema, the_json_schema_says_what_the_table_says);
    tcase_add_test(schema, every_row_is_complete);
    TCase *memory = add_case(suite, "memory");
    tcase_add_test(memory, without_memory_nothing_is_half_done);
    tcase_add_test(memory, free_takes_null);
    return unit_run(suite);
}
