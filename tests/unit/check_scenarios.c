/* hard/schedule.c, health.c, rank.c, answer.c and host.c together, on simulated time: what is in
 * the files of tests/unit/scenarios, and every pattern of failures. Each file says at its top how
 * to read it. */
#include <ctype.h>
#include <glob.h>
#include <inttypes.h>

#include "hard/schedule.h"
#include "tests/support/table_text.h"

#define WORDS_MAX 32
#define HOUR_US INT64_C(3600000000)

struct story {
    const char *path;
    int line;
    struct table *table; /* of one host, NULL before the first */
    int64_t now_us;
    struct schedule_random random;
    unsigned round[256]; /* results of each letter, for those that alternate */
    /* Of the line that runs. */
    unsigned switches, hourly, hourly_max;
    int64_t hour_us;
};

#define FAIL(story, ...)                                                                           \
    do {                                                                                           \
        char message[2000];                                                                        \
        snprintf(message, sizeof message, __VA_ARGS__);                                            \
        ck_abort_msg("%s:%d: %s", (story)->path, (story)->line, message);                          \
    } while (0)

static struct host *host_of(const struct story *story)
{
    return &story->table->hosts[0];
}

/* --- Words ------------------------------------------------------------------------------------ */

/* "10ms", "5s", "2m", "24h" */
static double read_us(const struct story *story, const char *text, char **end)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"ms", 1e3}, {"us", 1}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};
    double value = strtod(text, end);
    for (size_t i = 0; *end > text && i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].unit);
        if (strncmp(*end, units[i].unit, length) == 0) {
            *end += length;
            return value * units[i].us;
        }
    }
    FAIL(story, "'%s' is no time", text);
}

static int64_t read_span(const struct story *story, const char *text)
{
    char *end;
    double us = read_us(story, text, &end);
    if (*end != '\0')
        FAIL(story, "'%s' is no time", text);
    return (int64_t)us;
}

/* Splits in place at blanks. Returns how many. */
static size_t split(const struct story *story, char *text, char *words[WORDS_MAX])
{
    size_t count = 0;
    words[0] = text;
    for (char *word = strtok(text, " \t\n"); word != NULL; word = strtok(NULL, " \t\n")) {
        if (count == WORDS_MAX)
            FAIL(story, "too many words");
        words[count++] = word;
    }
    return count;
}

/* --- Hosts ------------------------------------------------------------------------------------ */

/* A candidate's letter, and what follows it: "6" IPv6, "?" a host name, "/1" priority, "*7" weight.
 */
static int write_candidate(const struct story *story, char *to, const char *word)
{
    char address[64];
    unsigned priority = 0, weight = 100;
    int place = word[0] - 'a' + 1, used;
    const char *at = word + 1;
    snprintf(address, sizeof address, *at == '6' ? "2001:db8::%x" : "192.0.2.%d", place);
    if (*at == '?')
        snprintf(address, sizeof address, "%c.example.net", word[0]);
    at += *at == '6' || *at == '?';
    for (used = 0; *at != '\0'; at += used) {
        if (sscanf(at, "/%u%n", &priority, &used) != 1 && sscanf(at, "*%u%n", &weight, &used) != 1)
            FAIL(story, "'%s' is no candidate", word);
    }
    return sprintf(to, "{\"address\": \"%s\", \"name\": \"%c\", \"priority\": %u, \"weight\": %u}",
                   address, word[0], priority, weight);
}

static void take_host(struct story *story, char *line)
{
    char json[4096], *at = json, *words[WORDS_MAX];
    char *keys = strchr(line, '"');
    char more[1024] = "";
    if (keys != NULL) {
        snprintf(more, sizeof more, ", %s", keys);
        *keys = '\0';
    }
    at += sprintf(at, "\"a.example\": {\"candidates\": [");
    size_t count = split(story, line, words);
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, i > 0 ? ", " : "");
        at += write_candidate(story, at, words[i]);
    }
    sprintf(at, "]%s%s}", strstr(more, "\"answers\"") == NULL ? ", \"answers\": 16" : "", more);
    story->table = story->table == NULL ? table_of(json) : table_next(story->table, json);
}

/* "a", or of a host name "n2" for the address that ends in 2. */
static void write_label(const struct endpoint *endpoint, char label[8])
{
    const struct har_address *address = &endpoint->target.address;
    char number[5] = "";
    if (endpoint->candidate->host_name != NULL)
        snprintf(number, sizeof number, "%u", address->bytes[address->family == AF_INET ? 3 : 15]);
    snprintf(label, 8, "%c%s", endpoint->candidate->name[0], number);
}

