/*
 * core/wg/cookie: mac1, mac2 and the cookie that a loaded responder asks for (WireGuard paper, section 5.4.4 and 5.4.7).
 * The source is an opaque byte string chosen by the owner: address and port.
 */
#ifndef WARREN_CORE_WG_COOKIE_H
#define WARREN_CORE_WG_COOKIE_H

#include "base/rng/rng.h"
#include "base/time/time.h"
#include "proto/wgmsg/wgmsg.h"

enum { COOKIE_LEN = 16 };

/* One who receives handshake messages: checks macs, hands out cookies. */
struct cookie_checker {
	uint8_t mac1_key[32], cookie_key[32]; /* derived from our own public key */
	uint8_t secret[32];
	mono_ns secret_born;
	bool has_secret;
};

/* One who sends them to a peer: adds macs, keeps the peer's cookie. */
struct cookie_sender {
	uint8_t mac1_key[32], cookie_key[32]; /* derived from the peer's public key */
	uint8_t cookie[COOKIE_LEN], last_mac1[WGMSG_MAC_LEN];
	mono_ns cookie_born;
	bool has_cookie, has_last_mac1;
};

enum cookie_verdict { COOKIE_BAD, COOKIE_MAC1_ONLY, COOKIE_GOOD };

void wg_cookie_checker_init(struct cookie_checker *c, const uint8_t own_public[static 32]);
void wg_cookie_sender_init(struct cookie_sender *s, const uint8_t peer_public[static 32]);

/* msg is an initiation or response: its last 32 bytes are the macs. */
enum cookie_verdict wg_cookie_check(
	struct cookie_checker *c, const uint8_t *msg, size_t len, struct view source, mono_ns now);
void wg_cookie_reply(struct cookie_checker *c, struct rng *rng, const uint8_t *msg, size_t len,
	struct view source, mono_ns now, struct wgmsg_cookie_reply *ret);

void wg_cookie_add_macs(struct cookie_sender *s, uint8_t *msg, size_t len, mono_ns now);
/* -ERR_BAD_TAG, -ERR_BAD_STATE when we did not ask. */
MUST_USE int wg_cookie_consume(
	struct cookie_sender *s, const struct wgmsg_cookie_reply *m, mono_ns now);

#endif
