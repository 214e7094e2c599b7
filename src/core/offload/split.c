#include "core/offload/vnet.h"
#include "base/err/err.h"

static uint16_t host16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The kernel's hdr_len is only a hint: the length comes from the transport header itself. */
static int begin_gso(struct offload_split *s, uint8_t gso_type, size_t len)
{
	const uint8_t *t = s->p + s->csum_start;
	bool v4 = ip_is_v4(s->p);
	size_t ihl = v4 ? (size_t)(s->p[0] & 15) * 4 : 40;

	switch (gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_TCPV4:
	case VNET_GSO_TCPV6:
		s->tcp = true;
		if (v4 != ((gso_type & ~VNET_GSO_ECN) == VNET_GSO_TCPV4))
			return -ERR_BAD_FORMAT;
		break;
	case VNET_GSO_UDP_L4:
		break;
	default:
		return -ERR_UNSUPPORTED;
	}
	if (!s->needs_csum || !s->gso_size || s->csum_start < ihl || ihl < 20 ||
		s->csum_offset != (s->tcp ? TCP_CSUM : UDP_CSUM))
		return -ERR_BAD_FORMAT;
	s->hdr_len = s->csum_start + (s->tcp ? 20u : 8u);
	if (s->hdr_len > len)
		return -ERR_TRUNCATED;
	if (s->tcp)
		s->hdr_len = s->csum_start + (size_t)(t[12] >> 4) * 4;
	if (s->hdr_len < s->csum_start + (s->tcp ? 20u : 8u))
		return -ERR_BAD_FORMAT;
	if (s->hdr_len > len)
		return -ERR_TRUNCATED;
	s->payload_len = len - s->hdr_len;
	return 0;
}

int offload_split_begin(struct offload_split *s, const uint8_t *frame, size_t len)
{
	uint8_t gso_type;

	if (len < OFFLOAD_HDR_LEN + 20)
		return -ERR_TRUNCATED;
	gso_type = frame[VNET_GSO_TYPE];
	*s = (struct offload_split){
		.p = frame + OFFLOAD_HDR_LEN,
		.gso_size = host16(frame + VNET_GSO_SIZE),
		.csum_start = host16(frame + VNET_CSUM_START),
		.csum_offset = host16(frame + VNET_CSUM_OFFSET),
		.needs_csum = frame[VNET_FLAGS] & VNET_F_NEEDS_CSUM,
	};
	len -= OFFLOAD_HDR_LEN;
	if (len > OFFLOAD_PACKET_MAX)
		return -ERR_TOO_BIG;
	if ((s->p[0] >> 4 != 4 && s->p[0] >> 4 != 6) || (s->p[0] >> 4 == 6 && len < 40))
		return -ERR_BAD_FORMAT;
	if (gso_type != VNET_GSO_NONE)
		return begin_gso(s, gso_type, len);
	s->gso_size = 0;
	s->payload_len = len;
	if (s->needs_csum && (size_t)s->csum_start + s->csum_offset + 2 > len)
		return -ERR_BAD_FORMAT;
	return 0;
}

size_t offload_split_peek(const struct offload_split *s)
{
	if (s->done)
		return 0;
	if (!s->gso_size)
		return s->payload_len;
	return s->hdr_len + MIN_OF(s->gso_size, s->payload_len - s->at);
}

/* One packet whose checksum the kernel left to us; the field holds the sum of the pseudo header. */
static size_t whole(struct offload_split *s, uint8_t *out)
{
	uint16_t sum;

	memcpy(out, s->p, s->payload_len);
	s->done = true;
	if (s->needs_csum) {
		sum = (uint16_t)~ip_csum_fold(
			ip_csum(out + s->csum_start, s->payload_len - s->csum_start));
		if (!sum && s->csum_offset == UDP_CSUM) /* zero means "no checksum" in UDP */
			sum = 0xffff;
		ip_csum_store(out + s->csum_start + s->csum_offset, sum);
	}
	return s->payload_len;
}

size_t offload_split_next(struct offload_split *s, uint8_t *out)
{
	size_t n, len, index;
	uint8_t *t = out + s->csum_start;
	bool last;
	uint16_t sum;

	if (s->done)
		return 0;
	if (!s->gso_size)
		return whole(s, out);
	n = MIN_OF(s->gso_size, s->payload_len - s->at);
	last = s->at + n == s->payload_len;
	index = s->at / s->gso_size;
	len = s->hdr_len + n;
	memcpy(out, s->p, s->hdr_len);
	memcpy(out + s->hdr_len, s->p + s->hdr_len + s->at, n);

	if (ip_is_v4(out))
		store_be16(out + 4, (uint16_t)(load_be16(s->p + 4) + index));
	ip_set_length(out, (size_t)(out[0] & 15) * 4, len);
	if (s->tcp) {
		store_be32(t + 4, load_be32(t + 4) + (uint32_t)s->at);
		if (!last)
			t[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (index)
			t[13] &= (uint8_t)~TCP_CWR;
	} else {
		store_be16(t + 4, (uint16_t)(len - s->csum_start));
	}
	memset(t + s->csum_offset, 0, 2);
	sum = (uint16_t)~ip_csum_fold(
		ip_csum_pseudo(out, s->tcp ? IP_PROTO_TCP : IP_PROTO_UDP, len - s->csum_start) +
		ip_csum(t, len - s->csum_start));
	ip_csum_store(t + s->csum_offset, sum || s->tcp ? sum : 0xffff);
	s->at += n;
	s->done = last;
	return len;
}
