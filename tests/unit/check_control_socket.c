/* hard/control_socket.h: whose socket is there, and whose it is afterwards. */
#include "har_config.h"

#include "hard/control_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/unit.h"

static char folder[] = "/tmp/check_control_socket.XXXXXX";
static char path[80], made[90];
static struct control_socket sock;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    snprintf(made, sizeof made, "%s.new", path);
    memset(&sock, 0xa5, sizeof sock);
}

static void tear_down(void)
{
    unlink(path);
    unlink(made);
    rmdir(folder);
}

static int entries(void)
{
    DIR *all = opendir(folder);
    int count = -2; /* . and .. */
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static int try_connect(const char *to)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, to);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int reason = errno;
    close(fd);
    return -reason;
}

/* A socket file of somebody else. Returns its descriptor. */
static int foreign(const char *at, bool listens, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, at);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (listens)
        ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

static void open_well(struct control_socket *out)
{
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(control_socket_open(out, path, &error) == HAR_OK, "%s", error.text);
    ck_assert_int_eq(error.code, HAR_OK);
}

static void expect_refused(const char *at, enum har_code code, const char *words)
{
    static const struct control_socket none = {.fd = -7, .inode = 7};
    struct control_socket out = none;
    struct har_error error = {.code = HAR_OK};
    ck_assert_int_eq(control_socket_open(&out, at, &error), code);
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.text, words) != NULL, "%s", error.text);
    ck_assert_msg(strncmp(error.text, at, strlen(folder)) == 0, "%s", error.text);
    ck_assert_int_eq(out.fd, none.fd);
    ck_assert_uint_eq(out.inode, none.inode);
    ck_assert_ptr_null(out.path);
}

static void expect_answers(int fd)
{
    int client = try_connect(path);
    ck_assert_int_ge(client, 0);
    close(client);
    int accepted = accept(fd, NULL, NULL);
    ck_assert_int_ge(accepted, 0);
    close(accepted);
}

START_TEST(it_listens_with_its_mode_whatever_the_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    struct stat found;
    umask(masks[_i]);
    open_well(&sock);
    ck_assert_int_eq(lstat(path, &found), 0);
    ck_assert(S_ISSOCK(found.st_mode));
    ck_assert_uint_eq(found.st_mode & 07777, 0660);
    ck_assert_int_eq(entries(), 1);
    ck_assert(fcntl(sock.fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(accept(sock.fd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    expect_answers(sock.fd);
    control_socket_close(&sock);
    ck_assert_int_eq(sock.fd, -1);
    ck_assert_int_eq(entries(), 0);
    control_socket_close(&sock);
}
END_TEST

START_TEST(a_socket_that_nobody_answers_is_replaced)
{
    close(foreign(path, true, 1));
    close(foreign(made, false, 0)); /* of one that was killed on the way */
    open_well(&sock);
    expect_answers(sock.fd);
    ck_assert_int_eq(entries(), 1);
    control_socket_close(&sock);
}
END_TEST

/* Also when its queue is full. */
START_TEST(one_that_answers_is_left_alone)
{
    int fd = foreign(path, true, 0);
    expect_refused(path, HAR_ERR_BUSY, "another program answers");
    int client, waiting = 0;
    while ((client = try_connect(path)) >= 0 && waiting < 100)
        waiting++;
    ck_assert_int_eq(client, -EAGAIN);
    expect_refused(path, HAR_ERR_BUSY, "another program answers");
    ck_assert_int_ge(accept(fd, NULL, NULL), 0);
    ck_assert_int_ge(try_connect(path), 0);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
    struct stat before, after;
    const char *at = _i % 2 == 0 ? path : made;
    if (_i / 2 == 0)
        close(open(at, O_CREAT | O_WRONLY, 0600));
    else if (_i / 2 == 1)
        ck_assert_int_eq(symlink("elsewhere", at), 0);
    else
        ck_assert_int_eq(mkfifo(at, 0600), 0);
    ck_assert_int_eq(lstat(at, &before), 0);
    expect_refused(path, HAR_ERR_VALUE, "not a socket");
    ck_assert_int_eq(lstat(at, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_uint_eq(before.st_mode, after.st_mode);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    char at[120];
    snprintf(at, sizeof at, "%s/missing/control.sock", folder);
    expect_refused(at, HAR_ERR_IO, strerror(ENOENT));
}
END_TEST

START_TEST(a_path_that_is_too_long_is_an_error)
{
    char at[200];
    int fits = snprintf(at, sizeof at, "%s/", folder);
    memset(at + fits, 'x', sizeof at - (size_t)fits);
    at[104] = '\0';
    expect_refused(at, HAR_ERR_VALUE, "more than 103 bytes");
    at[103] = '\0';
    struct har_error error = {.code = HAR_OK};
    ck_assert_msg(control_socket_open(&sock, at, &error) == HAR_OK, "%s", error.text);
    control_socket_close(&sock);
    ck_assert_int_eq(entries(), 0);
}
END_TEST

START_TEST(the_socket_of_a_successor_stays)
{
    struct control_socket next;
    open_well(&sock);
    unlink(path);
    ck_assert(!control_socket_is_at(&sock, path));
    open_well(&next);
    ck_assert(!control_socket_is_at(&sock, path));
    ck_assert(control_socket_is_at(&next, path));
    control_socket_close(&sock);
    expect_answers(next.fd);
    control_socket_close(&next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control_socket");
    TCase *tests = tcase_create("the file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, it_listens_with_its_mode_whatever_the_umask, 0, 4);
    tcase_add_test(tests, a_socket_that_nobody_answers_is_replaced);
    tcase_add_test(tests, one_that_answers_is_left_alone);
    tcase_add_loop_test(tests, what_is_no_socket_is_left_alone, 0, 6);
    tcase_add_test(tests, a_folder_that_is_not_there_is_an_error);
    tcase_add_test(tests, a_path_that_is_too_long_is_an_error);
    tcase_add_test(tests, the_socket_of_a_successor_stays);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
