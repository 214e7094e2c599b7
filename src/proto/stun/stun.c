#include "proto/stun/stun.h"
#include "base/err/err.h"

static const uint8_t magic[4] = { 0x21, 0x12, 0xa4, 0x42 };
static const char software[] = "tailnode";

enum {
	BINDING_REQUEST = 0x0001,
	BINDING_SUCCESS = 0x0101,
	ATTR_MAPPED = 0x0001,
	ATTR_XOR_MAPPED = 0x0020,
	ATTR_XOR_MAPPED_ALT = 0x8020,
	ATTR_SOFTWARE = 0x8022,
	ATTR_FINGERPRINT = 0x8028,
};

bool stun_is(const uint8_t *p, size_t len)
{
	return len >= STUN_HEADER_LEN && (p[0] & 0xc0) == 0 && memcmp(p + 4, magic, 4) == 0;
}

/* CRC-32 of ITU V.42, xored as RFC 8489, section 14.7 says. Bit by bit: requests are 40 bytes. */
static uint32_t fingerprint(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
	}
	return ~crc ^ 0x5354554e;
}

static void put_header(struct wcur *w, uint16_t type, uint16_t len, const uint8_t *txid)
{
	wcur_be16(w, type);
	wcur_be16(w, len);
	wcur_copy(w, magic, sizeof(magic));
	wcur_copy(w, txid, STUN_TXID_LEN);
}

void stun_request_encode(
	const uint8_t txid[static STUN_TXID_LEN], uint8_t out[static STUN_REQUEST_LEN])
{
	struct wcur w = wcur_over(out, STUN_REQUEST_LEN);

	put_header(&w, BINDING_REQUEST, STUN_REQUEST_LEN - STUN_HEADER_LEN, txid);
	wcur_be16(&w, ATTR_SOFTWARE);
	wcur_be16(&w, sizeof(software) - 1);
	wcur_copy(&w, software, sizeof(software) - 1);
	wcur_be16(&w, ATTR_FINGERPRINT);
	wcur_be16(&w, 4);
	wcur_be32(&w, fingerprint(out, STUN_REQUEST_LEN - 8));
	CHECK(!w.bad);
}

/* The next attribute; the value is padded to four bytes. False at the end or when it does not fit. */
static bool next_attr(struct cur *c, uint16_t *type, struct view *value)
{
	uint16_t len;

	if (!cur_left(c))
		return false;
	*type = cur_be16(c);
	len = cur_be16(c);
	*value = cur_view(c, len);
	cur_skip(c, (4 - len % 4) % 4);
	return !c->bad;
}

int stun_request_decode(const uint8_t *p, size_t len, uint8_t ret_txid[static STUN_TXID_LEN])
{
	struct cur c;
	struct view v;
	uint16_t type, last = 0;
	bool software_ok = false;
	uint32_t print = 0;

	if (!stun_is(p, len))
		return -ERR_TRUNCATED;
	if (load_be16(p) != BINDING_REQUEST)
		return -ERR_BAD_TYPE;
	c = cur_over(p + STUN_HEADER_LEN, len - STUN_HEADER_LEN);
	while (next_attr(&c, &type, &v)) {
		last = type;
		if (type == ATTR_SOFTWARE && view_eq(v, VIEW_LIT("tailnode")))
			software_ok = true;
		if (type == ATTR_FINGERPRINT) {
			if (v.len != 4)
				return -ERR_BAD_FORMAT;
			print = load_be32(v.p);
		}
	}
	if (c.bad || !software_ok || last != ATTR_FINGERPRINT || print != fingerprint(p, len - 8))
		return -ERR_BAD_FORMAT;
	memcpy(ret_txid, p + 8, STUN_TXID_LEN);
	return 0;
}

size_t stun_response_encode(const uint8_t txid[static STUN_TXID_LEN], struct ipport from,
	uint8_t out[static STUN_RESPONSE_MAX])
{
	struct wcur w = wcur_over(out, STUN_RESPONSE_MAX);
	uint16_t n = from.ip.family == 4 ? 4 : 16;

	put_header(&w, BINDING_SUCCESS, (uint16_t)(8 + n), txid);
	wcur_be16(&w, ATTR_XOR_MAPPED);
	wcur_be16(&w, (uint16_t)(4 + n));
	wcur_u8(&w, 0);
	wcur_u8(&w, from.ip.family == 4 ? 1 : 2);
	wcur_be16(&w, (uint16_t)(from.port ^ 0x2112));
	for (uint16_t i = 0; i < n;
		i++) /* the mask is the magic and the transaction, as they lie in the header */
		wcur_u8(&w, from.ip.b[i] ^ out[4 + i]);
	return wcur_len(&w);
}

static int get_address(struct view v, const uint8_t *mask, struct ipport *ret)
{
	struct cur c = cur_over(v.p, v.len);
	uint8_t family, ip[16] = { 0 };
	uint16_t port;
	size_t n;

	cur_skip(&c, 1);
	family = cur_u8(&c);
	port = cur_be16(&c);
	if (c.bad || (family != 1 && family != 2))
		return -ERR_BAD_FORMAT;
	n = family == 1 ? 4 : 16;
	cur_copy(&c, ip, n);
	if (c.bad)
		return -ERR_BAD_FORMAT;
	if (mask) {
		port ^= 0x2112;
		for (size_t i = 0; i < n; i++)
			ip[i] ^= mask[i];
	}
	ret->port = port;
	ret->ip = n == 4 ? ipaddr_from4(ip) : ipaddr_from16(ip);
	return 0;
}

int stun_response_decode(
	const uint8_t *p, size_t len, uint8_t ret_txid[static STUN_TXID_LEN], struct ipport *ret)
{
	struct ipport xored = { 0 }, plain = { 0 };
	struct view v;
	struct cur c;
	uint16_t type;
	size_t body;
	int rc = 0;

	if (!stun_is(p, len))
		return -ERR_TRUNCATED;
	if (load_be16(p) != BINDING_SUCCESS)
		return -ERR_BAD_TYPE;
	body = load_be16(p + 2);
	if (body > len - STUN_HEADER_LEN)
		return -ERR_TRUNCATED;
	c = cur_over(p + STUN_HEADER_LEN, body);
	while (rc == 0 && next_attr(&c, &type, &v)) {
		if (type == ATTR_XOR_MAPPED || type == ATTR_XOR_MAPPED_ALT)
			rc = get_address(v, p + 4, &xored);
		else if (type == ATTR_MAPPED)
			rc = get_address(v, NULL, &plain);
	}
	if (c.bad || rc < 0)
		return -ERR_BAD_FORMAT;
	if (!xored.ip.family)
		xored = plain;
	if (!xored.ip.family)
		return -ERR_BAD_FORMAT;
	memcpy(ret_txid, p + 8, STUN_TXID_LEN);
	*ret = xored;
	return 0;
}
