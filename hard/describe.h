/* A host as a JSON object for the control socket. hard/control.h says what HOST, ENDPOINT and the
 * others are. Pure: no clock, no socket, no globals. All return a new reference, or NULL without
 * memory. */
#ifndef HAR_HARD_DESCRIBE_H
#define HAR_HARD_DESCRIBE_H

#include <jansson.h>

#include "hard/explain.h"
#include "hard/view.h"

/* HOST. */
json_t *describe_host(const struct view *view);

/* The ENDPOINT of a candidate that is a name, and has no address (view_is_nameless). */
json_t *describe_nameless(const struct view *view, const struct config_candidate *candidate);

/* An array: the addresses that the host answers now. */
json_t *describe_answer(const struct host *host);

/* What the operator says of a candidate; JSON null: nothing. */
json_t *describe_override(const struct host_candidate *candidate, int64_t now_us);

/* The answer to explain, without version and local_fault. */
json_t *describe_explanation(const struct view *view, const struct explanation *explanation);

/* A text, or JSON null for NULL and "". */
json_t *describe_text(const char *text);

/* A number, or JSON null where it is `none`. */
json_t *describe_number(int64_t number, int64_t none);

#endif
