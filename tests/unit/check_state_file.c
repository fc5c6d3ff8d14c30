/* The file of hard/state.h: whatever stands there, however it is damaged, wherever the daemon was
 * killed, the state opens, and what it cannot use survives beside it. */
#include "har_config.h"

#include "hard/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "hard/state_schema.h"
#include "ranking/publish.h"
#include "tests/support/state_rows.h"

#define ASIDE ".damaged-20261118T110640" /* at NOW_S */

static const char *beside(const char *name)
{
    static char texts[4][sizeof path + 64];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s%s", path, name);
    return text;
}

static void write_file(const char *file, const void *bytes, size_t count)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
    ck_assert_int_eq(close(fd), 0);
}

/* Up to 1 MiB; returns how many bytes there are. */
static size_t read_file(const char *file, unsigned char bytes[1 << 20])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ssize_t count = read(fd, bytes, 1 << 20);
    close(fd);
    ck_assert(count >= 0 && count < 1 << 20);
    return (size_t)count;
}

/* All parts of what was moved away. */
static void remove_aside(void)
{
    ck_assert_int_eq(unlink(beside(ASIDE)), 0);
    unlink(beside(ASIDE "-wal"));
    unlink(beside(ASIDE "-shm"));
}

static unsigned count_files(void)
{
    DIR *stream = opendir(folder);
    unsigned count = 0;
    for (const struct dirent *file; (file = readdir(stream)) != NULL;)
        count += file->d_name[0] != '.';
    closedir(stream);
    return count;
}

/* Rows of every kind, a few pages. */
static void fill_state(unsigned endpoints)
{
    struct state *state = open_state();
    const struct state_override override = sample_override();
    const struct ranking_row answer = sample_answer();
    for (unsigned n = 0; n < endpoints; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        const struct state_transition transition = sample_transition("a", n);
        state_note_endpoint(state, &endpoint);
        state_note_transition(state, &transition);
    }
    state_note_override(state, &override);
    state_note_answer(state, &answer);
    close_state(state);
}

static void ignore_transition(void *arg, const struct state_transition *transition)
{
    (void)transition;
    ++*(unsigned *)arg;
}

/* Reads it all; nothing crashes, whatever comes. Returns how many rows came. */
static unsigned read_all(struct state *state)
{
    static struct seen seen;
    unsigned transitions = 0;
    seen = (struct seen){.count = 0};
    state_load_endpoints(state, see_endpoint, &seen, NULL);
    seen.used = 0;
    state_load_overrides(state, NOW_S, see_override, &seen, NULL);
    state_load_answers(state, see_answer, &seen, NULL);
    state_load_history(state, NULL, 20000, ignore_transition, &transitions, NULL);
    return seen.count + transitions;
}

/* The state opens empty, tells what it moved, and works. */
static void assert_begun_anew(const char *reason, const char *aside)
{
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    struct state *state = state_open(path, NOW_S, &notice, &error);
    ck_assert_msg(state != NULL, "%s", error.text);
    ck_assert_msg(strstr(notice.text, reason) && strstr(notice.text, beside(aside)), "%s",
                  notice.text);
    ck_assert_int_eq(access(beside(aside), F_OK), 0);
    ck_assert_uint_eq(read_all(state), 0);
    const struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    close_state(state);
    state = open_state();
    ck_assert_uint_eq(read_all(state), 1);
    close_state(state);
}

static void assert_refused(enum har_code code, const char *reason)
{
    unsigned before = count_files();
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    ck_assert_ptr_null(state_open(path, NOW_S, &notice, &error));
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.text, path) && strstr(error.text, reason), "%s", error.text);
    ck_assert_int_eq(notice.code, HAR_OK);
    ck_assert_uint_le(count_files(), before + 1); /* PATH.lock */
}

/* --- A good file -------------------------------------------------------------------------------
 */

START_TEST(is_private_whatever_the_umask)
{
    static const mode_t masks[] = {0, 077, 0777};
    umask(masks[_i]);
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    sync_state(state, NOW_S);
    static const char *const parts[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        struct stat file;
        ck_assert_int_eq(stat(beside(parts[i]), &file), 0);
        ck_assert_uint_eq(file.st_mode & 07777, 0600);
    }
    close_state(state);
    ck_assert_int_ne(access(beside("-wal"), F_OK), 0);
    ck_assert_int_ne(access(beside(".new"), F_OK), 0);
}
END_TEST

