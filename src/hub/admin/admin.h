/*
 * hub/admin: the administration over a unix socket, for root and the user of the hub, and on the public port for browser sessions of
 * admins. Its documents are admin_json.h.
 */
#ifndef WARREN_HUB_ADMIN_ADMIN_H
#define WARREN_HUB_ADMIN_ADMIN_H

#include "http/router/router.h"

/* q->ctx is the hub. */
extern const struct router admin_table;
/* The same routes behind this path; changes show the session's token in X-CSRF-Token. */
#define ADMIN_BROWSER_MOUNT "/console/api"
extern const struct router admin_browser_table;

/* Answers that open pages of the console share (hub.news). NULL. */
struct admin_news_kept;
struct admin_news_kept *admin_news_free(struct admin_news_kept *k);

#endif
