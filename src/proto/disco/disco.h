/*
 * proto/disco: the path messages of two nodes. On the wire: magic (6), sender's disco key (32), nonce (24), box of
 * the message. The message: type, version, body. All integers are big-endian; an address is 16 bytes (IPv4 mapped) and
 * a port.
 *
 * Bytes left over are accepted (newer peers append fields), unknown types and short bodies are not: the packet is
 * dropped. A call-me-maybe of odd length or another version counts as one without endpoints.
 *
 * Source: Tailscale disco/disco.go; tests/vectors/disco.json.
 */
#ifndef WARREN_PROTO_DISCO_DISCO_H
#define WARREN_PROTO_DISCO_DISCO_H

#include "base/netip/netip.h"
#include "crypto/box/box.h"

enum {
	DISCO_MAGIC_LEN = 6,
	DISCO_HEADER_LEN = DISCO_MAGIC_LEN + KEY_LEN,
	DISCO_MIN_LEN = DISCO_HEADER_LEN + BOX_NONCE_LEN,
	DISCO_OVERHEAD = DISCO_HEADER_LEN + BOX_OVERHEAD,
	DISCO_TXID_LEN = 12,
	DISCO_ENDPOINTS_MAX = 64, /* in one message; the originals send a dozen at most */
	DISCO_MESSAGE_MAX =
		2048, /* plaintext; more does not fit a datagram of 1500 with room for MTU probes */
};

enum disco_type {
	DISCO_PING = 1,
	DISCO_PONG = 2,
	DISCO_CALL_ME_MAYBE = 3,
	DISCO_BIND = 4,
	DISCO_BIND_CHALLENGE = 5,
	DISCO_BIND_ANSWER = 6,
	DISCO_CALL_ME_MAYBE_VIA = 7,
	DISCO_ALLOCATE_REQUEST = 8,
	DISCO_ALLOCATE_RESPONSE = 9,
};

/* Types 4, 5, 6. */
struct disco_bind {
	uint32_t vni, generation;
	struct disco_pub remote;
	uint8_t challenge[32];
};

/* A relay's endpoint, in types 7 and 9; 8 has the two clients and the generation only. */
struct disco_relay {
	uint32_t generation;
	struct disco_pub server, client[2];
	uint64_t lamport_id;
	uint32_t vni;
	uint64_t bind_lifetime_ns, steady_lifetime_ns;
};

struct disco_msg {
	enum disco_type type;
	uint8_t txid[DISCO_TXID_LEN]; /* ping, pong */
	bool has_node_key;            /* ping */
	struct node_pub node_key;
	size_t padding;    /* ping: zero bytes at the end */
	struct ipport src; /* pong: the pinger as the other side saw it */
	struct disco_bind bind;
	struct disco_relay relay;
	struct ipport endpoint[DISCO_ENDPOINTS_MAX]; /* call-me-maybe, relay */
	size_t n_endpoints;
};

extern const uint8_t disco_magic[DISCO_MAGIC_LEN];

/* The magic, and long enough for a header and a nonce. */
bool disco_looks_like(const uint8_t *p, size_t len);
/* The sender of a packet that looks like disco. */
struct disco_pub disco_sender(const uint8_t *p);

/* Message bytes to struct and back. -ERR_TRUNCATED, -ERR_BAD_TYPE, -ERR_BAD_VALUE. */
MUST_USE int disco_decode(const uint8_t *p, size_t len, struct disco_msg *ret);
/* Returns the length, or -ERR_TOO_BIG. */
MUST_USE int disco_encode(const struct disco_msg *m, uint8_t *out, size_t max);

/* Whole packets. out has DISCO_OVERHEAD more than the message. */
MUST_USE int disco_open(
	const struct box_shared *k, const uint8_t *pkt, size_t len, struct disco_msg *ret);
MUST_USE int disco_seal(const struct box_shared *k, const struct disco_pub *self, struct rng *rng,
	const struct disco_msg *m, uint8_t *out, size_t max);

/* The header before packets that a peer relay carries (RFC 8926). */
enum { GENEVE_LEN = 8, GENEVE_DISCO = 0x7a11, GENEVE_WIREGUARD = 0x7a12 };
struct geneve {
	uint8_t version;
	bool control;
	uint16_t protocol;
	uint32_t vni;
};
MUST_USE int geneve_decode(const uint8_t *p, size_t len, struct geneve *ret); /* -ERR_TRUNCATED */
void geneve_encode(const struct geneve *g, uint8_t out[static GENEVE_LEN]);

#endif