static struct endpoint *find_label(const struct story *story, const char *wanted)
{
    const struct host *host = host_of(story);
    for (size_t i = 0; i < host->endpoint_count; i++) {
        char label[8];
        write_label(host->endpoints[i], label);
        if (strcmp(label, wanted) == 0)
            return host->endpoints[i];
    }
    FAIL(story, "nobody is '%s'", wanted);
}

static void take_addresses(struct story *story, char letter, char *const *words, size_t count)
{
    struct host *host = host_of(story);
    char list[1024] = "";
    size_t candidate = 0;
    while (candidate < host->config->candidate_count &&
           host->config->candidates[candidate].name[0] != letter)
        candidate++;
    for (size_t i = 0; i < count; i++)
        sprintf(list + strlen(list), "198.51.100.%s ", words[i]);
    host_resolve(host, candidate, list);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void write_word(const struct story *story, const char *address, char *to)
{
    const struct host *host = host_of(story);
    struct har_address parsed;
    ck_assert_int_eq(har_address_parse(address, &parsed), 0);
    strcpy(to, address); /* an address of failure_mode */
    for (size_t i = host->endpoint_count; i-- > 0;) {
        if (har_address_equal(&host->endpoints[i]->target.address, &parsed))
            write_label(host->endpoints[i], to);
    }
}

/* "a b", in a group "a*100 b*300 c", "dead: a b" when failure_mode decided, or a status. */
static const char *answer_text(const struct story *story)
{
    static char text[2048];
    const struct host_answer *answer = &host_of(story)->answer;
    const char *weights = answer->weights != NULL ? answer->weights : "";
    char address[64], *end = text;
    if (answer->addresses == NULL)
        return "nothing";
    end += sprintf(end, "%s", host_of(story)->failing ? "dead:" : "");
    if (strcmp(answer->status, "answer") != 0)
        end += sprintf(end, " %s", answer->status);
    int used = 0;
    for (const char *at = answer->addresses; sscanf(at, " %63s%n", address, &used) == 1;
         at += used) {
        end += sprintf(end, " ");
        write_word(story, address, end);
        end += strlen(end);
        int weight = (int)strtol(weights, (char **)&weights, 10);
        if (weight != 0)
            end += sprintf(end, "*%d", weight);
    }
    return text + (text[0] == ' ');
}

static void update(struct story *story)
{
    char *was = NULL, before[64] = "", after[64] = "";
    struct host *host = host_of(story);
    if (host->answer.addresses != NULL)
        sscanf(host->answer.addresses, "%63s", before);
    if (!host_update_answer(host, story->now_us, &was))
        return;
    free(was);
    sscanf(host->answer.addresses, "%63s", after);
    if (strcmp(before, after) == 0 || before[0] == '\0')
        return;
    if (story->now_us - story->hour_us >= HOUR_US) {
        story->hourly = 0;
        story->hour_us += (story->now_us - story->hour_us) / HOUR_US * HOUR_US;
    }
    story->switches++;
    story->hourly++;
    if (story->hourly > story->hourly_max)
        story->hourly_max = story->hourly;
}

/* "a b; switches <= 1; hourly <= 1" */
static void expect(const struct story *story, char *wanted)
{
    for (char *part = strtok(wanted, ";"); part != NULL; part = strtok(NULL, ";")) {
        unsigned bound;
        char *end = part + strlen(part);
        part += strspn(part, " ");
        while (end > part && isspace((unsigned char)end[-1]))
            *--end = '\0';
        if (sscanf(part, "switches = %u", &bound) == 1) {
            if (story->switches != bound)
                FAIL(story, "%u switches", story->switches);
        } else if (sscanf(part, "switches <= %u", &bound) == 1) {
            if (story->switches > bound)
                FAIL(story, "%u switches", story->switches);
        } else if (sscanf(part, "switches >= %u", &bound) == 1) {
            if (story->switches < bound)
                FAIL(story, "%u switches", story->switches);
        } else if (sscanf(part, "hourly <= %u", &bound) == 1) {
            if (story->hourly_max > bound)
                FAIL(story, "%u switches in an hour", story->hourly_max);
        } else if (strcmp(part, answer_text(story)) != 0) {
            FAIL(story, "'%s', not '%s'", answer_text(story), part);
        }
    }
}

/* --- Results ---------------------------------------------------------------------------------- */

static void give_result(struct story *story, struct endpoint *endpoint, uint32_t us)
{
    const struct config_check *check = endpoint->target.check;
    if (us == 0)
        health_failure(&endpoint->health, check->fall);
    else
        health_success(&endpoint->health, check->rise, us, us);
    if (!endpoint->answered)
        table_answered(story->table, endpoint);
    update(story);
}

static void take_result(struct story *story, struct endpoint *endpoint, const char *word)
{
    static const struct {
        const char *word;
        enum override override;
    } overrides[] = {{"drain", OVERRIDE_DRAIN},
                     {"up", OVERRIDE_UP},
                     {"down", OVERRIDE_DOWN},
                     {"auto", OVERRIDE_NONE}};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(word, overrides[i].word) == 0) {
            override_endpoint(endpoint, overrides[i].override);
            update(story);
            return;
        }
    }
    if (strcmp(word, "fail") == 0)
        give_result(story, endpoint, 0);
    else
        give_result(story, endpoint, (uint32_t)read_span(story, word));
}

