/* hub/control: control connections of devices: ts2021 over an upgraded stream, with the engine behind it. */
#ifndef WARREN_HUB_CONTROL_CONTROL_H
#define WARREN_HUB_CONTROL_CONTROL_H

#include "hub/state/state.h"

MUST_USE int control_accept(struct hub *h, struct http_request *q);
void control_later(void *request_owner, unsigned seconds, struct view text);
void control_answer(void *request_owner, int status, const char *content_type, struct view body);
struct ipport control_from(void *request_owner);
void control_map_ready(void *owner);
void control_map_end(void *owner);
void control_map_watch(void *owner, bool watch);
void control_map_ask(void *owner, mono_ns within);
void control_on_idle_tick(void *ctx);
void control_on_ask_tick(void *ctx);
/* Before the engine goes: maps end, and who waits for an answer is told to ask again. */
void control_let_go(struct hub *h);
void control_on_check_tick(void *ctx);
void control_close_all(struct hub *h);

/* former.c: a hub that moves is reached by its former URLs, too, and tells devices of its own that come by them. */
MUST_USE int former_read(struct hub *h, struct err_at *at);
/* What a device is told that connects with this request: the URL, or NULL: it came by it. */
const char *former_tells(const struct hub *h, const struct http1_head *head);

#endif
