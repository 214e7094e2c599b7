/*
 * People log in with a link that works once, printed by `warren-hub login`. Links and sessions are kept as hashes, in
 * memory: a restart of the hub ends them.
 */
#include "base/rng/rng.h"
#include "base/text/text.h"
#include "crypto/ct/ct.h"
#include "crypto/sha256/sha256.h"
#include "hub/auth/auth.h"

#include <stdio.h>

static const char cookie_name[] = "warren_admin";

static void make_token(char text[static HUB_TOKEN_TEXT])
{
	uint8_t b[HUB_TOKEN_LEN];

	rng_fill(loop_rng(), b, sizeof(b));
	hex_encode(b, sizeof(b), text);
	key_wipe(b, sizeof(b));
}

static bool hash_token(struct view token, uint8_t out[static 32])
{
	if (token.len != HUB_TOKEN_TEXT - 1)
		return false;
	sha256_hash(token.p, token.len, out);
	return true;
}

/* Only paths of this hub, so that a link leads nowhere else. */
static const char *safe_next(const char *next)
{
	return next && next[0] == '/' && next[1] != '/' && next[1] != '\\' && strlen(next) < 256 &&
			       !strpbrk(next, "\r\n")
		       ? next
		       : "/";
}

void login_link_create(
	struct hub *h, int64_t user, const char *next, char token[static HUB_TOKEN_TEXT])
{
	struct hub_link *l = &h->link[0];

	for (size_t i = 0; i < HUB_LINKS_MAX; i++)
		if (h->link[i].expires < l->expires)
			l = &h->link[i];
	make_token(token);
	sha256_hash(token, HUB_TOKEN_TEXT - 1, l->hash);
	snprintf(l->next, sizeof(l->next), "%s", safe_next(next));
	l->expires = loop_now(h->loop).mono + HUB_LINK_LIFE;
	l->user = user;
	l->used = false;
}

/* Used and old ones, too, until another link takes their place. */
static struct hub_link *find_link(const struct hub *h, struct view token)
{
	uint8_t hash[32];

	if (!hash_token(token, hash))
		return NULL;
	for (size_t i = 0; i < HUB_LINKS_MAX; i++) {
		const struct hub_link *l = &h->link[i];

		if (l->expires && ct_equal(l->hash, hash, sizeof(hash)))
			return (struct hub_link *)(uintptr_t)l;
	}
	return NULL;
}

static enum hub_link_state state_of(const struct hub *h, const struct hub_link *l)
{
	return !l                                     ? LINK_UNKNOWN
	       : l->used                              ? LINK_USED
	       : l->expires <= loop_now(h->loop).mono ? LINK_OLD
						      : LINK_GOOD;
}

enum hub_link_state login_link_state(const struct hub *h, struct view token)
{
	return state_of(h, find_link(h, token));
}

struct hub_login *login_begin(
	struct hub *h, struct view token, char cookie[static HUB_TOKEN_TEXT], char next[static 256])
{
	struct hub_link *link = find_link(h, token);
	struct hub_login *l = &h->login[0];

	if (state_of(h, link) != LINK_GOOD) {
		h->n.login_failures++;
		return NULL;
	}
	snprintf(next, 256, "%s", link->next);
	link->used = true;
	for (size_t i = 0; i < HUB_LOGINS_MAX; i++)
		if (h->login[i].expires < l->expires)
			l = &h->login[i];
	make_token(cookie);
	make_token(l->csrf);
	sha256_hash(cookie, HUB_TOKEN_TEXT - 1, l->hash);
	l->user = link->user;
	l->expires = loop_now(h->loop).mono + HUB_LOGIN_LIFE;
	l->id = (int64_t)++h->n.logins;
	l->created = loop_now(h->loop).wall;
	return l;
}

/* The value of our cookie in "a=b; c=d". */
static struct view cookie_of(const struct http1_head *head)
{
	struct view v = http1_find(head, "Cookie");
	size_t n = sizeof(cookie_name) - 1;

	while (v.len) {
		const uint8_t *end = memchr(v.p, ';', v.len);
		size_t len = end ? (size_t)(end - v.p) : v.len;

		if (len > n && !memcmp(v.p, cookie_name, n) && v.p[n] == '=')
			return view_of(v.p + n + 1, len - n - 1);
		len += end ? 1 : 0;
		v = view_of(v.p + len, v.len - len);
		while (v.len && v.p[0] == ' ')
			v = view_of(v.p + 1, v.len - 1);
	}
	return view_of("", 0);
}

struct hub_login *login_find(struct hub *h, const struct http1_head *head)
{
	uint8_t hash[32];

	if (!hash_token(cookie_of(head), hash))
		return NULL;
	for (size_t i = 0; i < HUB_LOGINS_MAX; i++)
		if (h->login[i].expires > loop_now(h->loop).mono &&
			ct_equal(h->login[i].hash, hash, sizeof(hash)))
			return &h->login[i];
	return NULL;
}

void login_end(struct hub_login *l)
{
	memset(l, 0, sizeof(*l));
}

const struct coord_user *login_user(const struct hub *h, const struct hub_login *l)
{
	return l->user ? coord_user_by_id(h->tailnet, l->user) : NULL;
}

uint64_t login_rights(const struct hub *h, const struct hub_login *l)
{
	const struct coord_user *u = login_user(h, l);

	if (!l->user)
		return rights_of_role("owner");
	return u ? rights_of_role(u->role) : 0;
}

const struct coord_user *login_means(
	const struct hub *h, const struct hub_login *l, const char *name)
{
	const struct coord_user *self = login_user(h, l);

	return self && (!name || !*name) ? self : hub_user(h, name);
}

bool login_may_act_for(uint64_t rights, const struct coord_user *u)
{
	return (rights_of_role(u->role) & ~rights) == 0;
}

bool login_csrf_holds(const struct hub_login *l, struct view token)
{
	return token.len == HUB_TOKEN_TEXT - 1 && ct_equal(l->csrf, token.p, token.len);
}

/* The connection is no stranger's. */
static void proved(const struct hub_login *l, struct stream *s)
{
	uint8_t id[LEDGER_ID_LEN] = "browser";

	memcpy(id + 8, l->hash, MIN_OF(sizeof(id) - 8, sizeof(l->hash)));
	ledger_set_member(stream_holder(s), id);
}

void login_identify(struct http_request *q)
{
	struct hub_login *l = login_find(hub_of(q), q->head);
	const struct coord_user *u = l ? login_user(hub_of(q), l) : NULL;

	if (!l)
		return;
	q->who.name = u ? u->name : NULL;
	q->who.proof = l;
	q->who.kind = PRINCIPAL_ADMIN;
	q->who.rights = login_rights(hub_of(q), l);
	proved(l, httpd_stream(q->conn));
}

/* Browsers say where a request comes from; what is older says nothing, and its token has to do. */
bool login_comes_from_us(const struct hub_login *l, const struct http1_head *head, bool only_looks)
{
	struct view site = http1_find(head, "Sec-Fetch-Site");

	if (site.len && !view_eq(site, VIEW_LIT("same-origin")))
		return false;
	return only_looks || login_csrf_holds(l, http1_find(head, "X-CSRF-Token"));
}
