/* ranking/publish.c against ranking/lookup.c while rankings follow each other: an answer belongs to
 * one generation, to one that stood during the lookup, and a publisher that is killed at any
 * system call leaves a whole file. */
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "ranking/publish.h"
#include "tests/support/ranking_file.h"

#define GENERATIONS (UNIT_SANITIZED ? 1500 : 5000)
#define GENERATIONS_LONG 100000

#define ROWS 64
#define READERS 4 /* the first half are processes, the others threads */
#define READS_A_TURN 8
#define DEPTH_MAX 3
#define FAMILY_ADDRESSES_MAX (RANKING_ADDRESSES_MAX / 2)

/* --- What generation g says ------------------------------------------------------------------- */

/* Any number, the same for the same two. */
static unsigned mix(unsigned a, unsigned b)
{
    uint32_t hash = a * 2654435761u + b;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return hash ^ hash >> 16;
}

/* Every eighth name is always there, every other eighth in even generations alone; of the rest a
 * generation has none, some or nearly all, so that rows move and the tree grows and shrinks. */
static bool holds(unsigned generation, unsigned row)
{
    switch (row % 8) {
    case 0:
        return true;
    case 1:
        return generation % 2 == 0;
    default:
        return mix(generation, row) % 8 < mix(generation, ROWS) % 8;
    }
}

/* Of one family, 1 to 16; the short rows of one generation in two make for a low tree. */
static unsigned addresses_of(unsigned generation, unsigned row, int family)
{
    unsigned most = mix(generation, ROWS + 1) % 2 == 0 ? 2 : FAMILY_ADDRESSES_MAX;
    return 1 + mix(generation, row * 2 + (family == AF_INET)) % most;
}

static struct har_address address_of(unsigned generation, unsigned row, int family, unsigned place)
{
    struct har_address address = {.family = family};
    uint32_t number = generation << 10 | row << 4 | place;
    unsigned last = family == AF_INET ? 4 : 16;
    if (family == AF_INET6)
        memcpy(address.bytes, "\x20\x01\x0d\xb8", 4);
    for (unsigned i = 1; i <= 4; i++, number >>= 8)
        address.bytes[last - i] = (uint8_t)number;
    return address;
}

static unsigned generation_of(const struct har_address *address)
{
    const uint8_t *last = address->bytes + (address->family == AF_INET ? 4 : 16);
    return (unsigned)last[-4] << 14 | (unsigned)last[-3] << 6 | (unsigned)last[-2] >> 2;
}

static char names[ROWS][HAR_NAME_MAX + 1];

/* In order, and of very different lengths. */
static void make_names(void)
{
    for (unsigned row = 0; row < ROWS; row++) {
        int length = sprintf(names[row], "h%02u.", row);
        unsigned more = row % 3 == 0 ? 1 + mix(row, 0) % 240 : 7;
        memset(names[row] + length, 'x', more);
    }
}

static void write_addresses(char *to, unsigned generation, unsigned row)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t f = 0; f < 2; f++) {
        unsigned count = addresses_of(generation, row, families[f]);
        for (unsigned place = 0; place < count; place++) {
            char text[HAR_ADDRESS_TEXT_MAX];
            struct har_address address = address_of(generation, row, families[f], place);
            to += sprintf(to, "%s ", har_address_format(&address, text));
        }
    }
    to[-1] = '\0';
}

static int publish(unsigned generation, struct har_error *error)
{
    static char addresses[ROWS][RANKING_ADDRESSES_MAX * HAR_ADDRESS_TEXT_MAX];
    struct ranking_row rows[ROWS];
    size_t count = 0;
    for (unsigned row = 0; row < ROWS; row++) {
        if (!holds(generation, row))
            continue;
        write_addresses(addresses[row], generation, row);
        rows[count++] = (struct ranking_row){
            names[row], RANKING_STATUS_ANSWER, addresses[row], RANKING_ANSWERS_MAX, NULL, NULL};
    }
    return ranking_publish(path, rows, count, NOW_S + 1, error);
}

static void publish_well(unsigned generation)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(publish(generation, &error) == HAR_OK, "%s", error.text);
}

/* Is this, to the last address, what generation g says? */
static bool says(unsigned generation, unsigned row, int family, enum ranking_result result,
                 const struct ranking_answer *answer)
{
    if (!holds(generation, row))
        return result == RANKING_ABSENT && answer->error == ENOENT;
    if (result != RANKING_FOUND || strcmp(answer->canonical, names[row]) != 0)
        return false;
    unsigned at = 0;
    for (int f = 0; f < 2; f++) {
        int held = f == 0 ? AF_INET : AF_INET6;
        if (family != AF_UNSPEC && family != held)
            continue;
        unsigned count = addresses_of(generation, row, held);
        for (unsigned place = 0; place < count && at < RANKING_ANSWERS_MAX; place++, at++) {
            struct har_address address = address_of(generation, row, held, place);
            if (at == answer->count || !har_address_equal(&address, &answer->addresses[at]))
                return false;
        }
    }
    return at == answer->count;
}

