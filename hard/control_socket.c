#include "har_config.h"

#include "hard/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define SOCKET_MODE 0660

static int open_socket(struct har_error *error)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return har_fail(error, HAR_ERR_IO, "no socket: %s", strerror(errno));
    return fd;
}

static int call(int (*function)(int, const struct sockaddr *, socklen_t), int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path); /* its length was looked at */
    return function(fd, (const struct sockaddr *)&address, sizeof address);
}

/* --- Whose is what is there? -------------------------------------------------------------------
 */

/* Somebody whose queue is full is there all the same. */
static int look_for_owner(const char *path, struct har_error *error)
{
    int fd = open_socket(error);
    if (fd < 0)
        return fd;
    int reason = call(connect, fd, path) == 0 ? 0 : errno;
    close(fd);
    if (reason == ECONNREFUSED || reason == ENOENT)
        return HAR_OK;
    if (reason == 0 || reason == EAGAIN)
        return har_fail(error, HAR_ERR_BUSY, "%s: another program answers there", path);
    return har_fail(error, HAR_ERR_IO, "%s: cannot tell whose it is: %s", path, strerror(reason));
}

/* Is there nothing, or a socket that nobody answers? */
static int look_at(const char *path, struct har_error *error)
{
    struct stat found;
    if (lstat(path, &found) < 0)
        return errno == ENOENT
                   ? HAR_OK
                   : har_fail(error, HAR_ERR_IO, "%s: cannot look: %s", path, strerror(errno));
    if (!S_ISSOCK(found.st_mode))
        return har_fail(error, HAR_ERR_VALUE, "%s: not a socket, and left alone", path);
    return look_for_owner(path, error);
}

/* --- Ours --------------------------------------------------------------------------------------
 */

static bool remember_file(struct control_socket *socket, const char *path)
{
    struct stat found;
    if (lstat(path, &found) < 0)
        return false;
    socket->device = found.st_dev;
    socket->inode = found.st_ino;
    return true;
}

static bool is_file(const struct control_socket *socket, const char *path)
{
    struct stat found;
    return lstat(path, &found) == 0 && found.st_dev == socket->device &&
           found.st_ino == socket->inode;
}

/* Nobody can connect before listen(2), so nobody slips in while the file has the mode that the
 * umask left it. */
static int listen_at(struct control_socket *socket, const char *path, struct har_error *error)
{
    if (call(bind, socket->fd, path) < 0)
        return har_fail(error, HAR_ERR_IO, "%s: cannot bind: %s", path, strerror(errno));
    if (!remember_file(socket, path) || chmod(path, SOCKET_MODE) < 0 ||
        listen(socket->fd, BACKLOG) < 0) {
        har_fail(error, HAR_ERR_IO, "%s: cannot listen: %s", path, strerror(errno));
        unlink(path);
        return HAR_ERR_IO;
    }
    return HAR_OK;
}

/* Two that start at the same moment may both have found nobody. The last one to rename has the
 * path, and the other one sees that. */
static int put_in_place(const struct control_socket *socket, const char *made, const char *path,
                        struct har_error *error)
{
    if (rename(made, path) < 0) {
        har_fail(error, HAR_ERR_IO, "%s: cannot rename to %s: %s", made, path, strerror(errno));
        if (is_file(socket, made))
            unlink(made);
        return HAR_ERR_IO;
    }
    if (!is_file(socket, path))
        return har_fail(error, HAR_ERR_BUSY, "%s: another program took it just now", path);
    return HAR_OK;
}

static int make(struct control_socket *socket, const char *path, struct har_error *error)
{
    char made[sizeof((struct sockaddr_un *)NULL)->sun_path];
    if ((size_t)snprintf(made, sizeof made, "%s.new", path) >= sizeof made)
        return har_fail(error, HAR_ERR_VALUE, "%s: more than %zu bytes, too long for a socket",
                        path, sizeof made - sizeof ".new");
    int code = look_at(path, error);
    if (code == HAR_OK)
        code = look_at(made, error);
    if (code < 0)
        return code;
    unlink(made); /* of one that was killed between bind and rename */
    code = listen_at(socket, made, error);
    return code < 0 ? code : put_in_place(socket, made, path, error);
}

int control_socket_open(struct control_socket *out, const char *path, struct har_error *error)
{
    struct control_socket new = {.path = strdup(path)};
    if (new.path == NULL)
        return har_fail(error, HAR_ERR_MEMORY, "out of memory");
    new.fd = open_socket(error);
    int code = new.fd < 0 ? new.fd : make(&new, path, error);
    if (code == HAR_OK) {
        *out = new;
        return HAR_OK;
    }
    if (new.fd >= 0)
        close(new.fd);
    free(new.path);
    return code;
}

bool control_socket_is_at(const struct control_socket *socket, const char *path)
{
    return socket->fd >= 0 && strcmp(socket->path, path) == 0 && is_file(socket, path);
}

void control_socket_close(struct control_socket *socket)
{
    if (socket->fd < 0)
        return;
    if (is_file(socket, socket->path))
        unlink(socket->path);
    close(socket->fd);
    free(socket->path);
    *socket = (struct control_socket){.fd = -1};
}
