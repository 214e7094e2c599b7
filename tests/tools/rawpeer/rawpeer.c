/*
 * rawpeer: the cryptography of a peer that says whatever it likes, for Python (tests/hostile/raw.py): keys, boxes, and Noise with
 * records of any content. No sockets, no protocol.
 */
#include "crypto/box/box.h"
#include "crypto/noise/noise.h"

#include <stdlib.h>
#include <sys/random.h>

struct raw_noise {
	struct noise_state state;
	struct noise_keys keys;
	struct buf sealed;
};

#define SEALED_MAX ((size_t)1 << 30)

int raw_public(const uint8_t *private, uint8_t *out);
int raw_box_seal(const uint8_t *private, const uint8_t *peer, const uint8_t *nonce,
	const uint8_t *in, size_t len, uint8_t *out);
int raw_box_open(
	const uint8_t *private, const uint8_t *peer, const uint8_t *in, size_t len, uint8_t *out);
struct raw_noise *raw_noise_new(
	const uint8_t *machine, const uint8_t *hub, int version, uint8_t *initiation);
int raw_noise_finish(struct raw_noise *n, const uint8_t *response);
const uint8_t *raw_noise_seal(struct raw_noise *n, const uint8_t *in, size_t len, size_t *ret_len);
long raw_noise_open(
	struct raw_noise *n, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_used);
void raw_noise_free(struct raw_noise *n);

static void fill(struct rng *r, void *out, size_t len)
{
	(void)r;
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

int raw_public(const uint8_t *private, uint8_t *out)
{
	return key_public(private, out);
}

/* out: BOX_OVERHEAD more than in. */
int raw_box_seal(const uint8_t *private, const uint8_t *peer, const uint8_t *nonce,
	const uint8_t *in, size_t len, uint8_t *out)
{
	struct box_shared k;
	int rc = box_precompute(&k, private, peer);

	if (rc == 0)
		box_seal(&k, nonce, in, len, out);
	return rc;
}

/* in begins with the nonce; out: BOX_OVERHEAD less. */
int raw_box_open(
	const uint8_t *private, const uint8_t *peer, const uint8_t *in, size_t len, uint8_t *out)
{
	struct box_shared k;
	int rc = box_precompute(&k, private, peer);

	return rc == 0 ? box_open(&k, in, len, out) : rc;
}

/* The client's side; initiation has NOISE_INITIATION_LEN. */
struct raw_noise *raw_noise_new(
	const uint8_t *machine, const uint8_t *hub, int version, uint8_t *initiation)
{
	struct rng rng = { fill };
	struct raw_noise *n = calloc(1, sizeof(*n));
	struct secret_machine self;
	struct machine_pub server;

	if (!n)
		return NULL;
	memcpy(self.b, machine, sizeof(self.b));
	memcpy(server.b, hub, sizeof(server.b));
	buf_init(&n->sealed, SEALED_MAX);
	if (noise_initiate(&n->state, &self, &server, (uint16_t)version, &rng, initiation) < 0) {
		raw_noise_free(n);
		return NULL;
	}
	return n;
}

int raw_noise_finish(struct raw_noise *n, const uint8_t *response)
{
	return noise_finish(&n->state, response, &n->keys);
}

/* As many records as it takes; valid until the next call. NULL: no memory. */
const uint8_t *raw_noise_seal(struct raw_noise *n, const uint8_t *in, size_t len, size_t *ret_len)
{
	buf_clear(&n->sealed);
	if (noise_seal_all(&n->keys.send, in, len, &n->sealed) < 0)
		return NULL;
	*ret_len = buf_len(&n->sealed);
	return buf_data(&n->sealed);
}

/* One record's plaintext, of out's NOISE_PLAINTEXT_MAX bytes; -1: not all there; -2: none that opens. */
long raw_noise_open(
	struct raw_noise *n, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_used)
{
	size_t got;
	int rc = noise_open(&n->keys.receive, in, len, out, &got, ret_used);

	return rc == 0 ? (long)got : rc == NOISE_MORE ? -1 : -2;
}

void raw_noise_free(struct raw_noise *n)
{
	if (!n)
		return;
	buf_fini(&n->sealed);
	free(n);
}
