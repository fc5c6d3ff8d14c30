/* shifted_clock.so, for LD_PRELOAD: the wall clock is set, for the programs of one test alone.
 *
 * HAR_SHIFTED_CLOCK names a file of eight bytes, an int64_t of this machine: so many seconds are
 * added to the wall clock from the moment on at which they are written there, in place. A timerfd
 * that watches that clock (TFD_TIMER_CANCEL_ON_SET) hears of it as it would of the real one. No
 * other clock is touched. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_s;
static const char *shift_path;
static int watch_fd = -1;

/* A program that runs without its clock would prove nothing. */
__attribute__((constructor)) static void find_clock(void)
{
    shift_path = getenv("HAR_SHIFTED_CLOCK");
    int fd = shift_path != NULL ? open(shift_path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof *shift_s, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED)
        abort();
    close(fd);
    shift_s = map;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift_s != NULL ? *shift_s : 0; /* NULL: before the constructor */
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

/* In its place, a descriptor that can be read from when the file was written to. One is enough. */
int timerfd_create(int clock, int flags)
{
    if (clock != CLOCK_REALTIME || watch_fd >= 0)
        return (int)syscall(SYS_timerfd_create, clock, flags);
    watch_fd = inotify_init1((flags & TFD_NONBLOCK ? IN_NONBLOCK : 0) |
                             (flags & TFD_CLOEXEC ? IN_CLOEXEC : 0));
    if (watch_fd >= 0 && inotify_add_watch(watch_fd, shift_path, IN_MODIFY) < 0)
        abort();
    return watch_fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *time, struct itimerspec *old)
{
    if (fd == watch_fd)
        return 0;
    return (int)syscall(SYS_timerfd_settime, fd, flags, time, old);
}

ssize_t read(int fd, void *out, size_t size)
{
    char events[4096];
    if (fd != watch_fd || fd < 0)
        return syscall(SYS_read, fd, out, size);
    while (syscall(SYS_read, fd, events, sizeof events) > 0)
        ;
    errno = ECANCELED;
    return -1;
}