/* --- Readers ---------------------------------------------------------------------------------- */

struct reader {
    pthread_t thread;
    pid_t process;
    unsigned random;
    unsigned newest;           /* generation seen */
    atomic_uint found, absent; /* lookups that came out so */
    atomic_uint seen;          /* generations */
    char failure[300];         /* the first; empty: none */
};

/* Shared with the readers that are processes. */
static struct shared {
    atomic_uint begun, published; /* generations */
    atomic_bool stop;             /* all is done, or somebody failed */
    struct reader readers[READERS];
} * shared;

static void fail_reader(struct reader *reader, unsigned from, unsigned to, const char *name,
                        enum ranking_result result, const struct ranking_answer *answer)
{
    char what[80];
    if (result == RANKING_FOUND)
        snprintf(what, sizeof what, "%u addresses, the first of generation %u", answer->count,
                 generation_of(&answer->addresses[0]));
    else
        snprintf(what, sizeof what, "result %d, error %d", (int)result, answer->error);
    snprintf(reader->failure, sizeof reader->failure, "%.3s: %s: what none of %u to %u says", name,
             what, from, to);
    atomic_store(&shared->stop, true);
}

/* Does one of these generations, both included, say so? */
static bool is_of_one(unsigned from, unsigned to, unsigned row, int family,
                      enum ranking_result result, const struct ranking_answer *answer)
{
    for (unsigned generation = from; generation <= to; generation++) {
        if (says(generation, row, family, result, answer))
            return true;
    }
    return false;
}

static void note(struct reader *reader, enum ranking_result result,
                 const struct ranking_answer *answer)
{
    if (result == RANKING_ABSENT) {
        atomic_fetch_add(&reader->absent, 1);
        return;
    }
    unsigned generation = generation_of(&answer->addresses[0]);
    if (atomic_fetch_add(&reader->found, 1) == 0 || generation != reader->newest)
        atomic_fetch_add(&reader->seen, 1);
    reader->newest = generation;
}

/* Expects a generation that stood at some time of the lookup, none older than one seen before. */
static void read_once(struct reader *reader)
{
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
    reader->random = mix(reader->random, 1);
    unsigned row = reader->random % ROWS;
    int family = families[reader->random / ROWS % 3];
    struct ranking_answer answer;
    memset(&answer, 0xa5, sizeof answer);
    unsigned from = atomic_load(&shared->published);
    enum ranking_result result = ranking_lookup(path, names[row], family, NOW_S, &answer);
    unsigned to = atomic_load(&shared->begun);
    if (from < reader->newest)
        from = reader->newest;
    if (is_of_one(from, to, row, family, result, &answer))
        note(reader, result, &answer);
    else
        fail_reader(reader, from, to, names[row], result, &answer);
}

/* Makes way now and then: on few processors thousands of reads, or tens of generations, would else
 * go by between two turns of the other side. */
static void *read_until_stopped(void *argument)
{
    for (unsigned i = 0; !atomic_load(&shared->stop); i++) {
        read_once(argument);
        if (i % READS_A_TURN == 0)
            sched_yield();
    }
    return NULL;
}

static void start_reader(unsigned number)
{
    struct reader *reader = &shared->readers[number];
    reader->random = mix((unsigned)getpid(), number);
    if (number >= READERS / 2) {
        ck_assert_int_eq(pthread_create(&reader->thread, NULL, read_until_stopped, reader), 0);
        return;
    }
    pid_t process = fork();
    if (process == 0) {
        read_until_stopped(reader);
        _exit(0);
    }
    ck_assert_int_gt(process, 0);
    reader->process = process; /* shared, and not the child's to set */
}

static void end_reader(struct reader *reader)
{
    int status = 0;
    if (reader->process == 0)
        ck_assert_int_eq(pthread_join(reader->thread, NULL), 0);
    else
        ck_assert_int_eq(waitpid(reader->process, &status, 0), reader->process);
    ck_assert_int_eq(status, 0);
    ck_assert_msg(reader->failure[0] == '\0', "%s", reader->failure);
}

/* So that none comes when all is over; the test's own deadline is that of this loop. */
static void wait_for_readers(void)
{
    for (unsigned i = 0; i < READERS; i++) {
        while (atomic_load(&shared->readers[i].found) == 0 && !atomic_load(&shared->stop))
            sched_yield();
    }
}