START_TEST(says_what_it_is)
{
    fill_state(3);
    ck_assert_str_eq(query(path, "PRAGMA application_id"), "1751216755");
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "1");
    ck_assert_str_eq(query(path, "PRAGMA journal_mode"), "wal");
    ck_assert_str_eq(query(path, "SELECT state FROM endpoint"), "up");
    ck_assert_str_eq(query(path, "SELECT kind FROM override"), "drain");
    ck_assert_str_eq(query(path, "SELECT reason FROM transition"), "response-timeout");
    unsigned char header[1 << 20];
    ck_assert_uint_gt(read_file(path, header), 100);
    ck_assert_mem_eq(header + 68, "hars", 4);
}
END_TEST

START_TEST(two_daemons)
{
    struct har_error error = {.code = HAR_OK};
    struct state *state = open_state();
    ck_assert_ptr_null(state_open(path, NOW_S, NULL, &error));
    ck_assert_int_eq(error.code, HAR_ERR_BUSY);
    ck_assert_msg(strstr(error.text, path) && strstr(error.text, "another hard keeps its state"),
                  "%s", error.text);
    const struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    close_state(state);
    state = open_state();
    ck_assert_uint_eq(read_all(state), 1);
    close_state(state);
}
END_TEST

/* --- Versions ----------------------------------------------------------------------------------
 */

/* As the first release wrote it. Not to be changed, ever. */
static const char version_1[] =
    "PRAGMA application_id = 1751216755; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"
    "CREATE TABLE endpoint(host TEXT NOT NULL, candidate TEXT NOT NULL, address TEXT NOT NULL,"
    " port INTEGER NOT NULL, question INTEGER NOT NULL, state TEXT NOT NULL,"
    " streak INTEGER NOT NULL, measured INTEGER NOT NULL, connect_us INTEGER NOT NULL,"
    " total_us INTEGER NOT NULL, since INTEGER NOT NULL, reason TEXT NOT NULL,"
    " successes INTEGER NOT NULL, timeouts INTEGER NOT NULL, connect_errors INTEGER NOT NULL,"
    " response_errors INTEGER NOT NULL, other_errors INTEGER NOT NULL,"
    " dns_successes INTEGER NOT NULL, dns_timeouts INTEGER NOT NULL, dns_errors INTEGER NOT NULL,"
    " chosen INTEGER NOT NULL, last_success INTEGER NOT NULL, last_failure INTEGER NOT NULL,"
    " last_connect_us INTEGER NOT NULL, last_response_us INTEGER NOT NULL, noted INTEGER NOT NULL,"
    " PRIMARY KEY(host, candidate, address, port)) WITHOUT ROWID;"
    "CREATE TABLE override(host TEXT NOT NULL, candidate TEXT NOT NULL, kind TEXT NOT NULL,"
    " set_at INTEGER NOT NULL, expires INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(host, candidate)) WITHOUT ROWID;"
    "CREATE TABLE answer(host TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL,"
    " addresses TEXT NOT NULL, weights TEXT, answers INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE transition(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, host TEXT NOT NULL,"
    " candidate TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, was TEXT NOT NULL,"
    " state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL);"
    "INSERT INTO endpoint VALUES('a', 'n', '192.0.2.1', 80, -9, 'down', 2, 0, 5, 6, 1000,"
    " 'bad-status', 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 1790000000);"
    "INSERT INTO override VALUES('a', 'n', 'down', 1000, 0, 'why');"
    "INSERT INTO answer VALUES('a', 'answer', '192.0.2.1', NULL, 1);"
    "INSERT INTO transition VALUES(41, 1000, 'a', 'n', '::1', 80, 'unknown', 'up', 'ok', '');";

