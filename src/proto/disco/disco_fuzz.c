#include "proto/disco/disco.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was decoded encodes to something that decodes to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t a[4 * DISCO_MESSAGE_MAX], b[4 * DISCO_MESSAGE_MAX];
	struct disco_msg m, again;
	int n, n2;

	if (disco_decode(data, len, &m) < 0)
		return 0;
	n = disco_encode(&m, a, sizeof(a));
	if (n < 0)
		return 0;
	if ((m.type == DISCO_CALL_ME_MAYBE_VIA || m.type == DISCO_ALLOCATE_RESPONSE) && m.n_endpoints == 0)
		return 0; /* an empty message of another version has no encoding */
	if (m.type == DISCO_PING && !m.has_node_key && m.padding >= KEY_LEN)
		return 0; /* behind the zero key, so much padding reads as the zero key again: the original loses 32 bytes, too */
	CHECK(disco_decode(a, (size_t)n, &again) == 0);
	n2 = disco_encode(&again, b, sizeof(b));
	CHECK(n == n2 && memcmp(a, b, (size_t)n) == 0);
	return 0;
}
