/*
 * proto/wgmsg: the four WireGuard messages (WireGuard paper, section 5.4). Fixed layouts are overlaid on the packet:
 * every field is bytes. wgmsg_type matches size against type once; all code behind it relies on that. Integers are
 * little-endian. The type is four bytes: the three reserved ones must be zero.
 */
#ifndef WARREN_PROTO_WGMSG_WGMSG_H
#define WARREN_PROTO_WGMSG_WGMSG_H

#include "base/bytes/bytes.h"

#include <assert.h>

enum wgmsg_type {
	WGMSG_INVALID = 0,
	WGMSG_INITIATION = 1,
	WGMSG_RESPONSE = 2,
	WGMSG_COOKIE_REPLY = 3,
	WGMSG_TRANSPORT = 4,
};

enum { WGMSG_MAC_LEN = 16, WGMSG_TAI64N_LEN = 12 };

struct wgmsg_initiation {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t ephemeral[32];
	uint8_t sealed_static[32 + 16];
	uint8_t sealed_timestamp[WGMSG_TAI64N_LEN + 16];
	uint8_t mac1[WGMSG_MAC_LEN];
	uint8_t mac2[WGMSG_MAC_LEN];
};
static_assert(sizeof(struct wgmsg_initiation) == 148, "wire size of an initiation");

struct wgmsg_response {
	uint8_t type[4];
	uint8_t sender[4];
	uint8_t receiver[4];
	uint8_t ephemeral[32];
	uint8_t sealed_nothing[16];
	uint8_t mac1[WGMSG_MAC_LEN];
	uint8_t mac2[WGMSG_MAC_LEN];
};
static_assert(sizeof(struct wgmsg_response) == 92, "wire size of a response");

struct wgmsg_cookie_reply {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t nonce[24];
	uint8_t sealed_cookie[16 + 16];
};
static_assert(sizeof(struct wgmsg_cookie_reply) == 64, "wire size of a cookie reply");

/* Followed by the sealed inner packet and its tag. */
struct wgmsg_transport {
	uint8_t type[4];
	uint8_t receiver[4];
	uint8_t counter[8];
};
static_assert(sizeof(struct wgmsg_transport) == 16, "wire size of a transport header");

enum {
	WGMSG_TAG_LEN = 16,
	WGMSG_TRANSPORT_OVERHEAD = sizeof(struct wgmsg_transport) + WGMSG_TAG_LEN,
};

/* Size and type together: exact for handshakes, a minimum for data. WGMSG_INVALID otherwise. */
enum wgmsg_type wgmsg_type(const uint8_t *p, size_t len);
void wgmsg_set_type(uint8_t type[static 4], enum wgmsg_type t);

/* Of what wgmsg_type found to be data. */
static inline uint32_t wgmsg_transport_receiver(const uint8_t *p)
{
	return load_le32(((const struct wgmsg_transport *)(const void *)p)->receiver);
}

static inline uint64_t wgmsg_transport_counter(const uint8_t *p)
{
	return load_le64(((const struct wgmsg_transport *)(const void *)p)->counter);
}

#endif