START_TEST(version_1_is_understood)
{
    query(path, version_1);
    struct state *state = open_state();
    static struct seen seen;
    ck_assert_int_eq(state_load_endpoints(state, see_endpoint, &seen, NULL), HAR_OK);
    ck_assert_int_eq(state_load_overrides(state, NOW_S, see_override, &seen, NULL), HAR_OK);
    ck_assert_int_eq(state_load_answers(state, see_answer, &seen, NULL), HAR_OK);
    ck_assert_str_eq(seen.text,
                     "a n 192.0.2.1 80 question 18446744073709551607 down 2 0 5 6 since 1000 "
                     "bad-status 10 11 12 13 14 15 16 17 18 19 20 21 22\n"
                     "a n 3 1000 0 why\n"
                     "a answer (192.0.2.1) (-) 1 -\n");
    unsigned transitions = 0;
    ck_assert_int_eq(state_load_history(state, "a", 9, ignore_transition, &transitions, NULL),
                     HAR_OK);
    ck_assert_uint_eq(transitions, 1);
    const struct state_transition transition = sample_transition("a", 1);
    state_note_transition(state, &transition);
    close_state(state);
    ck_assert_str_eq(query(path, "SELECT max(id) FROM transition"), "42");
}
END_TEST

/* The file that a new one is made of: our mark, and nothing else. */
START_TEST(version_0_is_brought_up_to_date)
{
    query(path, "PRAGMA application_id = 1751216755; CREATE TABLE other(n); DROP TABLE other");
    struct state *state = open_state();
    ck_assert_uint_eq(read_all(state), 0);
    close_state(state);
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "1");
    fill_state(3);
}
END_TEST

/* Steps of versions that there are not yet. */
static const char *const pretended[] = {"CREATE TABLE one(a); INSERT INTO one VALUES('kept')",
                                        "ALTER TABLE one ADD COLUMN b DEFAULT 'added'",
                                        "CREATE TABLE three AS SELECT b || a AS c FROM one"};

static int upgrade(const char *const *steps, int version)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int code = state_schema_upgrade(db, steps, version);
    ck_assert_int_ne(sqlite3_get_autocommit(db), 0);
    sqlite3_close(db);
    return code;
}

START_TEST(versions_follow_each_other)
{
    ck_assert_int_eq(upgrade(pretended, 1), SQLITE_OK);
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "1");
    ck_assert_int_eq(upgrade(pretended, 3), SQLITE_OK);
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "3");
    ck_assert_str_eq(query(path, "SELECT c FROM three"), "addedkept");
    ck_assert_int_eq(upgrade(pretended, 3), SQLITE_OK);
    ck_assert_int_eq(upgrade(pretended, 1), SQLITE_OK);
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "3");
}
END_TEST

START_TEST(a_step_that_fails_undoes_those_before)
{
    const char *const broken[] = {pretended[0], pretended[1], "CREATE TABLE one(again)"};
    ck_assert_int_eq(upgrade(pretended, 1), SQLITE_OK);
    ck_assert_int_eq(upgrade(broken, 3), SQLITE_ERROR);
    ck_assert_str_eq(query(path, "PRAGMA user_version"), "1");
    ck_assert_str_eq(query(path, "SELECT count(*) FROM pragma_table_info('one')"), "1");
    ck_assert_int_eq(upgrade(pretended, 3), SQLITE_OK);
    ck_assert_str_eq(query(path, "SELECT c FROM three"), "addedkept");
}
END_TEST

START_TEST(a_newer_version)
{
    fill_state(3);
    query(path, "PRAGMA user_version = 2");
    assert_begun_anew("newer", ASIDE);
    ck_assert_str_eq(query(beside(ASIDE), "SELECT count(*) FROM endpoint"), "3");
}
END_TEST

/* --- Files of others ---------------------------------------------------------------------------
 */

START_TEST(another_database)
{
    query(path, "CREATE TABLE theirs(a); INSERT INTO theirs VALUES('precious')");
    ck_assert_int_eq(chmod(path, 0600), 0);
    assert_begun_anew("not a state", ASIDE);
    ck_assert_str_eq(query(beside(ASIDE), "SELECT a FROM theirs"), "precious");
}
END_TEST

START_TEST(our_mark_without_our_tables)
{
    fill_state(3);
    query(path, "ALTER TABLE override DROP COLUMN reason");
    assert_begun_anew("columns are missing", ASIDE);
}
END_TEST

