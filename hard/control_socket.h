/* The socket file on which the control listens, made and removed so that nobody else's is. */
#ifndef HAR_HARD_CONTROL_SOCKET_H
#define HAR_HARD_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

struct control_socket {
    int fd;     /* -1: listens nowhere */
    char *path; /* owned */
    dev_t device;
    ino_t inode; /* of the file that is ours */
};

/* Listens, nonblocking; see control_listen for errors, with which *out stays untouched. The file
 * appears at path when clients can connect, with its mode: it is made as "PATH.new" and renamed. */
int control_socket_open(struct control_socket *out, const char *path, struct har_error *error);

/* Is this the file at path? */
bool control_socket_is_at(const struct control_socket *socket, const char *path);

/* Closes it and removes the file, if it is still there and ours. One that listens nowhere is left
 * as it is. */
void control_socket_close(struct control_socket *socket);

#endif
