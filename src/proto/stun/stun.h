/*
 * proto/stun: binding requests and responses (RFC 8489), as DERP's STUN servers and clients use them. The server answers
 * only requests with the SOFTWARE value "tailnode" and a FINGERPRINT at the end; it does not look at the length field.
 * Source: Tailscale net/stun; tests/vectors/stun.json.
 */
#ifndef WARREN_PROTO_STUN_STUN_H
#define WARREN_PROTO_STUN_STUN_H

#include "base/netip/netip.h"

enum { STUN_HEADER_LEN = 20, STUN_TXID_LEN = 12, STUN_REQUEST_LEN = 40, STUN_RESPONSE_MAX = 44 };

/* Could be STUN by its first bytes. */
bool stun_is(const uint8_t *p, size_t len);
void stun_request_encode(
	const uint8_t txid[static STUN_TXID_LEN], uint8_t out[static STUN_REQUEST_LEN]);
/* As the server reads it. -ERR_TRUNCATED, -ERR_BAD_TYPE, -ERR_BAD_FORMAT. */
MUST_USE int stun_request_decode(
	const uint8_t *p, size_t len, uint8_t ret_txid[static STUN_TXID_LEN]);
/* Returns the length. */
size_t stun_response_encode(const uint8_t txid[static STUN_TXID_LEN], struct ipport from,
	uint8_t out[static STUN_RESPONSE_MAX]);
/* As the client reads it; the last XOR-mapped address counts, a plain one only without it. */
MUST_USE int stun_response_decode(
	const uint8_t *p, size_t len, uint8_t ret_txid[static STUN_TXID_LEN], struct ipport *ret);

#endif
