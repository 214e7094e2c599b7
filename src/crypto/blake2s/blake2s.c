#include "crypto/blake2s/blake2s.h"
#include "crypto/ct/ct.h"

#include <blake2.h>

void blake2s_hash(uint8_t out[static BLAKE2S_LEN], const struct view *parts, size_t n)
{
	blake2s_state s;

	blake2s_init(&s, BLAKE2S_LEN);
	for (size_t i = 0; i < n; i++)
		blake2s_update(&s, parts[i].p, parts[i].len);
	blake2s_final(&s, out, BLAKE2S_LEN);
}

void blake2s_mac(
	uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *in, size_t len)
{
	CHECK(blake2s(out, in, key, out_len, len, key_len) == 0);
}

void blake2s_hmac(uint8_t out[static BLAKE2S_LEN], const void *key, size_t key_len, const void *in,
	size_t len)
{
	uint8_t pad[BLAKE2S_BLOCK], inner[BLAKE2S_LEN];

	CHECK(key_len <= BLAKE2S_BLOCK);
	for (size_t i = 0; i < BLAKE2S_BLOCK; i++)
		pad[i] = (uint8_t)((i < key_len ? ((const uint8_t *)key)[i] : 0) ^ 0x36);
	blake2s_hash(inner, (struct view[]){ view_of(pad, sizeof(pad)), view_of(in, len) }, 2);
	for (size_t i = 0; i < BLAKE2S_BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	blake2s_hash(out,
		(struct view[]){ view_of(pad, sizeof(pad)), view_of(inner, sizeof(inner)) }, 2);
	ct_wipe(pad, sizeof(pad));
	ct_wipe(inner, sizeof(inner));
}

void blake2s_kdf(uint8_t *t0, uint8_t *t1, uint8_t *t2, const uint8_t key[static BLAKE2S_LEN],
	const void *in, size_t len)
{
	uint8_t prk[BLAKE2S_LEN], t[BLAKE2S_LEN + 1], *const outs[] = { t0, t1, t2 };
	size_t t_len = 0;

	blake2s_hmac(prk, key, BLAKE2S_LEN, in, len);
	for (uint8_t i = 0; i < 3 && (outs[i] || (i < 2 && outs[i + 1]) || (i < 1 && t2)); i++) {
		t[t_len] = (uint8_t)(i + 1);
		blake2s_hmac(t, prk, sizeof(prk), t, t_len + 1);
		t_len = BLAKE2S_LEN;
		if (outs[i])
			memcpy(outs[i], t, BLAKE2S_LEN);
	}
	ct_wipe(prk, sizeof(prk));
	ct_wipe(t, sizeof(t));
}
