#include "proto/stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What we send is what we read. */
static void written(const uint8_t *data, size_t len)
{
	uint8_t request[STUN_REQUEST_LEN], response[STUN_RESPONSE_MAX], txid[STUN_TXID_LEN],
		ip[16] = { 0 };
	struct cur c = cur_over(data, len);
	struct ipport from, got;

	cur_copy(&c, txid, sizeof(txid));
	from.port = cur_be16(&c);
	if (c.bad)
		return;
	cur_copy(&c, ip, cur_left(&c) < sizeof(ip) ? 4 : sizeof(ip));
	from.ip = c.bad || cur_left(&c) ? ipaddr_from16(ip) : ipaddr_from4(ip);
	stun_request_encode(txid, request);
	memset(ip, 0, sizeof(ip));
	CHECK(stun_request_decode(request, sizeof(request), ip) == 0 &&
		memcmp(ip, txid, sizeof(txid)) == 0);
	CHECK(stun_response_decode(
		      response, stun_response_encode(txid, from, response), ip, &got) == 0);
	CHECK(ipport_eq(from, got) && memcmp(ip, txid, sizeof(txid)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t txid[STUN_TXID_LEN], again[STUN_TXID_LEN], out[STUN_RESPONSE_MAX];
	struct ipport a, b;

	written(data, len);
	if (stun_request_decode(data, len, txid) == 0)
		CHECK(stun_is(data, len));
	if (stun_response_decode(data, len, txid, &a) < 0)
		return 0;
	CHECK(stun_response_decode(out, stun_response_encode(txid, a, out), again, &b) == 0);
	CHECK(ipport_eq(a, b) && memcmp(txid, again, sizeof(txid)) == 0);
	return 0;
}