/* --- The schedule ----------------------------------------------------------------------------- */

/* "20ms", "20ms~20%" (give or take), "20ms>80ms" (from the beginning to the end of the line),
 * "fail"; how far the line is: 0 to 1. 0: the check fails. */
static uint32_t latency_of(struct story *story, const char *behaviour, double passed)
{
    char *end;
    if (strncmp(behaviour, "fail", 4) == 0)
        return 0;
    double us = read_us(story, behaviour, &end);
    if (*end == '>')
        us += (read_us(story, end + 1, &end) - us) * passed;
    if (*end == '~') {
        uint32_t draw = schedule_next_ms(&story->random, 1000000) - 900000; /* to 200000 */
        us *= 1 + strtod(end + 1, NULL) / 100 * (draw / 100000. - 1);
    }
    return us < 1 ? 1 : (uint32_t)us;
}

/* The part of "5ms/50ms" whose turn it is. */
static const char *next_part(struct story *story, char letter, const char *behaviour)
{
    unsigned parts = 1;
    for (const char *at = behaviour; *at != '\0'; at++)
        parts += *at == '/';
    for (unsigned skip = story->round[(unsigned char)letter]++ % parts; skip > 0; skip--)
        behaviour = strchr(behaviour, '/') + 1;
    return behaviour;
}

struct run {
    int64_t began_us, ends_us;
    char *const *behaviours; /* "a=20ms" */
    size_t count;
};

static const char *behaviour_of(const struct story *story, const struct run *run, char letter)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->behaviours[i][0] == letter && run->behaviours[i][1] == '=')
            return run->behaviours[i] + 2;
    }
    FAIL(story, "what does '%c' do?", letter);
}

/* started_us is when the next check begins. Those that are new begin as the monitor has them. */
static void start_new(struct story *story)
{
    struct host *host = host_of(story);
    size_t count = 0, place = 0;
    for (size_t i = 0; i < host->endpoint_count; i++)
        count += !host->endpoints[i]->started;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        struct endpoint *endpoint = host->endpoints[i];
        uint32_t interval_ms = endpoint->target.check->interval_ms;
        if (!endpoint->started)
            endpoint->started_us =
                story->now_us + INT64_C(1000) * schedule_first_ms(place++, count, interval_ms);
        endpoint->started = true;
    }
}

static struct endpoint *next_due(const struct story *story)
{
    const struct host *host = host_of(story);
    struct endpoint *next = NULL;
    for (size_t i = 0; i < host->endpoint_count; i++) {
        if (next == NULL || host->endpoints[i]->started_us < next->started_us)
            next = host->endpoints[i];
    }
    return next;
}

/* What it finds out is known at once, the few milliseconds make no difference here. */
static void check_now(struct story *story, const struct run *run, struct endpoint *endpoint)
{
    char letter = endpoint->candidate->name[0];
    bool first = !endpoint->answered;
    double passed =
        (double)(story->now_us - run->began_us) / (double)(run->ends_us - run->began_us);
    const char *behaviour = next_part(story, letter, behaviour_of(story, run, letter));
    give_result(story, endpoint, latency_of(story, behaviour, passed));
    endpoint->started_us +=
        INT64_C(1000) *
        schedule_after_ms(&story->random, endpoint->target.check, &endpoint->health, first);
}

static void take_run(struct story *story, char *const *words, size_t count)
{
    struct run run = {.began_us = story->now_us,
                      .ends_us = story->now_us + read_span(story, words[0]),
                      .behaviours = words + 1,
                      .count = count - 1};
    story->switches = story->hourly = story->hourly_max = 0;
    story->hour_us = story->now_us;
    start_new(story);
    for (struct endpoint *next = next_due(story); next->started_us < run.ends_us;
         next = next_due(story)) {
        if (next->started_us > story->now_us)
            story->now_us = next->started_us;
        check_now(story, &run, next);
    }
    story->now_us = run.ends_us;
}

/* --- Files ------------------------------------------------------------------------------------ */

static void take_words(struct story *story, char *const *words, size_t count)
{
    if (strcmp(words[0], "seed") == 0 && count == 2)
        story->random.state = strtoull(words[1], NULL, 10);
    else if (words[0][0] == '+' && count == 1)
        story->now_us += read_span(story, words[0] + 1);
    else if (strcmp(words[0], "run") == 0 && count >= 2)
        take_run(story, words + 1, count - 1);
    else if (count >= 2 && strcmp(words[1], "is") == 0)
        take_addresses(story, words[0][0], words + 2, count - 2);
    else if (count == 2)
        take_result(story, find_label(story, words[0]), words[1]);
    else
        FAIL(story, "what is '%s'?", words[0]);
}