START_TEST(every_answer_is_of_one_generation)
{
    const unsigned count = unit_is_long() ? GENERATIONS_LONG : GENERATIONS;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    publish_well(0);
    for (unsigned i = 0; i < READERS; i++)
        start_reader(i);
    wait_for_readers();
    for (unsigned g = 1; g <= count && !atomic_load(&shared->stop); g++) {
        atomic_store(&shared->begun, g);
        publish_well(g);
        atomic_store(&shared->published, g);
        sched_yield();
    }
    atomic_store(&shared->stop, true);

    unsigned seen = 0;
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *reader = &shared->readers[i];
        end_reader(reader);
        seen += reader->seen;
        printf("reader %u: %u found and %u absent, of %u generations out of %u\n", i, reader->found,
               reader->absent, reader->seen, count);
        ck_assert_uint_gt(reader->absent, 0);
    }
    ck_assert_uint_gt(seen, count / 100); /* they did run side by side */
}
END_TEST

/* --- The files -------------------------------------------------------------------------------- */

/* Levels of the b-tree, counted along its right edge. */
static unsigned depth_of_file(void)
{
    static unsigned char bytes[1 << 20];
    size_t count = read_file(bytes, sizeof bytes);
    size_t at = (RANKING_ROOT_PAGE - 1) * RANKING_PAGE_BYTES;
    for (unsigned depth = 1;; depth++) {
        ck_assert_uint_lt(at, count);
        if (bytes[at] != 0x02) /* an interior page; at 8 the number of its last child */
            return depth;
        at = ((size_t)bytes[at + 10] << 8 | bytes[at + 11]) - 1;
        at *= RANKING_PAGE_BYTES;
    }
}

START_TEST(generations_differ_in_depth)
{
    unsigned files[DEPTH_MAX + 1] = {0};
    for (unsigned g = 0; g < 200; g++) {
        publish_well(g);
        unsigned depth = depth_of_file();
        ck_assert_uint_le(depth, DEPTH_MAX);
        files[depth]++;
    }
    for (unsigned depth = 1; depth <= DEPTH_MAX; depth++)
        ck_assert_msg(files[depth] >= 10, "%u of depth %u", files[depth], depth);
}
END_TEST

static bool stands(unsigned generation)
{
    for (unsigned row = 0; row < ROWS; row++) {
        struct ranking_answer answer;
        enum ranking_result result = look_up(names[row], AF_UNSPEC, &answer);
        if (!says(generation, row, AF_UNSPEC, result, &answer))
            return false;
    }
    return true;
}

static void assert_sound(void)
{
    sqlite3 *db;
    sqlite3_stmt *check;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(check), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(check, 0), "ok");
    sqlite3_finalize(check);
    sqlite3_close(db);
}

/* Returns once the process stands still, before or after a system call; false when it has ended,
 * well. */
static bool is_stopped(pid_t process)
{
    int status;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    if (WIFSTOPPED(status))
        return true;
    ck_assert_int_eq(status, 0);
    return false;
}

/* Publishes in a process that is killed at its stop of this number. Returns false when it made
 * fewer. */
static bool kill_publisher(unsigned generation, unsigned stop)
{
    pid_t publisher = fork();
    ck_assert_int_ge(publisher, 0);
    if (publisher == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(2);
        _exit(publish(generation, NULL) != HAR_OK);
    }
    bool stopped = is_stopped(publisher);
    for (unsigned i = 0; i < stop && stopped; i++) {
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, publisher, NULL, NULL), 0);
        stopped = is_stopped(publisher);
    }
    if (!stopped)
        return false;
    ck_assert_int_eq(kill(publisher, SIGKILL), 0);
    ck_assert_int_eq(waitpid(publisher, NULL, 0), publisher);
    return true;
}

/* Chance would hit the microseconds between two of them once in a blue moon. */
START_TEST(killed_at_every_system_call)
{
    unsigned standing = 0, before = 0, after = 0;
    publish_well(standing);
    for (unsigned g = 1; kill_publisher(g, g); g++) {
        if (stands(g)) {
            standing = g;
            after++;
        } else {
            ck_assert_msg(stands(standing), "killed at stop %u: neither old nor new", g);
            before++;
        }
        assert_sound();
    }
    printf("killed %u times: %u old, %u new rankings stood\n", before + after, before, after);
    ck_assert_uint_gt(before, 10);
    ck_assert_uint_gt(after, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generations");
    TCase *tests = tcase_create("generations");
    make_names();
    tcase_add_unchecked_fixture(tests, make_folder_in_memory, remove_folder);
    tcase_set_timeout(tests, unit_is_long() ? 3600 : 120);
    tcase_add_test(tests, generations_differ_in_depth);
    tcase_add_test(tests, every_answer_is_of_one_generation);
    tcase_add_test(tests, killed_at_every_system_call);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
