/* Any bytes from a client of the control socket: however they are cut into pieces, the same lines
 * come out; each is a request or an error that can be told, and never more than was promised. */
#include <string.h>

#include "hard/control_input.h"
#include "tests/fuzz/fuzz.h"

/* What one way of cutting came to. */
struct outcome {
    size_t lines, requests;
    uint64_t hash; /* of the lines */
    bool hopeless;
};

static void judge_request(const json_t *request)
{
    const char *command = json_string_value(json_object_get(request, "command"));
    PROMISE(command != NULL);
    PROMISE(strlen(command) == json_string_length(json_object_get(request, "command")));
    char *again = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    PROMISE(again != NULL && strchr(again, '\n') == NULL);
    free(again);
}

static void judge_error(const struct har_error *error)
{
    PROMISE(error->code == HAR_ERR_SYNTAX || error->code == HAR_ERR_VALUE);
    for (const char *at = error->text; *at != '\0'; at++)
        PROMISE(*at >= ' ' && *at <= '~');
}

static void take_line(const char *line, size_t length, struct outcome *outcome)
{
    struct har_error error = {.code = HAR_OK};
    PROMISE(length < CONTROL_LINE_MAX && memchr(line, '\n', length) == NULL);
    for (size_t i = 0; i < length; i++)
        outcome->hash = outcome->hash * 31 + (unsigned char)line[i];
    outcome->hash = outcome->hash * 31 + '\n';
    outcome->lines++;
    json_t *request = control_input_parse(line, length, &error);
    PROMISE((request == NULL) == (error.code != HAR_OK));
    if (request != NULL)
        judge_request(request);
    else
        judge_error(&error);
    outcome->requests += request != NULL;
    json_decref(request);
}

/* In pieces of step bytes, lines taken out as soon as they are whole. */
static struct outcome feed(const uint8_t *bytes, size_t count, size_t step)
{
    struct control_input *input = malloc(sizeof *input);
    struct outcome outcome = {.lines = 0};
    PROMISE(input != NULL);
    control_input_init(input);
    while (count > 0 && !outcome.hopeless) {
        size_t room, piece = step < count ? step : count, length;
        const char *line;
        char *to = control_input_room(input, &room);
        PROMISE(room > 0 && room <= CONTROL_LINE_MAX);
        piece = piece < room ? piece : room;
        memcpy(to, bytes, piece);
        control_input_added(input, piece);
        bytes += piece;
        count -= piece;
        while (control_input_line(input, &line, &length)) {
            take_line(line, length, &outcome);
            control_input_take(input, length);
        }
        outcome.hopeless = control_input_is_hopeless(input);
    }
    free(input);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    json_object_seed(1); /* the same every time */
    struct outcome whole = feed(bytes, count, SIZE_MAX), cut = feed(bytes, count, 7);
    PROMISE(whole.lines == cut.lines && whole.requests == cut.requests);
    PROMISE(whole.hash == cut.hash && whole.hopeless == cut.hopeless);
    return 0;
}
