/*
 * core/wg/handshake: Noise_IKpsk2 as WireGuard uses it (paper, section 5.4.2 and 5.4.3), both roles, one message a call.
 * Knows nothing of timers, indices tables or sending.
 */
#ifndef WARREN_CORE_WG_HANDSHAKE_H
#define WARREN_CORE_WG_HANDSHAKE_H

#include "base/rng/rng.h"
#include "crypto/keys/keys.h"
#include "proto/wgmsg/wgmsg.h"

enum { HANDSHAKE_PSK_LEN = 32 };

/* Our own identity. A secret: wipe. */
struct handshake_self {
	uint8_t private[KEY_LEN], public[KEY_LEN];
};

/* What is known of a peer before any message. A secret: wipe. */
struct handshake_peer {
	uint8_t public[KEY_LEN];
	uint8_t static_shared[KEY_LEN]; /* DH of both static keys; made at the first handshake */
	bool has_shared;
	uint8_t psk[HANDSHAKE_PSK_LEN]; /* zero: none */
};

/* Between the first and the second message. A secret: wipe with wg_handshake_clear. */
struct handshake {
	enum handshake_state {
		HANDSHAKE_IDLE,
		HANDSHAKE_INITIATION_SENT,
		HANDSHAKE_INITIATION_SEEN,
	} state;
	uint32_t local_index, remote_index;
	uint8_t hash[32], chain[32], ephemeral[KEY_LEN];
	uint8_t remote_ephemeral[KEY_LEN];
};

/* The result of a whole handshake. A secret: wipe. */
struct handshake_keys {
	uint8_t send[32], receive[32];
};

/* What an initiation says about its sender, before the peer is known. */
struct handshake_opened {
	struct handshake h;
	uint8_t peer_public[KEY_LEN];
	uint8_t key[32]; /* for the timestamp step; a secret */
};

void wg_handshake_peer_init(struct handshake_peer *p, const uint8_t peer_public[static KEY_LEN]);
/* Our own key changed. */
void wg_handshake_peer_forget(struct handshake_peer *p);

/* Macs are the caller's (wg_cookie_add_macs). -ERR_BAD_KEY: the peer's key is of low order. */
MUST_USE int wg_handshake_create_initiation(struct handshake *h, const struct handshake_self *self,
	struct handshake_peer *peer, struct rng *rng, uint32_t local_index,
	const uint8_t timestamp[static WGMSG_TAI64N_LEN], struct wgmsg_initiation *ret);

/* First half: who is it? Then the owner finds the peer and calls the second half. -ERR_BAD_TAG, -ERR_BAD_KEY. */
MUST_USE int wg_handshake_open_initiation(struct handshake_opened *o,
	const struct handshake_self *self, const struct wgmsg_initiation *m);
MUST_USE int wg_handshake_consume_initiation(struct handshake_opened *o,
	const struct handshake_self *self, struct handshake_peer *peer,
	const struct wgmsg_initiation *m, uint8_t ret_timestamp[static WGMSG_TAI64N_LEN]);

/* Ends the handshake on both sides: h goes back to idle, the keys are out. */
MUST_USE int wg_handshake_create_response(struct handshake *h, const struct handshake_peer *peer,
	struct rng *rng, uint32_t local_index, struct wgmsg_response *ret,
	struct handshake_keys *ret_keys);
MUST_USE int wg_handshake_consume_response(struct handshake *h, const struct handshake_self *self,
	const struct handshake_peer *peer, const struct wgmsg_response *m,
	struct handshake_keys *ret_keys);

void wg_handshake_clear(struct handshake *h);

#endif
