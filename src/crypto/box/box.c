#include "crypto/box/box.h"
#include "base/err/err.h"

#include <sodium.h>

int box_precompute(struct box_shared *ret, const uint8_t priv[static KEY_LEN],
	const uint8_t pub[static KEY_LEN])
{
	return crypto_box_beforenm(ret->b, pub, priv) == 0 ? 0 : -ERR_BAD_KEY;
}

void box_seal(const struct box_shared *k, const uint8_t nonce[static BOX_NONCE_LEN], const void *in,
	size_t len, uint8_t *out)
{
	memcpy(out, nonce, BOX_NONCE_LEN);
	crypto_box_easy_afternm(out + BOX_NONCE_LEN, in, len, nonce, k->b);
}

int box_open(const struct box_shared *k, const uint8_t *in, size_t len, uint8_t *out)
{
	if (len < BOX_OVERHEAD)
		return -ERR_TRUNCATED;
	if (crypto_box_open_easy_afternm(out, in + BOX_NONCE_LEN, len - BOX_NONCE_LEN, in, k->b) !=
		0)
		return -ERR_BAD_TAG;
	return 0;
}
