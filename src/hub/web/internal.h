/* hub/web: between its files. */
#ifndef WARREN_HUB_WEB_INTERNAL_H
#define WARREN_HUB_WEB_INTERNAL_H

#include "hub/state/state.h"
#include "hub/web/packages.h"

/* pages.c: whole pages, everything from outside escaped. */
MUST_USE int page_text(struct buf *out, const char *s);
MUST_USE int page_landing(const struct hub *h, const struct hub_login *login, struct buf *out);
/* For an admin: what it grants as a device of this user. g and user NULL: for anybody. */
MUST_USE int page_register(const struct hub *h, const struct coord_pending_view *p,
	const struct hub_login *login, const struct coord_grant *g, const struct coord_user *user,
	struct buf *out);
/* A device that is in, and waits. */
MUST_USE int page_device(const struct coord_node_doc *d, const struct hub_login *login,
	const struct coord_grant *g, struct buf *out);
MUST_USE int page_admin(const struct hub *h, const struct hub_login *login, struct buf *out);
MUST_USE int page_login(const struct hub *h, const char *token, struct buf *out);
MUST_USE int page_message(
	const struct hub *h, const char *title, const char *text, struct buf *out);
extern const char page_style[];

/* metrics.c */
MUST_USE int metrics_print(struct hub *h, struct buf *out);

#endif
