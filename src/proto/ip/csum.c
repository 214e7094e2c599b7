#include "proto/ip/csum.h"

/*
 * Sums 32-bit words in host order: the ones' complement sum does not care for byte order as long as
 * all words and the result are read the same way (RFC 1071, section 2 B). Four sums side by side
 * keep the adders busy.
 */
uint64_t ip_csum(const uint8_t *p, size_t n)
{
	uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
	uint16_t w;

	for (; n >= 32; p += 32, n -= 32) {
		uint64_t v[4];

		memcpy(v, p, sizeof(v));
		s0 += (v[0] & UINT32_MAX) + (v[0] >> 32);
		s1 += (v[1] & UINT32_MAX) + (v[1] >> 32);
		s2 += (v[2] & UINT32_MAX) + (v[2] >> 32);
		s3 += (v[3] & UINT32_MAX) + (v[3] >> 32);
	}
	for (; n >= 2; p += 2, n -= 2) {
		memcpy(&w, p, sizeof(w));
		s0 += w;
	}
	if (n) {
		w = 0;
		memcpy(&w, p, 1);
		s0 += w;
	}
	return s0 + s1 + s2 + s3;
}

uint16_t ip_csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}
