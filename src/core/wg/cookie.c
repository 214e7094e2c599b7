#include "core/wg/cookie.h"
#include "base/err/err.h"
#include "crypto/blake2s/blake2s.h"
#include "crypto/chapoly/chapoly.h"
#include "crypto/ct/ct.h"

enum { SECRET_LIFE_S = 120, COOKIE_LIFE_S = 120, MACS_LEN = 2 * WGMSG_MAC_LEN };

static void derive(
	uint8_t mac1_key[static 32], uint8_t cookie_key[static 32], const uint8_t pub[static 32])
{
	blake2s_hash(mac1_key, (struct view[]){ VIEW_LIT("mac1----"), view_of(pub, 32) }, 2);
	blake2s_hash(cookie_key, (struct view[]){ VIEW_LIT("cookie--"), view_of(pub, 32) }, 2);
}

void wg_cookie_checker_init(struct cookie_checker *c, const uint8_t own_public[static 32])
{
	*c = (struct cookie_checker){ 0 };
	derive(c->mac1_key, c->cookie_key, own_public);
}

void wg_cookie_sender_init(struct cookie_sender *s, const uint8_t peer_public[static 32])
{
	*s = (struct cookie_sender){ 0 };
	derive(s->mac1_key, s->cookie_key, peer_public);
}

static void make_cookie(
	const struct cookie_checker *c, struct view source, uint8_t out[static COOKIE_LEN])
{
	blake2s_mac(out, COOKIE_LEN, c->secret, sizeof(c->secret), source.p, source.len);
}

enum cookie_verdict wg_cookie_check(
	struct cookie_checker *c, const uint8_t *msg, size_t len, struct view source, mono_ns now)
{
	const uint8_t *mac1 = msg + len - MACS_LEN, *mac2 = mac1 + WGMSG_MAC_LEN;
	uint8_t mac[WGMSG_MAC_LEN], cookie[COOKIE_LEN];

	blake2s_mac(mac, sizeof(mac), c->mac1_key, 32, msg, len - MACS_LEN);
	if (!ct_equal(mac, mac1, sizeof(mac)))
		return COOKIE_BAD;
	if (!c->has_secret || now - c->secret_born > SEC(SECRET_LIFE_S))
		return COOKIE_MAC1_ONLY;
	make_cookie(c, source, cookie);
	blake2s_mac(mac, sizeof(mac), cookie, sizeof(cookie), msg, len - WGMSG_MAC_LEN);
	return ct_equal(mac, mac2, sizeof(mac)) ? COOKIE_GOOD : COOKIE_MAC1_ONLY;
}

void wg_cookie_reply(struct cookie_checker *c, struct rng *rng, const uint8_t *msg, size_t len,
	struct view source, mono_ns now, struct wgmsg_cookie_reply *ret)
{
	uint8_t cookie[COOKIE_LEN];

	if (!c->has_secret || now - c->secret_born > SEC(SECRET_LIFE_S)) {
		rng_fill(rng, c->secret, sizeof(c->secret));
		c->secret_born = now;
		c->has_secret = true;
	}
	make_cookie(c, source, cookie);
	wgmsg_set_type(ret->type, WGMSG_COOKIE_REPLY);
	memcpy(ret->receiver, msg + 4,
		4); /* the sender index, at the same place in both messages */
	rng_fill(rng, ret->nonce, sizeof(ret->nonce));
	chapoly_seal_x(c->cookie_key, ret->nonce, view_of(msg + len - MACS_LEN, WGMSG_MAC_LEN),
		cookie, sizeof(cookie), ret->sealed_cookie);
}

void wg_cookie_add_macs(struct cookie_sender *s, uint8_t *msg, size_t len, mono_ns now)
{
	uint8_t *mac1 = msg + len - MACS_LEN, *mac2 = mac1 + WGMSG_MAC_LEN;

	blake2s_mac(mac1, WGMSG_MAC_LEN, s->mac1_key, 32, msg, len - MACS_LEN);
	memcpy(s->last_mac1, mac1, WGMSG_MAC_LEN);
	s->has_last_mac1 = true;
	if (s->has_cookie && now - s->cookie_born <= SEC(COOKIE_LIFE_S))
		blake2s_mac(mac2, WGMSG_MAC_LEN, s->cookie, COOKIE_LEN, msg, len - WGMSG_MAC_LEN);
	else
		memset(mac2, 0, WGMSG_MAC_LEN);
}

int wg_cookie_consume(struct cookie_sender *s, const struct wgmsg_cookie_reply *m, mono_ns now)
{
	uint8_t cookie[COOKIE_LEN];
	int rc;

	if (!s->has_last_mac1)
		return -ERR_BAD_STATE;
	rc = chapoly_open_x(s->cookie_key, m->nonce, view_of(s->last_mac1, WGMSG_MAC_LEN),
		m->sealed_cookie, sizeof(m->sealed_cookie), cookie);
	if (rc < 0)
		return rc;
	memcpy(s->cookie, cookie, COOKIE_LEN);
	s->cookie_born = now;
	s->has_cookie = true;
	return 0;
}
