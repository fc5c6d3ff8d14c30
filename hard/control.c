#include "har_config.h"

#include "hard/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hard/control_run.h"
#include "hard/log.h"

#define ACCEPTS_MAX 16 /* in one go */
#define PAUSE_S 1.     /* when there is no descriptor for a client */

/* --- Requests ----------------------------------------------------------------------------------
 */

static const struct control_handler *find_handler(const struct control *control,
                                                  const char *command)
{
    for (const struct control_handler *handler = control->handlers; handler->command != NULL;
         handler++) {
        if (strcmp(handler->command, command) == 0)
            return handler;
    }
    return NULL;
}

static void fail_unknown(const struct control *control, struct control_request *request)
{
    char known[512] = "";
    size_t length = 0;
    for (const struct control_handler *handler = control->handlers;
         handler->command != NULL && length < sizeof known; handler++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
                                   length > 0 ? ", " : "", handler->command);
    control_fail(request, "unknown command; this hard knows %s", known);
}

static void log_change(const struct control_request *request, const json_t *json)
{
    char uid[16];
    snprintf(uid, sizeof uid, "%u", (unsigned)request->client->uid);
    log_event(LOG_NOTICE, "control", "uid", uid, "command", request->command, "host",
              json_string_value(json_object_get(json, "name")), "candidate",
              json_string_value(json_object_get(json, "candidate")), "state",
              json_string_value(json_object_get(json, "state")), "result",
              request->refused ? "refused" : "ok", NULL);
}

static void take_up(struct control_request *request, const json_t *json)
{
    struct control *control = request->client->control;
    const struct control_handler *handler =
        find_handler(control, json_string_value(json_object_get(json, "command")));
    if (handler == NULL) {
        fail_unknown(control, request);
        return;
    }
    request->command = handler->command;
    handler->handle(control->arg, json, request);
    if (request->open && request->gone == NULL)
        control_fail(request, "%s: hard has no answer", request->command);
    if (handler->changes)
        log_change(request, json);
}

void control_dispatch(struct control_request *request, const char *line, size_t length)
{
    struct har_error error = {.code = HAR_OK};
    json_t *json = control_input_parse(line, length, &error);
    if (json == NULL) {
        control_fail(request, "%s", error.text);
        return;
    }
    take_up(request, json);
    json_decref(json);
}

void control_defer(struct control_request *request, control_gone_fn *gone, void *arg)
{
    request->gone = gone;
    request->gone_arg = arg;
}

json_t *control_error(const char *text)
{
    return json_pack("{sbss}", "ok", 0, "error", text);
}

void control_reply(struct control_request *request, json_t *reply)
{
    if (reply != NULL && json_object_get(reply, "ok") == NULL &&
        json_object_set_new(reply, "ok", json_true()) < 0) {
        json_decref(reply);
        reply = NULL;
    }
    request->open = false;
    request->refused = !json_is_true(json_object_get(reply, "ok"));
    control_client_send(request->client, reply);
}

void control_reply_text(struct control_request *request, const char *text, size_t bytes)
{
    request->open = false;
    control_client_send_text(request->client, text, bytes);
}

void control_fail(struct control_request *request, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    control_reply(request, text != NULL ? control_error(text) : NULL);
    free(text);
}

uid_t control_uid(const struct control_request *request)
{
    return request->client->uid;
}

/* --- Clients -----------------------------------------------------------------------------------
 */

/* Once until the next client is let in. */
static void log_crowded(struct control *control, const char *why)
{
    if (!control->crowded)
        log_event(LOG_WARNING, "control-refused", "error", why, NULL);
    control->crowded = true;
}

static void turn_away(struct control *control, int fd)
{
    static const char line[] = "{\"ok\":false,\"error\":\"too many are asking: try again\"}\n";
    ssize_t sent = send(fd, line, sizeof line - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* it is told or it is not */
    close(fd);
    log_crowded(control, "too many clients");
}

static void let_in(struct control *control, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (control->client_count >= control->clients_max) {
        turn_away(control, fd);
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        close(fd);
    } else {
        control->crowded = false;
        control_client_start(control, fd, peer.uid);
    }
}

/* What is left for the next time, the loop reports again. But a lack of descriptors it would report
 * all the time. */
static void on_accepting(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    struct control *control = io->data;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(control, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_crowded(control, strerror(errno));
            ev_io_stop(loop, io);
            ev_timer_set(&control->pause, PAUSE_S, 0.);
            ev_timer_start(loop, &control->pause);
        }
        return;
    }
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct control *control = timer->data;
    ev_io_start(loop, &control->accepting);
}

/* --- The whole ---------------------------------------------------------------------------------
 */

struct control *control_new(struct ev_loop *loop, const struct control_handler *handlers, void *arg,
                            struct har_error *error)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        har_fail(error, HAR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    control->loop = loop;
    control->handlers = handlers;
    control->arg = arg;
    control->idle_s = CONTROL_IDLE_S;
    control->output_max = CONTROL_OUTPUT_MAX;
    control->clients_max = CONTROL_CLIENTS_MAX;
    control->socket.fd = -1;
    ev_init(&control->accepting, on_accepting);
    ev_init(&control->pause, on_pause_over);
    control->accepting.data = control->pause.data = control;
    ev_set_priority(&control->accepting, CONTROL_PRIORITY);
    return control;
}

static void stop_listening(struct control *control)
{
    ev_timer_stop(control->loop, &control->pause);
    ev_io_stop(control->loop, &control->accepting);
    control_socket_close(&control->socket);
}

int control_listen(struct control *control, const char *path, struct har_error *error)
{
    if (control_socket_is_at(&control->socket, path))
        return HAR_OK;
    struct control_socket next;
    int code = control_socket_open(&next, path, error);
    if (code < 0)
        return code;
    stop_listening(control);
    control->socket = next;
    ev_io_set(&control->accepting, next.fd, EV_READ);
    ev_io_start(control->loop, &control->accepting);
    return HAR_OK;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    stop_listening(control);
    while (control->clients != NULL)
        control_client_end(control->clients);
    free(control);
}
