/* A device is let in, as a new one or as the one that it was before. */
#include "core/coord/register/internal.h"

static void take_hostinfo(struct coord_node_doc *doc, struct tc_hostinfo *h)
{
	struct tc_netinfo *keep = doc->hostinfo ? doc->hostinfo->netinfo : NULL;

	if (!h)
		return;
	doc->hostinfo = h;
	if (!h->netinfo) /* missing is not "gone" */
		h->netinfo = keep;
}

int admit(struct tailnet *c, const struct machine_pub *m, const struct tc_register_request *req,
	const struct admission *how, struct now now, struct coord_node **ret)
{
	bool tagged = how->tags && how->tags->n;
	struct coord_node *n = relogin_node(c, m, req, how->user, tagged, now.wall),
			  *other = coord_node_by_key(c, &req->node_key);
	struct node_pub former[COORD_FORMER_KEYS_MAX];
	struct coord_node_doc doc = { .machine = *m };
	const char *hostname =
		req->hostinfo && req->hostinfo->hostname ? req->hostinfo->hostname : "";
	bool is_new = !n;
	int rc;

	if (other && other != n)
		return -ERR_CONFLICT; /* one node key, two devices */
	if (coord_node_of_former(c, &req->node_key) ||
		(other && coord_node_is_expired(other, now.wall)))
		return -ERR_EXPIRED; /* nobody's word brings back a key, but only that of an admin who gives it more time */
	if (n) {
		doc = n->doc;
		say_merge(n, &doc);
	}
	if (n && n != other)
		former_add(n, &doc, former);
	doc.key = req->node_key;
	doc.key_expired = false;
	doc.key_expiry = tagged ? 0 : c->cfg.key_life_ms ? now.wall + c->cfg.key_life_ms : 0;
	doc.cap = req->version;
	doc.user = tagged ? 0 : how->user;
	doc.tags = tagged ? *how->tags : (struct json_list){ 0 };
	doc.ephemeral = how->ephemeral;
	doc.unapproved = c->cfg.approve_devices && !how->approved && (!n || doc.unapproved);
	if (is_new || *hostname)
		doc.hostname = hostname;
	doc.last_seen = now.wall;
	take_hostinfo(&doc, req->hostinfo);
	if (n) {
		rc = name_follow(c, n, &doc);
		if (rc == 0)
			rc = policy_sync_update(c, n, &doc, true, true, now);
		map_news_settle(c,
			now); /* streams of a key that was no good end before it counts as here */
		say_forget(n);
	} else {
		rc = create_node(c, &doc, hostname, now, &n);
	}
	if (rc < 0)
		return rc;
	if (is_new && n->quarantined && c->settings.protected_switch == COORD_PROTECTED_REFUSE) {
		mapper_remove_node(c, n, now);
		return -ERR_DENIED;
	}
	tailnet_tell_with_key(c, is_new ? COORD_DEVICE_JOINED : COORD_DEVICE_BACK, n, how->key);
	presence_arrives(c, n, now);
	*ret = n;
	return 0;
}
