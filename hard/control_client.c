/* One client of the control socket: a line comes in, its answer goes out, and so on. */
#include "har_config.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hard/control_run.h"

/* --- Beginning and end -------------------------------------------------------------------------
 */

static void link_client(struct control *control, struct control_client *client)
{
    client->next = control->clients;
    client->link = &control->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    control->clients = client;
    control->client_count++;
}

static void unlink_client(struct control_client *client)
{
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    client->control->client_count--;
}

void control_client_end(struct control_client *client)
{
    struct ev_loop *loop = client->control->loop;
    ev_io_stop(loop, &client->reading);
    ev_io_stop(loop, &client->writing);
    ev_timer_stop(loop, &client->idle);
    unlink_client(client);
    close(client->fd);
    if (client->request.open && client->request.gone != NULL)
        client->request.gone(client->request.gone_arg);
    free(client->output);
    free(client);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    control_client_end(timer->data);
}

/* From now on, whatever trickles in or out. */
static void start_idle(struct control_client *client)
{
    struct ev_loop *loop = client->control->loop;
    ev_timer_stop(loop, &client->idle);
    ev_timer_set(&client->idle, client->control->idle_s, 0.);
    ev_timer_start(loop, &client->idle);
}

/* --- Answers -----------------------------------------------------------------------------------
 */

struct output {
    char *bytes;
    size_t count, room, max;
    bool too_large;
};

static int add_output(const char *bytes, size_t count, void *arg)
{
    struct output *output = arg;
    if (count > output->max - output->count) {
        output->too_large = true;
        return -1;
    }
    if (count > output->room - output->count) {
        size_t room = 2 * output->room + count + 256;
        char *larger = realloc(output->bytes, room);
        if (larger == NULL)
            return -1;
        output->bytes = larger;
        output->room = room;
    }
    memcpy(output->bytes + output->count, bytes, count);
    output->count += count;
    return 0;
}

/* A line; steals answer. False without memory, or when it is too large. */
static bool write_line(struct output *output, json_t *answer)
{
    bool good =
        answer != NULL &&
        json_dump_callback(answer, add_output, output, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 &&
        add_output("\n", 1, output) == 0;
    json_decref(answer);
    return good;
}

static void send_output(struct control_client *client, const struct output *output)
{
    struct ev_loop *loop = client->control->loop;
    client->output = output->bytes;
    client->output_bytes = output->count;
    client->sent_bytes = 0;
    ev_io_stop(loop, &client->reading);
    ev_io_start(loop, &client->writing);
    start_idle(client);
}

/* In place of what could not be written. Without memory even for this there is nothing to send, and
 * the client is closed. */
static void send_failure(struct control_client *client, struct output *output)
{
    const char *why =
        output->too_large ? "the answer is too large: ask for fewer names" : "out of memory";
    output->count = 0;
    client->closing = true;
    if (!write_line(output, control_error(why)))
        output->count = 0;
    send_output(client, output);
}

void control_client_send(struct control_client *client, json_t *answer)
{
    struct output output = {.max = client->control->output_max};
    if (write_line(&output, answer))
        send_output(client, &output);
    else
        send_failure(client, &output);
}

void control_client_send_text(struct control_client *client, const char *text, size_t bytes)
{
    struct output output = {.max = client->control->output_max};
    if (add_output(text, bytes, &output) == 0 && add_output("\n", 1, &output) == 0)
        send_output(client, &output);
    else
        send_failure(client, &output);
}

/* --- Lines -------------------------------------------------------------------------------------
 */

static void answer_line(struct control_client *client, const char *line, size_t length)
{
    ev_timer_stop(client->control->loop, &client->idle);
    client->request = (struct control_request){.client = client, .open = true};
    control_dispatch(&client->request, line, length);
    control_input_take(&client->input, length);
}

/* Looks for the next request in what is there. */
static void go_on(struct control_client *client)
{
    const char *line;
    size_t length;
    if (control_input_line(&client->input, &line, &length)) {
        answer_line(client, line, length);
    } else if (control_input_is_hopeless(&client->input)) {
        client->closing = true;
        control_client_send(client, control_error("a request is at most 64 KiB"));
    } else if (client->finished) {
        control_client_end(client);
    }
}

static void on_writing(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    struct control_client *client = io->data;
    size_t left = client->output_bytes - client->sent_bytes;
    ssize_t sent = left > 0 ? send(client->fd, client->output + client->sent_bytes, left,
                                   MSG_DONTWAIT | MSG_NOSIGNAL)
                            : 0;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent >= 0 && (size_t)sent < left) {
        client->sent_bytes += (size_t)sent;
        return;
    }
    if (sent < 0 || client->closing) {
        control_client_end(client);
        return;
    }
    free(client->output);
    client->output = NULL;
    ev_io_stop(loop, io);
    start_idle(client);
    if (!client->finished)
        ev_io_start(loop, &client->reading);
    go_on(client);
}

/* Whoever sends `echo ... | nc -N` still waits for the answer, whoever is gone does not. */
static bool is_gone(const struct control_client *client)
{
    struct pollfd look = {.fd = client->fd};
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

static void finish(struct control_client *client)
{
    client->finished = true;
    ev_io_stop(client->control->loop, &client->reading);
    if (!client->request.open)
        go_on(client);
    else if (is_gone(client))
        control_client_end(client);
}

/* It also reads while a request is deferred, to see the client go away. */
static void on_reading(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct control_client *client = io->data;
    size_t room;
    char *to = control_input_room(&client->input, &room);
    ssize_t got = room > 0 ? recv(client->fd, to, room, MSG_DONTWAIT) : -1;
    if (got > 0) {
        control_input_added(&client->input, (size_t)got);
        if (!client->request.open)
            go_on(client);
    } else if (got == 0) {
        finish(client);
    } else if (room == 0 || (errno != EAGAIN && errno != EINTR)) {
        control_client_end(client);
    }
}

void control_client_start(struct control *control, int fd, uid_t uid)
{
    struct control_client *client = malloc(sizeof *client);
    if (client == NULL) {
        close(fd);
        return;
    }
    /* All but the input, whose pages nobody needs before they are filled. */
    memset(client, 0, offsetof(struct control_client, input));
    control_input_init(&client->input);
    client->control = control;
    client->fd = fd;
    client->uid = uid;
    ev_io_init(&client->reading, on_reading, fd, EV_READ);
    ev_io_init(&client->writing, on_writing, fd, EV_WRITE);
    ev_init(&client->idle, on_idle);
    client->reading.data = client->writing.data = client->idle.data = client;
    ev_set_priority(&client->reading, CONTROL_PRIORITY);
    ev_set_priority(&client->writing, CONTROL_PRIORITY);
    link_client(control, client);
    ev_io_start(control->loop, &client->reading);
    start_idle(client);
}
