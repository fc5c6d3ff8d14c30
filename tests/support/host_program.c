/* host_program: a program that libnss_har.so.2 is loaded into, and that does around getaddrinfo(3)
 * what real ones do.
 *
 *     host_program MODE
 *
 * Exit 0 when every answer was right and the program kept what was its own, or 1 with one line that
 * says what was wrong. The story host_programs publishes what host_ask.c asks for. */
#include "har_config.h"

#include "tests/support/host_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_BYTES 400
#define LOOKUPS_OF_REPEAT 100000
#define LOOKUPS_OF_INTERRUPTED 20000
#define SIGNALS_OF_INTERRUPTED 1000
#define SIGNAL_EVERY_US 100
#define ROUNDS 200

/* Shared with every child, and there when no descriptor is. */
static char *report;

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (report[0] == '\0')
        vsnprintf(report, REPORT_BYTES, format, arguments);
    va_end(arguments);
    _exit(EXIT_FAILURE);
}

void need(int condition, const char *what)
{
    if (!condition)
        fail("%s: %s", what, strerror(errno));
}

/* --- Nothing is kept -------------------------------------------------------------------------- */

/* Not even what a module might keep for ever after it was asked once. */
static void first(void)
{
    load_module();
    holds_remember();
    ask_module();
    holds_compare();
}

/* Both ways in, so that neither hides what the other leaves. */
static void repeat(void)
{
    for (int i = 0; i < 10; i++)
        ask_everything();
    holds_remember();
    for (int lookups = 0; lookups < LOOKUPS_OF_REPEAT;)
        lookups += ask_everything();
    holds_compare();
    holds_compare_memory();
}

/* --- Descriptors ------------------------------------------------------------------------------ */

/* Daemons do. From 0 on, the module is handed the numbers of the standard streams. */
static void closing_all(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        int first = i % 2 == 0 ? 3 : 0;
        need(close_range((unsigned)first, ~0U, 0) == 0, "close_range");
        ask_everything();
        holds_no_descriptor(first, HOLDS_LAST);
    }
}

#define FIRST 3
#define LAST 30
#define OWN_FROM 100 /* where the program's own descriptors are kept for the next round */

struct own_file {
    int fd;
    struct stat status;
    char text[32];
};

/* A file in memory, with its offset in the middle of what is in it. */
static void own_file_init(struct own_file *own, int number)
{
    snprintf(own->text, sizeof own->text, "the program's file %d", number);
    int fd = memfd_create("own", MFD_CLOEXEC);
    need(fd >= 0 && write(fd, own->text, strlen(own->text)) > 0, "memfd_create");
    own->fd = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FROM);
    need(own->fd >= 0 && close(fd) == 0, "F_DUPFD");
    need(lseek(own->fd, number % 10, SEEK_SET) == number % 10, "lseek");
    need(fstat(own->fd, &own->status) == 0, "fstat");
}

static void own_file_verify(const struct own_file *own, int number)
{
    struct stat status;
    char text[64] = "";
    if (fstat(number, &status) != 0 || status.st_dev != own->status.st_dev ||
        status.st_ino != own->status.st_ino)
        fail("descriptor %d is not on the program's file any more", number);
    if (lseek(number, 0, SEEK_CUR) != number % 10)
        fail("the offset of descriptor %d moved", number);
    if (pread(number, text, sizeof text - 1, 0) < 0 || strcmp(text, own->text) != 0)
        fail("descriptor %d: the file says \"%s\", not \"%s\"", number, text, own->text);
}

static void own_files_init(struct own_file own[])
{
    for (int number = FIRST; number <= LAST; number++)
        own_file_init(&own[number], number);
}

/* Over whatever may be there. */
static void own_files_put(const struct own_file own[], int last)
{
    for (int number = FIRST; number <= last; number++)
        need(dup2(own[number].fd, number) == number, "dup2");
}

static void own_files_verify(const struct own_file own[], int last)
{
    for (int number = FIRST; number <= last; number++)
        own_file_verify(&own[number], number);
}

/* Asked before, when the module might take a low number for itself. */
static void numbers_taken(void)
{
    struct own_file own[LAST + 1];
    ask_everything();
    own_files_init(own);
    for (int i = 0; i < ROUNDS; i++) {
        own_files_put(own, LAST);
        ask_everything();
        own_files_verify(own, LAST);
    }
}

