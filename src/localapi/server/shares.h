/*
 * localapi/shares: what one user of the machine may have of the local API. Root, the daemon's own user and the operator are trusted:
 * places are kept for them that nobody else can take.
 */
#ifndef WARREN_LOCALAPI_SERVER_SHARES_H
#define WARREN_LOCALAPI_SERVER_SHARES_H

#include "localapi/server/internal.h"

enum {
	SHARE_CONNS_KEPT = 32,   /* connections of LAPI_CONNS_MAX that only the trusted get */
	SHARE_CONNS_MAX = 64,    /* of one user */
	SHARE_WATCHERS_KEPT = 8, /* of LAPI_WATCHERS_MAX */
	SHARE_WATCHERS_MAX = 16, /* of one user */
	SHARE_BYTES_MAX =
		8
		<< 20, /* that wait on all connections of one user; one answer more may always be made */
	SHARE_REQUESTS_BURST = 200,
	SHARE_REQUESTS_RATE = 200, /* a second, of one user */
	SHARE_WORK_BURST = 100,
	SHARE_WORK_RATE = 20, /* pings a second of one user; other work counts as several */
	SHARE_USERS_MAX = LAPI_USERS_KEPT, /* users whose work is remembered */
};

bool share_is_trusted(const struct lconn *c);
/* For one more connection of this user? c is not in the list yet. */
bool share_has_room(const struct lconn *c);
bool share_may_watch(const struct lconn *c);
/* May one more answer be made for this user, or so many bytes be kept for the connection? */
bool share_may_hold(const struct lconn *c, size_t more);
/* One request more? */
bool share_may_ask(struct lconn *c);
/* Takes so much of the user's work. */
bool share_may_work(struct lconn *c, unsigned cost);

#endif
