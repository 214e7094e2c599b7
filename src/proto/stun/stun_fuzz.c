#include "proto/stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t txid[STUN_TXID_LEN], again[STUN_TXID_LEN], out[STUN_RESPONSE_MAX];
	struct ipport a, b;

	if (stun_request_decode(data, len, txid) == 0)
		CHECK(stun_is(data, len));
	if (stun_response_decode(data, len, txid, &a) < 0)
		return 0;
	CHECK(stun_response_decode(out, stun_response_encode(txid, a, out), again, &b) == 0);
	CHECK(ipport_eq(a, b) && memcmp(txid, again, sizeof(txid)) == 0);
	return 0;
}
