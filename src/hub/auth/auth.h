/*
 * hub/auth: who comes to the hub: links and browser sessions of admins, those who guess, and whom the relay is for. API tokens are in
 * tokens.h.
 */
#ifndef WARREN_HUB_AUTH_AUTH_H
#define WARREN_HUB_AUTH_AUTH_H

#include "hub/auth/rights.h"
#include "hub/state/state.h"

/* login.c: one-time links and the sessions they give. */
/* user: who comes with it; 0: whoever is root on this machine, with all rights of an owner. */
void login_link_create(
	struct hub *h, int64_t user, const char *next, char token[static HUB_TOKEN_TEXT]);
enum hub_link_state { LINK_GOOD, LINK_USED, LINK_OLD, LINK_UNKNOWN };
enum hub_link_state login_link_state(const struct hub *h, struct view token);
/* Uses the link up. The cookie's value is in cookie, where to go in next. NULL: no such link. */
struct hub_login *login_begin(struct hub *h, struct view token, char cookie[static HUB_TOKEN_TEXT],
	char next[static 256]);
/* The session that a request's cookie names, or NULL. */
struct hub_login *login_find(struct hub *h, const struct http1_head *head);
void login_end(struct hub_login *l);
/* Who it is; NULL: root of this machine, or somebody who is deleted by now. */
const struct coord_user *login_user(const struct hub *h, const struct hub_login *l);
/* By the role that the user has now. */
uint64_t login_rights(const struct hub *h, const struct hub_login *l);
/* Whom a word of the session's person means: "" and NULL are the person, or for root the first user. NULL: nobody. */
const struct coord_user *login_means(
	const struct hub *h, const struct hub_login *l, const char *name);
/* Whose devices and role who has these rights may decide about: nobody gives what he has not. */
bool login_may_act_for(uint64_t rights, const struct coord_user *u);
bool login_csrf_holds(const struct hub_login *l, struct view token);
/* For tables: who asks, by the cookie; what the connection holds is charged to an account of the session's. */
void login_identify(struct http_request *q);
/* A request by a script: of a page of this hub, and with the session's token unless it only looks. */
bool login_comes_from_us(const struct hub_login *l, const struct http1_head *head, bool only_looks);

/*
 * throttle.c: sources that showed something wrong: a burst of HUB_THROTTLE_BURST, then one each HUB_THROTTLE_STEP. A network of
 * IPv6 is one source.
 */
bool throttle_is_over(
	struct hub_throttle table[static HUB_THROTTLES_MAX], struct ipaddr from, mono_ns now);
/* Counts one more; true: it was over already. */
bool throttle_failed(
	struct hub_throttle table[static HUB_THROTTLES_MAX], struct ipaddr from, mono_ns now);
/*
 * Codes of logins, to who is no admin: a source that showed too many wrong ones is not answered, and nobody is when all sources
 * together did. So many guesses in the 15 minutes of a code find one of 2,048 that wait with a chance of 1 in 20,000.
 */
bool throttle_codes_are_shut(struct hub *h, struct ipaddr from, mono_ns now);
void throttle_code_was_wrong(struct hub *h, struct ipaddr from, mono_ns now);

/* admit.c: whom the relay is for, and what other relays are told of it */
struct relay_admission admit_relay(struct hub *h);
void admit_key_out(void *hub, const struct node_pub *key);
/* POST /verify, as derper's --verify-client-url asks it. */
MUST_USE int admit_on_verify(struct http_request *q);

#endif
