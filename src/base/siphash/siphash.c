#include "base/siphash/siphash.h"

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

uint64_t siphash(const uint8_t key[static 16], const void *data, size_t len)
{
	const uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573 };
	struct cur c = cur_over(data, len);
	uint64_t last = (uint64_t)len << 56;

	while (cur_left(&c) >= 8) {
		uint64_t m = cur_le64(&c);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (unsigned shift = 0; cur_left(&c); shift += 8)
		last |= (uint64_t)cur_u8(&c) << shift;
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash_next(const uint8_t key[static 16], uint64_t sum, const void *data, size_t len)
{
	uint8_t own[16];

	memcpy(own, key, sizeof(own));
	store_le64(own, load_le64(key) ^ sum);
	return siphash(own, data, len);
}
