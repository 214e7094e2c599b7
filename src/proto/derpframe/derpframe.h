/*
 * proto/derpframe: the frames between a DERP client and its relay. Header: type (1), length (4, big-endian, payload
 * only). Unknown types are skipped by both sides. Source: Tailscale derp/derp.go; tests/vectors/derp.json.
 */
#ifndef WARREN_PROTO_DERPFRAME_DERPFRAME_H
#define WARREN_PROTO_DERPFRAME_DERPFRAME_H

#include "base/netip/netip.h"
#include "crypto/box/box.h"
#include "proto/json/json.h"

enum derpframe_type {
	DERP_SERVER_KEY = 0x01,
	DERP_CLIENT_INFO = 0x02,
	DERP_SERVER_INFO = 0x03,
	DERP_SEND_PACKET = 0x04,
	DERP_RECV_PACKET = 0x05,
	DERP_KEEP_ALIVE = 0x06,
	DERP_NOTE_PREFERRED = 0x07,
	DERP_PEER_GONE = 0x08,
	DERP_PEER_PRESENT = 0x09,
	DERP_FORWARD_PACKET = 0x0a,
	DERP_WATCH_CONNS = 0x10,
	DERP_CLOSE_PEER = 0x11,
	DERP_PING = 0x12,
	DERP_PONG = 0x13,
	DERP_HEALTH = 0x14,
	DERP_RESTARTING = 0x15,
};

enum {
	DERP_HEADER_LEN = 5,
	DERP_MAGIC_LEN = 8,
	DERP_PACKET_MAX = 65536,         /* what a packet frame may carry, both directions */
	DERP_CLIENT_INFO_MAX = 262144,   /* the server's limit for the login frame's payload */
	DERP_CLIENT_FRAME_MAX = 1048576, /* the client gives up on anything longer */
	DERP_SERVER_KEY_MIN = DERP_MAGIC_LEN + KEY_LEN,
	DERP_SERVER_KEY_MAX = 1024,
	DERP_PING_MIN = 8,
	DERP_PING_MAX = 1000,
	DERP_PEER_PRESENT_LEN = KEY_LEN + 16 + 2 + 1,
	DERP_VERSION = 2,
};

enum derp_gone { DERP_GONE_DISCONNECTED = 0, DERP_GONE_NOT_HERE = 1 };
enum derp_present {
	DERP_PRESENT_REGULAR = 1,
	DERP_PRESENT_MESH = 2,
	DERP_PRESENT_PROBER = 4,
	DERP_PRESENT_NOT_IDEAL = 8
};

extern const uint8_t derp_magic[DERP_MAGIC_LEN];

struct derpframe {
	uint8_t type;
	uint32_t len; /* of the payload */
	const uint8_t *payload;
};

enum { DERPFRAME_MORE = 1 };

/*
 * The frame at the front of a buffer: 0 and the frame; DERPFRAME_MORE while it is not all there (type and len are set
 * once the header is); -ERR_TOO_BIG (type and len are set) when it announces more than max.
 */
MUST_USE int derpframe_next(const uint8_t *p, size_t len, size_t max, struct derpframe *ret);
void derpframe_header(
	uint8_t out[static DERP_HEADER_LEN], enum derpframe_type type, size_t payload_len);

/* The plaintext of the login frame's box. */
struct derp_client_info {
	const char *mesh_key; /* NULL: none. An empty text is malformed, as in the original */
	int64_t version;
	bool can_ack_pings, is_prober;
};
/* And of the answer's. */
struct derp_server_info {
	int64_t version, bytes_per_second, bytes_burst;
};
extern const struct json_type derp_client_info_type, derp_server_info_type;

/* Payload of ClientInfo and ServerInfo: [client key] nonce box. Appends the whole frame to out. */
MUST_USE int derp_client_info_encode(struct buf *out, const uint8_t priv[static KEY_LEN],
	const uint8_t server[static KEY_LEN], struct rng *rng, const struct derp_client_info *info);
MUST_USE int derp_client_info_decode(const uint8_t *payload, size_t len,
	const uint8_t server_priv[static KEY_LEN], struct arena *a, struct node_pub *ret_client,
	struct derp_client_info *ret);
MUST_USE int derp_server_info_encode(struct buf *out, const uint8_t priv[static KEY_LEN],
	const uint8_t client[static KEY_LEN], struct rng *rng, const struct derp_server_info *info);
MUST_USE int derp_server_info_decode(const uint8_t *payload, size_t len,
	const uint8_t priv[static KEY_LEN], const uint8_t server[static KEY_LEN], struct arena *a,
	struct derp_server_info *ret);

#endif
