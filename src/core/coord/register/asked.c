/* Does a request ask for what a login waits for? */
#include "core/coord/register/internal.h"

enum { ASKED_MAX = 1 << 20 };

/* Of what a person is shown of a request: another one has another code. */
static int asked(struct tailnet *c, const struct tc_register_request *req, uint8_t sum[static 32])
{
	const struct tc_hostinfo *h = req->hostinfo;
	struct tc_hostinfo shown = { 0 };
	struct buf text;
	int rc;

	if (h)
		shown = (struct tc_hostinfo){ .hostname = h->hostname,
			.os = h->os,
			.os_version = h->os_version,
			.ipn_version = h->ipn_version,
			.request_tags = h->request_tags,
			.routable_ips = h->routable_ips };
	buf_init(&text, ASKED_MAX);
	rc = json_encode(&tc_hostinfo_type, &shown, &text);
	if (rc == 0)
		rc = buf_append_str(&text, req->ephemeral ? "ephemeral" : "");
	if (rc == 0) /* it may make it come back as another device */
		rc = buf_append(&text, req->old_node_key.b, KEY_LEN);
	if (rc == 0)
		c->cfg.hash(buf_data(&text), buf_len(&text), sum);
	buf_fini(&text);
	return rc;
}

bool pending_is_for(
	struct tailnet *c, const struct pending *p, const struct tc_register_request *req)
{
	uint8_t one[32], other[32];

	return asked(c, &p->req, one) == 0 && asked(c, req, other) == 0 &&
	       memcmp(one, other, sizeof(one)) == 0;
}
