/* Birth and death of a node. */
#include "core/node/answers/answers.h"
#include "core/node/calls/calls.h"
#include "core/node/login/login.h"
#include "core/node/map/map.h"
#include "core/node/packets/packets.h"

static int engines_new(struct node *a)
{
	struct magicsock_cfg cfg = { .disco = a->id.disco,
		.mtu = a->mtu,
		.rng = a->rng,
		.ops = &a->magicsock_ops,
		.owner = a };
	int rc;

	node_magicsock_ops_set(a);
	rc = magicsock_new(&a->magicsock, &cfg, a->now);
	key_wipe(&cfg.disco, sizeof(cfg.disco));
	if (rc == 0)
		rc = filter_new(&a->filter, a->rng);
	if (rc == 0)
		rc = node_map_new(a);
	return rc;
}

static int take_config(struct node *a, const struct node_cfg *cfg)
{
	struct ipn_prefs p = *cfg->prefs;
	int rc = node_prefs_store(a, &p);

	if (rc >= 0)
		rc = owned_doc_set(&a->host, &tc_hostinfo_type, cfg->host);
	if (rc >= 0)
		rc = engines_new(a);
	if (rc < 0)
		return rc;
	/* What was the truth when we were last here. If it is another device's by now, the hub will say so. */
	if (cfg->netmap.len && has_node_key(a))
		node_map_load(a, cfg->netmap);
	return 0;
}

int node_new(struct node **ret, const struct node_cfg *cfg, struct now now)
{
	struct node *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	*a = (struct node){ .ops = cfg->ops,
		.owner = cfg->owner,
		.rng = cfg->rng,
		.now = now,
		.ephemeral = cfg->ephemeral,
		.default_control_url = cfg->default_control_url,
		.mtu = cfg->mtu ? cfg->mtu : NODE_MTU,
		.id = cfg->identity,
		.ctl_state = CTL_STOPPED,
		.forget_at = MONO_NEVER,
		.wanted_since = MONO_NEVER,
		.expiry_at = MONO_NEVER,
		.retry_at = MONO_NEVER,
		.state = IPN_NO_STATE };
	list_init(&a->pings);
	arena_init(&a->describe_mem, NODE_DESCRIBE_MAX);
	arena_init(&a->scratch, NODE_SCRATCH_MAX);
	buf_init(&a->head_out, NODE_TEXT_MAX);
	rc = node_events_new(a);
	if (rc == 0)
		rc = take_config(a, cfg);
	if (rc == 0 && !key_is_zero(a->id.node.b))
		snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", node_control_url(a));
	if (rc < 0) {
		node_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

struct node *node_free(struct node *a)
{
	if (!a)
		return NULL;
	node_rejects_enable(a, false);
	a->ctl = ctlclient_free(a->ctl);
	node_probes_drop(a);
	node_engine_down(a);
	node_map_drop(a); /* pings of the peers that are removed are answered */
	a->magicsock = magicsock_free(a->magicsock);
	node_pings_drop(a);
	filter_free(a->filter);
	netmap_free(a->nm);
	map_fini(&a->peers);
	dns_names_free(a->dns.names);
	arena_fini(&a->dns.mem);
	owned_doc_free(a->prefs);
	owned_doc_free(a->host);
	free(a->net_mem);
	free(a->nets);
	node_auth_key_set(a, NULL);
	free(a->last_probe_url);
	buf_fini(&a->head_out);
	arena_fini(&a->describe_mem);
	arena_fini(&a->scratch);
	node_events_free(a);
	key_wipe(a, sizeof(*a));
	free(a);
	return NULL;
}
