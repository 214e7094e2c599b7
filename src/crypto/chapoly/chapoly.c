#include "crypto/chapoly/chapoly.h"
#include "base/err/err.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>

void chapoly_seal(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static CHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(
		out, NULL, in, len, ad.p, ad.len, NULL, nonce, key);
}

int chapoly_open(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static CHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out)
{
	if (len < CHAPOLY_TAG_LEN)
		return -ERR_TRUNCATED;
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, in, len, ad.p, ad.len, nonce, key) != 0)
		return -ERR_BAD_TAG;
	return 0;
}

void chapoly_seal_x(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static XCHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		out, NULL, in, len, ad.p, ad.len, NULL, nonce, key);
}

int chapoly_open_x(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static XCHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out)
{
	if (len < CHAPOLY_TAG_LEN)
		return -ERR_TRUNCATED;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    out, NULL, NULL, in, len, ad.p, ad.len, nonce, key) != 0)
		return -ERR_BAD_TAG;
	return 0;
}

int chapoly_init(struct chapoly *c, const uint8_t key[static CHAPOLY_KEY_LEN])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return -ENOMEM;
	if (EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, NULL, 1) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return -ERR_CRYPTO;
	}
	c->ctx = ctx;
	return 0;
}

void chapoly_fini(struct chapoly *c)
{
	EVP_CIPHER_CTX_free(c->ctx); /* OpenSSL cleanses the key schedule */
	c->ctx = NULL;
}

static void job_nonce(const struct chapoly_job *j, uint8_t nonce[static CHAPOLY_NONCE_LEN])
{
	memset(nonce, 0, 4);
	store_le64(nonce + 4, j->counter);
}

void chapoly_seal_batch(struct chapoly *c, struct chapoly_job *jobs, size_t n)
{
	EVP_CIPHER_CTX *ctx = c->ctx;
	uint8_t nonce[CHAPOLY_NONCE_LEN];
	int out_len;

	for (size_t i = 0; i < n; i++) {
		struct chapoly_job *j = &jobs[i];

		job_nonce(j, nonce);
		/* A key that is set up cannot fail here: no allocation happens after chapoly_init. */
		CHECK(EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, 1) == 1);
		CHECK(EVP_CipherUpdate(ctx, j->out, &out_len, j->in, (int)j->len) == 1);
		CHECK(EVP_CipherFinal_ex(ctx, j->out + j->len, &out_len) == 1);
		CHECK(EVP_CIPHER_CTX_ctrl(
			      ctx, EVP_CTRL_AEAD_GET_TAG, CHAPOLY_TAG_LEN, j->out + j->len) == 1);
	}
}

static bool open_one(EVP_CIPHER_CTX *ctx, const struct chapoly_job *j)
{
	uint8_t nonce[CHAPOLY_NONCE_LEN], tag[CHAPOLY_TAG_LEN];
	size_t len = j->len - CHAPOLY_TAG_LEN;
	int out_len;

	if (j->len < CHAPOLY_TAG_LEN)
		return false;
	job_nonce(j, nonce);
	memcpy(tag, j->in + len, sizeof(tag));
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, 0) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CHAPOLY_TAG_LEN, tag) != 1)
		return false;
	if (len && EVP_CipherUpdate(ctx, j->out, &out_len, j->in, (int)len) != 1)
		return false;
	return EVP_CipherFinal_ex(ctx, j->out + len, &out_len) == 1;
}

void chapoly_open_batch(struct chapoly *c, struct chapoly_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		jobs[i].ok = open_one(c->ctx, &jobs[i]);
}