/* A log belongs to the file beside which it lies, and neither is lost. */
START_TEST(what_lies_beside_goes_along)
{
    write_file(path, "something else", 14);
    write_file(beside("-wal"), "a log", 5);
    write_file(beside("-shm"), "an index", 8);
    write_file(beside("-journal"), "a journal", 9);
    assert_begun_anew("not a state", ASIDE);
    unsigned char bytes[1 << 20];
    ck_assert_uint_eq(read_file(beside(ASIDE), bytes), 14);
    ck_assert_uint_eq(read_file(beside(ASIDE "-wal"), bytes), 5);
    ck_assert_uint_eq(read_file(beside(ASIDE "-shm"), bytes), 8);
    ck_assert_uint_eq(read_file(beside(ASIDE "-journal"), bytes), 9);
}
END_TEST

START_TEST(nothing_is_overwritten)
{
    write_file(beside(ASIDE), "first", 5);
    write_file(beside(ASIDE "-2-wal"), "second", 6);
    write_file(path, "something else", 14);
    assert_begun_anew("not a state", ASIDE "-3");
    unsigned char bytes[1 << 20];
    ck_assert_uint_eq(read_file(beside(ASIDE), bytes), 5);
    ck_assert_uint_eq(read_file(beside(ASIDE "-2-wal"), bytes), 6);
    ck_assert_uint_eq(read_file(beside(ASIDE "-3"), bytes), 14);
}
END_TEST

