/*
 * hub/console: the web console: its files, and the stream that tells a page what to ask for anew. What it asks is hub/admin's
 * admin_browser_table.
 */
#ifndef WARREN_HUB_CONSOLE_CONSOLE_H
#define WARREN_HUB_CONSOLE_CONSOLE_H

#include "http/router/router.h"

/*
 * q->ctx is the hub. live: GET /console/api/session, the session's token and what a page needs first; GET /console/api/events;
 * POST /console/api/logout. Before admin_browser_table, which claims what else begins so. files: what else begins with /console.
 */
extern const struct router console_live, console_files;

struct console;
struct console *console_free(struct console *c); /* after the server whose streams it fills */

#endif
