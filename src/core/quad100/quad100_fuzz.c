#include "core/quad100/quad100.h"
#include "proto/ip/csum.h"
#include "proto/ip/ip.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What goes back is a whole packet from a service address, with a right header. */
static void check_back(const struct pkt *p)
{
	struct ip_pkt ip;

	ip_decode(p->p, p->len, &ip);
	CHECK(ip.proto && ip.body + ip.body_len == p->p + p->len);
	CHECK(ipaddr_eq(ip_src(&ip), ip.version == 4 ? tsaddr_service : tsaddr_service6));
	CHECK(ip.version == 6 || ip_csum_fold(ip_csum(p->p, IP4_LEN)) == UINT16_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct quad100 *q;
	struct quad100_question ask;
	struct pkt in, *out;
	uint8_t *p = malloc(len + 1);

	CHECK(p && (q || quad100_new(&q) == 0));
	memcpy(p, data, len);
	in = (struct pkt){ p, len };
	quad100_set_tcp_dns(q, 4, (struct ipport){ ipaddr_v4(100, 64, 0, 1), 40000 });
	quad100_in(q, &in, 1);
	if (quad100_next_question(q, &ask))
		quad100_answer(q, ask.service, ask.client, ask.msg);
	if (quad100_next_packets(q, &out))
		check_back(out);
	free(p);
	return 0;
}