/* The log of a file that somebody removed would be played into the new one. */
START_TEST(a_log_left_alone)
{
    pid_t daemon = fork();
    if (daemon == 0) {
        struct state *state = open_state();
        const struct state_endpoint endpoint = sample_endpoint(7);
        state_note_endpoint(state, &endpoint);
        sync_state(state, NOW_S);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(_i == 0 ? unlink(path) : truncate(path, 0), 0);
    struct har_error notice = {.code = HAR_OK};
    struct state *state = state_open(path, NOW_S, &notice, NULL);
    ck_assert_ptr_nonnull(state);
    ck_assert_msg(strstr(notice.text, "beside") != NULL, "%s", notice.text);
    ck_assert_uint_eq(read_all(state), 0);
    close_state(state);
    ck_assert_int_eq(access(beside(ASIDE "-wal"), F_OK), 0);
}
END_TEST

START_TEST(an_empty_file)
{
    write_file(path, "", 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
    fill_state(3);
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 07777, 0600);
}
END_TEST

/* What others may read is likely to be read by somebody. */
START_TEST(a_shared_file_of_others_stays)
{
    struct har_error error = {.code = HAR_OK};
    const struct ranking_row row = sample_answer();
    ck_assert_int_eq(ranking_publish(path, &row, 1, NOW_S + 600, &error), HAR_OK);
    assert_refused(HAR_ERR_VALUE, "not a state of har");
    ck_assert_int_eq(ranking_publish(path, &row, 1, NOW_S + 600, &error), HAR_OK);
    ck_assert_int_eq(unlink(path), 0);
    char text[200] = "no database, and only by chance";
    memcpy(text + 68, "hars", 4);
    write_file(path, text, sizeof text);
    ck_assert_int_eq(chmod(path, 0640), 0);
    assert_refused(HAR_ERR_VALUE, "not a state of har");
    ck_assert_int_eq(unlink(path), 0);
    write_file(path, "something else", 14);
    ck_assert_int_eq(link(path, beside(".second-name")), 0);
    assert_refused(HAR_ERR_VALUE, "not a state of har");
    unsigned char bytes[1 << 20];
    ck_assert_uint_eq(read_file(path, bytes), 14);
}
END_TEST

START_TEST(not_a_file)
{
    static const char *const parts[] = {"", "-wal", "-journal"};
    char part[sizeof path + 16];
    snprintf(part, sizeof part, "%s%s", path, parts[_i]);
    ck_assert_int_eq(mkdir(part, 0700), 0);
    assert_refused(HAR_ERR_VALUE, "not a regular file");
    ck_assert_int_eq(rmdir(part), 0);
    ck_assert_int_eq(mkfifo(part, 0600), 0);
    assert_refused(HAR_ERR_VALUE, "not a regular file");
    ck_assert_int_eq(unlink(part), 0);
    ck_assert_int_eq(symlink("elsewhere", part), 0);
    assert_refused(HAR_ERR_VALUE, "not a regular file");
    write_file(beside(".target"), "", 0);
    ck_assert_int_eq(unlink(part), 0);
    ck_assert_int_eq(symlink("state.db.target", part), 0);
    assert_refused(HAR_ERR_VALUE, "not a regular file");
    ck_assert_int_eq(access(beside(".target-wal"), F_OK), -1);
}
END_TEST

/* --- Damage ------------------------------------------------------------------------------------
 */

/* Either it is moved away and said so, or what can still be read is read. */
static void open_damaged(const char *what, size_t place)
{
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    struct state *state = state_open(path, NOW_S, &notice, &error);
    ck_assert_msg(state != NULL, "%s at %zu: %s", what, place, error.text);
    unsigned rows = read_all(state);
    if (notice.code != HAR_OK) {
        ck_assert_uint_eq(rows, 0);
        remove_aside();
    }
    const struct state_endpoint endpoint = sample_endpoint(7);
    state_note_endpoint(state, &endpoint);
    ck_assert_msg(state_close(state, NOW_S, &error) == HAR_OK, "%s at %zu: %s", what, place,
                  error.text);
    ck_assert_str_eq(query(path, "PRAGMA integrity_check"), "ok");
    ck_assert_int_eq(unlink(path), 0);
}

static const struct {
    const char *what;
    size_t bytes; /* overwritten, */
    size_t step;  /* every so many */
    int with;     /* a byte; -1 for noise, -2 for the bytes inverted */
} damages[] = {
    {"zeros", 4096, 4096, 0},   {"ones", 4096, 4096, 0xff}, {"noise", 4096, 4096, -1},
    {"half", 2048, 4096, -1},   {"sector", 512, 512, 0},    {"inverted byte", 1, 97, -2},
    {"page head", 8, 4096, -1}, {"cells", 64, 1024, -1},
};

static uint64_t noise(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 33;
}

START_TEST(damaged)
{
    static unsigned char good[1 << 20], bad[1 << 20];
    fill_state(150);
    size_t count = read_file(path, good);
    ck_assert_uint_gt(count, 8 * 4096);
    for (size_t place = 0; place < count; place += damages[_i].step) {
        memcpy(bad, good, count);
        for (size_t i = place; i < place + damages[_i].bytes && i < count; i++)
            bad[i] = damages[_i].with == -1   ? (unsigned char)noise()
                     : damages[_i].with == -2 ? (unsigned char)~good[i]
                                              : (unsigned char)damages[_i].with;
        write_file(path, bad, count);
        open_damaged(damages[_i].what, place);
    }
}
END_TEST

START_TEST(every_damaged_page_is_noticed)
{
    static unsigned char good[1 << 20];
    fill_state(150);
    size_t count = read_file(path, good);
    for (size_t place = 0; place < count; place += 4096) {
        write_file(path, good, count);
        int fd = open(path, O_WRONLY);
        ck_assert_int_eq(pwrite(fd, good + (place + 4096) % count, 4096, (off_t)place), 4096);
        close(fd);
        assert_begun_anew("damaged", ASIDE);
        remove_aside();
    }
}
END_TEST

START_TEST(truncated)
{
    static unsigned char good[1 << 20];
    fill_state(150);
    size_t count = read_file(path, good);
    for (size_t left = 1; left < count; left += left < 200 ? 13 : 1000) {
        write_file(path, good, left);
        if (left > count - 4096) { /* perhaps a little less text in a row is all */
            open_damaged("truncated", left);
            continue;
        }
        assert_begun_anew("damaged", ASIDE);
        remove_aside();
    }
}
END_TEST

/* A log that was cut or damaged gives what was whole in it. */
START_TEST(damaged_log)
{
    static unsigned char good[1 << 20], log[1 << 20];
    pid_t daemon = fork();
    if (daemon == 0) {
        struct state *state = open_state();
        for (unsigned n = 0; n < 20; n++) {
            const struct state_endpoint endpoint = sample_endpoint(n);
            state_note_endpoint(state, &endpoint);
            sync_state(state, NOW_S);
        }
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
    size_t count = read_file(path, good), log_count = read_file(beside("-wal"), log);
    ck_assert_uint_gt(log_count, 10 * 4096);
    for (size_t place = 0; place < log_count; place += 1999) {
        write_file(path, good, count);
        log[place] ^= 0x40;
        write_file(beside("-wal"), log, place % 2 == 0 ? log_count : place);
        log[place] ^= 0x40;
        unlink(beside("-shm"));
        open_damaged("log", place);
    }
}
END_TEST

/* --- Where nothing can be written --------------------------------------------------------------
 */

START_TEST(folder_missing)
{
    snprintf(path, sizeof path, "%s/missing/state.db", folder);
    assert_refused(HAR_ERR_IO, strerror(ENOENT));
    struct har_error error = {.code = HAR_OK};
    memset(path, 'x', sizeof path - 1);
    ck_assert_ptr_null(state_open(path, NOW_S, NULL, &error));
    ck_assert_int_eq(error.code, HAR_ERR_IO);
}
END_TEST

/* As somebody who may not. */
static void run_unprivileged(void (*test)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(1);
        test();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

static void open_fails(void)
{
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    if (state_open(path, NOW_S, &notice, &error) != NULL || error.code != HAR_ERR_IO ||
        notice.code != HAR_OK || strstr(error.text, path) == NULL) {
        fprintf(stderr, "opened, or: %s\n", error.text);
        _exit(1);
    }
}

START_TEST(folder_read_only)
{
    ck_assert_int_eq(chmod(folder, 0555), 0);
    run_unprivileged(open_fails);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    fill_state(3);
    ck_assert_int_eq(chmod(beside(".lock"), 0644), 0);
    ck_assert_int_eq(chmod(path, 0444), 0);
    run_unprivileged(open_fails);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    run_unprivileged(open_fails);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    struct state *state = open_state();
    ck_assert_uint_eq(read_all(state), 8);
    close_state(state);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file that may not grow stands for a disk that is full. */
START_TEST(no_room_for_a_new_one)
{
    for (rlim_t bytes = 0; bytes < 16000; bytes += 1500) {
        limit_files(bytes);
        assert_refused(HAR_ERR_SQLITE, "cannot create");
        ck_assert_int_ne(access(path, F_OK), 0);
    }
    limit_files(RLIM_INFINITY);
    fill_state(3);
}
END_TEST

START_TEST(no_room_for_more)
{
    struct har_error error = {.code = HAR_OK};
    fill_state(150);
    struct state *state = open_state();
    limit_files(4000);
    int told = 0;
    for (unsigned n = 0; n < 1500; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        const struct state_transition transition = sample_transition("b", n);
        state_note_endpoint(state, &endpoint);
        state_note_transition(state, &transition);
        if (n == 200)
            ck_assert_int_eq(state_sync(state, NOW_S, NULL), HAR_ERR_SQLITE);
        if (n % 100 == 0)
            told += state_flush(state, NOW_S, NULL) != HAR_OK;
    }
    ck_assert_int_eq(state_sync(state, NOW_S, &error), HAR_ERR_SQLITE);
    ck_assert_msg(strstr(error.text, "cannot write") != NULL, "%s", error.text);
    ck_assert_int_eq(told, 1);
    ck_assert_uint_eq(state_stats(state).dropped, 1500 - STATE_UNWRITTEN_TRANSITIONS);
    limit_files(RLIM_INFINITY);
    sync_state(state, NOW_S);
    ck_assert_uint_eq(count_endpoints(state), 1500);
    unsigned transitions = 0;
    state_load_history(state, "b", 9999, ignore_transition, &transitions, NULL);
    ck_assert_uint_eq(transitions, STATE_UNWRITTEN_TRANSITIONS);
    close_state(state);
    ck_assert_str_eq(query(path, "PRAGMA integrity_check"), "ok");
}
END_TEST

/* All or nothing, and then again. */
START_TEST(one_row_is_refused)
{
    struct har_error error = {.code = HAR_OK};
    struct state *state = open_state();
    const struct state_override override = sample_override();
    query(path, "CREATE TRIGGER no BEFORE INSERT ON override BEGIN "
                "SELECT raise(ABORT, 'not today'); END");
    for (unsigned n = 0; n < 20; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        state_note_endpoint(state, &endpoint);
    }
    state_note_override(state, &override);
    ck_assert_int_eq(state_sync(state, NOW_S, &error), HAR_ERR_SQLITE);
    ck_assert_msg(strstr(error.text, "not today") != NULL, "%s", error.text);
    ck_assert_uint_eq(read_all(state), 0);
    query(path, "DROP TRIGGER no");
    sync_state(state, NOW_S);
    ck_assert_uint_eq(read_all(state), 21);
    close_state(state);
}
END_TEST

START_TEST(removed_while_in_use)
{
    struct har_error error = {.code = HAR_OK};
    struct state *state = open_state();
    const struct state_endpoint endpoint = sample_endpoint(7);
    if (_i == 0)
        ck_assert_int_eq(unlink(path), 0);
    else
        ck_assert_int_eq(rename(path, beside(".old")), 0);
    if (_i == 2)
        write_file(path, "something else", 14);
    state_note_endpoint(state, &endpoint);
    ck_assert_int_eq(state_close(state, NOW_S, &error), HAR_ERR_IO);
    ck_assert_msg(strstr(error.text, "removed or replaced") != NULL, "%s", error.text);
}
END_TEST

/* --- Killed ------------------------------------------------------------------------------------
 */

/* Each write holds one generation of all endpoints and one transition. */
static void write_generations(int ready)
{
    struct state *state = open_state();
    for (uint64_t generation = 1;; generation++) {
        for (unsigned n = 0; n < 60; n++) {
            struct state_endpoint endpoint = sample_endpoint(n);
            endpoint.counters.chosen = generation;
            state_note_endpoint(state, &endpoint);
        }
        const struct state_override override = sample_override();
        if (generation % 7 == 0)
            state_note_override(state, &override);
        sync_state(state, NOW_S);
        ck_assert_int_eq(write(ready, "", 1), 1);
    }
}

START_TEST(killed_at_any_moment)
{
    int rounds = unit_is_long() ? 1000 : 40;
    for (int i = 0; i < rounds; i++) {
        int ready[2], status;
        char byte;
        bool creates = i % 4 == 0;
        ck_assert_int_eq(pipe(ready), 0);
        if (creates)
            unlink(path);
        pid_t daemon = fork();
        if (daemon == 0)
            write_generations(ready[1]);
        /* From within the opening on; what moment it is, is nobody's business. */
        for (int writes = i % 4 * 5; writes > 0; writes--)
            ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        nanosleep(&(struct timespec){.tv_nsec = (long)(noise() % (creates ? 30000000 : 4000000))},
                  NULL);
        ck_assert_int_eq(kill(daemon, SIGKILL), 0);
        ck_assert_int_eq(waitpid(daemon, &status, 0), daemon);
        close(ready[0]);
        close(ready[1]);
        struct state *state = open_state(); /* has no notice to give */
        unsigned count = count_endpoints(state);
        ck_assert(count == 60 || count == 0);
        close_state(state);
        ck_assert_str_eq(query(path, "SELECT count(DISTINCT chosen) < 2 FROM endpoint"), "1");
        ck_assert_str_eq(query(path, "PRAGMA integrity_check"), "ok");
    }
    ck_assert_str_eq(query(path, "SELECT count(*) FROM endpoint"), "60");
}
END_TEST

/* --- No memory ---------------------------------------------------------------------------------
 */

static sqlite3_mem_methods real;
static atomic_long until_failure; /* allocations; negative: none fails */

static bool fails_now(void)
{
    long left = atomic_load(&until_failure);
    while (left > 0 && !atomic_compare_exchange_weak(&until_failure, &left, left - 1))
        ;
    return left == 0; /* from then on, all do */
}

static void *failing_malloc(int bytes)
{
    return fails_now() ? NULL : real.xMalloc(bytes);
}

static void *failing_realloc(void *memory, int bytes)
{
    return fails_now() ? NULL : real.xRealloc(memory, bytes);
}

/* Some notes more, as far as memory goes. False when it went to the end. */
static bool use_without_memory(void)
{
    struct har_error notice = {.code = HAR_OK}, error = {.code = HAR_OK};
    unsigned transitions = 0;
    struct state *state = state_open(path, NOW_S, &notice, &error);
    ck_assert_msg(notice.code == HAR_OK, "%s", notice.text);
    if (state == NULL) {
        ck_assert_msg(error.code == HAR_ERR_MEMORY, "%s", error.text);
        return true;
    }
    for (unsigned n = 0; n < 70; n++) {
        const struct state_endpoint endpoint = sample_endpoint(n);
        const struct state_transition transition = sample_transition("a", n);
        state_note_endpoint(state, &endpoint);
        state_note_transition(state, &transition);
    }
    bool failed = state_stats(state).dropped > 0;
    failed |= state_load_history(state, NULL, 99, ignore_transition, &transitions, NULL) != HAR_OK;
    int code = state_close(state, NOW_S, &error);
    ck_assert_msg(code == HAR_OK || code == HAR_ERR_MEMORY, "%s", error.text);
    return failed || code != HAR_OK;
}

static void without_memory(bool keep_file)
{
    long count = 0;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
    sqlite3_mem_methods failing = real;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    atomic_store(&until_failure, -1);
    if (keep_file)
        fill_state(100);
    const long step = unit_is_long() ? 1 : 11;
    for (bool failed = true; failed; count += step) {
        for (int i = 0; i < 3 && !keep_file; i++)
            unlink(beside(i == 0 ? "" : i == 1 ? "-wal" : "-shm"));
        atomic_store(&until_failure, count);
        failed = use_without_memory();
        atomic_store(&until_failure, -1);
        ck_assert_int_ne(access(beside(ASIDE), F_OK), 0);
        ck_assert_int_ne(access(beside(".new"), F_OK), 0);
    }
    ck_assert_int_gt(count, 100);
    ck_assert_str_eq(query(path, "PRAGMA integrity_check"), "ok");
}

START_TEST(no_memory_for_a_new_one)
{
    without_memory(false);
}
END_TEST

START_TEST(no_memory_later)
{
    without_memory(true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_file");
    TCase *tests = tcase_create("state_file");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_set_timeout(tests, unit_is_long() ? 900 : 120);
    tcase_add_loop_test(tests, is_private_whatever_the_umask, 0, 3);
    tcase_add_test(tests, says_what_it_is);
    tcase_add_test(tests, two_daemons);
    tcase_add_test(tests, version_1_is_understood);
    tcase_add_test(tests, version_0_is_brought_up_to_date);
    tcase_add_test(tests, versions_follow_each_other);
    tcase_add_test(tests, a_step_that_fails_undoes_those_before);
    tcase_add_test(tests, a_newer_version);
    tcase_add_test(tests, another_database);
    tcase_add_test(tests, our_mark_without_our_tables);
    tcase_add_test(tests, what_lies_beside_goes_along);
    tcase_add_test(tests, nothing_is_overwritten);
    tcase_add_loop_test(tests, a_log_left_alone, 0, 2);
    tcase_add_test(tests, an_empty_file);
    tcase_add_test(tests, a_shared_file_of_others_stays);
    tcase_add_loop_test(tests, not_a_file, 0, 3);
    tcase_add_loop_test(tests, damaged, 0, sizeof damages / sizeof damages[0]);
    tcase_add_test(tests, every_damaged_page_is_noticed);
    tcase_add_test(tests, truncated);
    tcase_add_test(tests, damaged_log);
    tcase_add_test(tests, folder_missing);
    tcase_add_test(tests, folder_read_only);
    tcase_add_test(tests, no_room_for_a_new_one);
    tcase_add_test(tests, no_room_for_more);
    tcase_add_test(tests, one_row_is_refused);
    tcase_add_loop_test(tests, removed_while_in_use, 0, 3);
    tcase_add_test(tests, killed_at_any_moment);
    tcase_add_test(tests, no_memory_for_a_new_one);
    tcase_add_test(tests, no_memory_later);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