static void take_line(struct story *story, char *line)
{
    char *words[WORDS_MAX];
    char *wanted = strstr(line, "->");
    if (line[0] == '#' || line[0] == '\n')
        return;
    if (wanted != NULL) {
        *wanted = '\0';
        wanted += 2;
    }
    if (strncmp(line, "host ", 5) == 0) {
        take_host(story, line + 5);
        update(story);
    } else {
        size_t count = split(story, line, words);
        if (count > 0) /* else there is something to expect alone */
            take_words(story, words, count);
        update(story);
    }
    if (wanted != NULL)
        expect(story, wanted);
}

static glob_t files;

START_TEST(stories)
{
    struct story story = {.path = files.gl_pathv[_i], .now_us = HOUR_US, .random.state = 1};
    FILE *file = fopen(story.path, "r");
    ck_assert_ptr_nonnull(file);
    char line[1024];
    for (; fgets(line, sizeof line, file) != NULL;) {
        story.line++;
        take_line(&story, line);
    }
    fclose(file);
    ck_assert_ptr_nonnull(story.table);
    table_free(story.table);
}
END_TEST

/* --- Every pattern of failures ---------------------------------------------------------------- */

#define PATTERN 8

/* What rise and fall say, from all results so far, without a streak to count. */
static bool is_up(const bool *results, size_t count, unsigned rise, unsigned fall)
{
    bool up = results[0];
    for (size_t i = 1; i < count; i++) {
        size_t needed = up ? fall : rise, same = 0;
        while (same < needed && same < i && results[i - same] != up)
            same++;
        up = same == needed ? !up : up;
    }
    return up;
}

/* The preferred one of two fails and recovers in a pattern; the other one takes over. */
static void assert_pattern(unsigned pattern, unsigned rise, unsigned fall)
{
    char hosts[300];
    bool results[3 * PATTERN];
    snprintf(hosts, sizeof hosts,
             "\"a.example\": {\"candidates\": [{\"address\": \"192.0.2.1\", \"priority\": 1}, "
             "\"192.0.2.2\"], \"check\": {\"rise\": %u, \"fall\": %u, \"interval\": \"10s\", "
             "\"fast_interval\": \"1s\"}}",
             rise, fall);
    struct table *table = table_of(hosts);
    struct host *host = &table->hosts[0];
    struct endpoint *endpoint = host->endpoints[1];
    struct schedule_random random = {.state = pattern};
    table_result(table, host->endpoints[0], 5);
    for (unsigned i = 0; i < 3 * PATTERN; i++) {
        results[i] = (pattern >> i % PATTERN & 1) != 0;
        if (results[i])
            health_success(&endpoint->health, rise, 50000, 50000);
        else
            health_failure(&endpoint->health, fall);
        bool up = is_up(results, i + 1, rise, fall);
        const char *wanted = up ? "192.0.2.2" : "192.0.2.1";
        const char *answer = host_answer_at(host, i + 1);
        uint32_t next_ms =
            schedule_after_ms(&random, endpoint->target.check, &endpoint->health, false);
        if (strcmp(answer, wanted) != 0 || (next_ms <= 1100) != (results[i] != up))
            ck_abort_msg("pattern %02x, rise %u, fall %u, result %u: %s, next after %u ms", pattern,
                         rise, fall, i + 1, answer, next_ms);
    }
    table_free(table);
}

START_TEST(every_pattern_of_failures)
{
    unsigned rise = 1 + (unsigned)_i % 4, fall = 1 + (unsigned)_i / 4;
    for (unsigned pattern = 0; pattern < 1U << PATTERN; pattern++)
        assert_pattern(pattern, rise, fall);
}
END_TEST

int main(void)
{
    const char *folder = getenv("HAR_SRCDIR");
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s/tests/unit/scenarios/*.txt",
             folder != NULL ? folder : ".");
    Suite *suite = suite_create("scenarios");
    TCase *tests = tcase_create("scenarios");
    tcase_set_timeout(tests, 60);
    if (glob(pattern, 0, NULL, &files) != 0) {
        fprintf(stderr, "nothing like %s\n", pattern);
        return EXIT_FAILURE;
    }
    tcase_add_loop_test(tests, stories, 0, (int)files.gl_pathc);
    tcase_add_loop_test(tests, every_pattern_of_failures, 0, 16);
    suite_add_tcase(suite, tests);
    int status = unit_run(suite);
    globfree(&files);
    return status;
}