/* 0 to LAST are taken, and no number above may be given. */
static void numbers_exhausted(void)
{
    struct own_file own[LAST + 1];
    struct rlimit limit;
    for (int fd = 0; fd < FIRST;)
        need((fd = open("/dev/null", O_RDWR)) >= 0, "/dev/null");
    ask_everything();
    own_files_init(own);
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = LAST + 1;
    need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    for (int i = 0; i < ROUNDS; i++) {
        own_files_put(own, LAST);
        expect_unavailable(EMFILE);
        own_files_verify(own, LAST);
        close(LAST);
        ask_everything();
        own_files_verify(own, LAST - 1);
        holds_no_descriptor(LAST, OWN_FROM - 1);
    }
}

/* --- Roots, privileges, signals --------------------------------------------------------------- */

/* The folder is the working one: /etc/hosts and /etc/nsswitch.conf, and no /run. */
static void chroot_here(void)
{
    need(chroot(".") == 0, "chroot");
}

static void chroot_after(void)
{
    ask_everything();
    chroot_here();
    expect_unavailable(ENOENT);
    expect_next_service();
}

static void chroot_before(void)
{
    chroot_here();
    expect_next_service();
}

/* A copy of this program that is setuid root, started by another user. */
static void secure(void)
{
    if (getauxval(AT_SECURE) == 0 || geteuid() != 0 || getuid() == 0)
        fail("not in secure-execution mode: user %d as %d", (int)getuid(), (int)geteuid());
    ask_everything();
    need(setresuid(getuid(), getuid(), getuid()) == 0, "setresuid");
    ask_everything();
}

static void unprivileged(void)
{
    if (getuid() == 0 || geteuid() == 0)
        fail("this is root");
    ask_everything();
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void interrupted(void)
{
    const struct sigaction action = {.sa_handler = count_signal}; /* without SA_RESTART */
    struct itimerval every = {{0, SIGNAL_EVERY_US}, {0, SIGNAL_EVERY_US}};
    sigaction(SIGALRM, &action, NULL);
    need(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
    for (int lookups = 0; lookups < LOOKUPS_OF_INTERRUPTED || signals < SIGNALS_OF_INTERRUPTED;)
        lookups += ask_everything();
    every = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
}

/* What programs_started starts. */
static void nothing_inherited(void)
{
    holds_no_descriptor(3, HOLDS_LAST);
}

/* --- Modes ------------------------------------------------------------------------------------ */

static const struct mode {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"first", first},
    {"repeat", repeat},
    {"closing-all", closing_all},
    {"numbers-taken", numbers_taken},
    {"numbers-exhausted", numbers_exhausted},
    {"chroot-after", chroot_after},
    {"chroot-before", chroot_before},
    {"secure", secure},
    {"unprivileged", unprivileged},
    {"interrupted", interrupted},
    {"nothing-inherited", nothing_inherited},
    {"forks", forks},
    {"forks-of-glibc", forks_of_glibc},
    {"programs-started", programs_started},
    {"cancelled", cancelled},
    {"small-stack", small_stack},
    {"small-stack-of-glibc", small_stack_of_glibc},
};

static const struct mode *mode_find(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(name, modes[i].name) == 0)
            return &modes[i];
    }
    return NULL;
}

/* In a child, so that what it closes, forgets or dies of can still be told. */
static int run_apart(const struct mode *mode)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        mode->run();
        _exit(EXIT_SUCCESS);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("host_program");
        return EXIT_FAILURE;
    }
    if (WIFSIGNALED(status))
        printf("%s: died: %s\n", mode->name, strsignal(WTERMSIG(status)));
    else if (status != 0)
        printf("%s: %s\n", mode->name, report);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct mode *mode = argc == 2 ? mode_find(argv[1]) : NULL;
    if (mode == NULL) {
        fputs("usage: host_program MODE\n", stderr);
        return 2;
    }
    report = mmap(NULL, REPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED) {
        perror("host_program");
        return EXIT_FAILURE;
    }
    return run_apart(mode);
}
