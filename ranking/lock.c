#include "ranking/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not open for writing, or the file system could not be remounted read-only. The file is never
 * removed: who takes the lock of a file that is gone shares it with nobody. */
int ranking_lock(const char *path, struct har_error *error)
{
    char lock_path[PATH_MAX];
    if ((size_t)snprintf(lock_path, sizeof lock_path, "%s.lock", path) >= sizeof lock_path)
        return har_fail(error, HAR_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    int fd = open(lock_path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return har_fail(error, HAR_ERR_IO, "%s: cannot open: %s", lock_path, strerror(errno));
    fchmod(fd, 0600); /* whatever the umask, or the next daemon could not open it */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int reason = errno;
    close(fd);
    if (reason == EWOULDBLOCK)
        return har_fail(error, HAR_ERR_BUSY, "%s: another hard publishes there", path);
    return har_fail(error, HAR_ERR_IO, "%s: cannot lock: %s", lock_path, strerror(reason));
}
